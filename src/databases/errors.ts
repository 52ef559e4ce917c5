import { InvalidQueryError, UnavailableError } from '../base/errors.ts'
import type { Dialect } from './dialect.ts'

/** A row that a table does not take, in a query without dead letters. */
export function rowRefused(server: string, table: string, message: string, row: string): InvalidQueryError {
  const shown = row.length <= 500 ? row : `${row.slice(0, 499)}…`
  return new InvalidQueryError('DATABASE_ROW_REFUSED', {
    what: `${server} does not take a row into ${table}: ${message}; the row is ${shown}`,
    todo: 'mend or filter such rows in the query, change the table, or keep them as dead letters: writeStream.deadLetters(…)',
  })
}
/** The code of dead letters, as of the error above. */
export const rowRefusedReason = 'DATABASE_ROW_REFUSED'

/** An error that came from a client library, in the words of this one. MillraceErrors and what has no meaning for a database are given back as they are. */
export function databaseError(error: unknown, dialect: Dialect, address: string, doing: string): Error {
  const message = dialect.messageOf(error)
  switch (dialect.faultOf(error)) {
    case 'transient':
      return new UnavailableError('DATABASE_UNAVAILABLE', {
        what: `${doing} at ${address}: ${message}`,
        todo: 'see that the server runs and can be reached; nothing of the batch is in the table, and a restart goes on with it',
        cause: error,
      })
    case 'access':
      return new InvalidQueryError('DATABASE_ACCESS_REFUSED', {
        what: `${doing} at ${address}: ${message}`,
        todo: 'check user, password and database, and what the user is allowed to do there',
        cause: error,
      })
    default:
      return new InvalidQueryError('DATABASE_STATEMENT_FAILED', {
        what: `${doing} at ${address}: ${message}`,
        todo: 'see what the server says; nothing of the statement is in the database',
        cause: error,
      })
  }
}
