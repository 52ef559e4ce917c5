/**
 * Parquet. Columns are found by name; one that no file has is null, and a narrower type in a file is widened. Reading goes through a
 * UNION BY NAME with an empty relation of the schema's types, which DuckDB's planner takes out again: so no statement is needed to learn
 * which columns there are.
 */
import { columnName, duckType } from './duck-types.ts'
import {
  type FileScan,
  folderName,
  hasNullText,
  hiveArgument,
  isPartition,
  isRead,
  partitionValue,
  type ReadRequest,
} from './read-request.ts'
import { quoteName, quotePaths, quoteText } from './sql-text.ts'

const file = '"millrace.file"'

export function readParquet(request: ReadRequest): FileScan {
  const { files, schema, partitions } = request
  const declared = schema.fields.map(({ name, type }, i) =>
    isPartition(request, i) ? `NULL::VARCHAR AS ${folderName(name)}` : `NULL::${duckType(type)} AS ${quoteName(name)}`,
  )
  const values = schema.fields.map(({ name, type }, i) => {
    if (!isRead(request, i)) return `NULL::${duckType(type)} AS ${columnName(i)}`
    if (isPartition(request, i)) return `${partitionValue(request, i, file)} AS ${columnName(i)}`
    const column = quoteName(name)
    // both TIMESTAMP and TIMESTAMPTZ come in; the cast between them goes through the calendar for every value, this does not
    const value = type === 'timestamp' ? `make_timestamp(epoch_us(${column}))` : `CAST(${column} AS ${duckType(type)})`
    return `${value} AS ${columnName(i)}`
  })
  const paths = quotePaths(files.map((file) => file.path))
  const scan = (more = '') => `read_parquet(${paths}, union_by_name = ${files.length > 1}, ${hiveArgument(partitions)}${more})`
  const withFile = schema.fields.some((_, i) => isPartition(request, i) && hasNullText(request, i)) ? `, filename AS ${file}` : ''
  return {
    select: `SELECT ${values.join(', ')} FROM (SELECT ${declared.join(', ')} WHERE false UNION ALL BY NAME SELECT *${withFile} FROM ${scan()})`,
    files,
    count: { kind: 'parquet' },
    records: async () => {
      // of columns that nobody read a value may be of another type
      const cells = schema.fields.map(({ name, type }, i) => {
        const value = isPartition(request, i) ? partitionValue(request, i, file) : `TRY_CAST(${quoteName(name)} AS ${duckType(type)})`
        return `${quoteText(name)}, ${value}`
      })
      return `SELECT ${file} AS file, NULL::BIGINT AS line, CAST(json_object(${cells.join(', ')}) AS VARCHAR) AS raw FROM (SELECT ${declared.join(', ')} WHERE false UNION ALL BY NAME SELECT *, filename AS ${file} FROM ${scan(', filename = true')})`
    },
  }
}
