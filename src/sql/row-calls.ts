/**
 * Functions of the program inside of statements. DuckDB calls them on the JavaScript thread, a chunk (up to 2,048 rows) a call, while its other threads go on
 * with the rest of the statement. It calls them in no order of the rows, for no more rows than come to the place where they stand, and once a row each time the
 * statement runs: they are volatile to it, so that no filter that reads a result is moved or doubled.
 *
 * DuckDB can't forget a function, so there is one for each list of types, and its first argument is the number of the call.
 */
import { assert } from '../base/errors.ts'
import { ArrayPool, giveColumns } from '../data/array-pool.ts'
import { type Column, columnKind } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { DataType } from '../data/types.ts'
import { bindings, type DataChunk, type Vector } from './bindings.ts'
import { columnName, duckType, logicalType } from './duck-types.ts'
import { writeNestedVector } from './nested-values.ts'
import { readColumn } from './read-vectors.ts'
import { SqlRelation } from './relation.ts'
import type { CallInside, Relation } from './sql-batch.ts'
import { writeVector } from './write-vectors.ts'

/** Results for some rows of the arguments, whose memory is taken back after the call; null where they can't be had without waiting. */
export type RowsCall = (args: readonly Column[], rows: number) => Column | null

interface Placed {
  readonly args: readonly DataType[]
  readonly gives: DataType
  readonly call: RowsCall
  failure: { readonly error: unknown } | undefined
}
type Connection = Awaited<ReturnType<typeof bindings.connect>>

/** What a statement fails with where a call in it can't be made inside of statements. */
export class CallOutside extends Error {
  readonly id: bigint
  constructor(id: bigint) {
    super(`call ${id} has to wait for its results`)
    this.id = id
  }
}

/** One for the process: all chunks are read on one thread. */
const chunkMemory = new ArrayPool()

/** The calls that statements of one engine may make. */
export class RowCalls {
  readonly #connection: Connection
  /** By DuckDB's types of arguments and result, of which several of ours may be one. */
  readonly #names = new Map<string, string>()
  readonly #placed = new Map<bigint, Placed>()
  #last = 0n
  /** `connection` is used for nothing else: no statement ever runs on it. */
  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** SqlBatch.withCalls of many rows; its calls can be made until `remove`. */
  over(input: SqlRelation, kept: number, calls: readonly CallInside[], outside: () => Promise<Relation>): SqlRelation {
    const { fields } = input.schema
    const ids: bigint[] = []
    const columns = Array.from({ length: kept }, (_, i) => columnName(i))
    for (const { args, result, call } of calls) {
      const types = args.map((at) => fields[at]!.type)
      const { id, name } = this.#place(types, result.type, call)
      ids.push(id)
      const values = [`${id}::BIGINT`, ...args.map((at, i) => together(columnName(at), types[i]!))]
      columns.push(`${name}(${values.join(', ')}) AS ${columnName(columns.length)}`)
    }
    const schema = new Schema([...fields.slice(0, kept), ...calls.map(({ result }) => result)])
    const made = new SqlRelation(schema, { kind: 'select', sql: `SELECT ${columns.join(', ')} FROM ⟦0⟧`, inputs: [input] })
    made.calls = { ids, outside }
    return made
  }
  #place(args: readonly DataType[], gives: DataType, call: RowsCall): { readonly id: bigint; readonly name: string } {
    const key = JSON.stringify([...args, gives].map((type) => duckType(type)))
    const name = this.#names.get(key) ?? this.#register(`millrace_call_${this.#names.size}`, args, gives)
    this.#names.set(key, name)
    const id = ++this.#last
    this.#placed.set(id, { args, gives, call, failure: undefined })
    return { id, name }
  }
  remove(id: bigint): void {
    this.#placed.delete(id)
  }

  /** What a call has failed with, where that is why a statement did. */
  errorOf(failed: unknown): unknown {
    const id = /millrace call (\d+) failed/.exec(String(failed))?.[1]
    return id === undefined ? undefined : this.#placed.get(BigInt(id))?.failure?.error
  }

  close(): void {
    bindings.disconnect_sync(this.#connection)
  }

  #register(name: string, args: readonly DataType[], gives: DataType): string {
    const made = bindings.create_scalar_function()
    bindings.scalar_function_set_name(made, name)
    for (const type of ['long', ...args] as const) bindings.scalar_function_add_parameter(made, logicalType(type))
    bindings.scalar_function_set_return_type(made, logicalType(gives))
    bindings.scalar_function_set_special_handling(made)
    bindings.scalar_function_set_volatile(made)
    bindings.scalar_function_set_function(made, (info, input, output) => {
      const id = firstNumber(input)
      const placed = this.#placed.get(id)
      try {
        assert(placed, `the call ${id} is gone`)
        // where one has failed, no more begin; other threads may have chunks on their way
        if (placed.failure === undefined) run(id, placed, input, output)
      } catch (error) {
        // an exception must not leave a call that DuckDB makes
        if (placed) placed.failure = { error }
      }
      if (placed?.failure !== undefined || !placed) bindings.scalar_function_set_error(info, `millrace call ${id} failed`)
    })
    bindings.register_scalar_function(this.#connection, made)
    return name
  }
}

/** Texts of a vector may lie all over the memory (of a file, of a table), and would be fetched one by one; a copy lies together. */
function together(column: string, type: DataType): string {
  return columnKind(type) === 'bytes' ? `${column} || ''${type === 'binary' ? '::BLOB' : ''}` : column
}

function firstNumber(chunk: DataChunk): bigint {
  const column = readColumn([{ chunk, rows: 1 }], 0, 'long', 1)
  return (column as { readonly data: BigInt64Array }).data[0]!
}

function run(id: bigint, { args, gives, call }: Placed, input: DataChunk, output: Vector): void {
  const rows = bindings.data_chunk_get_size(input)
  const chunks = [{ chunk: input, rows }]
  const columns = args.map((type, i) => readColumn(chunks, i + 1, type, rows, chunkMemory))
  try {
    const results = call(columns, rows)
    if (results === null) throw new CallOutside(id)
    if (results.kind === 'values') writeNestedVector(output, gives, results.values, rows)
    else writeVector(output, results, 'value', 0, rows)
  } finally {
    giveColumns(chunkMemory, columns)
  }
}
