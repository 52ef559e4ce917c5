/** What frames can do besides frame-types.ts: operations by sets, chance and shape. Those of BatchOps need all rows at once and are not there for streams. */
import type { Schema } from '../data/schema.ts'
import type { BoolCol, Expr, GeneratedColumns, Named, Unmarked, UntypedCol, Widest } from './column-types.ts'
import type { AfterAgg, AnyFrame, Cols, DataFrame, Frame, Kind, Row } from './frame-types.ts'
import type { AvgType, SumType } from './functions.ts'
import type { Arr, Fields, Numeric, SchemaJson } from './types.ts'

type Name<S> = keyof S & string
type Num = Numeric | null
type NumName<S> = { [P in keyof S]: S[P] extends Num ? P : never }[keyof S] & string
/** A frame with (at least) these columns, whatever their types. */
type Like<S> = { [P in keyof S]: unknown }

/** The result of unionByName: with allowMissingColumns also the columns of one side, null in the other's rows. */
export type UnionByName<S, R, Missing> = Missing extends true
  ? {
      [P in keyof (S & { [Q in keyof R]: unknown })]: P extends keyof S
        ? P extends keyof R
          ? Widest<S[P] | R[P]>
          : S[P] | null
        : P extends keyof R
          ? R[P] | null
          : never
    }
  : { [P in keyof S]: P extends keyof R ? Widest<S[P] | R[P]> : S[P] }

/** The result of unpivot: the ids, the column of names and the column of values. */
export type Unpivoted<S, I extends keyof S, V extends keyof S, VariableName extends string, ValueName extends string> = {
  [P in I | VariableName | ValueName]: P extends VariableName
    ? 'string'
    : P extends ValueName
      ? Widest<Unmarked<S[V]>>
      : P extends keyof S
        ? S[P]
        : never
}

/** The rows of a table only: what needs all of them, or their places. */
/** What all frames can do about names, schemas and what they are. */
export interface ShapeOps<K extends Kind> {
  /** The columns whose whole name matches: colRegex('`(price|cost)_.*`'), an item of select. Without backticks it is a name. */
  colRegex(pattern: string): UntypedCol & GeneratedColumns<any>
  /** These columns, of these types, in this order; others go, and a nullable one that is missing is null. INVALID_COLUMN_OR_FIELD_DATA_TYPE, NULLABLE_COLUMN_OR_FIELD. */
  to<F>(schema: Fields<F>): Frame<{ [P in keyof F]: F[P] }, K>
  to(schema: string | SchemaJson | Schema): Frame<any, K>
  /** Each row as a JSON text, in a column `value`. */
  toJSON(): Frame<{ value: 'string' }, K>
  /** Whether both are made of the same steps over the same relations. */
  sameSemantics(other: AnyFrame<any, any>): boolean
  /** Equal for frames with the same semantics. */
  semanticHash(): number
  /** Whether nothing is read from outside of the program. */
  isLocal(): boolean
  /** A name for this frame in `engine.sql` and `engine.table`, while the engine is open. TEMP_TABLE_OR_VIEW_ALREADY_EXISTS. */
  createTempView(name: string): void
  createOrReplaceTempView(name: string): void
  /** The same as createOrReplaceTempView. */
  registerTempTable(name: string): void
  /** The same as `global_temp.name`. */
  createGlobalTempView(name: string): void
  createOrReplaceGlobalTempView(name: string): void
}

export interface BatchOps<S> {
  /** Rows that both have, each once; nulls are equal to each other. Columns are taken by position. */
  intersect<R extends Like<S>>(other: AnyFrame<R, 'batch'>): DataFrame<{ [P in keyof S]: Widest<S[P] | R[P]> }>
  /** Rows that both have, as often as the one has it that has it less often. */
  intersectAll<R extends Like<S>>(other: AnyFrame<R, 'batch'>): DataFrame<{ [P in keyof S]: Widest<S[P] | R[P]> }>
  /** Rows as often as this has them more than the other. */
  exceptAll<R extends Like<S>>(other: AnyFrame<R, 'batch'>): DataFrame<S>
  /** All rows but the first `count`. */
  offset(count: number): DataFrame<S>
  /** About `fraction` (0 to 1) of the rows, by chance: the same seed gives the same rows of the same input. */
  sample(fraction: number, seed?: number | bigint): DataFrame<S>
  /** With replacement a row may come several times, and the fraction may be above 1. */
  sample(withReplacement: boolean, fraction: number, seed?: number | bigint): DataFrame<S>
  /** Parts of these shares; every row is in exactly one. */
  randomSplit<const W extends readonly number[]>(weights: W, seed?: number | bigint): { -readonly [I in keyof W]: DataFrame<S> }
  /** The rows with their numbers, from 0, in a last column. */
  zipWithIndex<const N_ extends string = 'index'>(
    name?: N_,
  ): DataFrame<{ [P in keyof S | N_]: P extends N_ ? 'long' : P extends keyof S ? S[P] : never }>
  /** About a fraction of the rows of each key, by chance; rows of other keys go. */
  sampleBy(
    column: Name<S> | Expr<any>,
    fractions: ReadonlyMap<unknown, number> | Readonly<Record<string, number>>,
    seed?: number | bigint,
  ): DataFrame<S>
  /** Columns become rows: a column `key` with their names, and one for each value of the index column (the first, unless named), which the data decide. */
  transpose(indexColumn?: Name<S>): Promise<DataFrame<any>>
  /** The only value of the only row, in select or where of another frame: `sales.filter(col('amount').gt(limits.scalar()))`. Null without a row; SCALAR_SUBQUERY_TOO_MANY_ROWS. */
  scalar(): UntypedCol
  /** Whether there is a row, in select or where of another frame. */
  exists(): BoolCol<'boolean'>
  /** Calls the function with all rows: there is one partition. */
  foreachPartition(f: (rows: AsyncIterableIterator<Row<S>>) => unknown): Promise<void>
  /** The last rows, in memory. */
  tail(count: number): Promise<Row<S>[]>
  /** The first row, or null; with a count the first rows. */
  head(): Promise<Row<S> | null>
  head(count: number): Promise<Row<S>[]>
  isEmpty(): Promise<boolean>
  /** The rows one after the other, read as they are asked for: a result of any size goes through bounded memory. */
  toLocalIterator(): AsyncIterableIterator<Row<S>>
  /** Calls the function with each row, one after the other; waits for what it returns. */
  foreach(f: (row: Row<S>) => unknown): Promise<void>
  /** count, mean, stddev, min and max of these columns (default: all of numbers and text), a row each, as text. */
  describe<C extends Name<S> = Name<S>>(
    ...columns: C[]
  ): DataFrame<{ [P in 'summary' | C]: P extends 'summary' ? 'string' : 'string' | null }>
  /** As describe, with quartiles; or these statistics: 'count', 'mean', 'stddev', 'min', 'max', 'count_distinct', '95%', … */
  summary(...statistics: string[]): DataFrame<{ [P in 'summary' | Name<S>]: P extends 'summary' ? 'string' : 'string' | null }>
  readonly stat: StatFunctions<S>
  corr(a: NumName<S>, b: NumName<S>, method?: 'pearson'): Promise<number>
  cov(a: NumName<S>, b: NumName<S>): Promise<number>
  crosstab(a: Name<S>, b: Name<S>): Promise<DataFrame<any>>
  freqItems<C extends Name<S>>(columns: readonly C[], support?: number): Promise<DataFrame<{ [P in C as `${P}_freqItems`]: Arr<S[P]> }>>
  approxQuantile(column: NumName<S>, probabilities: readonly number[], relativeError?: number): Promise<number[]>
  approxQuantile(columns: readonly NumName<S>[], probabilities: readonly number[], relativeError?: number): Promise<number[][]>
}

/** What stands in `df.stat`. */
export interface StatFunctions<S> {
  /** Pearson's coefficient of correlation; a null counts as 0. */
  corr(a: NumName<S>, b: NumName<S>, method?: 'pearson'): Promise<number>
  /** The covariance of a sample; a null counts as 0. */
  cov(a: NumName<S>, b: NumName<S>): Promise<number>
  /** How often each pair of values is there: a row for each value of `a`, a column for each of `b`, which the data decide. */
  crosstab(a: Name<S>, b: Name<S>): Promise<DataFrame<any>>
  /** The values that more than `support` (0.01) of the rows have, an array for each column. Exact. */
  freqItems<C extends Name<S>>(columns: readonly C[], support?: number): Promise<DataFrame<{ [P in C as `${P}_freqItems`]: Arr<S[P]> }>>
  /** The quantiles of a numeric column. Exact, whatever error is allowed. */
  approxQuantile(column: NumName<S>, probabilities: readonly number[], relativeError?: number): Promise<number[]>
  approxQuantile(columns: readonly NumName<S>[], probabilities: readonly number[], relativeError?: number): Promise<number[][]>
}

/** Values that fillna and replace take, by the columns that they fit. */
type FillKind = number | bigint | string | boolean
type FillsInto<A, V> = [Exclude<A, null>] extends [never]
  ? false
  : Exclude<A, null> extends Numeric
    ? V extends number | bigint
      ? true
      : false
    : Exclude<A, null> extends 'string'
      ? V extends string
        ? true
        : false
      : Exclude<A, null> extends 'boolean'
        ? V extends boolean
          ? true
          : false
        : false
/** The schema after fillna(value, subset): columns of the value's kind are no longer null. */
export type Filled<S, V, C> = { [P in keyof S]: P extends C ? (FillsInto<S[P], V> extends true ? Exclude<S[P], null> : S[P]) : S[P] }
export type FilledBy<S, V> = { [P in keyof S]: P extends keyof V ? Exclude<S[P], null> : S[P] }
type FillFor<A> =
  Exclude<A, null> extends Numeric
    ? number | bigint
    : Exclude<A, null> extends 'string'
      ? string
      : Exclude<A, null> extends 'boolean'
        ? boolean
        : never
export type FillMap<S> = { readonly [P in keyof S]?: FillFor<S[P]> }
/** The schema after dropna(): how 'any' leaves no null in the columns. */
export type Dropped<S, C> = { [P in keyof S]: P extends C ? Exclude<S[P], null> : S[P] }

export interface NaFunctions<S, K extends Kind> {
  fill<V extends FillKind, C extends Name<S> = Name<S>>(value: V, subset?: C | readonly C[]): Frame<Filled<S, V, C>, K>
  fill<const V extends FillMap<S>>(values: V): Frame<FilledBy<S, V>, K>
  drop(): Frame<Dropped<S, keyof S>, K>
  drop<C extends Name<S> = Name<S>>(how: {
    readonly how?: 'any'
    readonly thresh?: never
    readonly subset?: C | readonly C[]
  }): Frame<Dropped<S, C>, K>
  drop(how: 'any' | 'all' | DropOptions<S>): Frame<S, K>
  replace: ReplaceMethod<S, K>
}
export interface DropOptions<S> {
  readonly how?: 'any' | 'all'
  /** How many values a row must have to stay, whatever `how` says. */
  readonly thresh?: number
  readonly subset?: Name<S> | readonly Name<S>[]
}
/** Replaces values by others of their kind: one by one, a list by a list or by one value, or by a map; among the named columns. */
export interface ReplaceMethod<S, K extends Kind> {
  <V extends number | bigint | string | boolean>(from: V, to: SameKind<V>, subset?: Name<S> | readonly Name<S>[]): Frame<S, K>
  <V extends number | bigint | string | boolean>(
    from: readonly V[],
    to: SameKind<V> | readonly SameKind<V>[],
    subset?: Name<S> | readonly Name<S>[],
  ): Frame<S, K>
  <V extends number | bigint | string | boolean>(pairs: ReadonlyMap<V, SameKind<V>>, subset?: Name<S> | readonly Name<S>[]): Frame<S, K>
  (pairs: { readonly [from: string]: string }, subset?: Name<S> | readonly Name<S>[]): Frame<S, K>
  /** With null among the replacements text may become null. */
  (
    pairs: { readonly [from: string]: string | null },
    subset?: Name<S> | readonly Name<S>[],
  ): Frame<{ [P in keyof S]: S[P] extends 'string' | null ? S[P] | null : S[P] }, K>
}
type SameKind<V> = V extends string ? string : V extends boolean ? boolean : number | bigint

/** Several groupings in one: by sets of keys. */
export interface GroupingSetsOps<S, K extends Kind> {
  /** Aggregates by all keys, by all but the last, …, and over everything; a key that is left out is null. */
  rollup<G extends Name<S>>(...keys: G[]): GroupedRows<S, { [P in G]: S[P] | null }, K>
  rollup<G>(f: (c: Cols<S>) => { [P in keyof G]: Expr<G[P]> }): GroupedRows<S, { [P in keyof G]: G[P] | null }, K>
  /** Aggregates by every subset of the keys; a key that is left out is null. */
  cube<G extends Name<S>>(...keys: G[]): GroupedRows<S, { [P in G]: S[P] | null }, K>
  cube<G>(f: (c: Cols<S>) => { [P in keyof G]: Expr<G[P]> }): GroupedRows<S, { [P in keyof G]: G[P] | null }, K>
  /** Aggregates by each of these sets of keys: `groupingSets([['a', 'b'], []], 'a', 'b')`. */
  groupingSets<G extends Name<S>>(sets: readonly (readonly NoInfer<G>[])[], ...keys: G[]): GroupedRows<S, { [P in G]: S[P] | null }, K>
}

/** What rollup, cube and groupingSets give. */
export interface GroupedRows<S, G, K extends Kind> {
  /** The keys, then what the function gives; grouping(key) says whether a key was left out. */
  agg<A>(
    f: (c: Cols<S>) => { [P in keyof A]: Expr<A[P]> },
  ): Frame<
    { [P in keyof (G & { [Q in keyof A]: unknown })]: P extends keyof A ? A[P] : (G & { [Q in keyof A]: unknown })[P] },
    AfterAgg<K, G>
  >
  agg<const M extends AggregateMap<S>>(functions: M): Frame<G & Aggregated<S, M>, AfterAgg<K, G>>
  count(): Frame<
    { [P in keyof (G & { [Q in 'count']: unknown })]: P extends 'count' ? 'long' : (G & { [Q in 'count']: unknown })[P] },
    AfterAgg<K, G>
  >
  sum<C extends NumName<S> = Exclude<NumName<S>, keyof G>>(...columns: C[]): Frame<G & SumOf<S, C>, AfterAgg<K, G>>
  avg<C extends NumName<S> = Exclude<NumName<S>, keyof G>>(...columns: C[]): Frame<G & AvgOf<S, C>, AfterAgg<K, G>>
  mean<C extends NumName<S> = Exclude<NumName<S>, keyof G>>(...columns: C[]): Frame<G & AvgOf<S, C>, AfterAgg<K, G>>
  min<C extends Name<S>>(...columns: C[]): Frame<G & ExtremeOf<S, C, 'min'>, AfterAgg<K, G>>
  max<C extends Name<S>>(...columns: C[]): Frame<G & ExtremeOf<S, C, 'max'>, AfterAgg<K, G>>
}
type SumOf<S, C extends keyof S & string> = { [P in C as `sum(${P})`]: SumType<Exclude<S[P], null>> | null }
type AvgOf<S, C extends keyof S & string> = { [P in C as `avg(${P})`]: AvgType<Exclude<S[P], null>> | null }
type ExtremeOf<S, C extends keyof S & string, F extends string> = { [P in C as `${F}(${P})`]: Unmarked<S[P]> | null }

/** Aggregates by column: `{ price: 'sum', '*': 'count' }`. */
export type AggregateMap<S> = {
  readonly [P in keyof S]?: S[P] extends Num ? 'sum' | 'avg' | 'mean' | 'min' | 'max' | 'count' : 'min' | 'max' | 'count'
} & { readonly '*'?: 'count' }
/** What agg makes of such a map: columns called `sum(price)`, `count(1)`. */
export type Aggregated<S, M> = {
  [P in keyof M & string as `${M[P] extends 'mean' ? 'avg' : M[P] & string}(${P extends '*' ? '1' : P})`]: M[P] extends 'count'
    ? 'long'
    : P extends keyof S
      ? M[P] extends 'sum'
        ? SumType<Exclude<S[P], null>> | null
        : M[P] extends 'avg' | 'mean'
          ? AvgType<Exclude<S[P], null>> | null
          : Unmarked<S[P]> | null
      : never
}

type PivotText = string | number | bigint | boolean
/** groupBy(…).pivot(column, values): a column for each value, null where a key has no row of it. */
export interface PivotedData<S, G, V extends PivotText> {
  /** With one aggregate the columns are called as the values, with several `value_name`. */
  agg<A>(f: (c: Cols<S>) => { [P in keyof A]: Expr<A[P]> }): DataFrame<G & PivotColumns<V, A>>
  count(): DataFrame<G & { [P in `${V}`]: 'long' | null }>
  sum<C extends NumName<S>>(column: C): DataFrame<G & { [P in `${V}`]: SumType<Exclude<S[C], null>> | null }>
  avg<C extends NumName<S>>(column: C): DataFrame<G & { [P in `${V}`]: AvgType<Exclude<S[C], null>> | null }>
  mean<C extends NumName<S>>(column: C): DataFrame<G & { [P in `${V}`]: AvgType<Exclude<S[C], null>> | null }>
  min<C extends Name<S>>(column: C): DataFrame<G & { [P in `${V}`]: Unmarked<S[C]> | null }>
  max<C extends Name<S>>(column: C): DataFrame<G & { [P in `${V}`]: Unmarked<S[C]> | null }>
}
type PivotColumns<V extends PivotText, A> = [keyof A] extends [SingleKey<A>]
  ? { [P in `${V}`]: A[keyof A] | null }
  : { [P in `${V}_${keyof A & string}`]: P extends `${V}_${infer K extends keyof A & string}` ? A[K] | null : never }
/** The key of an object with one key, else never. */
type SingleKey<A> = { [P in keyof A]: [keyof A] extends [P] ? P : never }[keyof A]

/** pivot(column) without values: the columns are known when the values are, and not to the compiler. */
export interface PivotedUnknown<S> {
  agg<A>(f: (c: Cols<S>) => { [P in keyof A]: Expr<A[P]> }): DataFrame<any>
  count(): DataFrame<any>
  sum<C extends NumName<S>>(...columns: C[]): DataFrame<any>
  avg<C extends NumName<S>>(...columns: C[]): DataFrame<any>
  mean<C extends NumName<S>>(...columns: C[]): DataFrame<any>
  min<C extends Name<S>>(...columns: C[]): DataFrame<any>
  max<C extends Name<S>>(...columns: C[]): DataFrame<any>
}
export type PivotOf<S, G, K extends Kind> = {
  /** Makes a column of each of these values of `column`. Without values they are read first, so that a promise comes back. */
  pivot<const V extends PivotText>(
    column: Name<S> | Named<string, any>,
    values: readonly V[],
  ): K extends 'batch' ? PivotedData<S, G, V> : never
  pivot(column: Name<S> | Named<string, any>): K extends 'batch' ? Promise<PivotedUnknown<S>> : never
}
