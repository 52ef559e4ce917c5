/**
 * How many rows a scan is going to give, where DuckDB doesn't know: of a file of JSON it expects 42. A join would then keep the stream's rows in memory, all
 * of them, and send those of a small table past them. So beside the scan stands one of a table function that gives nothing and says that it gives so many.
 */
import { bindings } from './bindings.ts'
import { columnName } from './duck-types.ts'

const functionName = 'millrace_no_rows'

/** A SELECT of columns of these SQL types that gives no rows, and is expected to give so many. */
export function noRows(types: readonly string[], expected: number): string {
  // plain nulls would let a filter above be known to keep nothing, and the scan with its estimate be left out
  const list = types.map((type, i) => `CASE WHEN nothing > 0 THEN NULL::${type} END AS ${columnName(i)}`)
  return `SELECT ${list.join(', ') || '1'} FROM ${functionName}(${Math.round(expected)})`
}

/** Makes the function known to all connections of the database. */
export function registerEstimate(connection: Awaited<ReturnType<typeof bindings.connect>>): void {
  const bigint = bindings.create_logical_type(5 as never)
  const scan = bindings.create_table_function()
  bindings.table_function_set_name(scan, functionName)
  bindings.table_function_add_parameter(scan, bigint)
  bindings.table_function_set_bind(scan, (info) => {
    bindings.bind_add_result_column(info, 'nothing', bigint)
    bindings.bind_set_cardinality(info, Number(bindings.get_int64(bindings.bind_get_parameter(info, 0))), false)
  })
  bindings.table_function_set_init(scan, (info) => bindings.init_set_max_threads(info, 1))
  bindings.table_function_set_function(scan, (_info, output) => bindings.data_chunk_set_size(output, 0))
  bindings.register_table_function(connection, scan)
}
