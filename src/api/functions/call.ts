/** What the typed wrappers have in common. */
import { InvalidQueryError } from '../../base/errors.ts'
import { call as callOf } from '../column.ts'
import type { Expr, OpNull, TypeOf } from '../column-types.ts'
import type { IntLike } from '../types.ts'

export type Str = Expr<'string' | null>
export type Text = Str | string
export type Bool = Expr<'boolean' | null>
export type Whole = Expr<IntLike | null> | number | bigint

// One line a function: what the compiler knows of it. The call itself is the same for all.
export const call = callOf as unknown as (name: string, ...args: unknown[]) => any
/**
 * The column that a function is about. A text is never the name of a column here, but a constant: in plain JavaScript, where no compiler says so,
 * `max('price')` would be 'price'. InvalidQueryError NOT_A_COLUMN.
 */
export function columnOf(name: string, e: unknown): unknown {
  if (typeof e !== 'string') return e
  throw new InvalidQueryError('NOT_A_COLUMN', {
    what: `what ${name} was given is ${JSON.stringify(e)}, and a text is no name of a column here`,
    todo: `write col(${JSON.stringify(e)}), or lit(${JSON.stringify(e)}) where the text itself is meant`,
  })
}
/** Without the arguments at the end that were left out. */
export function given(...args: unknown[]): unknown[] {
  return args.filter((arg) => arg !== undefined)
}

export type NotNullOf<L extends readonly unknown[]> = Exclude<TypeOf<L[number]>, null>
export type NullIfAll<L extends readonly unknown[]> = L extends readonly [infer H, ...infer R]
  ? [OpNull<H>] extends [never]
    ? never
    : NullIfAll<R>
  : null
export type NullIfAny<L extends readonly unknown[]> = OpNull<L[number]>
