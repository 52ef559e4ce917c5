/** Columns, constants, and any function by its name. */
import { Column } from '../column.ts'
import type { Col, Literal, Operand, UntypedCol } from '../column-types.ts'
import { literalOf } from '../literal.ts'
import type { FromJs, TypeToken } from '../types.ts'
import { call } from './call.ts'

/** A column by name, `a.x` for a column x of the relation alias('a') or a field x of a. Not checked by the compiler. */
export function col<const Name extends string>(name: Name): UntypedCol<Name> {
  return new Column(name === '*' ? { kind: 'star' } : { kind: 'attribute', name }) as unknown as UntypedCol<Name>
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
