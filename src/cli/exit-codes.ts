import {
  CorruptCheckpointError,
  FencedError,
  InternalError,
  InvalidQueryError,
  UnavailableError,
  UserFunctionError,
} from '../base/errors.ts'

/** What `millrace` exits with. A supervisor starts again after 6 and 9, and perhaps after 1; the others need somebody to look first. */
export const exitCodes = {
  /** Every query ended by itself, or was drained after the first signal. */
  done: 0,
  /** The module failed with an error that is not of Millrace. */
  failed: 1,
  /** The command line or the module can't be run as it is. */
  usage: 2,
  /** Another run owns the checkpoint. */
  fenced: 3,
  /** The checkpoint or the output can't be trusted: restore it. */
  corrupt: 4,
  /** A query can't run as it is written, or over the data that it met. */
  invalid: 5,
  /** Something outside was not there: a restart goes on where it stood. */
  unavailable: 6,
  /** A function of the user's has thrown. */
  userFunction: 7,
  /** A defect of Millrace. */
  internal: 8,
  /** `--restart` gave up: one start after the other failed soon. */
  crashLoop: 9,
  /** `plan`: a query can't go on with its checkpoint. */
  refused: 10,
  /** Plus the signal's number: a second signal, the batch was left off. */
  signal: 128,
} as const

export function exitCodeOf(error: unknown): number {
  if (error instanceof FencedError) return exitCodes.fenced
  if (error instanceof CorruptCheckpointError) return exitCodes.corrupt
  if (error instanceof InvalidQueryError) return exitCodes.invalid
  if (error instanceof UnavailableError) return exitCodes.unavailable
  if (error instanceof UserFunctionError) return exitCodes.userFunction
  if (error instanceof InternalError) return exitCodes.internal
  return exitCodes.failed
}
