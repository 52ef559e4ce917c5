/** What fits nowhere else. */
import type { StrCol } from '../column-types.ts'
import { call } from './call.ts'

/** A random UUID. */
export function uuid(): StrCol<'string'> {
  return call('uuid')
}
/** There is one catalogue, called as Spark's. */
export function current_catalog(): StrCol<'string'> {
  return call('current_catalog')
}
export function current_database(): StrCol<'string'> {
  return call('current_database')
}
export function current_schema(): StrCol<'string'> {
  return call('current_database')
}
