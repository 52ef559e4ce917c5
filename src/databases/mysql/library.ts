import type * as MySql from 'mysql2/promise'
import { InvalidQueryError } from '../../base/errors.ts'

let loaded: Promise<typeof MySql> | undefined
/** The client library, an optional peer, loaded when it is first needed. InvalidQueryError OPTIONAL_LIBRARY_MISSING. */
export function mysqlLibrary(): Promise<typeof MySql> {
  loaded ??= import('mysql2/promise').then(
    (module) => (module as unknown as { default?: typeof MySql }).default ?? module,
    (cause: unknown) => {
      loaded = undefined
      throw new InvalidQueryError('OPTIONAL_LIBRARY_MISSING', {
        what: 'MySQL and MariaDB need the package mysql2, which could not be loaded',
        todo: 'install it beside millrace: npm install mysql2',
        cause,
      })
    },
  )
  return loaded
}
