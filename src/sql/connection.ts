/**
 * A connection to DuckDB that batches use one after another. What small batches repeat stays with it: the places their rows are read
 * from, and the statements over them, which DuckDB then neither parses nor plans again (two thirds of what such a statement costs).
 */
import type { ColumnBatch } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import { bindings, type Result } from './bindings.ts'
import { columnDefinitions } from './duck-types.ts'
import { LoadedRows } from './loaded-rows.ts'
import type { RowCalls } from './row-calls.ts'

type Native = Awaited<ReturnType<typeof bindings.connect>>
type Statement = Awaited<ReturnType<typeof bindings.prepare>>

/** Statements of one connection that are kept; the one that was not used for longest goes first. */
const keptStatements = 64

export class Connection {
  readonly native: Native
  readonly calls: RowCalls
  readonly #rows: LoadedRows
  /** By the columns' types: the n-th relation of them in a batch has the n-th place, so that equal batches have equal texts. */
  readonly #places = new Map<string, bigint[]>()
  readonly #taken = new Map<string, number>()
  /** By text; null where it has been run once and may never come again. */
  readonly #statements = new Map<string, Statement | null>()

  constructor(native: Native, rows: LoadedRows, calls: RowCalls) {
    this.native = native
    this.calls = calls
    this.#rows = rows
  }

  /** Lets statements read the columns until the batch ends, and gives what stands behind FROM. */
  place(schema: Schema, batches: readonly ColumnBatch[]): string {
    const types = columnDefinitions(schema)
    const places = this.#places.get(types) ?? []
    this.#places.set(types, places)
    const taken = this.#taken.get(types) ?? 0
    this.#taken.set(types, taken + 1)
    places[taken] ??= this.#rows.open(schema)
    const id = places[taken]!
    this.#rows.fill(id, batches)
    return LoadedRows.text(id)
  }

  /** Runs one statement that a later batch may have again, word for word. */
  async runAgain(sql: string): Promise<Result> {
    const known = this.#statements.get(sql)
    this.#statements.delete(sql)
    if (known === undefined) {
      this.#keep(sql, null)
      return bindings.query(this.native, sql)
    }
    const statement = known ?? (await bindings.prepare(this.native, sql))
    this.#keep(sql, statement)
    return bindings.execute_prepared(statement)
  }
  #keep(sql: string, statement: Statement | null): void {
    this.#statements.set(sql, statement)
    if (this.#statements.size <= keptStatements) return
    const [oldest, last] = this.#statements.entries().next().value!
    this.#statements.delete(oldest)
    if (last) bindings.destroy_prepare_sync(last)
  }

  /** The batch is over: its rows may go. */
  release(): void {
    for (const [types, taken] of this.#taken) for (const id of this.#places.get(types)!.slice(0, taken)) this.#rows.fill(id, [])
    this.#taken.clear()
  }

  close(): void {
    for (const statement of this.#statements.values()) if (statement) bindings.destroy_prepare_sync(statement)
    this.#statements.clear()
    for (const places of this.#places.values()) for (const id of places) this.#rows.remove(id)
    this.#places.clear()
    bindings.disconnect_sync(this.native)
  }
}
