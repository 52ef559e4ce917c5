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

/** The books of a batch: `rowsIn` = `rowsOn` + `lateRows` + `deadLetters`. */
export interface Balance {
  readonly rowsIn: number
  /** What went on from there. */
  readonly rowsOn: number
  /** Rows that no window or group took any more, or that were stamped too far ahead. */
  readonly lateRows: number
  readonly deadLetters: number
}
/** The books of one place of a query in one batch, each number counted for itself. */
export interface Account extends Balance {
  /** `source clicks`, `expressions over source clicks`, `watermark at`, `stateStoreSave 0`, `symmetricHashJoin 1 left`, `function cents`, `sink`. */
  readonly at: string
}

/** What the books call a source. */
export function sourcePlace(source: string): string {
  return `source ${source}`
}

/** What the books call an output's places begins so. */
export function outputPlace(output: string): string {
  return `output ${output}: `
}
/** What the books call the rows of a table. */
export function tablePlace(table: string): string {
  return `table ${table}`
}
/** What the books call the calls of a function with state without rows: timers and timeouts. */
export const callsPlace = 'calls without rows of '
/**
 * Places whose rows are none that the sources gave: the pairs of a join, a table's rows, what single outputs are given, all of which may be there beside the rows that they are made of, and calls that no row
 * has caused.
 */
const ownRows = /^(?:output |calls without rows of |expressions over (?:pairs of |table )|(?:expressions over )?function .* over a table$)/

/**
 * All places of a batch as one line. Rows in are those that the sources gave. Of what came to each place behind them only what was set aside there counts: it is the
 * same rows, or what the query's own operators made of them. A row that they filtered went on; of several that they made of one, each that is set aside counts as one, and one of those that no source
 * gave as a row that came in.
 */
export function balanceOf(places: readonly Account[], inputRows: ReadonlyMap<string, number>): Balance {
  const sources = new Set([...inputRows.keys()].map(sourcePlace))
  const sum = (of: readonly Account[], pick: (account: Account) => number) => of.reduce((total, account) => total + pick(account), 0)
  const behind = places.filter(({ at }) => !sources.has(at))
  // sources that set nothing aside have no books
  const booked = new Set(places.map(({ at }) => at))
  const others = [...inputRows].reduce((total, [source, rows]) => total + (booked.has(sourcePlace(source)) ? 0 : rows), 0)
  const made = sum(
    behind.filter(({ at }) => ownRows.test(at)),
    ({ deadLetters }) => deadLetters,
  )
  const cameThere = sum(behind, ({ rowsIn }) => rowsIn) - others - made
  return {
    rowsIn: sum(places, ({ rowsIn }) => rowsIn) - cameThere,
    rowsOn: sum(places, ({ rowsOn }) => rowsOn) - cameThere,
    lateRows: sum(places, ({ lateRows }) => lateRows),
    deadLetters: sum(places, ({ deadLetters }) => deadLetters),
  }
}

/** A record or row that could not be used, and why. */
export interface RefusedRecord {
  /** A code that never changes: MALFORMED_RECORD_IN_PARSING, … */
  readonly reason: string
  readonly message: string
  /** Of a sink: the number of the row, from 0, among those of the batch in the order in which they were given. By it the engine finds where the row comes from. */
  readonly row?: number
  /** Where it comes from, as far as that is known: the name of the source, and the place in it. */
  readonly source?: string
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
export type DeadLetterStage = 'source' | 'expression' | 'function' | 'sink'
