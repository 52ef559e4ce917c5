/** What functions with state give, and what they throw. */
import { InvalidQueryError, MillraceError, UserFunctionError } from '../../base/errors.ts'
import type { ColumnBatch } from '../../data/column-batch.ts'
import type { Row } from '../../data/row-set.ts'
import type { Schema } from '../../data/schema.ts'
import { rowsToColumns } from '../../data/values.ts'

/** A call of the program's function, for errors. */
export interface CallPlace {
  /** `handleInputRows of CountProcessor`. */
  readonly what: string
  readonly key: Row
}

/** So many rows wait as objects. */
const chunkRows = 65_536

/** Where the rows of a call go. */
export interface RowTaker {
  /** Takes what a call gave; a promise only where the call was asynchronous. */
  take(given: unknown, place: CallPlace): undefined | Promise<void>
  takeRow(row: unknown, place: CallPlace): void
  /** Whether the output has such rows as the call gave; throws what CollectedRows.finish would. */
  check(place: CallPlace): void
  /** Forgets the rows of a call that failed. */
  drop(place: CallPlace): void
}

/** Collects the rows that calls give, one call after the other, as columns. */
export class CollectedRows implements RowTaker {
  readonly #schema: Schema
  readonly #chunks: ColumnBatch[] = []
  #rows: Row[] = []
  #places: { readonly from: number; readonly place: CallPlace }[] = []

  /** What else is asked of rows. */
  readonly #check: (rows: ColumnBatch) => void

  constructor(schema: Schema, check: (rows: ColumnBatch) => void = () => {}) {
    this.#schema = schema
    this.#check = check
  }

  take(given: unknown, place: CallPlace): undefined | Promise<void> {
    if (given === undefined || given === null) return undefined
    if (isThenable(given)) return this.#takeLater(given, place)
    this.#begin(place)
    return gather(given, place, this.#rows)
  }
  async #takeLater(given: PromiseLike<unknown>, place: CallPlace): Promise<void> {
    await this.take(await given, place)
  }
  takeRow(row: unknown, place: CallPlace): void {
    this.#begin(place)
    this.#rows.push(row as Row)
  }
  check(place: CallPlace): void {
    const last = this.#places.at(-1)
    if (last?.place === place) this.checkRows(this.#rows.slice(last.from), place)
  }
  checkRows(rows: readonly Row[], place: CallPlace): void {
    if (rows.length > 0) this.#check(toColumns(this.#schema, rows, () => place))
  }
  drop(place: CallPlace): void {
    const last = this.#places.at(-1)
    if (last?.place !== place) return
    this.#rows.length = last.from
    this.#places.pop()
  }
  /** Takes the rows of a call that is over. */
  takeAll(rows: readonly Row[], place: CallPlace): void {
    if (rows.length === 0) return
    this.#begin(place)
    for (const row of rows) this.#rows.push(row)
  }

  finish(): ColumnBatch[] {
    this.#cut()
    for (const chunk of this.#chunks) this.#check(chunk)
    return this.#chunks
  }

  #begin(place: CallPlace): void {
    if (this.#rows.length >= chunkRows) this.#cut()
    this.#places.push({ from: this.#rows.length, place })
  }
  #cut(): void {
    if (this.#rows.length > 0) this.#chunks.push(this.#toColumns())
    this.#rows = []
    this.#places = []
  }
  #toColumns(): ColumnBatch {
    return toColumns(this.#schema, this.#rows, (row) => this.#places.findLast(({ from }) => from <= row)!.place)
  }
}

function toColumns(schema: Schema, rows: readonly Row[], placeOf: (row: number) => CallPlace): ColumnBatch {
  try {
    return rowsToColumns(schema, rows)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const { what, key } = placeOf(Number(/rows\[(\d+)\]/.exec(error.what)?.[1] ?? 0))
    throw new UserFunctionError('UDF_RETURN_TYPE', {
      what: `${what} gave a row for the key ${keyText(key)} that its output has not: ${error.what.replace(/^rows\[\d+\]\.?/, '')}`,
      todo: `give rows of (${schema.fields.map(({ name }) => name).join(', ')}) as the output says; .nullable() allows null`,
      cause: error,
    })
  }
}

/** Calls that end in any order give their rows in the order of their beginning. */
export class RowsInTurn {
  readonly #output: CollectedRows
  readonly #turns: { readonly rows: RowsOfCall; isOver: boolean }[] = []
  /** Turns before it are done. */
  #first = 0
  #waiting = 0

  constructor(output: CollectedRows) {
    this.#output = output
  }

  /** So many rows wait for calls before theirs that no more calls should begin. */
  get isFull(): boolean {
    return this.#waiting >= chunkRows
  }
  /** A call begins; `over` is to be called at its end. */
  begin(place: CallPlace): { readonly rows: RowTaker; readonly over: () => void } {
    const turn = { rows: new RowsOfCall(place, this.#output), isOver: false }
    this.#turns.push(turn)
    return { rows: turn.rows, over: () => this.#over(turn) }
  }

  #over(turn: { readonly rows: RowsOfCall; isOver: boolean }): void {
    turn.isOver = true
    this.#waiting += turn.rows.all.length
    while (this.#turns[this.#first]?.isOver) {
      const { rows } = this.#turns[this.#first++]!
      this.#waiting -= rows.all.length
      this.#output.takeAll(rows.all, rows.place)
    }
    if (this.#first < 1024 && this.#first < this.#turns.length) return
    this.#turns.splice(0, this.#first)
    this.#first = 0
  }
}
class RowsOfCall implements RowTaker {
  readonly place: CallPlace
  readonly all: Row[] = []
  readonly #output: CollectedRows
  constructor(place: CallPlace, output: CollectedRows) {
    this.place = place
    this.#output = output
  }
  take(given: unknown, place: CallPlace): undefined | Promise<void> {
    return gather(given, place, this.all)
  }
  takeRow(row: unknown): void {
    this.all.push(row as Row)
  }
  check(place: CallPlace): void {
    this.#output.checkRows(this.all, place)
  }
  drop(): void {
    this.all.length = 0
  }
}

/** What a call gave, as rows behind the others. */
function gather(given: unknown, place: CallPlace, rows: Row[]): undefined | Promise<void> {
  if (given === undefined || given === null) return undefined
  if (isThenable(given)) return gatherLater(given, place, rows)
  if (Array.isArray(given)) {
    for (let i = 0; i < given.length; i++) rows.push(given[i])
    return undefined
  }
  if (typeof given === 'object' && Symbol.asyncIterator in given) return gatherStream(given as AsyncIterable<Row>, rows)
  if (typeof given === 'object' && Symbol.iterator in given) {
    for (const row of given as Iterable<Row>) rows.push(row)
    return undefined
  }
  throw new UserFunctionError('UDF_RETURN_TYPE', {
    what: `${place.what} gave a ${typeof given} for the key ${keyText(place.key)}, and gives rows`,
    todo: 'return a list of rows (or nothing), be a generator that yields them, or a promise of them',
  })
}
async function gatherLater(given: PromiseLike<unknown>, place: CallPlace, rows: Row[]): Promise<void> {
  await gather(await given, place, rows)
}
async function gatherStream(given: AsyncIterable<Row>, rows: Row[]): Promise<void> {
  for await (const row of given) rows.push(row)
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** The call in an error's text. */
export function callOf({ what, key }: CallPlace): string {
  return `${what} for the key ${keyText(key)}`
}

/** What the program's function threw, with the key in it. A misuse of the state keeps its code. */
export function callFailed(code: string, { what, key }: CallPlace, cause: unknown): MillraceError {
  if (cause instanceof UserFunctionError) return cause
  if (cause instanceof InvalidQueryError)
    return new InvalidQueryError(cause.code, { what: `${cause.what} (in ${what}, for the key ${keyText(key)})`, todo: cause.todo, cause })
  if (cause instanceof MillraceError) return cause
  return new UserFunctionError(code, {
    what: `${what} threw for the key ${keyText(key)}: ${bounded(cause instanceof Error ? cause.message : String(cause), 500)}`,
    todo: 'see the cause; the batch is not committed, and is run again when the query is started again',
    cause,
  })
}

export function keyText(key: Row): string {
  const text = JSON.stringify(key, (_, value) =>
    typeof value === 'bigint'
      ? String(value)
      : value instanceof Map
        ? [...value]
        : value instanceof Uint8Array
          ? `${value.length} bytes`
          : value,
  )
  return bounded(text, 200)
}
function bounded(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`
}

/** Lets other work of the process run where many calls have followed one another. */
export class Breather {
  #calls = 0
  #sinceMs = performance.now()
  /** A promise where it is time. */
  pause(): undefined | Promise<void> {
    if (++this.#calls % 64 !== 0 || performance.now() - this.#sinceMs < 10) return undefined
    return new Promise((resolve) =>
      setImmediate(() => {
        this.#sinceMs = performance.now()
        resolve()
      }),
    )
  }
}
