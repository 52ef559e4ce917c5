import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mergeSketches } from './distinct-sketch.ts'
import { mergeBins } from './histogram-bins.ts'
import { mergeCentralMoments, mergeCoMoments } from './merge-collections.ts'
import { mergeQuantiles } from './quantile-summary.ts'

/** As a batch makes it of all its numbers. */
function summaryOf(accuracy: number, numbers: readonly number[]): number[] {
  const sorted = [...numbers].sort((a, b) => a - b)
  const n = sorted.length
  const step = Math.max(1, Math.floor(n / accuracy))
  const ranks: number[] = []
  for (let r = 1; r < n; r += step) ranks.push(r)
  ranks.push(n)
  return [accuracy, n, ...ranks.map((r) => sorted[r - 1]!), ...ranks, ...ranks]
}
function ask(summary: readonly number[], p: number): number {
  const k = (summary.length - 2) / 3
  const target = Math.max(1, Math.ceil(p * summary[1]!))
  const at = summary.slice(2 + k, 2 + 2 * k).findIndex((rank) => rank >= target)
  return summary[2 + at]!
}

describe('quantiles', () => {
  test('the rank of an answer is within n / accuracy, whatever was merged in which order', () => {
    const blocks = fc.array(fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(blocks, fc.constantFrom(5, 20, 100), fc.double({ min: 0, max: 1, noNaN: true }), (parts, accuracy, p) => {
        const merged = parts.map((part) => summaryOf(accuracy, part) as readonly number[]).reduce(mergeQuantiles)
        const sorted = parts.flat().sort((a, b) => a - b)
        const value = ask(merged, p)
        const target = Math.max(1, Math.ceil(p * sorted.length))
        const least = sorted.indexOf(value) + 1
        const greatest = sorted.lastIndexOf(value) + 1
        expect(least).toBeGreaterThan(0)
        expect(least - target).toBeLessThanOrEqual(sorted.length / accuracy)
        expect(target - greatest).toBeLessThanOrEqual(0)
        expect(merged[1]).toBe(sorted.length)
      }),
      { numRuns: 300 },
    )
  })
  test('its size follows the accuracy, and what it has seen by its logarithm only', () => {
    let random = 1
    const next = () => (random = (random * 48271) % 2147483647)
    const parts = Array.from({ length: 200 }, () => summaryOf(50, Array.from({ length: 500 }, next)))
    const merged = (parts as (readonly number[])[]).reduce(mergeQuantiles)
    expect(merged[1]).toBe(100_000)
    expect((merged.length - 2) / 3).toBeLessThan(2 * 50 * Math.log2(100_000 / 50))
  })
  test('up to `accuracy` numbers nothing is left out', () => {
    const merged = mergeQuantiles(summaryOf(100, [3, 1, Number.NaN]), summaryOf(100, [2, 2]))
    expect(merged).toEqual([100, 5, 1, 2, 2, 3, Number.NaN, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5])
  })
})

describe('sketches', () => {
  const sparse = (p: number, ...entries: readonly (readonly [register: number, rank: number])[]) =>
    Buffer.from(
      `1${String.fromCharCode(48 + p)}S${entries.map(([r, rank]) => String.fromCharCode(48 + (r >> 12), 48 + ((r >> 6) & 63), 48 + (r & 63), 48 + rank)).join('')}`,
      'latin1',
    )
  const entry = fc.tuple(fc.integer({ min: 0, max: 511 }), fc.integer({ min: 1, max: 56 }))
  test('a merge keeps the greatest rank of each register, in any order and form', () => {
    fc.assert(
      fc.property(fc.array(fc.array(entry, { maxLength: 120 }), { minLength: 1, maxLength: 6 }), (parts) => {
        const merged = parts.reduce<Uint8Array | null>((kept, part) => mergeSketches(kept, sparse(9, ...part)), null)!
        const registers = new Map<number, number>()
        for (const [r, rank] of parts.flat()) registers.set(r, Math.max(rank, registers.get(r) ?? 0))
        const text = Buffer.from(merged).toString('latin1')
        const isDense = registers.size > 128
        expect(text.slice(0, 3)).toBe(isDense ? '19D' : '19S')
        const all = [...registers].sort(([a], [b]) => a - b)
        if (isDense) expect([...text.slice(3)].map((c, r) => [r, c.charCodeAt(0) - 48]).filter(([, rank]) => rank! > 0)).toEqual(all)
        else expect(Buffer.from(merged)).toEqual(sparse(9, ...all))
        expect(merged.length).toBeLessThanOrEqual(3 + 512)
        expect(mergeSketches(merged, merged)).toEqual(merged)
      }),
    )
  })
  test('what is no sketch, or one of other size, is refused', () => {
    expect(() => mergeSketches(null, Buffer.from('29S'))).toThrow('INTERNAL_ERROR')
    expect(() => mergeSketches(null, Buffer.from('19Sabc'))).toThrow('INTERNAL_ERROR')
    expect(() => mergeSketches(sparse(9, [1, 1]), sparse(10, [1, 1]))).toThrow('INTERNAL_ERROR')
  })
})

describe('bins', () => {
  test('a merge keeps the number and the sum of all values, and at most so many bins', () => {
    const part = fc.array(fc.tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 1, max: 9 })), { maxLength: 6 })
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const merged = parts.map((bins): readonly number[] => [6, ...bins.flat()]).reduce(mergeBins)
        const pairs = Array.from({ length: (merged.length - 1) / 2 }, (_, i) => [merged[1 + 2 * i]!, merged[2 + 2 * i]!] as const)
        const all = parts.flat()
        expect(pairs.length).toBeLessThanOrEqual(parts.length === 1 ? all.length : 6)
        expect(pairs.reduce((sum, [, y]) => sum + y, 0)).toBe(all.reduce((sum, [, y]) => sum + y, 0))
        expect(pairs.reduce((sum, [x, y]) => sum + x * y, 0)).toBeCloseTo(
          all.reduce((sum, [x, y]) => sum + x * y, 0),
          6,
        )
        if (parts.length > 1) expect(pairs.every(([x], i) => i === 0 || pairs[i - 1]![0] < x)).toBe(true)
      }),
    )
  })
})

describe('moments', () => {
  const numbers = fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 1, maxLength: 30 })
  const powers = (values: readonly number[]) => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length
    return [values.length, mean, ...[2, 3, 4].map((p) => values.reduce((sum, v) => sum + (v - mean) ** p, 0))]
  }
  test('of parts are those of all', () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const merged = mergeCentralMoments(powers(a), powers(b))
        powers([...a, ...b]).forEach((value, i) =>
          expect(Math.abs(merged[i]! - value)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(value))),
        )
      }),
    )
  })
  test('of pairs, too', () => {
    const pairs = fc.array(fc.tuple(fc.integer({ min: -100, max: 100 }), fc.integer({ min: -100, max: 100 })), {
      minLength: 1,
      maxLength: 20,
    })
    const of = (all: readonly (readonly [number, number])[]) => {
      const [mx, my] = [0, 1].map((i) => all.reduce((sum, pair) => sum + pair[i]!, 0) / all.length) as [number, number]
      const sum = (f: (dx: number, dy: number) => number) => all.reduce((total, [x, y]) => total + f(x - mx, y - my), 0)
      return [all.length, mx, my, sum((dx, dy) => dx * dy), sum((dx) => dx * dx), sum((_, dy) => dy * dy)]
    }
    fc.assert(
      fc.property(pairs, pairs, (a, b) => {
        const merged = mergeCoMoments(of(a), of(b))
        of([...a, ...b]).forEach((value, i) =>
          expect(Math.abs(merged[i]! - value)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(value))),
        )
      }),
    )
  })
})
