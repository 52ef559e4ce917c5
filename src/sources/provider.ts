import type { Clock } from '../base/clock.ts'
import type { Files } from '../base/files.ts'
import type { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import type { RowsNeeded, Source } from './source.ts'

/** What a format gives for `readStream.format(name)`. */
export interface SourceProvider {
  /** The names it answers to, Spark's first. */
  readonly formats: readonly string[]
  /** The schema, where the format fixes it (rate: timestamp, value) — called while the query is written. Where the user has to give
   *  one and did not: InvalidQueryError. Also checks option names and values. */
  schemaOf(format: string, userSchema: Schema | undefined, options: Readonly<Record<string, string>>): Schema
  /** Source.originColumns of its sources. */
  readonly originColumns?: readonly string[]
  /** Source.tellsRecords of its sources. */
  readonly tellsRecords?: boolean
  /** Columns that hold JSON texts as bytes, of which it can give fields as columns of their own (RowsNeeded.json). */
  readonly parsesJson?: readonly string[]
  /** Whether it can give fields of its structs as columns of their own (RowsNeeded.fields), and nothing depends on what the other fields hold. */
  givesFields?(format: string, schema: Schema, options: Readonly<Record<string, string>>): boolean
  /** Where the format can be read as a bounded table too: `read.format(name).load()`. Files are none of these. */
  readonly bounded?: {
    /** Checks the options, a path among them, and gives the columns. */
    schemaOf(options: Readonly<Record<string, string>>): Schema | Promise<Schema>
    read(options: Readonly<Record<string, string>>, needed: RowsNeeded): Promise<SourceBatch>
  }
  /** Called when the query starts. Reads what the source keeps in `metadataFolder`, writes nothing before the first latestOffset. */
  open(context: SourceContext): Promise<Source>
}
/** The `instance` of a scan of a bounded table: some files of a table format, say. */
export interface BoundedTable {
  read(needed: RowsNeeded): Promise<SourceBatch>
}
export interface SourceContext {
  readonly format: string
  readonly schema: Schema
  readonly options: Readonly<Record<string, string>>
  /** `<checkpoint>/sources/<name>`: the source's own durable notes. */
  readonly metadataFolder: string
  /** The query's id, which stays with the checkpoint. */
  readonly queryId?: string
  readonly files: Files
  readonly clock: Clock
  /** Set where the format is an object of this process (memory). */
  readonly instance?: unknown
  /** Checks that this run still owns the checkpoint; called before each durable write of the source's own. Rejects with FencedError. */
  readonly checkFence: () => Promise<void>
  /** Engine configuration under Spark's keys (fileSource.log.compactInterval …). */
  readonly conf: (key: string) => string | undefined
  /** Whether records that can't be read are to be handed over beside the rows (SourceBatch.refused) in place of failing the batch. */
  readonly keepsDeadLetters?: boolean
  /** Tells the user what is no error and should be known. */
  readonly warn?: (text: string) => void
  /** May be called when there is something new: a query that waits for data looks at once. */
  readonly onNews?: () => void
}
