/** What fits nowhere else. */
import type { NumCol, StrCol } from '../column-types.ts'
import { call } from './call.ts'

/** A random UUID. */
export function uuid(): StrCol<'string'> {
  return call('uuid')
}
/** A number for each row, which rises in the order of the rows; here from 0 without gaps. Of bounded tables, in a select list. */
export function monotonically_increasing_id(): NumCol<'long'> {
  return call('monotonically_increasing_id')
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
