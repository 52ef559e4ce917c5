import type { Field } from './types.ts'

/** Behind the columns that the user asked for, in the side output of late rows. */
export const lateRowFields: readonly Field[] = [
  { name: '_reason', type: 'string', nullable: false },
  { name: '_operator_id', type: 'int', nullable: true },
  { name: '_operator_name', type: 'string', nullable: true },
  { name: '_side', type: 'string', nullable: true },
  { name: '_event_time', type: 'timestamp', nullable: true },
  { name: '_watermark', type: 'timestamp', nullable: false },
  { name: '_late_windows', type: 'int', nullable: false },
  { name: '_partly', type: 'boolean', nullable: false },
  { name: '_batch_id', type: 'long', nullable: false },
]

/** The books of one place of a query in one batch: `rowsIn` = `rowsOn` + `lateRows` + `deadLetters`, each counted for itself. */
export interface Account {
  /** `source clicks`, `watermark at`, `stateStoreSave 0`, `symmetricHashJoin 1 left`, `function cents`, `sink`. */
  readonly at: string
  readonly rowsIn: number
  /** What went on from there. */
  readonly rowsOn: number
  /** Rows that no window or group took any more, or that were stamped too far ahead. */
  readonly lateRows: number
  readonly deadLetters: number
}

/** A record or row that could not be used, and why. */
export interface RefusedRecord {
  /** A code that never changes: MALFORMED_RECORD_IN_PARSING, … */
  readonly reason: string
  readonly message: string
  /** Where it comes from, as far as that is known. */
  readonly file?: string
  /** From 1. */
  readonly line?: number
  readonly topic?: string
  readonly partition?: number
  readonly offset?: bigint
  /** Its bytes as they were read; of a row its JSON. */
  readonly raw?: Uint8Array
}

/** The columns of dead letters. */
export const deadLetterFields: readonly Field[] = [
  { name: 'reason', type: 'string', nullable: false },
  { name: 'message', type: 'string', nullable: false },
  { name: 'stage', type: 'string', nullable: false },
  { name: 'source', type: 'string', nullable: true },
  { name: 'file', type: 'string', nullable: true },
  { name: 'line', type: 'long', nullable: true },
  { name: 'topic', type: 'string', nullable: true },
  { name: 'partition', type: 'int', nullable: true },
  { name: 'offset', type: 'long', nullable: true },
  { name: 'raw', type: 'binary', nullable: true },
  { name: 'batch_id', type: 'long', nullable: false },
  { name: 'at', type: 'timestamp', nullable: false },
]
/** Who refused it. */
export type DeadLetterStage = 'source' | 'function' | 'sink'
