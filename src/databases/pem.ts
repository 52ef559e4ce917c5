import { readFileSync } from 'node:fs'
import { InvalidQueryError } from '../base/errors.ts'

/** The text of a key or certificate that an option names by its path. InvalidQueryError INVALID_OPTION_VALUE. */
function readPem(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `${option} names the file ${path}, which can't be read: ${(cause as Error).message}`,
      todo: 'give the path of a PEM file',
      cause,
    })
  }
}

/** How the SQL servers call them. */
export const sslFiles = { ca: 'sslRootCert', cert: 'sslCert', key: 'sslKey' }

/**
 * Authority, certificate and key as texts of the files that three options name; those that are not given are left out. InvalidQueryError INVALID_OPTION_VALUE.
 */
export function readPems(
  text: (option: string) => string | undefined,
  options: Readonly<Record<'ca' | 'cert' | 'key', string>>,
): { readonly ca?: string; readonly cert?: string; readonly key?: string } {
  return Object.fromEntries(
    Object.entries(options).flatMap(([part, option]) => {
      const path = text(option)
      return path === undefined ? [] : [[part, readPem(option, path)]]
    }),
  )
}
