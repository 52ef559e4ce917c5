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
