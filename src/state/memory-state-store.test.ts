import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StateSchema } from '../data/state-schema.ts'
import { decimal } from '../data/types.ts'
import { columnsToRows, Temporal } from '../data/values.ts'
import { ByteWriter } from './byte-writer.ts'
import { MemoryStateStore } from './memory-state-store.ts'
import { everySchema, keyed, plainRow, plainRows, StateModel, someRows, someTime } from './state-test-kit.ts'
import { valueBytes } from './value-bytes.ts'

const oneValue = (
  type: StateSchema['values'][number]['type'],
  merge: StateSchema['values'][number]['merge'],
  nullable = true,
): StateSchema => ({
  keys: [{ name: 'id', type: 'int', nullable: false }],
  values: [{ name: 'v', type, nullable, merge }],
  eventTime: null,
})
function mergeAll(schema: StateSchema, values: readonly unknown[]): unknown {
  const store = new MemoryStateStore(schema, 4)
  let last: unknown
  for (const v of values) last = columnsToRows(store.merge(keyed(schema, [{ id: 1, v }])))[0]!['v']
  const atOnce = columnsToRows(
    new MemoryStateStore(schema, 4).merge(
      keyed(
        schema,
        values.map((v) => ({ id: 1, v })),
      ),
    ),
  )
  expect(atOnce).toHaveLength(1)
  expect(atOnce[0]!['v']).toEqual(last)
  return last
}

test('any merges and evictions leave what a plain map has', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: someRows(everySchema, 120, 40).map((rows) => ({ kind: 'merge' as const, rows })) },
    { weight: 1, arbitrary: someTime.map((us) => ({ kind: 'evict' as const, us })) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12, size: 'max' }), fc.constantFrom(1, 3, 16, 128), (steps, keyGroups) => {
      const store = new MemoryStateStore(everySchema, keyGroups)
      const model = new StateModel(everySchema)
      for (const action of steps) {
        if (action.kind === 'merge') {
          const expected = model.merge(action.rows)
          expect(columnsToRows(store.merge(keyed(everySchema, action.rows))).map(plainRow)).toEqual(expected)
        } else {
          const expected = model.evict(action.us)
          const { rows, removed } = store.evict(action.us, true)
          expect(removed).toBe(expected.length)
          expect(plainRows([rows])).toEqual(expected)
        }
        expect(store.numRows).toBe(model.rows.size)
        expect(plainRows(store.scan())).toEqual(model.all())
        // what the values take is counted as they come and go
        for (const { values, rows, valueBytes: counted } of store.groups)
          expect(counted).toBe(values.flatMap((column) => column.slice(0, rows)).reduce((sum: number, value) => sum + valueBytes(value), 0))
      }
    }),
    { numRuns: 40 },
  )
})

test('lists and sets count as much memory as they have elements, and none when they are gone', () => {
  const element = 'string'
  const type = { kind: 'array', element, containsNull: false } as const
  const schema: StateSchema = { ...oneValue(type, 'union'), eventTime: { value: 1 } }
  const values = [schema.values[0]!, { name: 'at', type: 'timestamp' as const, nullable: false, merge: 'replace' as const }]
  const store = new MemoryStateStore({ ...schema, values }, 4)
  const empty = store.memoryUsedBytes
  const merge = (id: number, from: number) => {
    const v = Array.from({ length: 1000 }, (_, i) => `${'x'.repeat(96)}${from + i}`)
    store.merge(keyed({ ...schema, values }, [{ id, v, at: Temporal.Instant.fromEpochMilliseconds(1000) }]))
  }
  merge(1, 1000)
  const once = store.memoryUsedBytes - empty
  expect(once).toBeGreaterThan(100 * 1000)
  merge(1, 1000)
  expect(store.memoryUsedBytes - empty).toBe(once)
  merge(1, 2000)
  merge(2, 3000)
  expect((store.memoryUsedBytes - empty) / once).toBeCloseTo(3, 1)
  store.evict(2_000_000n, false)
  expect(store.memoryUsedBytes - empty).toBeLessThan(once / 10)
})

test('many keys come and go, and the table shrinks with them', () => {
  const schema: StateSchema = { ...everySchema, values: [everySchema.values[0]!] }
  const store = new MemoryStateStore(schema, 8)
  const model = new StateModel(schema)
  for (let round = 0; round < 20; round++) {
    const rows = Array.from({ length: 2000 }, (_, i) => {
      const id = (round * 1000 + i * 7) % 20_000
      return { id, at: new Date(1_700_000_000_000 + id), name: `n${id}`, flag: null, count: 1n }
    })
    const normal = columnsToRows(keyed(schema, rows).rows)
    model.merge(normal)
    store.merge(keyed(schema, rows), false)
    const watermark = BigInt(1_700_000_000_000 + round * 800) * 1000n
    expect(store.evict(watermark, false).removed).toBe(model.evict(watermark).length)
    if (round % 5 === 4) expect(plainRows(store.scan())).toEqual(model.all())
  }
  store.committed(1)
  const full = store.memoryUsedBytes
  store.evict(10n ** 17n, false)
  store.committed(2)
  expect(store.numRows).toBe(0)
  expect(store.memoryUsedBytes).toBeLessThan(full / 3)
})

test('rows spread thinly over time are forgotten one by one, whatever the width of a bucket', () => {
  const schema: StateSchema = { ...everySchema, values: [everySchema.values[0]!] }
  for (const stepMs of [37, 1000, 61_000, 86_400_000 * 30]) {
    // some lie close together in a bucket that has to be wide because of the others
    const timeOf = (i: number) => 1_699_999_000_000 + (i < 100 ? i * Math.min(stepMs, 61_000) : i * stepMs)
    const store = new MemoryStateStore(schema, 2)
    const model = new StateModel(schema)
    const rows = Array.from({ length: 300 }, (_, id) => ({ id, at: new Date(timeOf((id * 7) % 300)), name: null, flag: null, count: 1n }))
    model.merge(columnsToRows(keyed(schema, rows).rows))
    store.merge(keyed(schema, rows), false)
    for (let i = 0; i < 310; i += 3) {
      const watermark = BigInt(timeOf(i)) * 1000n - (i % 2 === 0 ? 0n : 1n)
      expect(plainRows([store.evict(watermark, true).rows])).toEqual(model.evict(watermark))
    }
    expect(store.numRows).toBe(0)
  }
})

describe('a watermark that goes in small steps through a stretch with many rows', () => {
  const timed: StateSchema = {
    keys: [
      { name: 'id', type: 'int', nullable: false },
      { name: 'at', type: 'timestamp', nullable: false },
    ],
    values: [],
    eventTime: { key: 1 },
  }
  const rowsAt = (firstId: number, timesUs: readonly bigint[]) => {
    const batch = keyed(
      timed,
      timesUs.map((_, i) => ({ id: firstId + i, at: new Date(0) })),
    )
    const [, at] = batch.rows.columns
    // a Date has no microseconds
    if (at?.kind === 'fixed') timesUs.forEach((us, i) => (at.data[i] = us))
    return batch
  }
  const filled = (keyGroups: number, count: number, timeUsOf: (id: number) => bigint) => {
    const store = new MemoryStateStore(timed, keyGroups)
    store.insert(
      rowsAt(
        0,
        Array.from({ length: count }, (_, id) => timeUsOf(id)),
      ),
    )
    return store
  }

  test.each([
    ['within milliseconds', 1_700_000_000_000_000n, 3n, 1n],
    ['within a second', -1_000_000n, 997n, 1n],
    ['with stretches that are empty', 0n, 997n, 40n],
    ['with times that are no doubles', 9_000_000_000_000_000_001n, 997n, 1n],
  ])('forgets what it has passed: %s', (_, from, stepUs, stretch) => {
    const count = 3000
    const times = Array.from({ length: count }, (_, id) => from + (BigInt((id * 7919) % count) / (3n * stretch)) * stretch * stepUs)
    const store = filled(1, count, (id) => times[id]!)
    let passed = 0
    for (let step = 0; passed < times.length; step += 1 + (step % 5)) {
      const watermark = from + BigInt(step) * stepUs - (step % 2 === 0 ? 0n : 1n)
      const due = times.filter((time) => time <= watermark).length
      expect(store.evict(watermark, false).removed).toBe(due - passed)
      passed = due
      if (step * 3 >= count) continue
      // comes among the parts of a bucket that was split
      times.push(watermark + 1n + BigInt(step % 40) * stepUs)
      store.insert(rowsAt(times.length - 1, [times.at(-1)!]))
    }
    expect(store.numRows).toBe(0)
    expect(store.earliestTime()).toBeNull()
  })

  test('does not walk through the others at each step', () => {
    const count = 30_000
    const store = filled(1, count, (id) => BigInt(id * 30))
    const before = process.threadCpuUsage()
    let removed = 0
    for (let us = 0; us < count * 30; us += 40) removed += store.evict(BigInt(us), false).removed
    expect(removed).toBeGreaterThan(count - 100)
    // with all rows looked at in each step it would be 300 million links
    expect(process.threadCpuUsage(before).user / 1000).toBeLessThan(400)
  })
})

describe('sums', () => {
  test('of longs are exact to the last bit, and refuse to leave 64 of them', () => {
    const sum = oneValue('long', 'sum')
    expect(mergeAll(sum, [2n ** 63n - 2n, 1n])).toBe(2n ** 63n - 1n)
    expect(mergeAll(sum, [-(2n ** 63n), 2n ** 63n - 1n])).toBe(-1n)
    expect(mergeAll(sum, [0xffff_ffffn, 1n, -1n, -0x1_0000_0000n])).toBe(-1n)
    expect(mergeAll(sum, [null, 5n, null])).toBe(5n)
    for (const values of [
      [2n ** 63n - 1n, 1n],
      [-(2n ** 63n), -1n],
    ]) {
      expect(() => mergeAll(sum, values)).toThrow(
        expect.objectContaining({
          name: 'InvalidQueryError',
          code: 'ARITHMETIC_OVERFLOW',
          what: expect.stringContaining(String(values[0])),
        }),
      )
    }
  })
  test('of any longs are those of bigint arithmetic', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), { minLength: 1, maxLength: 6 }), (values) => {
        let sum = 0n
        const fits = values.every((value) => BigInt.asIntN(64, (sum += value)) === sum)
        if (fits) expect(mergeAll(oneValue('long', 'sum'), values)).toBe(sum)
        else expect(() => mergeAll(oneValue('long', 'sum'), values)).toThrow(expect.objectContaining({ code: 'ARITHMETIC_OVERFLOW' }))
      }),
    )
  })
  test('of decimals and small integers keep within their type', () => {
    expect(String(mergeAll(oneValue(decimal(4, 2), 'sum'), ['99.98', '0.01']))).toBe('99.99')
    expect(() => mergeAll(oneValue(decimal(4, 2), 'sum'), ['99.99', '0.01'])).toThrow(
      expect.objectContaining({ code: 'ARITHMETIC_OVERFLOW' }),
    )
    expect(String(mergeAll(oneValue(decimal(18, 0), 'sum'), ['-999999999999999998', '-1']))).toBe('-999999999999999999')
    expect(() => mergeAll(oneValue(decimal(18, 0), 'sum'), ['-999999999999999999', '-1'])).toThrow(
      expect.objectContaining({ code: 'ARITHMETIC_OVERFLOW' }),
    )
    expect(() => mergeAll(oneValue(decimal(20, 0), 'sum'), ['99999999999999999999', '1'])).toThrow(
      expect.objectContaining({ code: 'ARITHMETIC_OVERFLOW' }),
    )
    expect(mergeAll(oneValue('short', 'sum'), [32766, 1])).toBe(32767)
    for (const [type, most] of [
      ['byte', 127],
      ['short', 32767],
      ['int', 2147483647],
    ] as const) {
      expect(() => mergeAll(oneValue(type, 'sum'), [most, 1])).toThrow(expect.objectContaining({ code: 'ARITHMETIC_OVERFLOW' }))
    }
  })
})

test('min and max: NaN above all, zeros equal, strings by bytes', () => {
  expect(mergeAll(oneValue('double', 'min'), [Number.NaN, 1, Number.NaN])).toBe(1)
  expect(mergeAll(oneValue('double', 'max'), [1, Number.NaN, Infinity])).toBeNaN()
  expect(mergeAll(oneValue('float', 'max'), [null, -1, null])).toBe(-1)
  expect(mergeAll(oneValue('double', 'min'), [0, -0])).toBe(0)
  expect(mergeAll(oneValue('string', 'max'), ['\uffff', '😀'])).toBe('😀') // UTF-16 has them the other way round
  expect(mergeAll(oneValue('string', 'min'), ['b', 'ab', 'abc', null])).toBe('ab')
  expect(mergeAll(oneValue('long', 'min'), [1n, -1n, 2n ** 40n])).toBe(-1n)
})

test('first and last skip nulls, replace takes them', () => {
  expect(mergeAll(oneValue('string', 'first'), [null, 'a', 'b'])).toBe('a')
  expect(mergeAll(oneValue('string', 'last'), ['a', 'b', null])).toBe('b')
  expect(mergeAll(oneValue('string', 'replace'), ['a', null])).toBeNull()
  expect(mergeAll(oneValue('string', 'replace'), ['a', null, 'much longer than before'])).toBe('much longer than before')
})

test('moments merge as one, whatever the split, without losing digits', () => {
  const schema: StateSchema = {
    keys: [{ name: 'id', type: 'int', nullable: false }],
    eventTime: null,
    values: ['n', 'mean', 'm2'].map((name) => ({ name, type: 'double', nullable: true, merge: 'moments' })),
  }
  const moments = (values: readonly number[]) => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length
    return { id: 1, n: values.length, mean, m2: values.reduce((sum, v) => sum + (v - mean) ** 2, 0) }
  }
  const parts = [[1e9 + 4, 1e9 + 7], [1e9 + 13], [1e9 + 16]]
  const neutral = [
    { id: 1, n: null, mean: null, m2: null },
    { id: 1, n: 0, mean: 0, m2: 0 },
  ]
  const store = new MemoryStateStore(schema, 2)
  const [row] = columnsToRows(
    store.merge(keyed(schema, [neutral[0]!, moments(parts[0]!), neutral[1]!, moments(parts[1]!), neutral[0]!, moments(parts[2]!)])),
  )
  expect(row).toEqual({ id: 1, n: 4, mean: 1e9 + 10, m2: expect.closeTo(90, 6) })
  expect(columnsToRows(store.merge(keyed(schema, neutral)))[0]).toEqual(row)
})

test('without collect the touched rows are counted only', () => {
  const schema = oneValue('long', 'sum')
  const store = new MemoryStateStore(schema, 4)
  const touched = store.merge(
    keyed(schema, [
      { id: 1, v: 1n },
      { id: 2, v: 1n },
      { id: 1, v: 1n },
    ]),
    false,
  )
  expect(touched.length).toBe(2)
  expect(touched.columns).toEqual([])
})

test('a store is of no use after a merge has failed half-way', () => {
  const schema = oneValue('long', 'sum')
  const store = new MemoryStateStore(schema, 4)
  store.merge(keyed(schema, [{ id: 1, v: 2n ** 63n - 1n }]))
  expect(() => store.merge(keyed(schema, [{ id: 1, v: 1n }]))).toThrow(expect.objectContaining({ code: 'ARITHMETIC_OVERFLOW' }))
  expect(() => store.merge(keyed(schema, [{ id: 2, v: 1n }]))).toThrow(expect.objectContaining({ code: 'INTERNAL_ERROR' }))
  expect(() => store.encodeChanges(new ByteWriter(), 0, 3)).toThrow(expect.objectContaining({ code: 'INTERNAL_ERROR' }))
})

test('rows of other columns, and nulls where there are none, are refused', () => {
  const store = new MemoryStateStore(oneValue('long', 'sum', false), 4)
  expect(() => store.merge(keyed(oneValue('int', 'sum'), [{ id: 1, v: 1 }]))).toThrow(
    expect.objectContaining({ code: 'INTERNAL_ERROR', what: expect.stringContaining('int') }),
  )
  expect(() => store.merge(keyed(oneValue('long', 'sum'), [{ id: 1, v: null }]))).toThrow(
    expect.objectContaining({ code: 'INTERNAL_ERROR', what: expect.stringContaining('"v"') }),
  )
  expect(() => new MemoryStateStore(oneValue('string', 'sum'), 4)).toThrow(expect.objectContaining({ code: 'INTERNAL_ERROR' }))
  expect(() => new MemoryStateStore({ ...oneValue('long', 'sum'), eventTime: { key: 0 } }, 4)).toThrow(
    expect.objectContaining({ code: 'INTERNAL_ERROR' }),
  )
})

test('heaps of strings that grow and shrink are kept small', () => {
  const schema = oneValue('string', 'replace')
  const store = new MemoryStateStore(schema, 1)
  for (let i = 0; i < 2000; i++) store.merge(keyed(schema, [{ id: i % 10, v: 'x'.repeat(i % 2 === 0 ? 10 : 500 + (i % 7)) }]), false)
  expect(store.memoryUsedBytes).toBeLessThan(40_000)
})
