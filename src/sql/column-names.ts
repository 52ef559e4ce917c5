import { InvalidQueryError } from '../base/errors.ts'
import type { Schema } from '../data/schema.ts'
import { quoteName } from './sql-text.ts'

/** Refuses names that the columns of files can't have: none at all, and the same twice, where case makes no difference to Spark and DuckDB alike. `what` has the columns, for the message. */
export function checkColumnNames(what: string, schema: Schema): void {
  const seen = new Set<string>()
  for (const [i, name] of schema.names.entries()) {
    if (name === '') {
      throw new InvalidQueryError('EMPTY_COLUMN_NAME', {
        what: `column ${i + 1} of ${what} has no name`,
        todo: 'name it, in the schema or with .as(…): SQL has no empty names',
      })
    }
    const key = name.toLowerCase()
    if (seen.has(key)) {
      throw new InvalidQueryError('COLUMN_ALREADY_EXISTS', {
        what: `${what} has the column ${quoteName(name)} twice`,
        todo: 'rename or drop one; case makes no difference',
      })
    }
    seen.add(key)
  }
}
