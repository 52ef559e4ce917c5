import type * as Redis from '@redis/client'
import { InvalidQueryError } from '../../base/errors.ts'

let loaded: Promise<typeof Redis> | undefined
/** The client library, an optional peer, loaded when it is first needed. InvalidQueryError OPTIONAL_LIBRARY_MISSING. */
export function redisLibrary(): Promise<typeof Redis> {
  loaded ??= import('@redis/client').catch((cause: unknown) => {
    loaded = undefined
    throw new InvalidQueryError('OPTIONAL_LIBRARY_MISSING', {
      what: 'Redis needs the package @redis/client, which could not be loaded',
      todo: 'install it beside millrace: npm install @redis/client',
      cause,
    })
  })
  return loaded
}
