/** What every error of Millrace says: a stable code, what happened with the values in it, and what to do. */
export interface ErrorText {
  /** What happened, with the values in it. */
  readonly what: string
  /** What the reader can do about it. */
  readonly todo: string
  readonly cause?: unknown
}

/** The root of all errors that Millrace throws on purpose. The subclass answers "what does the caller do now". */
export class MillraceError extends Error {
  /** Never changes between releases; Spark's error class where Spark has one for the condition. */
  readonly code: string
  /** What happened, without the code. */
  readonly what: string
  /** What to do about it. */
  readonly todo: string
  constructor(code: string, text: ErrorText) {
    super(`${code}: ${text.what}\n  What to do: ${text.todo}`, text.cause === undefined ? undefined : { cause: text.cause })
    this.name = new.target.name
    this.code = code
    this.what = text.what
    this.todo = text.todo
  }
}

/** Fix the query (or its options): it can't run as it is written. */
export class InvalidQueryError extends MillraceError {}
/** Something outside is not there right now: try again. */
export class UnavailableError extends MillraceError {}
/** Another run took over: stop. */
export class FencedError extends MillraceError {}
/** What is on disk can't be trusted: restore it from a backup or start a new checkpoint. Nothing was overwritten. */
export class CorruptCheckpointError extends MillraceError {}
/** A function that the user gave has thrown; `cause` is what it threw. */
export class UserFunctionError extends MillraceError {}
/** A defect of Millrace. */
export class InternalError extends MillraceError {}

/** Throws InternalError unless `condition` holds. For invariants of our own, never for input. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new InternalError('INTERNAL_ERROR', { what, todo: 'report this with the query and its checkpoint folder' })
}
