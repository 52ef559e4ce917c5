import type { GeneratedColumns, Named } from './column-types.ts'
import type { Struct } from './types.ts'

/** The columns that an item of select stands for. */
export type ItemNames<I> = I extends string
  ? I
  : I extends Named<infer M, any>
    ? M
    : I extends GeneratedColumns<infer C>
      ? keyof C & string
      : never
export type ItemOf<I, P> = I extends string
  ? never
  : I extends Named<infer M, infer X>
    ? P extends M
      ? X
      : never
    : I extends GeneratedColumns<infer C>
      ? P extends keyof C
        ? C[P]
        : never
      : never

/** `*`, and `event.*` for each struct column. */
export type StarName<S> = '*' | `${{ [P in keyof S]: [S[P]] extends [Struct<any> | null] ? P : never }[keyof S] & string}.*`
/** The columns that the fields of a struct become. */
type FieldsOf<X> = Exclude<X, null> extends Struct<infer F> ? { [P in keyof F]: F[P] | Extract<X, null> } : never
/** As ItemNames and ItemOf, of items with stars. */
export type StarNames<I, S> = I extends '*'
  ? keyof S & string
  : I extends `${infer C extends keyof S & string}.*`
    ? keyof FieldsOf<S[C]> & string
    : ItemNames<I>
export type StarItem<I, P, S> = I extends '*'
  ? P extends keyof S
    ? S[P]
    : never
  : I extends `${infer C extends keyof S & string}.*`
    ? P extends keyof FieldsOf<S[C]>
      ? FieldsOf<S[C]>[P]
      : never
    : I extends keyof S
      ? P extends I
        ? S[I]
        : never
      : ItemOf<I, P>
