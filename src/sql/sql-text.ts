import { assert } from '../base/errors.ts'

/** A SQL identifier, quoted. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A SQL string literal. NUL can't stand in SQL text and is put together with chr(0). */
export function quoteText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes('\0') ? `(${quoted.replaceAll('\0', "' || chr(0) || '")})` : quoted
}

/** A file's path as a literal for a reader: characters that would make a pattern of it stand for themselves. */
export function quotePath(path: string): string {
  return quoteText(path.replace(/[[*?]/g, '[$&]'))
}

export function quotePaths(paths: readonly string[]): string {
  return `[${paths.map(quotePath).join(', ')}]`
}

/** String literals, quoted names, and what we look for: the placeholders outside of both. */
const tokens = /'(?:[^']|'')*'|"(?:[^"]|"")*"|⟦([^⟧]*)⟧/g

/** Replaces each ⟦name⟧ of a SQL text that is not inside a literal or a quoted name. */
export function fillPlaceholders(sql: string, valueOf: (name: string) => string): string {
  return sql.replace(tokens, (token: string, name: string | undefined) => (name === undefined ? token : valueOf(name)))
}

/** How often each input is read by a text. */
export function countPlaceholders(sql: string, inputs: number): number[] {
  const counts = new Array<number>(inputs).fill(0)
  for (const [, name] of sql.matchAll(tokens)) {
    if (name === undefined || !/^\d+$/.test(name)) continue
    assert(Number(name) < inputs, `the fragment reads input ⟦${name}⟧ of ${inputs}: ${sql}`)
    counts[Number(name)]! += 1
  }
  return counts
}

/** A timestamp literal. */
export function timestampLiteral(ms: number): string {
  return `make_timestamp(${Math.round(ms * 1000)}::BIGINT)`
}

/** SQL that raises an error of the user's data: the one `{}` of `text` is the SQL text `value`. sqlError takes the code out again. */
export function raise(code: string, text: string, value: string): string {
  const [before, after] = text.split('{}') as [string, string]
  return `error(${quoteText(`[${code}] ${before}`)} || ${value} || ${quoteText(after)})`
}
