/**
 * DataFrames as the compiler sees them. A batch is `DataFrame<S>`, a stream `StreamFrame<S, Q>`, where Q says which output modes are possible.
 *
 * Schema arithmetic: every method that changes the schema returns ONE anonymous mapped type, written inline:
 * - inline, because hover prints an alias of a mapped type as `Put<Put<…>>`, but an anonymous one as the resolved object;
 * - `keyof (S & { [Q in New]: unknown })` keeps declaration order (a union of keys is sorted by type id), and `T & unknown` is T, so equal
 *   names never reduce the intersection to never;
 * - no `P extends keyof S` per column: that is quadratic in the number of columns;
 * - one level an operation: TypeScript stops at 100 nested mapped types (TS2589).
 */
import type { ForeachWriter } from '../data/foreach-writer.ts'
import type { ForeachBatchContext } from '../data/refusing-context.ts'
import type { Schema } from '../data/schema.ts'
import type { OutputMode } from '../plan/logical-plan.ts'
import type { WatermarkOptions } from '../plan/watermark-options.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import type {
  Aggregated,
  AggregateMap,
  BatchOps,
  DropOptions,
  Dropped,
  Filled,
  FilledBy,
  FillMap,
  GroupingSetsOps,
  NaFunctions,
  PivotOf,
  ReplaceMethod,
  ShapeOps,
  UnionByName,
  Unpivoted,
} from './batch-types.ts'
import type { Ambiguous, Col, Expr, GeneratedColumns, N, Named, Num, Sorted, T, Unmarked, Widest } from './column-types.ts'
import type { ExplainMode } from './explain-text.ts'
import type { AvgType, SumType } from './functions.ts'
import type { Observation } from './observation.ts'
import type { ItemNames, ItemOf, StarItem, StarName, StarNames } from './select-types.ts'
import type { DeadLetterFrame, DeadLetterOptions, LateRowColumns, SideOutputs } from './side-output-types.ts'
import type { StateFunctions } from './state-function-types.ts'
import type { Kind, ModesOf, StreamState, WhyNot } from './stream-modes.ts'
import type { Fields, IsAny, Js, SessionMark, TimeLike, Watermark } from './types.ts'

export type { OutputMode } from '../plan/logical-plan.ts'
export type { Kind, ModesOf, StreamState, Unsupported, WhyNot } from './stream-modes.ts'

/** The columns of a schema, as callbacks get them. */
export type Cols<S> = { readonly [P in keyof S]: Col<S[P]> }
/** A row as JavaScript object. */
export type Row<S> = { [P in keyof S]: Js<S[P]> }
/** The rows that a frame gives. */
export type InferRow<F> = F extends { readonly [T]: infer S } ? Row<S> : never
declare const KIND: unique symbol

type NamedColumns<A extends readonly unknown[]> = {
  [P in A[number] as P extends Named<infer N_, any> ? N_ : never]: P extends Named<any, infer X> ? X : never
}
/** Not of keys of which the compiler knows nothing: those are allowed all modes. */
type HasSession<Key> = IsAny<Key> extends true ? false : [Extract<Key, SessionMark>] extends [never] ? false : true
/** What an aggregation by keys of the types G makes of a frame. */
export type AfterAgg<K extends Kind, G> = K extends 'batch'
  ? 'batch'
  : K extends 'rows'
    ? [Extract<G[keyof G], Watermark>] extends [never]
      ? HasSession<G[keyof G]> extends true
        ? 'sessions without watermark'
        : 'aggregated without watermark'
      : HasSession<G[keyof G]> extends true
        ? 'sessions'
        : 'aggregated'
    : K extends 'distinct rows' | 'joined streams' | 'appended groups' | 'transformed groups'
      ? AfterAgg<'rows', G>
      : K extends 'limited rows'
        ? [Extract<G[keyof G], Watermark>] extends [never]
          ? 'sorted aggregate'
          : 'limited aggregate'
        : 'several stateful steps'
type AfterSort<K extends Kind> = K extends 'batch'
  ? 'batch'
  : K extends
        | 'aggregated'
        | 'aggregated without watermark'
        | 'sorted aggregate'
        | 'limited aggregate'
        | 'sessions'
        | 'sessions without watermark'
    ? 'sorted aggregate'
    : 'sorted rows'
type AfterLimit<K extends Kind> = K extends 'batch'
  ? 'batch'
  : K extends 'aggregated without watermark' | 'sorted aggregate' | 'sessions without watermark'
    ? 'sorted aggregate'
    : K extends 'aggregated' | 'limited aggregate' | 'sessions'
      ? 'limited aggregate'
      : K extends 'rows'
        ? 'limited rows'
        : 'several stateful steps'
type AfterDistinct<K extends Kind> = K extends 'batch'
  ? 'batch'
  : K extends 'rows'
    ? 'distinct rows'
    : K extends 'aggregated without watermark'
      ? 'aggregated without watermark'
      : 'several stateful steps'
type AfterDistinctInTime<K extends StreamState> = K extends 'rows' ? 'distinct rows' : 'several stateful steps'
type AfterUnion<L extends Kind, R extends Kind> = L extends 'batch'
  ? R
  : R extends 'batch'
    ? L
    : L extends 'rows'
      ? R
      : R extends 'rows'
        ? L
        : 'several stateful steps'

/** The one type-level function from (schema, kind) to the interface that users see. */
export type Frame<S, K extends Kind> = K extends 'batch' ? DataFrame<S> : K extends StreamState ? StreamFrame<S, K> : never

export type JoinKind = 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti'
type AllowedJoin<L extends Kind, R extends Kind> = L extends 'batch'
  ? R extends 'batch'
    ? JoinKind
    : 'inner' | 'right'
  : R extends 'batch'
    ? 'inner' | 'left' | 'semi' | 'anti'
    : 'inner' | 'left' | 'right' | 'full' | 'semi'
/** Spark's words for the kinds of joins. */
interface JoinWords {
  inner: 'inner'
  cross: 'inner'
  left: 'left'
  leftouter: 'left'
  left_outer: 'left'
  right: 'right'
  rightouter: 'right'
  right_outer: 'right'
  full: 'full'
  outer: 'full'
  fullouter: 'full'
  full_outer: 'full'
  semi: 'semi'
  leftsemi: 'semi'
  left_semi: 'semi'
  anti: 'anti'
  leftanti: 'anti'
  left_anti: 'anti'
}
type JoinWord<L extends Kind, R extends Kind> = {
  [W in keyof JoinWords]: JoinWords[W] extends AllowedJoin<L, R> ? W : never
}[keyof JoinWords]
type AfterJoin<L extends Kind, R extends Kind, JK> = L extends 'batch'
  ? R
  : R extends 'batch'
    ? L
    : L extends 'rows'
      ? R extends 'rows'
        ? JK extends 'inner' | 'semi'
          ? 'joined streams'
          : 'outer joined streams'
        : 'several stateful steps'
      : 'several stateful steps'
/** Right columns that reach the output: none for semi and anti joins. */
type RightKeys<R, JK> = JK extends 'semi' | 'anti' ? never : keyof R
type Opt<JK, Side extends 'L' | 'R'> = JK extends 'full' ? null : JK extends (Side extends 'L' ? 'right' : 'left') ? null : never

type Name<S> = keyof S & string
type SortKey<S> = Name<S> | Expr<any> | Sorted
/** Names of columns that can be an event time. */
type TimeName<S> = { [P in keyof S]: S[P] extends Exclude<TimeLike, 'date'> | null ? P : never }[keyof S] & string
type NumName<S> = { [P in keyof S]: S[P] extends Num ? P : never }[keyof S] & string

/** The thin base of all frames, and the only frame type in parameter positions. */
export interface AnyFrame<out S, out K extends Kind> {
  readonly [T]: S
  readonly [KIND]: K
}

/** What batch and streaming frames have in common. Every method gives a new frame; nothing runs until an action or start(). */
export interface FrameOps<S, K extends Kind> extends AnyFrame<S, K>, ShapeOps<K>, GroupingSetsOps<S, K> {
  readonly schema: Schema
  readonly columns: readonly string[]
  readonly isStreaming: boolean
  /** These columns: by name or named with `as`, or by a function that gives an object of them. */
  select<A extends readonly (Name<S> | Named<string, any>)[]>(
    ...columns: A
  ): Frame<
    {
      [P in A[number] as P extends string ? P : P extends Named<infer M, any> ? M : never]: P extends keyof S
        ? S[P]
        : P extends Named<any, infer X>
          ? X
          : never
    },
    K
  >
  /** As above, with a generator that makes rows and columns: `select('id', posexplode(col('tags')).as('i', 'tag'))`. */
  select<A extends readonly (Name<S> | Named<string, any> | GeneratedColumns<any>)[]>(
    ...columns: A
  ): Frame<{ [P in ItemNames<A[number]>]: P extends A[number] & keyof S ? S[P] : ItemOf<A[number], P> }, K>
  /** As above, with `*` for all columns and `event.*` for all fields of a struct column, each a column of its own. */
  select<const A extends readonly (Name<S> | StarName<S> | Named<string, any> | GeneratedColumns<any>)[]>(
    ...columns: A
  ): Frame<{ [P in StarNames<A[number], S>]: StarItem<A[number], P, S> }, K>
  select<R>(f: (c: Cols<S>) => { [P in keyof R]: Expr<R[P]> }): Frame<{ [P in keyof R]: R[P] }, K>
  drop<D extends Name<S>>(...columns: D[]): Frame<{ [P in keyof S as P extends D ? never : P]: S[P] }, K>
  withColumnRenamed<A extends Name<S>, const B extends string>(
    from: A,
    to: B,
  ): Frame<string extends A | B ? any : { [P in keyof S as P extends A ? B : P]: S[P] }, K>
  /** Columns as SQL text: `selectExpr('id', 'price * 2 AS double_price')`. The compiler does not look into the text. */
  selectExpr(...texts: string[]): Frame<any, K>
  /** The rows for which the condition is true: a function of the columns, or SQL text such as `price > 1 AND id IS NOT NULL`. */
  where(condition: ((c: Cols<S>) => Expr<'boolean' | null>) | string): Frame<S, K>
  /** As where, for a ready-made expression: filter(col('x').gt(1)); or SQL text. */
  filter(condition: Expr<'boolean' | null> | string): Frame<S, K>
  /** Adds a column at the end, or replaces it where it stands. */
  withColumn<const M extends string, X>(
    name: M,
    value: Expr<X> | ((c: Cols<S>) => Expr<X>),
  ): Frame<string extends M ? any : { [P in keyof (S & { [Q in M]: unknown })]: P extends M ? X : (S & { [Q in M]: unknown })[P] }, K>
  withColumns<R>(
    f: (c: Cols<S>) => { [P in keyof R]: Expr<R[P]> },
  ): Frame<{ [P in keyof (S & { [Q in keyof R]: unknown })]: P extends keyof R ? R[P] : (S & { [Q in keyof R]: unknown })[P] }, K>
  groupBy<G extends Name<S>>(...keys: G[]): GroupedData<S, { [P in G]: S[P] }, K>
  groupBy<A extends readonly (Name<S> | Named<string, any>)[]>(
    ...keys: A
  ): GroupedData<
    S,
    {
      [P in A[number] as P extends string ? P : P extends Named<infer M, any> ? M : never]: P extends keyof S
        ? S[P]
        : P extends Named<any, infer X>
          ? X
          : never
    },
    K
  >
  groupBy<G>(f: (c: Cols<S>) => { [P in keyof G]: Expr<G[P]> }): GroupedData<S, { [P in keyof G]: G[P] }, K>
  /** One row over everything. */
  agg<A>(f: (c: Cols<S>) => { [P in keyof A]: Expr<A[P]> }): Frame<{ [P in keyof A]: A[P] }, AfterAgg<K, {}>>
  /** Columns with their names: `agg(count().as('n'), sum('price').as('revenue'))`. */
  agg<A extends readonly Named<string, any>[]>(...columns: A): Frame<NamedColumns<A>, AfterAgg<K, {}>>
  agg<const M extends AggregateMap<S>>(functions: M): Frame<Aggregated<S, M>, AfterAgg<K, {}>>
  distinct(): Frame<S, AfterDistinct<K>>
  /** Of the rows that are equal in these columns (all, without names) one: of a table the first. */
  dropDuplicates(columns?: readonly Name<S>[]): Frame<S, AfterDistinct<K>>
  drop_duplicates(columns?: readonly Name<S>[]): Frame<S, AfterDistinct<K>>
  /**
   * Pairs rows: by columns of the same name (which the result has once, first), or by a condition, or several that all hold. Other names that both sides have can
   * only be told apart after alias(…). How: inner unless said; with a stream on one side only what can be known of a stream.
   */
  join<R, RK extends Kind, const On extends Name<S> & Name<R> = never, W extends JoinWord<K, RK> = 'inner', JK = JoinWords[W]>(
    other: AnyFrame<R, RK>,
    on:
      | On
      | readonly On[]
      | ((left: Cols<S>, right: Cols<R>) => Expr<'boolean' | null>)
      | Expr<'boolean' | null>
      | readonly Expr<'boolean' | null>[],
    how?: W,
  ): Frame<
    {
      [P in keyof (S & { [Q in RightKeys<R, JK>]: unknown })]: P extends On
        ? JK extends 'right'
          ? R[P & keyof R]
          : JK extends 'full'
            ? Widest<S[P & keyof S] | R[P & keyof R]>
            : (S & { [Q in keyof R]: unknown })[P]
        : P extends RightKeys<R, JK>
          ? P extends keyof S
            ? Ambiguous<P>
            : R[P & keyof R] | Opt<JK, 'R'>
          : (S & { [Q in RightKeys<R, JK>]: unknown })[P] | Opt<JK, 'L'>
    },
    AfterJoin<NoInfer<K>, RK, JK>
  >
  /** Every row with every row. */
  crossJoin<R, RK extends Kind>(
    other: AnyFrame<R, RK>,
  ): Frame<
    {
      [P in keyof (S & { [Q in keyof R]: unknown })]: P extends keyof R
        ? P extends keyof S
          ? Ambiguous<P>
          : R[P]
        : (S & { [Q in keyof R]: unknown })[P]
    },
    AfterJoin<NoInfer<K>, RK, 'inner'>
  >
  /** All rows of both, columns taken by position; names are those of the first. */
  union<R extends { [P in keyof S]: unknown }, RK extends Kind>(
    other: AnyFrame<R, RK>,
  ): Frame<{ [P in keyof S]: Widest<S[P] | R[P]> }, AfterUnion<NoInfer<K>, RK>>
  unionAll<R extends { [P in keyof S]: unknown }, RK extends Kind>(
    other: AnyFrame<R, RK>,
  ): Frame<{ [P in keyof S]: Widest<S[P] | R[P]> }, AfterUnion<NoInfer<K>, RK>>
  /** All rows of both, columns taken by name. With allowMissingColumns a column that one side lacks is null in its rows. */
  unionByName<
    R extends Missing extends true ? unknown : { [P in keyof S]: unknown },
    RK extends Kind,
    const Missing extends boolean = false,
  >(other: AnyFrame<R, RK>, allowMissingColumns?: Missing): Frame<UnionByName<S, R, Missing>, AfterUnion<NoInfer<K>, RK>>
  /** Each different row once that the table `other` does not have; nulls are equal to each other. Columns are taken by position. */
  except<R extends { [P in keyof S]: unknown }>(other: AnyFrame<R, 'batch'>): Frame<S, AfterDistinct<K>>
  /** The same as except. */
  subtract<R extends { [P in keyof S]: unknown }>(other: AnyFrame<R, 'batch'>): Frame<S, AfterDistinct<K>>
  /** Columns become rows: for each row one for each of `values` (null: all columns but the ids), with the column's name and its value. */
  unpivot<
    I extends Name<S>,
    V extends Name<S> = Exclude<Name<S>, I>,
    const VariableName extends string = string,
    const ValueName extends string = string,
  >(
    ids: readonly I[],
    values: readonly V[] | null,
    variableColumnName: VariableName,
    valueColumnName: ValueName,
  ): Frame<Unpivoted<S, I, V, VariableName, ValueName>, K>
  /** The same as unpivot. */
  melt<
    I extends Name<S>,
    V extends Name<S> = Exclude<Name<S>, I>,
    const VariableName extends string = string,
    const ValueName extends string = string,
  >(
    ids: readonly I[],
    values: readonly V[] | null,
    variableColumnName: VariableName,
    valueColumnName: ValueName,
  ): Frame<Unpivoted<S, I, V, VariableName, ValueName>, K>
  /**
   * Lets the engine forget rows whose `column` is over `delay` ('10 minutes') behind the newest one seen. Nothing changes for a batch.
   * `options`: what to do about silent streams, rows from the future and partitions that lag (docs/late-and-broken-rows.md).
   */
  withWatermark<W extends TimeName<S>>(
    column: W,
    delay: string,
    options?: WatermarkOptions & { readonly perPartition?: readonly Name<S>[] },
  ): Frame<{ [P in keyof S]: P extends W ? S[P] & Watermark : S[P] }, K>
  /**
   * Passes the rows on and computes aggregates over them on the way: in each batch of a stream, shown under the name in observedMetrics of
   * its progress; in a batch for an Observation.
   */
  observe<A>(to: string | Observation<A>, f: (c: Cols<S>) => { [P in keyof A]: Expr<A[P]> }): Frame<S, K>
  observe(to: string | Observation<any>, ...metrics: Named<string, any>[]): Frame<S, K>
  /** The columns' names and types as text. */
  readonly dtypes: readonly (readonly [name: string, type: string])[]
  /** A value in place of null and NaN, in the columns of its kind (numbers, text, booleans); or an object of values by column. */
  fillna<V extends number | bigint | string | boolean, C extends Name<S> = Name<S>>(
    value: V,
    subset?: C | readonly C[],
  ): Frame<Filled<S, V, C>, K>
  fillna<const V extends FillMap<S>>(values: V): Frame<FilledBy<S, V>, K>
  /** Without the rows in which a value (how 'all': every value; with `thresh`: all but so many) of these columns is null or NaN. */
  dropna(): Frame<Dropped<S, keyof S>, K>
  dropna<C extends Name<S> = Name<S>>(how: {
    readonly how?: 'any'
    readonly thresh?: never
    readonly subset?: C | readonly C[]
  }): Frame<Dropped<S, C>, K>
  dropna(how: 'any' | 'all' | DropOptions<S>): Frame<S, K>
  readonly replace: ReplaceMethod<S, K>
  /** fill, drop and replace for missing values. */
  readonly na: NaFunctions<S, K>
  /** All columns called otherwise, in their order. (Which type each then has is not known to the compiler.) */
  toDF<const N_ extends readonly string[]>(...names: N_): Frame<{ [P in N_[number]]: any }, K>
  withColumnsRenamed<const M extends { readonly [P in Name<S>]?: string }>(
    names: M,
  ): Frame<{ [P in keyof S as P extends keyof M ? (M[P] extends string ? M[P] : P) : P]: S[P] }, K>
  /** What the function makes of this frame: for steps with names of their own. */
  transform<R extends AnyFrame<any, any>, A extends readonly unknown[]>(f: (frame: this, ...args: A) => R, ...args: A): R
  /** Accepted without effect: one process reads and writes without partitions. */
  repartition(partitions: number | Name<S>, ...columns: Name<S>[]): Frame<S, K>
  repartitionByRange(partitions: number | Name<S>, ...columns: Name<S>[]): Frame<S, K>
  coalesce(partitions: number): Frame<S, K>
  /** Spark's hints are accepted without effect; others are UNRECOGNIZED_HINT. */
  hint(name: string, ...parameters: unknown[]): Frame<S, K>
  /** Accepted without effect: every action reads its input anew. Write to files what should be kept. */
  cache(): Frame<S, K>
  persist(storageLevel?: unknown): Frame<S, K>
  unpersist(blocking?: boolean): Frame<S, K>
  /** A name for the relation, so that col('name.x') finds its columns. */
  alias(name: string): Frame<S, K>
  /** Sorts: by names, by expressions with asc() or desc(), or by what a function gives. */
  orderBy(...keys: (SortKey<S> | ((c: Cols<S>) => Expr<any> | Sorted | readonly (Expr<any> | Sorted)[]))[]): Frame<S, AfterSort<K>>
  sort(...keys: (SortKey<S> | ((c: Cols<S>) => Expr<any> | Sorted | readonly (Expr<any> | Sorted)[]))[]): Frame<S, AfterSort<K>>
  /** The same as orderBy: one process has one partition. */
  sortWithinPartitions(
    ...keys: (SortKey<S> | ((c: Cols<S>) => Expr<any> | Sorted | readonly (Expr<any> | Sorted)[]))[]
  ): Frame<S, AfterSort<K>>
  limit(count: number): Frame<S, AfterLimit<K>>
  pipe<R>(f: (frame: this) => R): R
  /** Prints the columns with their types, as a tree. */
  printSchema(): void
  /** Prints the logical plan and what the engine makes of it; returns the same text. */
  explain(mode?: ExplainMode | OutputMode | boolean): string
}

export interface GroupedData<S, G, K extends Kind> extends PivotOf<S, G, K>, StateFunctions<S, G, K> {
  /** The keys, then what the function gives. */
  agg<A>(
    f: (c: Cols<S>) => { [P in keyof A]: Expr<A[P]> },
  ): Frame<
    { [P in keyof (G & { [Q in keyof A]: unknown })]: P extends keyof A ? A[P] : (G & { [Q in keyof A]: unknown })[P] },
    AfterAgg<K, G>
  >
  /** The keys, then columns with their names: `agg(count().as('n'), sum('price').as('revenue'))`. */
  agg<A extends readonly Named<string, any>[]>(
    ...columns: A
  ): Frame<
    {
      [P in keyof (G & { [Q in keyof NamedColumns<A>]: unknown })]: P extends keyof NamedColumns<A>
        ? NamedColumns<A>[P]
        : (G & { [Q in keyof NamedColumns<A>]: unknown })[P]
    },
    AfterAgg<K, G>
  >
  /** The keys, then an aggregate for each column: `{ price: 'sum', '*': 'count' }` gives `sum(price)` and `count(1)`. */
  agg<const M extends AggregateMap<S>>(functions: M): Frame<G & Aggregated<S, M>, AfterAgg<K, G>>
  /** The keys, then `count`. */
  count(): Frame<
    { [P in keyof (G & { [Q in 'count']: unknown })]: P extends 'count' ? 'long' : (G & { [Q in 'count']: unknown })[P] },
    AfterAgg<K, G>
  >
  /** The keys, then `sum(column)` for each column. */
  sum<C extends NumName<S> = Exclude<NumName<S>, keyof G>>(
    ...columns: C[]
  ): Frame<G & { [P in C as `sum(${P})`]: SumType<Exclude<S[P], null>> | null }, AfterAgg<K, G>>
  avg<C extends NumName<S> = Exclude<NumName<S>, keyof G>>(
    ...columns: C[]
  ): Frame<G & { [P in C as `avg(${P})`]: AvgType<Exclude<S[P], null>> | null }, AfterAgg<K, G>>
  mean<C extends NumName<S> = Exclude<NumName<S>, keyof G>>(
    ...columns: C[]
  ): Frame<G & { [P in C as `avg(${P})`]: AvgType<Exclude<S[P], null>> | null }, AfterAgg<K, G>>
  min<C extends Name<S>>(...columns: C[]): Frame<G & { [P in C as `min(${P})`]: Unmarked<S[P]> | null }, AfterAgg<K, G>>
  max<C extends Name<S>>(...columns: C[]): Frame<G & { [P in C as `max(${P})`]: Unmarked<S[P]> | null }, AfterAgg<K, G>>
}

// Covariant on purpose, though TypeScript can't prove it through the conditional types (TS2636): a helper over DataFrame<{ ad_id: 'string' }>
// takes a wider frame. union and the like therefore check widths at run time.
/** A bounded table.
 * @ts-expect-error TS2636 */
export interface DataFrame<out S> extends FrameOps<S, 'batch'>, BatchOps<S> {
  /** All rows, in memory. */
  collect(): Promise<Row<S>[]>
  /** The number of rows. */
  count(): Promise<number>
  /** The first row, or null. */
  first(): Promise<Row<S> | null>
  take(count: number): Promise<Row<S>[]>
  /** Prints the first rows as a table; `truncate` cuts long values (true: at 20 characters), `vertical` prints a line for each column. */
  show(rows?: number, truncate?: boolean | number, vertical?: boolean): Promise<void>
  readonly write: DataFrameWriter
  /** These rows as one of the outputs of a streaming query: see StreamWriter.outputs. */
  readonly output: OutputWriter<S>
}
/** An unbounded table in state Q.
 * @ts-expect-error TS2636 */
export interface StreamFrame<out S, out Q extends StreamState = 'rows'> extends FrameOps<S, Q> {
  /** As dropDuplicates, but a key is only remembered for the watermark's delay after its first row. */
  dropDuplicatesWithinWatermark(columns?: readonly Name<S>[]): StreamFrame<S, AfterDistinctInTime<Q>>
  readonly writeStream: StreamWriter<S, Q>
}

export type SaveMode = 'append' | 'overwrite' | 'errorifexists' | 'error' | 'ignore'
type OptionValue = string | number | boolean
/** Writes a batch. */
export interface DataFrameWriter {
  format(format: string): DataFrameWriter
  /** What happens where there is something already; an error unless said. */
  mode(mode: SaveMode): DataFrameWriter
  option(name: string, value: OptionValue): DataFrameWriter
  options(options: Readonly<Record<string, OptionValue>>): DataFrameWriter
  /** Columns that become folders `name=value`. */
  partitionBy(...columns: string[]): DataFrameWriter
  save(path?: string): Promise<void>
  parquet(path: string): Promise<void>
  json(path: string): Promise<void>
  csv(path: string): Promise<void>
  text(path: string): Promise<void>
}

/** Where the rows of one of a query's outputs go. Options are those of the sink's format. */
export interface OutputWriter<S> {
  format(format: string): OutputWriter<S>
  option(name: string, value: OptionValue): OutputWriter<S>
  options(options: Readonly<Record<string, OptionValue>>): OutputWriter<S>
  partitionBy(...columns: Name<S>[]): OutputWriter<S>
  foreach(writer: ForeachWriter<Row<S>> | ((row: Row<S>) => unknown)): OutputWriter<S>
  foreachBatch(f: (rows: DataFrame<S>, batchId: bigint, context: ForeachBatchContext) => Promise<unknown> | void): OutputWriter<S>
}

/** When batches run: at multiples of an interval ('10 seconds', or milliseconds; 0: one after the other), until all that is there now is done, or once. */
export type TriggerInput = { readonly processingTime: string | number } | { readonly availableNow: true } | { readonly once: true }

/** Starts a streaming query. M is the output mode: append unless outputMode says otherwise. */
export interface StreamWriter<S, Q extends StreamState, M extends OutputMode = 'append'> {
  outputMode<const N_ extends OutputMode>(mode: N_ extends ModesOf[Q] ? N_ : WhyNot<Q, N_>): StreamWriter<S, Q, N_>
  format(format: string): StreamWriter<S, Q, M>
  option(name: string, value: OptionValue): StreamWriter<S, Q, M>
  options(options: Readonly<Record<string, OptionValue>>): StreamWriter<S, Q, M>
  partitionBy(...columns: Name<S>[]): StreamWriter<S, Q, M>
  queryName(name: string): StreamWriter<S, Q, M>
  trigger(trigger: TriggerInput): StreamWriter<S, Q, M>
  /** The function gets each batch's rows; with the same id again after a crash. The rows are gone when it has returned. A row that it can't write it gives to context.deadLetter. */
  foreachBatch(f: (rows: DataFrame<S>, batchId: bigint, context: ForeachBatchContext) => Promise<unknown> | void): StreamWriter<S, Q, M>
  /** The writer gets each batch's rows, one by one or all at once; a function alone is its `process`. See ForeachWriter for who is called when. */
  foreach(writer: ForeachWriter<Row<S>> | ((row: Row<S>) => unknown)): StreamWriter<S, Q, M>
  /**
   * Several sinks from one query. The function gets a frame of the batch's rows, and gives under a name each what goes where:
   * `(rows) => ({ archive: rows.output.format('parquet').option('path', 'out/'), alerts: rows.where(…).output.foreach(…) })`.
   * The rows are read and computed once a batch, the sinks are written one after another, and the batch is done when all have it; after a crash
   * between two of them each is given the batch again, and counts it once as its own guarantee says. InvalidQueryError INVALID_OUTPUTS.
   */
  outputs(f: (rows: DataFrame<S>) => Readonly<Record<string, OutputWriter<any>>>): StreamWriter<S, Q, M>
  /**
   * A side output of the rows that come too late for a step with state, or (maxFutureSkew) are stamped too far ahead, in place of dropping them without a word.
   * `columns` says what of such a row is given out: a frame whose columns are meant, or a schema; a column that not every step's input has must be nullable.
   * The function gets a frame of the late rows, with columns behind theirs that say what made them late, and gives where they go. They are delivered in
   * the step that delivers the batch, each once as the sink's guarantee says. LATE_ROWS_COLUMN, LATE_ROWS_WITHOUT_WATERMARK.
   */
  lateRows<L>(
    columns: Fields<L> | { readonly [T]: L },
    f: (late: DataFrame<{ [P in keyof (L & LateRowColumns)]: Unmarked<(L & LateRowColumns)[P]> }>) => SideOutputs,
  ): StreamWriter<S, Q, M>
  /**
   * A side output of records and rows that can't be read, computed or written: the stream goes on without them. A malformed record of a file, a file that can't
   * be read, a row for which an expression has no value (ANSI mode), one that the sink refuses, and with `userFunctions` one for which a function of the program throws goes there with its reason, its origin, its bytes and the batch, in
   * the step that delivers the batch. Limits end the query before a batch with too many of them counts. DEAD_LETTER_LIMIT_EXCEEDED, INVALID_DEAD_LETTERS.
   */
  deadLetters(f: (letters: DeadLetterFrame) => SideOutputs, options?: DeadLetterOptions): StreamWriter<S, Q, M>
  /** Starts the query; resolves when it runs. Not callable in a mode that the query does not support. */
  readonly start: M extends ModesOf[Q] ? (path?: string) => Promise<StreamingQuery> : WhyNot<Q, M>
  /** As start, for format memory: the table of that name is found by engine.table(name) and in SQL. Other formats have no tables: NOT_SUPPORTED_YET. */
  readonly toTable: M extends ModesOf[Q] ? (name: string) => Promise<StreamingQuery> : WhyNot<Q, M>
}
export type { N }
