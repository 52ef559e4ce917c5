import type * as Pg from 'pg'
import { InvalidQueryError } from '../../base/errors.ts'

let loaded: Promise<typeof Pg> | undefined
/** The client library, an optional peer, loaded when it is first needed. InvalidQueryError OPTIONAL_LIBRARY_MISSING. */
export function postgresLibrary(): Promise<typeof Pg> {
  loaded ??= import('pg').then(
    (module) => (module as unknown as { default?: typeof Pg }).default ?? module,
    (cause: unknown) => {
      loaded = undefined
      throw new InvalidQueryError('OPTIONAL_LIBRARY_MISSING', {
        what: 'PostgreSQL needs the package pg, which could not be loaded',
        todo: 'install it beside millrace: npm install pg',
        cause,
      })
    },
  )
  return loaded
}
