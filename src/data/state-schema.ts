import type { DataType } from './types.ts'

/** The columns of one operator's state. Written into the checkpoint; versioned there. */
export interface StateSchema {
  readonly keys: readonly StateColumn[]
  readonly values: readonly StateValue[]
  /** Which key column decides when a row is late or may be forgotten: late or evictable when its value <= watermark. */
  readonly eventTime: { readonly key: number } | null
}
export interface StateColumn {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
}
export interface StateValue extends StateColumn {
  readonly merge: MergeOp
}
/**
 * How two accumulators of one key become one; null is the neutral element of all of them.
 * sum of long: InvalidQueryError ARITHMETIC_OVERFLOW past 64 bits, as ANSI mode has it. min/max order strings by UTF-8 bytes, NaN above all numbers.
 * first/last take by arrival; `replace` always takes the new one (null included).
 * moments: three neighbouring columns of doubles that merge as one (all three are marked `moments`): n, mean, m2 (the sum of squared distances
 * from the mean). A side whose n is null or 0 is neutral; else, with d = meanB - meanA: n = nA + nB, mean = meanA + d * nB / n,
 * m2 = m2A + m2B + d * d * nA * nB / n. Sums of squares would lose all digits where the mean is large against the spread.
 */
export type MergeOp = 'sum' | 'min' | 'max' | 'first' | 'last' | 'replace' | 'moments'
