import { InvalidQueryError } from '../base/errors.ts'
import type { Schema } from '../data/schema.ts'

/** `a, b`: names as they are, blanks around them left out. */
export function columnList(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

/** Where the columns of an option stand. InvalidQueryError UNRESOLVED_COLUMN.WITH_SUGGESTION. */
export function columnsNamed(option: string, columns: readonly string[], schema: Schema): number[] {
  return columns.map((name) => {
    const at = schema.indexOf(name)
    if (at >= 0) return at
    throw new InvalidQueryError('UNRESOLVED_COLUMN.WITH_SUGGESTION', {
      what: `${option} names the column ${JSON.stringify(name)}, and the rows have ${schema.names.join(', ')}`,
      todo: 'name columns of the rows',
    })
  })
}
