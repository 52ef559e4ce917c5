/** JSON text. */

import { typeText } from '../../data/types.ts'
import type { ArrCol, Col, Expr, NumCol, StrCol, UntypedCol } from '../column-types.ts'
import type { Arr, MapOf, NullOf, Struct, TypeToken } from '../types.ts'
import { call, type Str } from './call.ts'

/** What a path such as $.a.b[0] finds in a JSON text, as text; null where there is nothing. */
export function get_json_object(e: Str, path: string): StrCol<'string' | null> {
  return call('get_json_object', e, path)
}
/** How many elements a JSON array has; null for anything else. */
export function json_array_length(e: Str): NumCol<'int' | null> {
  return call('json_array_length', e)
}
/** The keys of a JSON object; null for anything else. */
export function json_object_keys(e: Str): ArrCol<'string' | null, null> {
  return call('json_object_keys', e)
}
export interface FromJsonOptions {
  /** A value that does not fit becomes null (PERMISSIVE), or ends the query (FAILFAST). */
  readonly mode?: 'PERMISSIVE' | 'FAILFAST'
  /** The field of the schema, a string, that takes the text of a record with wrong values. */
  readonly columnNameOfCorruptRecord?: string
  /** Patterns of dates and times; a text that does not fit is null, in every mode. */
  readonly dateFormat?: string
  readonly timestampFormat?: string
  readonly timestampNTZFormat?: string
}
function optionArgs(options: object): unknown[] {
  const parts = Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [key, String(value)]))
  return parts.length === 0 ? [] : [call('map', ...parts)]
}
/** The value that a JSON text holds, of a type from `t` or written as DDL: `from_json(e, 'a INT, b ARRAY<STRING>')`. */
export function from_json<T>(e: Str, schema: TypeToken<T>, options?: FromJsonOptions): Col<T | null>
export function from_json(e: Str, schema: string, options?: FromJsonOptions): UntypedCol
export function from_json(e: unknown, schema: string | TypeToken<unknown>, options: FromJsonOptions = {}): unknown {
  return call('from_json', e, typeof schema === 'string' ? schema : typeText(schema.type), ...optionArgs(options))
}
/** A struct, map or array as JSON text; fields that are null are left out unless `ignoreNullFields` is false. */
export function to_json<A extends Struct<any> | Arr<any> | MapOf<any, any> | null>(
  e: Expr<A>,
  options: {
    readonly ignoreNullFields?: boolean
    readonly dateFormat?: string
    readonly timestampFormat?: string
    readonly timestampNTZFormat?: string
  } = {},
): StrCol<'string' | NullOf<A>> {
  return call('to_json', e, ...optionArgs(options))
}
/** The type that fits a JSON text, as DDL. */
export function schema_of_json(text: string): StrCol<'string'> {
  return call('schema_of_json', text)
}
