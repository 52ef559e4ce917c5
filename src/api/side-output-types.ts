import type { DataFrame, OutputWriter } from './frame-types.ts'

export type { WatermarkOptions } from '../plan/watermark-options.ts'

/** What a side output's function gives: one output, or several under names. */
export type SideOutputs = OutputWriter<any> | Readonly<Record<string, OutputWriter<any>>>

/** Behind a late row's own columns: what made it late. */
export interface LateRowColumns {
  /** `late`, or `future` where the row is stamped further ahead than maxFutureSkew allows. */
  _reason: 'string'
  /** The step that dropped it, as in stateOperators of the progress; null for `future`. */
  _operator_id: 'int' | null
  _operator_name: 'string' | null
  /** Which side of a join. */
  _side: 'string' | null
  _event_time: 'timestamp' | null
  /** The watermark that made it late; for `future` the latest time that would have been taken. */
  _watermark: 'timestamp'
  /** Of how many windows the row was late, and whether others have taken it. */
  _late_windows: 'int'
  _partly: 'boolean'
  _batch_id: 'long'
}

/** A record or row that could not be used, and why. */
export interface DeadLetterColumns {
  /** A code that never changes: MALFORMED_RECORD_IN_PARSING, FAILED_READ_FILE, FAILED_EXECUTE_UDF, … */
  reason: 'string'
  message: 'string'
  /** Who refused it: `source`, `expression`, `function` or `sink`. */
  stage: 'string'
  /** The source's name in the checkpoint. */
  source: 'string' | null
  /** Where it comes from, as far as that is known: a file and the line in which the record begins, or a place in a topic. */
  file: 'string' | null
  line: 'long' | null
  topic: 'string' | null
  partition: 'int' | null
  offset: 'long' | null
  /** Its bytes as they were read; of a row whose record is not known its JSON. */
  raw: 'binary' | null
  batch_id: 'long'
  /** The timestamp of the batch. */
  at: 'timestamp'
}
/** The rows that `deadLetters` gives out. */
export type DeadLetterFrame = DataFrame<{ [P in keyof DeadLetterColumns]: DeadLetterColumns[P] }>

export interface DeadLetterOptions {
  /** So many dead letters of one batch are taken; one more ends the query with DEAD_LETTER_LIMIT_EXCEEDED, and nothing of the batch counts. */
  readonly maxPerBatch?: number
  /** The same as a share of the rows that the batch has read: 0.01 is one in a hundred. */
  readonly maxShare?: number
  /** Whether rows for which a function of the program throws (`udf`, functions with state) become dead letters too. Default false: the query ends. */
  readonly userFunctions?: boolean
}
