import { readFileSync } from 'node:fs'
import { InvalidQueryError } from '../base/errors.ts'

/** The text of a key or certificate that an option names by its path. InvalidQueryError INVALID_OPTION_VALUE. */
export function readPem(option: string, path: string): string {
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
