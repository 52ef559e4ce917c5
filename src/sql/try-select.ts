/**
 * A SELECT that computes each row of ⟦0⟧ by itself, as one expression that is null for exactly the rows for which it fails: DuckDB's TRY, which computes a vector with a failing
 * row once more row by row. TRY takes no function that may give something else each time; `error()`, by which Spark's errors are raised, is one of those for DuckDB, and is
 * replaced by something else that fails. What can't be read that way (joins, generators, windows of rows) gives null, and is for whoever asks to find out otherwise.
 */

/** Over ⟦0⟧ AS t0: null where the row fails, or may fail (a column that is computed for a row that a condition leaves out in time), else true or false. */
export function tryExpression(select: string): string | null {
  const parts = readSelect(select)
  return parts === null ? null : `TRY(${replaceError(valueOf(parts))})`
}

interface SelectParts {
  readonly list: readonly string[]
  readonly where: string | null
  /** What it reads; null: ⟦0⟧ AS t0. */
  readonly inner: { readonly parts: SelectParts; readonly name: string } | null
}

function valueOf({ list, where, inner }: SelectParts): string {
  // a number of rows counts all rows and fails for none
  const items = list.filter((item) => !/\bOVER \(/.test(item)).map((item) => item.replace(named, ''))
  const row = items.length === 0 ? 'false' : `row(${items.join(', ')}) IS NULL`
  const value = where === null ? row : `CASE WHEN ${where} THEN ${row} ELSE false END`
  if (inner === null) return value
  const fields = inner.parts.list.map((item) => `${named.exec(item)![1]} := ${item.replace(named, '')}`)
  const bound = `list_transform([struct_pack(${fields.join(', ')})], lambda ${inner.name}: ${value})[1]`
  return inner.parts.where === null ? bound : `CASE WHEN ${inner.parts.where} THEN ${bound} ELSE false END`
}
const named = / AS (\w+)$/

function readSelect(select: string, depth = 0): SelectParts | null {
  if (!select.startsWith('SELECT ') || select.startsWith('SELECT DISTINCT ')) return null
  const [from = -1, second] = placesOf(select, ' FROM ')
  if (from < 0 || second !== undefined || select.slice(0, from).includes('⟦')) return null
  const list = splitAt(select.slice('SELECT '.length, from), ', ')
  const at = from + ' FROM '.length
  const end = select[at] === '(' ? endOfBracket(select, at) + 1 : at + '⟦0⟧'.length
  const nested = select[at] === '(' ? readSelect(select.slice(at + 1, end - 1), depth + 1) : null
  if (
    nested === null ? select.slice(at, end) !== '⟦0⟧' : depth > 0 || nested.list.some((item) => /\bOVER \(/.test(item) || !named.test(item))
  )
    return null
  const rest = /^ AS (t\d+)( WHERE )?/.exec(select.slice(end))
  if (rest === null || (nested === null && rest[1] !== 't0')) return null
  const behind = select.slice(end + rest[0].length)
  if (rest[2] === undefined && behind !== '') return null
  if (behind.includes('⟦') || clauses.some((word) => placesOf(behind, word).length > 0)) return null
  return { list, where: rest[2] === undefined ? null : behind, inner: nested && { parts: nested, name: rest[1]! } }
}
const clauses = [' GROUP BY ', ' ORDER BY ', ' LIMIT ', ' OFFSET ', ' QUALIFY ', ' UNION ', ' WINDOW ']

/** Where a text stands outside of quotes and brackets. */
function placesOf(sql: string, text: string): number[] {
  const places: number[] = []
  let depth = 0
  for (let at = 0; at < sql.length; at++) {
    const char = sql[at]!
    if (char === "'" || char === '"') at = endOfQuote(sql, at)
    else if (char === '(' || char === '[' || char === '{') depth++
    else if (char === ')' || char === ']' || char === '}') depth--
    else if (depth === 0 && sql.startsWith(text, at)) places.push(at)
  }
  return places
}
function splitAt(sql: string, text: string): string[] {
  const places = placesOf(sql, text)
  return [...places, sql.length].map((end, i) => sql.slice(i === 0 ? 0 : places[i - 1]! + text.length, end))
}
/** The quote that ends what begins at `from`; two in a row are one inside. */
function endOfQuote(sql: string, from: number): number {
  const quote = sql[from]!
  for (let at = from + 1; at < sql.length; at++) {
    if (sql[at] !== quote) continue
    if (sql[at + 1] !== quote) return at
    at++
  }
  return sql.length
}

/** error(x) becomes an element of a list at a place that is no number: of no type either, and not tried before there are rows. */
function replaceError(sql: string): string {
  let text = ''
  for (let at = 0; at < sql.length; at++) {
    const char = sql[at]!
    if (char === "'" || char === '"') {
      const end = endOfQuote(sql, at)
      text += sql.slice(at, end + 1)
      at = end
    } else if (sql.startsWith('error(', at) && !/\w/.test(sql[at - 1] ?? '')) {
      const end = endOfBracket(sql, at + 'error'.length)
      text += `([NULL])[CAST(('[' || ${replaceError(sql.slice(at + 'error('.length, end))}) AS INTEGER)]`
      at = end
    } else text += char
  }
  return text
}
function endOfBracket(sql: string, from: number): number {
  let depth = 0
  for (let at = from; at < sql.length; at++) {
    const char = sql[at]!
    if (char === "'" || char === '"') at = endOfQuote(sql, at)
    else if (char === '(') depth++
    else if (char === ')' && --depth === 0) return at
  }
  return sql.length
}
