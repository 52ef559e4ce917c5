/**
 * A summary of numbers from which every quantile can be told within a bound (Greenwald and Khanna, 2001), as one array of doubles, so that state stays a
 * column that can be queried:
 *
 *     [accuracy, n, values v1 ≤ … ≤ vk, least ranks, greatest ranks]
 *
 * The rank of vi among the n numbers (from 1) lies between its least and its greatest one. Always rmax(i) - rmin(i-1) ≤ max(1, n / accuracy), so the
 * first value whose least rank reaches t has a rank of less than t + n / accuracy. The least and the greatest number are always there. A merge keeps
 * this (the bounds of two summaries add up as n does), whatever the number and order of merges: it is no matter of chance. Up to n = accuracy nothing is left out;
 * after that there are about accuracy * log2(n / accuracy) values.
 */
export function mergeQuantiles(a: readonly number[], b: readonly number[]): readonly number[] {
  const accuracy = a[0]!
  const n = a[1]! + b[1]!
  const ka = (a.length - 2) / 3
  const kb = (b.length - 2) / 3
  const values = new Float64Array(ka + kb)
  const least = new Float64Array(ka + kb)
  const greatest = new Float64Array(ka + kb)
  let i = 0
  let j = 0
  for (let k = 0; k < ka + kb; k++) {
    // of equal values those of `a` come first
    const fromA = j === kb || (i < ka && !isLess(b[2 + j]!, a[2 + i]!))
    const [s, at, size, other, next, otherSize] = fromA ? [a, i++, ka, b, j, kb] : [b, j++, kb, a, i, ka]
    const below = next === 0 ? 0 : other[2 + otherSize + next - 1]!
    const above = next === otherSize ? other[1]! : other[2 + 2 * otherSize + next]! - 1
    values[k] = s[2 + at]!
    least[k] = s[2 + size + at]! + below
    greatest[k] = s[2 + 2 * size + at]! + above
  }
  return summary(accuracy, n, values, least, greatest)
}

/** NaN is above all numbers. */
function isLess(a: number, b: number): boolean {
  return Number.isNaN(b) ? !Number.isNaN(a) : a < b
}

/** Leaves out what the bound doesn't need, from the greatest value down. */
function summary(accuracy: number, n: number, values: Float64Array, least: Float64Array, greatest: Float64Array): number[] {
  const bound = Math.floor(n / accuracy)
  const kept: number[] = []
  let next = values.length - 1
  for (let i = next - 1; i >= 0; i--) {
    if (i > 0 && greatest[next]! - least[i - 1]! <= bound) continue
    kept.push(next)
    next = i
  }
  kept.push(next)
  kept.reverse()
  const all = [accuracy, n]
  for (const part of [values, least, greatest]) for (const i of kept) all.push(part[i]!)
  return all
}
