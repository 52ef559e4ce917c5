import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvalidQueryError } from '../base/errors.ts'

/** The path of a file that a log names: percent-encoded, relative to the table or absolute. InvalidQueryError DELTA_UNSUPPORTED_PATH for other places than this machine. */
export function pathOf(table: string, encoded: string): string {
  if (/^file:/i.test(encoded)) return fileURLToPath(encoded.replace(/^file:\/*/i, 'file:///'))
  if (/^[a-z][a-z0-9+.-]+:\//i.test(encoded)) {
    throw new InvalidQueryError('DELTA_UNSUPPORTED_PATH', {
      what: `the Delta table ${table} names the file ${encoded}, which is not on this machine`,
      todo: 'copy the table with its files (CLONE), so that its paths are relative',
    })
  }
  const path = decodeURIComponent(encoded)
  return isAbsolute(path) ? path : join(table, path)
}

/** How a log writes a path below the table. */
export function encodePath(relative: string): string {
  return relative
    .split('/')
    .map((part) => encodeURIComponent(part).replaceAll('%3D', '='))
    .join('/')
}
