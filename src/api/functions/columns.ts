/** Columns, constants, and any function by its name. */
import { textOf } from '../../base/arguments.ts'
import { parseExpression } from '../../plan/sql/parse.ts'
import { attributeOrStar, Column } from '../column.ts'
import type { Col, Literal, Operand, UntypedCol } from '../column-types.ts'
import { literalOf } from '../literal.ts'
import type { FromJs, TypeToken } from '../types.ts'
import { call } from './call.ts'

/** A column by name, `a.x` for a column x of the relation alias('a') or a field x of a; `*` and `a.*` for all of them. Not checked by the compiler. */
export function col<const Name extends string>(name: Name): UntypedCol<Name extends `${string}*` ? string : Name> {
  return new Column(
    attributeOrStar(textOf('the name given to col', name, "write col('price'); a constant is lit(5)")),
  ) as unknown as UntypedCol<Name extends `${string}*` ? string : Name>
}
/** A constant; with a type, as that type: `lit(1, t.double())`. */
export function lit<const V extends Literal>(value: V): Col<FromJs<V>>
export function lit<T>(value: Literal, type: TypeToken<T>): Col<T>
export function lit(value: Literal, type?: TypeToken<unknown>): unknown {
  return new Column(literalOf(value, type?.type))
}
/** Any function by its name, for the untyped way. */
export function call_function(name: string, ...args: Operand[]): UntypedCol {
  return call(name, ...args)
}

/** The name behind the last AS of SQL text, where it is a plain word; what has no such name is called as Spark calls it. */
export type AliasIn<Text extends string> = Lowercase<Text> extends `${string} as ${string}` ? PlainWord<Trimmed<LastOf<Text>>> : string
type LastOf<Text extends string> = Text extends `${string} ${'as' | 'AS' | 'As'} ${infer Rest}` ? LastOf<Rest> : Text
type Trimmed<Text extends string> = Text extends ` ${infer Rest}` | `${infer Rest} ` ? Trimmed<Rest> : Text
type PlainWord<Text extends string> = Text extends `${string}${' ' | '(' | ')' | '`' | "'" | '"' | ',' | '.' | '<' | '>'}${string}`
  ? string
  : Text
/**
 * An expression as SQL text: `expr('price * 1.2 AS gross')`. The compiler knows its alias and no more.
 * InvalidQueryError PARSE_SYNTAX_ERROR with the place where the text goes wrong. What can be written: docs/sql.md.
 */
export function expr<const Text extends string>(text: Text): UntypedCol<AliasIn<Text>> {
  return new Column(parseExpression(textOf('what expr was given', text, "write expr('price * 2')"))) as unknown as UntypedCol<AliasIn<Text>>
}
