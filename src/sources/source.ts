import type { Condition } from '../data/condition.ts'
import type { Schema } from '../data/schema.ts'
import type { FieldRead, SourceBatch } from '../data/source-batch.ts'

/** A position in a source: any plain JSON value. The source alone gives it meaning; equality is equality of canonical JSON. */
export type Offset = unknown

/** How much a batch may take. A source heeds the kinds that it can measure, passes over the others, and always takes at least one of its units. */
export type ReadLimit =
  | { readonly kind: 'all' }
  | { readonly kind: 'max-files'; readonly count: number }
  | { readonly kind: 'max-bytes'; readonly bytes: number }
  | { readonly kind: 'max-rows'; readonly count: number }
  /** All of them hold: whichever is reached first ends the batch. */
  | { readonly kind: 'composite'; readonly limits: readonly ReadLimit[] }

/** The tightest bound of one kind within a limit, or infinity. */
export function boundOf(limit: ReadLimit, kind: 'max-files' | 'max-bytes' | 'max-rows'): number {
  if (limit.kind === 'composite') return Math.min(...limit.limits.map((each) => boundOf(each, kind)), Number.POSITIVE_INFINITY)
  if (limit.kind !== kind) return Number.POSITIVE_INFINITY
  return limit.kind === 'max-bytes' ? limit.bytes : (limit as { count: number }).count
}

/** What a query reads of a source's rows. A source may leave out the rest. */
export interface RowsNeeded {
  /** Positions in the source's schema. */
  readonly columns: ReadonlySet<number>
  /** Instead of a column of JSON texts, some fields of the objects that they hold (sources with `parsesJson`). */
  readonly json?: { readonly column: number; readonly fields: Schema }
  /** Fields of structs that are wanted as columns behind the source's own (sources with `givesFields`). */
  readonly fields?: readonly FieldRead[]
  /** Of a bounded table: the schema that the query knows it by, to which the positions belong. */
  readonly schema?: Schema
  /** Of a bounded table: rows for which one of these is not true are not wanted, and may be left out. */
  readonly conditions?: readonly Condition[]
}

/**
 * A source that can be asked again. Contract, as the engine relies on it:
 * - `latestOffset(start, limit)` may be called any number of times; `start` is null before the first batch. It returns the end of the
 *   next batch within the limit, or `start` (or null) where there is nothing new. It must be >= start.
 * - `rows(start, end)` gives the same rows whenever it is asked for the same offsets, also in another process after a crash, until
 *   `commit(end')` with end' >= end was called.
 * - `commit(end)` says that everything up to `end` has reached the sink durably and is never asked for again. It may be repeated or left out.
 * - Errors: UnavailableError where trying again may help; InvalidQueryError for options; nothing is ever skipped silently.
 */
export interface Source {
  readonly schema: Schema
  /** For progress: `FileStreamSource[/in]`. */
  readonly description: string
  /** The limit that the source's options ask for (maxFilesPerTrigger …). */
  readonly readLimit: ReadLimit
  /** Columns that say where a row comes from: those of `topic`, `partition`, `offset` that it has, and `value`, the bytes that it was made of. They are read too where dead letters are kept. */
  readonly originColumns?: readonly string[]
  /** Whether it gives files (of a format, or of a table): then the engine can tell the file and the record of a row. */
  readonly tellsRecords?: boolean
  /**
   * Whether, in a run over what is there (`prepareForAvailableNow`), the next batch may be asked for and read while the one before, whose rows were read, is being written: `latestOffset` then comes
   * before `commit` of that one. Batches of queries with state then take the time of the longer of the two.
   */
  readonly readsAhead?: boolean
  latestOffset(start: Offset | null, limit: ReadLimit): Promise<Offset | null>
  rows(start: Offset | null, end: Offset, needed?: RowsNeeded): Promise<SourceBatch>
  commit(end: Offset): Promise<void>
  /** The newest offset there is, for progress; undefined where that is not known. */
  reportLatestOffset?(): Offset | null | undefined
  /**
   * The partitions that there are, for watermarks of partitions (withWatermark's perPartition): each by the values that tell it apart in the columns of its
   * rows, such as `{ topic: 'clicks', partition: 0 }`. Until a partition has given rows it holds the watermark back, unless it is idle. Without it, partitions
   * are known by their rows.
   */
  partitions?(end: Offset | null): readonly Readonly<Record<string, unknown>>[]
  /** Called once at the start of an AvailableNow run, before latestOffset: from then on nothing newer than now is reported. */
  prepareForAvailableNow?(): Promise<void>
  /** For progress: string → string. */
  metrics?(latestConsumed: Offset | null): Record<string, string>
  stop(): Promise<void>
}
