import type { DataType } from './types.ts'

/** The columns of one operator's state. Written into the checkpoint; versioned there. */
export interface StateSchema {
  readonly keys: readonly StateColumn[]
  readonly values: readonly StateValue[]
  /** Which column decides when a row may be forgotten: when its value <= watermark. A key column (the event time of a group), or, by its place
   *  among `values`, a value column (when the row expires). */
  readonly eventTime: EventTimeColumn | null
  /** `many`: a key may have any number of rows, told apart by their row numbers (docs/formats.md, "The identity of a row"); absent: one. */
  readonly rowsPerKey?: 'many'
  /** What the rows are to a function with state, for who reads them by their schema alone; absent in stores of the engine's own operators. */
  readonly variable?: StateVariable
  /** Of an aggregation: its aggregates in their order, and which values each is made of. */
  readonly aggregates?: readonly StateAggregate[]
}
/**
 * `group`: the state of (flat)mapGroupsWithState. `value`, `list`, `map`: a variable of transformWithState. `timers`: its timers. What the columns are called and how
 * the rows are identified: data/state-layout.ts.
 */
export interface StateVariable {
  readonly kind: 'group' | 'value' | 'list' | 'map' | 'timers'
  /** Of a map: so many value columns at the front are the user's key. */
  readonly userKeyColumns?: number
  /** Values expire at the time in the last column. */
  readonly ttl?: true
}
/** A call of an aggregate function, as the query has it. */
export interface StateAggregate {
  /** The column of the result in which it stands. */
  readonly name: string
  /** The call as text: `sum(price)`. */
  readonly call: string
  readonly function: string
  /** The types of its arguments, as text. */
  readonly types: readonly string[]
  /** By their places among the values. */
  readonly columns: readonly number[]
}
export type EventTimeColumn = { readonly key: number } | { readonly value: number }
export interface StateColumn {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
  /** What the query makes it of, as text, where that says more than the name: a changed query finds its column again by it. */
  readonly origin?: string
}
export interface StateValue extends StateColumn {
  readonly merge: MergeOp
  /** Absent: it counts from the state's first version. Aggregates share an accumulator only if they have counted from the same one. */
  readonly lineage?: string
}
/**
 * How two accumulators of one key become one; null is the neutral element of all of them.
 * sum of long: InvalidQueryError ARITHMETIC_OVERFLOW past 64 bits, as ANSI mode has it. min/max order strings by UTF-8 bytes, NaN above all numbers.
 * first/last take by arrival; `replace` always takes the new one (null included).
 * moments: three neighbouring columns of doubles that merge as one (all three are marked `moments`): n, mean, m2 (the sum of squared distances
 * from the mean). A side whose n is null or 0 is neutral; else, with d = meanB - meanA: n = nA + nB, mean = meanA + d * nB / n,
 * m2 = m2A + m2B + d * d * nA * nB / n. Sums of squares would lose all digits where the mean is large against the spread.
 */
export type MergeOp =
  | 'sum'
  | 'min'
  | 'max'
  | 'first'
  | 'last'
  | 'replace'
  | 'moments'
  /** Of whole numbers, bit by bit. */
  | 'bit_and'
  | 'bit_or'
  | 'bit_xor'
  /** Of doubles. */
  | 'product'
  /** Arrays, one after the other. */
  | 'concat'
  /** Arrays as sets; the first of equal values stays. */
  | 'union'
  /** array<struct<v, n, c>>: values with their counts, in order, and the count of all up to each. */
  | 'counts'
  /** struct<o, v>: the one with the least or greatest o. Of equal ones the newer. */
  | 'least_by'
  | 'greatest_by'
  /** array<double>: n, mean and the sums of the second to fourth powers of the distance from the mean. */
  | 'central_moments'
  /** array<double>: n, the means of x and y, the sums of dx·dy, dx² and dy². */
  | 'co_moments'
  /** array<double>: a summary that knows ranks within a bound (state/quantile-summary.ts). */
  | 'quantiles'
  /** array<double>: a histogram of bins of any width (state/histogram-bins.ts). */
  | 'bins'
  /** binary: a HyperLogLog (state/distinct-sketch.ts). */
  | 'hll'

/** The event-time column by its place among keys and values together; undefined without one. */
export function eventTimeIndex({ keys, eventTime }: StateSchema): number | undefined {
  if (eventTime === null) return undefined
  return 'key' in eventTime ? eventTime.key : keys.length + eventTime.value
}
