import { InvalidQueryError } from '../../base/errors.ts'

/** An error in SQL text: where it is (line and column count from 1), with the line and a mark under what is wrong. */
export function parseError(sql: string, from: number, to: number, code: string, what: string, todo: string): InvalidQueryError {
  return new InvalidQueryError(code, { what: `${what} ${placeText(sql, from, to)}`, todo })
}

/** `at line 1, column 8:` and the line with carets under the part. */
export function placeText(text: string, from: number, to: number): string {
  const start = text.lastIndexOf('\n', from - 1) + 1
  const end = text.indexOf('\n', from)
  const line = text.slice(start, end < 0 ? text.length : end).replace(/\r$/, '')
  const number = text.slice(0, start).split('\n').length
  const column = from - start
  const length = Math.max(1, Math.min(to, start + line.length) - from)
  const indent = line.slice(0, column).replaceAll(/[^\t]/g, ' ')
  return `at line ${number}, column ${column + 1}:\n    ${line}\n    ${indent}${'^'.repeat(length)}`
}
