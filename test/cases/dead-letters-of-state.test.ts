// Broken rows that no expression over single rows finds: pairs of a join of two streams, sums that overflow, metrics. The stream goes on, and the books balance.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expr, MemoryStream, type QueryProgress, type Row, t } from 'millrace'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasManyRuns, holds, timeout } from '../oracle/property.ts'
import { useEngine } from './harness.ts'

const engine = useEngine({ print: () => {} })
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-letters-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Starts a query whose rows and letters are kept; each step adds data, and what came of it is given. */
async function keep(frame: any, outputMode = 'append') {
  const rows: Row[] = []
  const letters: Row[] = []
  const start = () =>
    frame.writeStream
      .outputMode(outputMode)
      .option('checkpointLocation', join(folder, 'checkpoint'))
      .foreachBatch(async (found: any) => void rows.push(...(await found.collect())))
      .deadLetters((found: any) => found.output.foreachBatch(async (some: any) => void letters.push(...(await some.collect()))))
      .start()
  let query = await start()
  const progresses: QueryProgress[] = []
  return {
    progresses,
    step: async (add: () => void) => {
      add()
      await query.processAllAvailable()
      const fresh = (query.recentProgress as QueryProgress[]).filter(({ batchId, isIdle }) => !isIdle && batchId >= progresses.length)
      for (const { books, balance } of fresh)
        for (const { rowsIn, rowsOn, lateRows, deadLetters } of [...books!, balance!]) expect(rowsOn + lateRows + deadLetters).toBe(rowsIn)
      progresses.push(...fresh)
      return {
        rows: rows.splice(0),
        letters: letters.splice(0).map(({ reason, raw }) => ({ reason, row: parse(raw) })),
        progress: fresh[0]!,
      }
    },
    restart: async () => {
      await query.stop()
      query = await start()
    },
    stop: () => query.stop(),
  }
}
const parse = (raw: unknown) => JSON.parse(Buffer.from(raw as Uint8Array).toString())
const byKey = (rows: readonly Row[]) => [...rows].sort((a, b) => Number(a['k']) - Number(b['k']))
const byText = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).sort()

describe('conditions between two streams', () => {
  const sides = () => {
    const left = new MemoryStream(engine(), { k: t.int(), s: t.string(), at: t.timestamp() })
    const right = new MemoryStream(engine(), { k: t.int(), n: t.int(), at: t.timestamp() })
    const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second))
    return {
      addLeft: (k: number, s: string, second = 0) => left.addData({ k, s, at: at(second) }),
      addRight: (k: number, n: number, second = 0) => right.addData({ k, n, at: at(second) }),
      frame: (how: string, condition = 'cast(l.s as int) > r.n') =>
        (left.toDF().withWatermark('at', '10 seconds') as never as ReturnType<typeof left.toDF>)
          .alias('l')
          .join(
            right.toDF().withWatermark('at', '10 seconds').alias('r') as never,
            expr(`l.k = r.k AND r.at >= l.at AND r.at <= l.at + interval 5 seconds AND ${condition}`) as never,
            how as never,
          ),
    }
  }

  test('a pair without a value is a dead letter, and both of its rows go on', async () => {
    const { addLeft, addRight, frame } = sides()
    const { step, stop, restart } = await keep(frame('inner').selectExpr('l.s', 'r.n') as never)
    const first = await step(() => {
      addLeft(1, '5')
      addLeft(1, 'x')
      addLeft(2, 'far away')
      addRight(1, 3)
    })
    expect(first.rows).toEqual([{ s: '5', n: 3 }])
    expect(first.letters).toMatchObject([{ reason: 'CAST_INVALID_INPUT', row: { 'left.k': 1, 'left.s': 'x', 'right.n': 3 } }])
    expect(Object.keys(first.letters[0]!.row)).not.toContain('')
    const pairs = first.progress.books!.filter(({ at }) => at === 'expressions over pairs of symmetricHashJoin 0')
    expect(pairs).toEqual([{ at: 'expressions over pairs of symmetricHashJoin 0', rowsIn: 2, rowsOn: 1, lateRows: 0, deadLetters: 1 }])
    expect(first.progress.balance).toEqual({ rowsIn: 5, rowsOn: 4, lateRows: 0, deadLetters: 1 })
    await restart()
    // the stored rows meet later ones, and the poison one is a pair with each
    const second = await step(() => addRight(1, 4, 1))
    expect(second.rows).toEqual([{ s: '5', n: 4 }])
    expect(second.letters).toMatchObject([{ row: { 'left.s': 'x', 'right.n': 4 } }])
    await stop()
  })

  test('a condition that draws random numbers: what it has no value for is a letter, and the query goes on', async () => {
    for (const how of ['inner', 'left', 'semi']) {
      const { addLeft, addRight, frame } = sides()
      const joined = frame(how, 'rand() >= 0 AND cast(l.s as int) > r.n AND 1 / (cast(rand() * 2 as int) - r.n) is not null')
      const { step, stop } = await keep((how === 'semi' ? joined.selectExpr('s') : joined.selectExpr('l.s', 'r.n')) as never)
      const { rows, letters } = await step(() => {
        addLeft(1, '5')
        addLeft(1, 'x')
        for (let i = 0; i < 40; i++) addRight(1, i % 4)
      })
      const failed = letters.map(({ reason, row }) => [reason, row['right.n'], row['left.s']])
      expect(failed.filter(([, , s]) => s === 'x')).toHaveLength(40)
      // of the pairs of the other row about half of those with 0 and with 1 divide by zero
      const divided = failed.filter(([reason]) => reason === 'DIVIDE_BY_ZERO')
      expect(divided.every(([, n]) => n === 0 || n === 1)).toBe(true)
      if (how === 'inner') expect(rows.length + failed.filter(([, , s]) => s === '5').length).toBe(40)
      await stop()
      await rm(join(folder, 'checkpoint'), { recursive: true })
    }
  })

  test('of outer joins and semi joins a pair without a value is no match', async () => {
    for (const how of ['left', 'full', 'semi']) {
      const { addLeft, addRight, frame } = sides()
      const joined = how === 'semi' ? frame(how).selectExpr('s', 'null as n') : frame(how).selectExpr('l.s', 'r.n')
      const { step, stop } = await keep(joined as never)
      const first = await step(() => {
        addLeft(1, 'x')
        addLeft(1, '5')
        addRight(1, 3)
        addRight(1, 4)
        addRight(1, 9)
      })
      const matches =
        how === 'semi'
          ? [{ s: '5', n: null }]
          : [
              { s: '5', n: 3 },
              { s: '5', n: 4 },
            ]
      expect(byText(first.rows)).toEqual(byText(matches))
      expect(first.letters.map(({ row }) => row['right.n']).sort()).toEqual([3, 4, 9])
      const over = await step(() => {
        addLeft(9, '0', 60)
        addRight(9, 0, 60)
      })
      const unmatched = how === 'semi' ? [] : [{ s: 'x', n: null }, ...(how === 'full' ? [{ s: null, n: 9 }] : [])]
      expect(byText(over.rows)).toEqual(byText(unmatched))
      await stop()
      await rm(join(folder, 'checkpoint'), { recursive: true })
    }
  })

  test('what a pair of windows gives; text that looks like a column', async () => {
    const { addLeft, addRight, frame } = sides()
    const condition = "(l.s = 't0.c1' OR 12 div cast(l.s as int) > r.n)"
    const { step, stop } = await keep(frame('inner', condition).selectExpr('l.s', 'r.n') as never)
    const { rows, letters } = await step(() => {
      addLeft(1, '0')
      addLeft(1, 't0.c1')
      addLeft(1, '2')
      addRight(1, 3)
    })
    expect(byText(rows)).toEqual(
      byText([
        { s: '2', n: 3 },
        { s: 't0.c1', n: 3 },
      ]),
    )
    expect(letters).toMatchObject([{ reason: 'DIVIDE_BY_ZERO', row: { 'left.s': '0' } }])
    await stop()
  })

  test('without dead letters the query ends, as ever', async () => {
    const { addLeft, addRight, frame } = sides()
    addLeft(1, 'x')
    addRight(1, 3)
    const query = await frame('inner').writeStream.format('noop').trigger({ availableNow: true }).start()
    await expect(query.awaitTermination()).rejects.toMatchObject({ code: 'CAST_INVALID_INPUT' })
  })
})

describe('sums that overflow', () => {
  const most = 2n ** 63n - 1n
  const longs = () => {
    const stream = new MemoryStream(engine(), { id: t.int(), k: t.int(), n: t.long().nullable() })
    return {
      stream,
      add: (...rows: [id: number, k: number, n: bigint | null][]) => stream.addData(...rows.map(([id, k, n]) => ({ id, k, n }))),
    }
  }
  const ids = (letters: readonly { row: { id: number } }[]) => letters.map(({ row }) => row.id)

  test('in a batch and over the state: the rows that no longer fit are letters, and the sum stays', async () => {
    const { stream, add } = longs()
    const frame = stream
      .toDF()
      .groupBy('k')
      .agg(() => ({ total: expr('sum(n)') as never, rows: expr('count(id)') as never }))
    const { step, stop, restart } = await keep(frame, 'update')
    const first = await step(() => add([1, 1, most], [2, 1, 9n], [3, 1, -5n], [4, 2, 7n], [5, 1, null]))
    expect(byKey(first.rows)).toEqual([
      { k: 1, total: most - 5n, rows: 3n },
      { k: 2, total: 7n, rows: 1n },
    ])
    expect(ids(first.letters)).toEqual([2])
    expect(first.letters[0]!.reason).toBe('ARITHMETIC_OVERFLOW')
    expect(first.progress.books!.at(-1)).toEqual({ at: 'sums of stateStoreSave 0', rowsIn: 5, rowsOn: 4, lateRows: 0, deadLetters: 1 })
    await restart()
    const second = await step(() => add([6, 1, 6n], [7, 2, -8n], [8, 1, 5n]))
    expect(byKey(second.rows)).toEqual([
      { k: 1, total: most, rows: 4n },
      { k: 2, total: -1n, rows: 2n },
    ])
    expect(ids(second.letters)).toEqual([6])
    // what fits as a whole is added, whatever it is on the way
    const third = await step(() => add([9, 1, 1n], [10, 1, -1n]))
    expect([third.letters, byKey(third.rows)]).toEqual([[], [{ k: 1, total: most, rows: 6n }]])
    const fourth = await step(() => add([11, 2, -most - 1n]))
    expect([ids(fourth.letters), fourth.rows]).toEqual([[11], []])
    await stop()
  })

  test('decimals, means of decimals and filters; without keys in complete mode', async () => {
    const stream = new MemoryStream(engine(), { id: t.int(), d: t.decimal(28, 0), e: t.decimal(38, 0) })
    const big = '9'.repeat(28)
    const frame = stream
      .toDF()
      .groupBy()
      .agg(() => ({
        mean: expr('avg(d) filter (where id % 2 = 0)') as never,
        sum: expr('sum(cast(e as decimal(28, 0))) filter (where id < 100)') as never,
      }))
    const { step, stop } = await keep(frame, 'complete')
    const { rows, letters } = await step(() => stream.addData({ id: 2, d: big, e: '1' }, { id: 4, d: '1', e: '2' }))
    expect(letters).toEqual([])
    expect(rows).toHaveLength(1)
    await stop()
  })

  test('sliding windows: a row that does not fit one of them is in none', async () => {
    const stream = new MemoryStream(engine(), { id: t.int(), at: t.timestamp(), n: t.long() })
    const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second))
    const frame = stream
      .toDF()
      .withWatermark('at', '1 second')
      .groupBy(expr("window(at, '10 seconds', '5 seconds')").alias('w') as never)
      .agg(() => ({ total: expr('sum(n)') as never, last: expr('max(id)') as never }))
      .selectExpr('cast(w.end as long) % 60 as ends', 'total')
    const { step, stop } = await keep(frame, 'append')
    const first = await step(() =>
      stream.addData(
        { id: 1, at: at(11), n: most },
        { id: 2, at: at(16), n: 20n },
        { id: 3, at: at(21), n: 4n },
        { id: 4, at: at(18), n: -9n },
      ),
    )
    const last = await step(() => stream.addData({ id: 9, at: at(59), n: 0n }))
    expect(ids(first.letters)).toEqual([2])
    expect([...first.rows, ...last.rows].sort((a, b) => Number(a['ends']) - Number(b['ends']))).toEqual([
      { ends: 15n, total: most },
      { ends: 20n, total: most - 9n },
      { ends: 25n, total: -5n },
      { ends: 30n, total: 4n },
    ])
    await stop()
  })

  test('late groups are no matter; what an expression over the result has no value for is one', async () => {
    const stream = new MemoryStream(engine(), { id: t.int(), at: t.timestamp(), n: t.long() })
    const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second))
    const frame = stream
      .toDF()
      .withWatermark('at', '1 second')
      .groupBy(expr("window(at, '10 seconds')").alias('w') as never)
      .agg(() => ({ total: expr('sum(n)') as never, last: expr('max(id)') as never }))
      .selectExpr('cast(w.end as long) % 60 as ends', 'total')
    const { step, stop } = await keep(frame, 'append')
    await step(() => stream.addData({ id: 1, at: at(31), n: 1n }))
    const late = await step(() =>
      stream.addData({ id: 2, at: at(1), n: most }, { id: 3, at: at(2), n: most }, { id: 4, at: at(32), n: 2n }),
    )
    expect(late.letters).toEqual([])
    const last = await step(() => stream.addData({ id: 9, at: at(59), n: 0n }))
    expect(last.rows).toEqual([{ ends: 40n, total: 3n }])
    await stop()
  })

  test('sessions: a row that does not fit its session is left out, and may leave two', async () => {
    const stream = new MemoryStream(engine(), { id: t.int(), k: t.int(), at: t.timestamp(), n: t.long() })
    const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second))
    const add = (...rows: [id: number, k: number, second: number, n: bigint][]) =>
      stream.addData(...rows.map(([id, k, second, n]) => ({ id, k, at: at(second), n })))
    const frame = stream
      .toDF()
      .withWatermark('at', '5 seconds')
      .groupBy(expr("session_window(at, '5 seconds')").alias('w') as never, 'k')
      .agg(() => ({ total: expr('sum(n)') as never, rows: expr('count(id)') as never }))
      .selectExpr('k', 'cast(w.start as long) % 60 as starts', 'total', 'rows')
    const { step, stop, restart } = await keep(frame, 'append')
    const first = await step(() => add([1, 1, 10, most], [2, 1, 13, 9n], [3, 1, 17, 2n], [4, 2, 10, 5n]))
    expect(ids(first.letters)).toEqual([2])
    await restart()
    // what the state has: two sessions, of which a bridge would make one too large
    const second = await step(() => add([5, 1, 14, 1n], [6, 2, 12, 1n], [7, 1, 18, -4n]))
    expect(ids(second.letters)).toEqual([5])
    const last = await step(() => add([9, 3, 59, 0n]))
    expect(last.letters).toEqual([])
    expect([...last.rows].sort((a, b) => Number(a['k']) - Number(b['k']) || Number(a['starts']) - Number(b['starts']))).toEqual([
      { k: 1, starts: 10n, total: most, rows: 1n },
      { k: 1, starts: 17n, total: -2n, rows: 2n },
      { k: 2, starts: 10n, total: 6n, rows: 2n },
    ])
    await stop()
  })

  test('over any rows and sessions: what is not a letter is in the sums', { timeout }, async () => {
    // sessions that meet, and large values in most: few runs must have letters
    const value = fc.oneof({ weight: 2, arbitrary: fc.constantFrom(most, -most - 1n, most / 2n, -most / 2n) }, fc.bigInt(-20n, 20n))
    const row = fc.record({ k: fc.integer({ min: 1, max: 2 }), second: fc.integer({ min: 0, max: 25 }), n: value })
    let seen = 0
    await holds(
      fc.array(fc.array(row, { minLength: 2, maxLength: 6 }), { minLength: 2, maxLength: 4 }),
      async (batches) => {
        const stream = new MemoryStream(engine(), { id: t.int(), k: t.int(), at: t.timestamp(), n: t.long() })
        const frame = stream
          .toDF()
          .groupBy(expr("session_window(at, '5 seconds')").alias('w') as never, 'k')
          .agg(() => ({ total: expr('sum(n)') as never, rows: expr('count(id)') as never }))
          .selectExpr('k', 'cast(w.start as long) as start', 'total', 'rows')
        const { step, stop } = await keep(frame, 'complete')
        try {
          const kept: { k: number; second: number; n: bigint }[] = []
          let id = 0
          let shown: Row[] = []
          for (const batch of batches) {
            const given = batch.map((each) => ({ ...each, id: ++id }))
            const { rows, letters } = await step(() =>
              stream.addData(...given.map(({ id, k, second, n }) => ({ id, k, at: new Date(second * 1000), n }))),
            )
            const out = new Set(ids(letters as never))
            kept.push(...given.filter(({ id }) => !out.has(id)))
            seen += out.size
            shown = rows
          }
          const expected: object[] = []
          for (const k of [1, 2]) {
            let end = Number.NEGATIVE_INFINITY
            for (const { second, n } of kept.filter((each) => each.k === k).sort((a, b) => a.second - b.second)) {
              const last = expected.at(-1) as { total: bigint; rows: bigint } | undefined
              if (second <= end) Object.assign(last!, { total: last!.total + n, rows: last!.rows + 1n })
              else expected.push({ k, start: BigInt(second), total: n, rows: 1n })
              end = second + 5
            }
          }
          const order = (rows: readonly object[]) =>
            (rows as Row[]).toSorted((a, b) => Number(a['k']) - Number(b['k']) || Number(a['start']) - Number(b['start']))
          expect(order(shown)).toEqual(order(expected))
        } finally {
          await stop()
          await rm(join(folder, 'checkpoint'), { recursive: true })
        }
      },
      10,
    )
    if (hasManyRuns) expect(seen).toBeGreaterThan(0)
  })

  test('over any rows: what is not a letter is in the sums, and only where a sum would not fit are there letters', {
    timeout,
  }, async () => {
    const value = fc.oneof(fc.constantFrom(most, -most - 1n, most / 2n, -most / 2n), fc.bigInt(-20n, 20n), fc.constant(null))
    const row = fc.record({ k: fc.integer({ min: 1, max: 3 }), n: value })
    const seen = { letters: 0, kept: 0, batches: 0 }
    await holds(
      fc.array(fc.array(row, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 }),
      async (batches) => {
        const { stream, add } = longs()
        const frame = stream
          .toDF()
          .groupBy(expr("window(timestamp_seconds(k * 5), '10 seconds', '5 seconds')").alias('w') as never)
          .agg(() => ({ total: expr('sum(n)') as never, last: expr('max(id)') as never }))
          .selectExpr('cast(cast(w.end as long) div 5 - 1 as int) as g', 'total')
        const { step, stop } = await keep(frame, 'update')
        try {
          const model = new Map<number, bigint>()
          const shown = new Map<number, bigint | null>()
          let id = 0
          for (const batch of batches) {
            const given = batch.map(({ k, n }) => [++id, k, n] as [number, number, bigint | null])
            const groups = (k: number) => [k, k + 1]
            // what the batch adds is a sum of its own, before it meets the state's
            const adds = new Map<number, bigint>()
            for (const [, k, n] of given) for (const g of groups(k)) adds.set(g, (adds.get(g) ?? 0n) + (n ?? 0n))
            const whole = [...adds].flatMap(([g, sum]) => [sum, sum + (model.get(g) ?? 0n)])
            const { rows, letters } = await step(() => add(...given))
            const out = new Set(ids(letters as never))
            for (const [own, k, n] of given) if (!out.has(own)) for (const g of groups(k)) model.set(g, (model.get(g) ?? 0n) + (n ?? 0n))
            for (const { g, total } of rows as { g: number; total: bigint | null }[]) shown.set(g, total)
            for (const total of model.values()) expect(total <= most && total >= -most - 1n).toBe(true)
            expect(out.size > 0).toBe(whole.some((total) => total > most || total < -most - 1n))
            seen.letters += out.size
            seen.kept += given.length - out.size
            seen.batches++
          }
          for (const [g, total] of shown) expect(total ?? 0n).toBe(model.get(g) ?? 0n)
        } finally {
          await stop()
          await rm(join(folder, 'checkpoint'), { recursive: true })
        }
      },
      12,
    )
    if (hasManyRuns) expect(Math.min(seen.letters, seen.kept)).toBeGreaterThan(0)
  })
})

test('a metric without a value is null, and the rows go on', async () => {
  const stream = new MemoryStream(engine(), { n: t.long(), s: t.string() })
  const frame = stream.toDF().observe('seen', () => ({
    rows: expr('count(*)') as never,
    total: expr('sum(n)') as never,
    ints: expr('sum(cast(s as int))') as never,
  }))
  const { step, stop } = await keep(frame)
  const first = await step(() => stream.addData({ n: 2n ** 62n, s: '1' }, { n: 2n ** 62n, s: 'x' }))
  expect(first.rows).toHaveLength(2)
  expect(first.letters).toEqual([])
  expect(first.progress.observedMetrics).toMatchObject({ seen: { rows: 2n, total: null, ints: null } })
  const second = await step(() => stream.addData({ n: 1n, s: '7' }))
  expect(second.progress.observedMetrics).toMatchObject({ seen: { rows: 1n, total: 1n, ints: 7n } })
  await stop()
})
