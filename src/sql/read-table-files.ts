/**
 * Parquet files of a table format. A column that a file does not have is null, a narrower type in it is widened; columns that the log gives for each file
 * come from a table of constants beside the files, and rows that the log calls deleted are left out by their numbers.
 */
import type { Schema } from '../data/schema.ts'
import type { SourceBatch, StoredColumn, TableFile } from '../data/source-batch.ts'
import { type DataType, sameType } from '../data/types.ts'
import { columnName, duckType, emptySelect } from './duck-types.ts'
import { placeSql, withPlace } from './row-places.ts'
import { quoteName, quotePaths, quoteText } from './sql-text.ts'

type TableFiles = Extract<SourceBatch, { kind: 'table-files' }>

/** With `placed` the rows have their places behind their columns. */
export function tableFilesSelect({ files, columns }: TableFiles, schema: Schema, placed = false): string {
  if (files.length === 0) return emptySelect(placed ? withPlace(schema) : schema)
  const stored = columns.filter((column) => !column.isRowNumber && (!column.isConstant || column.mayBeStored))
  const constants = columns.filter(({ isConstant }) => isConstant)
  const values = schema.fields.map(({ type }, i) => `${columnValue(columns[i]!, type, constants)} AS ${columnName(i)}`)
  if (placed) values.push(`${placeSql('k.e', 'r."file_row_number"')} AS ${columnName(values.length)}`)
  const declared = [
    ...stored.map(({ name, type }) => `NULL::${duckType(type)} AS ${quoteName(name)}`),
    'NULL::VARCHAR AS "millrace file"',
    'NULL::BIGINT AS "file_row_number"',
  ]
  const paths = [...new Set(files.map((file) => file.path))]
  const scan = `read_parquet(${quotePaths(paths)}, union_by_name = ${paths.length > 1}, hive_partitioning = false, filename = 'millrace file', file_row_number = true)`
  const rows = `(SELECT ${declared.join(', ')} WHERE false UNION ALL BY NAME SELECT * FROM ${scan}) AS r`
  const entries = files.map((file, entry) => ({ ...file, entry }))
  const deleted = entries.filter((file) => (file.deleted?.length ?? 0) > 0)
  const only = entries.filter((file) => file.only !== undefined)
  const byEntry = constants.length > 0 || deleted.length > 0 || only.length > 0 || paths.length < files.length || placed
  return [
    `SELECT ${values.join(', ')} FROM ${rows}`,
    byEntry ? `JOIN ${entryTable(entries, constants)} ON r."millrace file" = k.f` : '',
    deleted.length > 0
      ? `ANTI JOIN ${numbersTable(deleted, ({ deleted }) => deleted!)} AS d ON k.e = d.e AND r."file_row_number" = d.n`
      : '',
    only.length > 0 ? `LEFT JOIN ${numbersTable(only, ({ only }) => only!)} AS o ON k.e = o.e AND r."file_row_number" = o.n` : '',
    only.length > 0 ? `WHERE o.n IS NOT NULL OR k.e NOT IN (${only.map(({ entry }) => entry).join(', ')})` : '',
  ].join(' ')
}

function columnValue(column: StoredColumn, type: DataType, constants: readonly StoredColumn[]): string {
  if (column.isRowNumber) return 'r."file_row_number"'
  const inFile = () => readValue(`r.${quoteName(column.name)}`, column.type, type)
  if (!column.isConstant) return inFile()
  const given = constantValue(`k.p${constants.indexOf(column)}`, type)
  return column.mayBeStored ? `coalesce(${given}, ${inFile()})` : given
}

type Entry = TableFile & { readonly entry: number }

/** What the log says of each file, and its place in the list. */
function entryTable(files: readonly Entry[], columns: readonly StoredColumn[]): string {
  const rows = files.map(
    ({ path, entry, constants }) => `(${[quoteText(path), entry, ...columns.map(({ name }) => textOrNull(constants[name]))].join(', ')})`,
  )
  return `(VALUES ${rows.join(', ')}) AS k(${['f', 'e', ...columns.map((_, i) => `p${i}`)].join(', ')})`
}
/** An empty text stands for null: folders can't tell them apart. */
function textOrNull(text: string | null | undefined): string {
  return text === null || text === undefined || text === '' ? 'NULL::VARCHAR' : quoteText(text)
}
function constantValue(text: string, type: DataType): string {
  // a time without an offset is in UTC, as is the session
  if (type === 'timestamp') return `make_timestamp(epoch_us(CAST(${text} AS TIMESTAMPTZ)))`
  return type === 'binary' ? `encode(${text})` : `CAST(${text} AS ${duckType(type)})`
}

function numbersTable(files: readonly Entry[], numbersOf: (file: Entry) => readonly number[]): string {
  const rows = files.map((file) => `SELECT ${file.entry} AS e, unnest([${numbersOf(file).join(', ')}]::BIGINT[]) AS n`)
  return `(${rows.join(' UNION ALL ')})`
}

/** The value of a column whose parts may have other names in the file. */
function readValue(value: string, from: DataType, to: DataType): string {
  // both TIMESTAMP and TIMESTAMPTZ come in; the cast between them goes through the calendar for every value, this does not
  if (to === 'timestamp') return `make_timestamp(epoch_us(${value}))`
  return `CAST(${renamed(value, from, to, 0)} AS ${duckType(to)})`
}
function renamed(value: string, from: DataType, to: DataType, depth: number): string {
  if (typeof from === 'string' || typeof to === 'string' || from.kind !== to.kind || sameType(from, to)) return value
  if (from.kind === 'struct' && to.kind === 'struct') {
    const fields = to.fields.map(({ name, type }, i) => {
      const field = from.fields[i]!
      return `${quoteName(name)} := ${renamed(`struct_extract(${value}, ${quoteText(field.name)})`, field.type, type, depth)}`
    })
    return `CASE WHEN ${value} IS NOT NULL THEN struct_pack(${fields.join(', ')}) END`
  }
  const each = `e${depth}`
  if (from.kind === 'array' && to.kind === 'array')
    return `list_transform(${value}, lambda ${each}: ${renamed(each, from.element, to.element, depth + 1)})`
  if (from.kind === 'map' && to.kind === 'map') {
    const key = renamed(`${each}.key`, from.key, to.key, depth + 1)
    const of = renamed(`${each}.value`, from.value, to.value, depth + 1)
    return `CASE WHEN ${value} IS NOT NULL THEN map_from_entries(list_transform(map_entries(${value}), lambda ${each}: struct_pack(k := ${key}, v := ${of}))) END`
  }
  return value
}
