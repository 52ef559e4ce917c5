/**
 * How accumulators that are lists, sets, counted values or vectors of numbers become one. Each is a value in the public form of its type; a merge
 * makes a new one and leaves both as they were, since the old one may still be on its way to a sink.
 */
import { assert } from '../base/errors.ts'
import type { ArrayType, DataType, StructType } from '../data/types.ts'
import { compareValues } from './compare-values.ts'
import { mergeBins } from './histogram-bins.ts'
import { mergeQuantiles } from './quantile-summary.ts'
import { valueToJson } from './value-json.ts'

/** The operations on one 'values' column. */
export type CollectionOp =
  | 'concat'
  | 'union'
  | 'counts'
  | 'least_by'
  | 'greatest_by'
  | 'central_moments'
  | 'co_moments'
  | 'quantiles'
  | 'bins'

/** What a key's first value is kept as, and what two values become. */
export interface Fold {
  readonly start: (value: never) => unknown
  readonly merge: (kept: never, value: never) => unknown
}

/** How an operation folds values of a type. */
export function foldOf(op: CollectionOp, type: DataType): Fold {
  switch (op) {
    case 'concat':
      return { start: same, merge: (kept: unknown[], value: unknown[]) => kept.concat(value) }
    case 'union':
      return unionFold((type as ArrayType).element)
    case 'counts':
      return countsFold(type)
    case 'least_by':
    case 'greatest_by':
      return byFold(type as StructType, op === 'least_by' ? -1 : 1)
    case 'central_moments':
      return { start: same, merge: mergeCentralMoments }
    case 'co_moments':
      return { start: same, merge: mergeCoMoments }
    case 'quantiles':
      return { start: same, merge: mergeQuantiles }
    case 'bins':
      return { start: same, merge: mergeBins }
  }
}
const same = (value: unknown) => value

/** What tells values apart: -0 and 0 are one, NaN equals itself. Numbers, text and booleans stand for themselves, as a Set has them. */
function identityOf(type: DataType): (value: unknown) => unknown {
  const isPlain = typeof type === 'string' && !['binary', 'date', 'timestamp', 'timestamp_ntz', 'void'].includes(type)
  return isPlain ? same : (value) => valueToJson({ kind: 'array', element: type, containsNull: true }, [value])
}

/** So many comparisons cost less than a Set. */
const fewComparisons = 64

function unionFold(element: DataType): Fold {
  const identity = identityOf(element)
  const isPlain = identity === same
  const merge = (kept: readonly unknown[], value: readonly unknown[]) => {
    const added = isPlain && kept.length * value.length <= fewComparisons ? lacking(kept, value) : lackingBy(identity, kept, value)
    return added.length === 0 ? kept : kept.concat(added)
  }
  return { start: same, merge }
}

/** The values that are not among those kept, each once. */
function lacking(kept: readonly unknown[], values: readonly unknown[]): unknown[] {
  const added: unknown[] = []
  for (const value of values) if (!kept.includes(value) && !added.includes(value)) added.push(value)
  return added
}
/** The table is made of the values, which are a batch's: the set that is kept may be much larger. */
function lackingBy(identity: (value: unknown) => unknown, kept: readonly unknown[], values: readonly unknown[]): unknown[] {
  if (identity === same) {
    const left = new Set(values)
    for (let i = 0; i < kept.length && left.size > 0; i++) left.delete(kept[i])
    return [...left]
  }
  const left = new Map<unknown, unknown>()
  for (const value of values) {
    const id = identity(value)
    if (!left.has(id)) left.set(id, value)
  }
  for (let i = 0; i < kept.length && left.size > 0; i++) left.delete(identity(kept[i]))
  return [...left.values()]
}

interface Counted {
  readonly v: unknown
  readonly n: bigint
}
/** Counted values in their order, each with the count of all up to it: array<struct<v, n, c>>. What comes in needs neither order nor `c`. */
function countsFold(type: DataType): Fold {
  const entry = (type as ArrayType).element as StructType
  const valueType = entry.fields[0]!.type
  assert(entry.fields.length === 3, 'counted values are structs of a value, its count and the count up to it')
  const identity = identityOf(valueType)
  const settle = (entries: readonly Counted[]) => {
    const counts = new Map<unknown, { v: unknown; n: bigint; c: bigint }>()
    for (const { v, n } of entries) {
      const id = identity(v)
      const known = counts.get(id)
      if (known) known.n += n
      else counts.set(id, { v, n, c: 0n })
    }
    const sorted = [...counts.values()].sort((a, b) => compareValues(valueType, a.v, b.v))
    let c = 0n
    for (const item of sorted) item.c = c += item.n
    return sorted
  }
  return { start: settle, merge: (kept: readonly Counted[], value: readonly Counted[]) => settle(kept.concat(value)) }
}

/** struct<o, v>: the one with the least or greatest `o` stays; of equal ones the newer. */
function byFold(type: StructType, sign: number): Fold {
  const order = type.fields[0]!.type
  type Pair = { readonly o: unknown }
  return { start: same, merge: (kept: Pair, value: Pair) => (compareValues(order, value.o, kept.o) * sign >= 0 ? value : kept) }
}

/** [n, mean, m2, m3, m4]: sums of powers of the distance from the mean (Pébay, "Formulas for robust, one-pass parallel computation…"). */
export function mergeCentralMoments(a: readonly number[], b: readonly number[]): readonly number[] {
  const [na, meanA, a2, a3, a4] = a as [number, number, number, number, number]
  const [nb, meanB, b2, b3, b4] = b as [number, number, number, number, number]
  if (nb === 0) return a
  if (na === 0) return b
  const n = na + nb
  const d = meanB - meanA
  const dn = d / n
  const m2 = a2 + b2 + d * dn * na * nb
  const m3 = a3 + b3 + d * dn * dn * na * nb * (na - nb) + 3 * dn * (na * b2 - nb * a2)
  const m4 =
    a4 +
    b4 +
    d * dn * dn * dn * na * nb * (na * na - na * nb + nb * nb) +
    6 * dn * dn * (na * na * b2 + nb * nb * a2) +
    4 * dn * (na * b3 - nb * a3)
  return [n, meanA + dn * nb, m2, m3, m4]
}

/** [n, mean of x, mean of y, sum of dx·dy, sum of dx², sum of dy²]. */
export function mergeCoMoments(a: readonly number[], b: readonly number[]): readonly number[] {
  const [na, xa, ya, ca, xxa, yya] = a as [number, number, number, number, number, number]
  const [nb, xb, yb, cb, xxb, yyb] = b as [number, number, number, number, number, number]
  if (nb === 0) return a
  if (na === 0) return b
  const n = na + nb
  const dx = xb - xa
  const dy = yb - ya
  const weight = (na * nb) / n
  return [n, xa + (dx * nb) / n, ya + (dy * nb) / n, ca + cb + dx * dy * weight, xxa + xxb + dx * dx * weight, yya + yyb + dy * dy * weight]
}
