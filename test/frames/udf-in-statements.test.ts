// Functions that DuckDB calls inside of statements: over tables and files of more than a few rows, where they are synchronous and deterministic.
import { join } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { col, count, type DataFrame, Decimal, MemoryStream, sum, t, UserFunctionError, udf } from 'millrace'
import { Temporal } from 'temporal-polyfill'
import { describe, expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { useEngine } from '../cases/harness.ts'
import { code } from './rows.ts'

const engine = useEngine()

type AnyFrame = any
/** 0 up to `end`, of a table so large that its rows lie in DuckDB. */
function numbers(end: number): DataFrame<{ id: 'long' }> {
  const rows = Array.from({ length: Math.max(end, 5000) }, (_, i) => ({ id: BigInt(i) }))
  return engine().createDataFrame(rows, { id: t.long() }).where(`id < ${end}`) as AnyFrame
}
const text = fc.oneof(fc.constantFrom('', 'exactly12byt', 'exactly 13 by', 'żółć gęślą jaźń', '😀', 'a\0b'), fc.string({ maxLength: 30 }))
const integer = fc.integer({ min: -128, max: 127 })
const micros = fc.bigInt(-(10n ** 15n), 10n ** 15n)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 4 })
const unscaled = (digits: number, scale: number) =>
  fc.bigInt(-(10n ** BigInt(digits)) + 1n, 10n ** BigInt(digits) - 1n).map((value) => new Decimal(value, scale))
const types: readonly (readonly [AnyFrame, fc.Arbitrary<unknown>])[] = [
  [t.string(), text],
  [t.boolean(), fc.boolean()],
  [t.binary(), fc.uint8Array({ maxLength: 30 })],
  [t.byte(), integer],
  [t.short(), integer],
  [t.int(), integer],
  [t.long(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)],
  [t.float(), fc.float()],
  [t.double(), fc.double()],
  [t.decimal(3, 1), unscaled(3, 1)],
  [t.decimal(8, 0), unscaled(8, 0)],
  [t.decimal(17, 5), unscaled(17, 5)],
  [t.decimal(38, 10), unscaled(38, 10)],
  [t.date(), integer.map((days) => new Temporal.PlainDate(2000, 1, 1).add({ days }))],
  [t.timestamp(), micros.map((us) => Temporal.Instant.fromEpochNanoseconds(us * 1000n))],
  [t.timestamp_ntz(), integer.map((minutes) => new Temporal.PlainDateTime(2000, 1, 1).add({ minutes }))],
  [t.interval('day to second'), integer.map((seconds) => Temporal.Duration.from({ seconds }))],
  [t.interval('year to month'), integer.map((months) => Temporal.Duration.from({ months }))],
  [t.array(t.string().nullable()), fc.array(maybe(text), { maxLength: 3 })],
  [t.map(t.int(), t.double()), fc.array(fc.tuple(integer, fc.double())).map((entries) => new Map(entries))],
  [t.struct({ a: t.long().nullable(), b: t.array(t.date()) }), maybe(fc.bigInt(0n, 9n)).map((a) => ({ a, b: [] }))],
]
const table = fc.array(fc.nat(types.length - 1), { minLength: 2, maxLength: 4 }).chain((columns) =>
  fc.record({
    columns: fc.constant(columns),
    rows: fc.array(fc.tuple(...columns.map((column) => maybe(types[column]![1]))), { maxLength: 30 }),
    copies: fc.constantFrom(1, 3, 150),
    shape: fc.nat(3),
  }),
)

const shown = (value: unknown) => inspect(value, { depth: 5 })
/** A question with functions of rows in several places. */
function question(frame: AnyFrame, names: readonly string[], tokens: readonly AnyFrame[], deterministic: boolean, shape: number): AnyFrame {
  const same = udf((value: unknown) => value as never, tokens[0].nullable(), { deterministic })
  const shows = udf((...values: unknown[]) => values.map(shown).join(), t.string(), { deterministic })
  const short = udf((a: unknown, b: unknown) => `${shown(a)}${shown(b)}`.length, t.int(), { deterministic, nulls: 'skip' })
  const [a, b] = names.map((name) => col(name)) as AnyFrame[]
  if (shape === 0) return frame.select(() => ({ a: same(a), b: shows(...names.map((name) => col(name))), c: short(a, b) }))
  if (shape === 1)
    return frame
      .where(short(b, a).gt(9))
      .select(() => ({ a: same(same(a)), b }))
      .where(({ a }: AnyFrame) => shows(a).contains('1'))
  if (shape === 2)
    return frame
      .withColumn('x', same(a))
      .groupBy(({ x }: AnyFrame) => ({ text: shows(x) }))
      .agg(() => ({ n: count(), most: sum(short(a, b)) }))
  const named = frame.select(() => ({ x: shows(b), a }))
  const counts = named.groupBy('x').agg(() => ({ n: count() }))
  return named.join(counts, 'x', 'left')
}
const rowsOf = async (frame: AnyFrame) => (await frame.collect()).map(shown).sort()

describe('the same rows as with calls between statements', () => {
  test('for all types, with nulls, in chunks of all sizes', async () => {
    await fc.assert(
      fc.asyncProperty(table, async ({ columns, rows, copies, shape }) => {
        const names = columns.map((_, i) => `n${i}`)
        const tokens = columns.map((column) => types[column]![0])
        const schema = Object.fromEntries(tokens.map((token, i) => [names[i]!, token.nullable()]))
        const objects = rows.map((row) => Object.fromEntries(row.map((value, i) => [names[i]!, value])))
        const few = engine().createDataFrame(objects as never, schema) as AnyFrame
        const frame = few.crossJoin(numbers(copies)).select(...names)
        const [inside, outside] = [true, false].map((deterministic) => question(frame, names, tokens, deterministic, shape))
        expect(await rowsOf(inside)).toEqual(await rowsOf(outside))
      }),
      { numRuns: 25 },
    )
  })
  test('in a stream of files, of any number', async () => {
    await using folder = await tempFolder()
    const input = join(folder.path, 'input')
    for (const [at, rows] of [0, 1, 5000, 3].entries())
      await engine()
        .range(at, at + rows)
        .selectExpr('id', "concat('text ', id) AS s")
        .write.mode('append')
        .parquet(input)
    const ask = async (deterministic: boolean, name: string, files: number) => {
      const double = udf((x: bigint) => 2n * x, t.long(), { deterministic })
      const upper = udf((s: string) => s.toUpperCase(), t.string(), { deterministic })
      const query = await (engine() as AnyFrame).readStream
        .schema('id LONG, s STRING')
        .option('maxFilesPerTrigger', files)
        .parquet(input)
        .withColumn('d', ({ id }: AnyFrame) => double(id))
        .where(({ d }: AnyFrame) => d.mod(3).eq(0))
        .select(({ d, s }: AnyFrame) => ({ d, s: upper(s) }))
        .writeStream.format('memory')
        .queryName(name)
        .trigger({ availableNow: true })
        .start()
      await query.awaitTermination()
      return engine().memoryTable(name).map(shown).sort()
    }
    const inside = await ask(true, 'inside', 1)
    expect(inside.length).toBeGreaterThan(1000)
    expect(inside).toEqual(await ask(false, 'outside', 3))
  })
})

describe('which rows, and how often', () => {
  /** A function that writes down what it is called with. */
  function counted() {
    const calls: bigint[] = []
    const note = (x: bigint) => {
      calls.push(x)
      return x
    }
    return { calls, f: udf(note, t.long(), { name: 'counted' }) }
  }
  const once = (calls: readonly bigint[], from: number, to: number) =>
    expect(calls.toSorted((a, b) => Number(a - b))).toEqual(Array.from({ length: to - from }, (_, i) => BigInt(from + i)))

  test('once a row, whatever reads the result, and not for rows that a condition before it leaves out', async () => {
    const { calls, f } = counted()
    const frame = numbers(10_000)
      .where(({ id }) => id.geq(4000))
      .select(({ id }) => ({ id, x: f(id) }))
    const rows = await frame
      .where(({ x }) => x.mod(2).eq(0).and(x.gt(5000)))
      .select(({ x }) => ({ x, y: x.add(1), z: x.mul(x) }))
      .collect()
    expect(rows).toHaveLength(2499)
    once(calls, 4000, 10_000)
  })
  test('with nulls, also constant ones', async () => {
    const f = udf((x: number | null, id: bigint) => `${x} ${id}`, t.string())
    const frame = numbers(2).select(({ id }) => ({ x: f(null, id), y: f(1, id) }))
    expect(await frame.collect()).toEqual([
      { x: 'null 0', y: '1 0' },
      { x: 'null 1', y: '1 1' },
    ])
  })
  test('nor for those of an outer join, an aggregation and a self-join', async () => {
    const joined = counted()
    const left = numbers(6000)
      .where(({ id }) => id.geq(1000))
      .select(({ id }) => ({ k: id, x: joined.f(id) }))
    const right = numbers(2000).toDF('r')
    expect(await left.join(right, ({ k }, { r }) => k.eq(r), 'left').count()).toBe(5000)
    expect(
      await left
        .join(right, ({ x }, { r }) => x.eq(r), 'left')
        .where(({ x }) => x.lt(3000))
        .count(),
    ).toBe(2000)
    once([...new Set(joined.calls)], 1000, 6000)
    const grouped = counted()
    const groups = numbers(6000)
      .groupBy(({ id }) => ({ k: grouped.f(id).mod(7) }))
      .agg(() => ({ n: count() }))
    expect(await groups.count()).toBe(7)
    once(grouped.calls, 0, 6000)
    const twice = counted()
    const frame = numbers(6000).select(({ id }) => ({ y: twice.f(id) })) as AnyFrame
    expect(await frame.alias('a').join(frame.alias('b'), 'y').count()).toBe(6000)
    once(twice.calls, 0, 6000)
  })
  test('once a row of a stream, also below a step with state that counts late rows', async () => {
    const { calls, f } = counted()
    const input = new MemoryStream(engine(), { n: t.long() })
    const query = await input
      .toDF()
      .selectExpr('n', 'timestamp_seconds(n) AS at')
      .withWatermark('at', '0 seconds')
      // a condition that reads the event time stays above the watermark
      .where(({ n, at }) => (f as AnyFrame)(n, at).geq(0n))
      .groupBy('at')
      .agg(() => ({ n: count() }))
      .writeStream.outputMode('update')
      .format('noop')
      .start()
    const rows = Array.from({ length: 5000 }, (_, n) => ({ n: BigInt(n) }))
    input.addData(...rows)
    await query.processAllAvailable()
    once(calls.splice(0), 0, 5000)
    input.addData(...rows)
    await query.processAllAvailable()
    expect(query.lastProgress?.stateOperators[0]?.numRowsDroppedByWatermark).toBeGreaterThan(4000)
    once(calls, 0, 5000)
    await query.stop()
  })
})

describe('what fails, and what has to wait', () => {
  const failing = () =>
    udf(
      (x: bigint) => {
        if (x >= 7000n) throw new RangeError('too large')
        return x
      },
      t.long(),
      { name: 'failing' },
    )
  test('the first error ends it, with the row and its cause, whoever reads the rows', async () => {
    await using folder = await tempFolder()
    const frame = numbers(20_000).select(({ id }) => ({ x: failing()(id) }))
    const write = () => frame.write.parquet(join(folder.path, 'out'))
    for (const read of [() => frame.collect(), () => frame.orderBy('x').limit(1).collect(), () => frame.toLocalIterator().next(), write]) {
      const error: AnyFrame = await read().catch((e: unknown) => e)
      expect(error).toBeInstanceOf(UserFunctionError)
      expect(error).toMatchObject({ code: 'FAILED_EXECUTE_UDF', cause: expect.any(RangeError) })
      expect(error.what).toMatch(/failing\(id = (\d+)\) threw: too large/)
    }
    const wrong = udf((x: bigint) => (x === 3n ? null : x) as never, t.long(), { name: 'wrong' })
    await expect(
      numbers(20_000)
        .select(({ id }) => ({ x: wrong(id) }))
        .collect(),
    ).rejects.toThrow('UDF_RETURN_TYPE: the user function wrong(id = 3) gave null')
  })
  test('after an error no more calls begin', async () => {
    await using folder = await tempFolder()
    const input = join(folder.path, 'input')
    for (let file = 0; file < 4; file++) await engine().range(20_000).write.mode('append').parquet(input)
    let calls = 0
    const f = udf((_: bigint) => {
      calls++
      throw new Error('never')
    }, t.long())
    const frame = engine().read.schema({ id: t.long() }).parquet(input)
    await expect(frame.select(({ id }) => ({ x: f(id) })).collect()).rejects.toThrow(code('FAILED_EXECUTE_UDF'))
    expect(calls).toBe(1)
  })
  test('a function that gives a promise all the same is called between statements', async () => {
    const calls: bigint[] = []
    const f = udf((x: bigint) => {
      calls.push(x)
      return x % 5000n === 4999n ? Promise.resolve(-x) : x
    }, t.long())
    const rejecting = udf((x: bigint) => (x === 5000n ? Promise.reject(new Error('not this')) : x), t.long(), { name: 'rejecting' })
    const frame = numbers(10_000).select(({ id }) => ({ x: f(f(id)) }))
    const again = udf((x: bigint) => (x === 9999n ? Promise.resolve(x) : x), t.long())
    const want = Array.from({ length: 10_000 }, (_, i) => BigInt(i % 5000 === 4999 ? -i : i))
    expect((await frame.collect()).map(({ x }) => x)).toEqual(want)
    calls.length = 0
    expect((await frame.collect()).map(({ x }) => x)).toEqual(want)
    expect(calls).toHaveLength(20_000)
    const seen: bigint[] = []
    for await (const { x } of numbers(10_000)
      .select(({ id }) => ({ x: again(id) }))
      .toLocalIterator())
      seen.push(x)
    expect(seen).toEqual(Array.from({ length: 10_000 }, (_, i) => BigInt(i)))
    await expect(
      numbers(10_000)
        .select(({ id }) => ({ x: rejecting(id) }))
        .collect(),
    ).rejects.toThrow('rejecting(id = 5000) threw: not this')
  })
  test('a query that is stopped without draining leaves its calls', async () => {
    let calls = 0
    const stopped = Promise.withResolvers<void>()
    const f = udf((x: bigint) => {
      if (calls++ === 3000) query.stop({ drain: false }).then(stopped.resolve, stopped.reject)
      return x
    }, t.long())
    const input = new MemoryStream(engine(), { n: t.long() })
    const query = await input
      .toDF()
      .select(({ n }) => ({ x: f(n) }))
      .writeStream.format('noop')
      .start()
    input.addData(...Array.from({ length: 50_000 }, (_, n) => ({ n: BigInt(n) })))
    await stopped.promise
    expect(calls).toBeLessThan(10_000)
  })
  test('several at a time, while the program is busy, each with its own function and errors', async () => {
    const asks = Array.from({ length: 8 }, async (_, n) => {
      const f = udf(
        (x: bigint) => {
          if (n === 5 && x === 15_000n) throw new Error(`of ${n}`)
          return x + BigInt(n)
        },
        t.long(),
        { name: `f${n}` },
      )
      const frame = numbers(20_000).select(({ id }) => ({ x: f(id) }))
      return (await frame.agg(({ x }) => ({ total: sum(x) })).collect())[0]!.total
    })
    const settled = Promise.allSettled(asks)
    for (let i = 0; i < 5; i++) {
      const untilMs = performance.now() + 10
      while (performance.now() < untilMs);
      await new Promise((resolve) => setImmediate(resolve))
    }
    const ended = await settled
    const total = (20_000n * 19_999n) / 2n
    for (const [n, end] of ended.entries()) {
      if (n === 5) expect(end).toMatchObject({ reason: { code: 'FAILED_EXECUTE_UDF', what: expect.stringContaining('of 5') } })
      else expect(end).toMatchObject({ value: total + 20_000n * BigInt(n) })
    }
  })
})
