/** Lines of CSV. */
import { typeText } from '../../data/types.ts'
import type { Col, Expr, StrCol, UntypedCol } from '../column-types.ts'
import type { NullOf, Struct, TypeToken } from '../types.ts'
import { call, type Str } from './call.ts'

export interface CsvFunctionOptions {
  /** What stands between values (','); also `delimiter`. */
  readonly sep?: string
  readonly quote?: string
  readonly escape?: string
  /** What stands for null (''). */
  readonly nullValue?: string
  readonly ignoreLeadingWhiteSpace?: boolean
  readonly ignoreTrailingWhiteSpace?: boolean
  /** Patterns of dates and times; a text that does not fit is null, in every mode. */
  readonly dateFormat?: string
  readonly timestampFormat?: string
  readonly timestampNTZFormat?: string
}
export interface FromCsvOptions extends CsvFunctionOptions {
  /** A value that does not fit becomes null (PERMISSIVE), or ends the query (FAILFAST). */
  readonly mode?: 'PERMISSIVE' | 'FAILFAST'
  /** The field of the schema, a string, that takes the text of a line with wrong values. */
  readonly columnNameOfCorruptRecord?: string
  /** A line that begins with it is no record. */
  readonly comment?: string
}
function optionArgs(options: object): unknown[] {
  const parts = Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [key, String(value)]))
  return parts.length === 0 ? [] : [call('map', ...parts)]
}

/** The struct that a line of CSV holds, of a type from `t` or written as DDL: `from_csv(e, 'a INT, b STRING')`. */
export function from_csv<T>(e: Str, schema: TypeToken<T>, options?: FromCsvOptions): Col<T | null>
export function from_csv(e: Str, schema: string, options?: FromCsvOptions): UntypedCol
export function from_csv(e: unknown, schema: string | TypeToken<unknown>, options: FromCsvOptions = {}): unknown {
  return call('from_csv', e, typeof schema === 'string' ? schema : typeText(schema.type), ...optionArgs(options))
}
/** A struct of plain values as a line of CSV. */
export function to_csv<A extends Struct<any> | null>(e: Expr<A>, options: CsvFunctionOptions = {}): StrCol<'string' | NullOf<A>> {
  return call('to_csv', e, ...optionArgs(options))
}
/** The type that fits a line of CSV, as DDL. */
export function schema_of_csv(text: string, options: CsvFunctionOptions = {}): StrCol<'string'> {
  return call('schema_of_csv', text, ...optionArgs(options))
}
