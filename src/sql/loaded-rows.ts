/**
 * Small batches of columns are no tables: DuckDB reads them out of JavaScript's memory through a table function, which is called on the
 * JavaScript thread, a chunk a call. That saves the two statements that a table costs (about 1 ms), and costs 0.2 ms each time the rows
 * are read; a large batch is better off as a table, which all of DuckDB's threads read.
 */
import { assert } from '../base/errors.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import { bindings } from './bindings.ts'
import { columnName, logicalType } from './duck-types.ts'
import { chunkRows, writeChunk } from './write-vectors.ts'

/** Up to how many rows a batch is read in place. */
export const smallRows = 4096

/** A place of rows: its columns' types stay, what lies there changes from batch to batch. */
interface Loaded {
  readonly schema: Schema
  batches: readonly ColumnBatch[]
}
/** Where a scan stands. */
interface Scan {
  batch: number
  row: number
}

const functionName = 'millrace_rows'

/** The batches that statements of one engine may read. */
export class LoadedRows {
  readonly #loaded = new Map<bigint, Loaded>()
  #last = 0n

  /** Makes an empty place for rows of these types. */
  open(schema: Schema): bigint {
    const id = ++this.#last
    this.#loaded.set(id, { schema, batches: [] })
    return id
  }
  /** Lays columns there for statements to read, until the next `fill` or `remove`. Nothing is copied: they must not change. */
  fill(id: bigint, batches: readonly ColumnBatch[]): void {
    const loaded = this.#loaded.get(id)
    assert(loaded, `the place ${id} is gone`)
    loaded.batches = batches.filter((batch) => batch.length > 0)
  }
  remove(id: bigint): void {
    this.#loaded.delete(id)
  }
  /** What stands behind FROM. */
  static text(id: bigint): string {
    return `${functionName}(${id})`
  }

  /** Makes the function known to all connections of the database. */
  register(connection: Awaited<ReturnType<typeof bindings.connect>>): void {
    const scan = bindings.create_table_function()
    bindings.table_function_set_name(scan, functionName)
    bindings.table_function_add_parameter(scan, bindings.create_logical_type(5 as never))
    bindings.table_function_set_bind(scan, (info) =>
      orReport(
        (message) => bindings.bind_set_error(info, message),
        () => {
          const id = bindings.get_int64(bindings.bind_get_parameter(info, 0))
          const loaded = this.#loaded.get(id)
          assert(loaded, `rows ${id} are gone`)
          loaded.schema.fields.forEach(({ type }, i) => bindings.bind_add_result_column(info, columnName(i), logicalType(type)))
          bindings.bind_set_cardinality(
            info,
            loaded.batches.reduce((sum, batch) => sum + batch.length, 0),
            false,
          )
          bindings.bind_set_bind_data(info, loaded)
        },
      ),
    )
    bindings.table_function_set_init(scan, (info) => {
      bindings.init_set_init_data(info, { batch: 0, row: 0 } satisfies Scan)
      bindings.init_set_max_threads(info, 1)
    })
    bindings.table_function_set_function(scan, (info, output) =>
      orReport(
        (message) => bindings.function_set_error(info, message),
        () => {
          const { batches } = bindings.function_get_bind_data(info) as Loaded
          const at = bindings.function_get_init_data(info) as Scan
          const batch = batches[at.batch]
          const rows = batch === undefined ? 0 : Math.min(chunkRows, batch.length - at.row)
          bindings.data_chunk_set_size(output, rows)
          if (batch === undefined) return
          writeChunk(output, batch, at.row, rows)
          at.row += rows
          if (at.row === batch.length) Object.assign(at, { batch: at.batch + 1, row: 0 } satisfies Scan)
        },
      ),
    )
    bindings.register_table_function(connection, scan)
  }
}

/** An exception must not leave a call that DuckDB makes; it becomes the statement's error. */
function orReport(report: (message: string) => void, work: () => void): void {
  try {
    work()
  } catch (error) {
    const { code, what } = error as { code?: string; what?: string }
    report(code !== undefined && what !== undefined ? `[${code}] ${what}` : String(error))
  }
}
