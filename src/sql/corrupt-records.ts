import { InvalidQueryError } from '../base/errors.ts'
import type { Schema } from '../data/schema.ts'
import { type DataType, typeText } from '../data/types.ts'
import { columnName } from './duck-types.ts'
import { mendedFields } from './mend-files.ts'
import type { FormatOptions } from './options.ts'
import { guarded } from './parse-values.ts'
import type { ReadRequest } from './read-request.ts'
import { quoteName } from './sql-text.ts'

/** The index of the column that gets the text of malformed records, or -1 where the schema has none. INVALID_CORRUPT_RECORD_TYPE. */
export function corruptColumn(schema: Schema, options: FormatOptions): number {
  const name = options.text('columnNameOfCorruptRecord') ?? '_corrupt_record'
  const index = schema.indexOf(name)
  const field = schema.fields[index]
  if (field === undefined || (field.type === 'string' && field.nullable)) return index
  throw new InvalidQueryError('INVALID_CORRUPT_RECORD_TYPE', {
    what: `the column ${quoteName(name)} for corrupt records must have the nullable type string, and has ${typeText(field.type)}`,
    todo: 'make it t.string().nullable(), or name another column with columnNameOfCorruptRecord',
  })
}

/** Text that is there and has no value of its type makes a record malformed. */
export interface JudgedValue {
  readonly text: string
  readonly value: string
}

/**
 * A SELECT over mended records: the schema's columns, then `malformed`, `raw`, `line` and `file`. `values` are those columns, `judged` the
 * ones among them that SQL parses.
 */
export function mendedSelect(
  { schema, options }: ReadRequest,
  values: readonly string[],
  judged: readonly JudgedValue[],
  from: string,
  file: string,
): string {
  const corrupt = options.mode() === 'PERMISSIVE' ? corruptColumn(schema, options) : -1
  const wrong = [
    `coalesce(${quoteName(mendedFields.malformed)}, true)`,
    ...judged.map(({ text, value }) => `(${text} IS NOT NULL AND ${value} IS NULL)`),
  ]
  const inner = `SELECT ${[...values, `(${wrong.join(' OR ')}) AS malformed`, `${quoteName(mendedFields.raw)} AS raw`, `${quoteName(mendedFields.line)} AS line`, `${file} AS file`].join(', ')} FROM ${from}`
  const columns = schema.fields.map((_, i) => (i === corrupt ? `CASE WHEN malformed THEN raw END AS ${columnName(i)}` : columnName(i)))
  return `SELECT ${[...columns, 'malformed', 'raw', 'line', 'file'].join(', ')} FROM (${inner})`
}

/** The same columns for files that were found clean. */
export function cleanSelect({ schema }: ReadRequest, select: string): string {
  const columns = schema.fields.map((_, i) => columnName(i))
  return `SELECT ${[...columns, 'false AS malformed', 'NULL::VARCHAR AS raw', '0::BIGINT AS line', "'' AS file"].join(', ')} FROM (${select})`
}

/** A column as a strict scan gives it: one of the files', or the text of a malformed record, which such a scan never has, since it fails there. */
export type StrictColumn = FileColumn | { readonly kind: 'corrupt' }
/** A value as it comes, or one in which our SQL parses and judges texts. */
type FileColumn = { readonly kind: 'value'; readonly value: string } | ParsedColumn
interface ParsedColumn {
  readonly kind: 'parsed'
  /** The whole as the reader gives it; null where it is the one text itself. */
  readonly whole: string | null
  readonly texts: readonly ParsedText[]
  /** The column, out of the whole and of what the texts came to. */
  readonly build: (whole: string, values: readonly string[]) => string
}
export interface ParsedText {
  readonly text: string
  readonly parse: (text: string) => string
  readonly name: string
  readonly type: DataType
}
/** A column that is one text. */
export function textColumn(text: ParsedText): ParsedColumn {
  return { kind: 'parsed', whole: null, texts: [text], build: (_, [value]) => value! }
}

/**
 * A SELECT that raises where a text has no value. Texts, values and the comparison are three levels of SELECT, because an expression
 * inside CASE is computed as often as it is written: so the check costs next to nothing.
 */
export function strictSelect(columns: readonly StrictColumn[], from: string): string {
  const own = columns.filter((column) => column.kind !== 'corrupt')
  if (own.length === columns.length) return strictValues(own, from)
  const names = own.map((_, i) => columnName(i))
  // Always null. A plain NULL would let a filter on the column be answered without reading the others, and so without meeting what is malformed in them.
  const text = own.length === 0 ? 'NULL::VARCHAR' : `CASE WHEN hash(${names.join(', ')}) IS NULL THEN '' END`
  let next = 0
  const list = columns.map((column, i) => `${column.kind === 'corrupt' ? text : names[next++]} AS ${columnName(i)}`)
  return `SELECT ${list.join(', ')} FROM (${own.length === 0 ? `SELECT 1 FROM ${from}` : strictValues(own, from)})`
}

function strictValues(columns: readonly FileColumn[], from: string): string {
  if (columns.every(({ kind }) => kind === 'value'))
    return `SELECT ${columns.map((column, i) => `${(column as { value: string }).value} AS ${columnName(i)}`).join(', ')} FROM ${from}`
  const parsed = (column: FileColumn): readonly ParsedText[] => (column.kind === 'parsed' ? column.texts : [])
  const list = (of: (column: FileColumn, i: number) => readonly string[]) => columns.flatMap(of).join(', ')
  const whole = (column: FileColumn, i: number, as: string): readonly string[] => {
    const value = column.kind === 'parsed' ? column.whole : column.value
    return value === null ? [] : [as === 'texts' ? `${value} AS w${i}` : `w${i}`]
  }
  const texts = list((column, i) => [...whole(column, i, 'texts'), ...parsed(column).map(({ text }, k) => `${text} AS t${i}_${k}`)])
  const values = list((column, i) => [
    ...whole(column, i, 'values'),
    ...parsed(column).flatMap(({ parse }, k) => [`t${i}_${k}`, `${parse(`t${i}_${k}`)} AS v${i}_${k}`]),
  ])
  const checked = list((column, i) => {
    const judged = parsed(column).map(({ type, name }, k) => guarded(`v${i}_${k}`, `t${i}_${k}`, type, name))
    return [`${column.kind === 'parsed' ? column.build(`w${i}`, judged) : `w${i}`} AS ${columnName(i)}`]
  })
  return `SELECT ${checked} FROM (SELECT ${values} FROM (SELECT ${texts} FROM ${from}))`
}

/** Of a SELECT over mended records: where each row comes from, in their order. */
export function recordsSelect(mended: string, keepsMalformed: boolean): string {
  return `SELECT file, line, raw FROM (${mended})${keepsMalformed ? '' : ' WHERE NOT malformed'}`
}
