// Broken rows that no expression over single rows finds: pairs of a join of two streams, sums that overflow, metrics. The stream goes on, and the books balance.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expr, MemoryStream, type QueryProgress, type Row, t } from 'millrace'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useEngine } from './harness.ts'

const engine = useEngine({ print: () => {} })
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-letters-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Starts a query whose rows and letters are kept; each step adds data, and what came of it is given. */
// biome-ignore lint/suspicious/noExplicitAny: frames of every shape
async function keep(frame: any, outputMode = 'append') {
  const rows: Row[] = []
  const letters: Row[] = []
  const start = () =>
    frame.writeStream
      .outputMode(outputMode)
      .option('checkpointLocation', join(folder, 'checkpoint'))
      // biome-ignore lint/suspicious/noExplicitAny: see above
      .foreachBatch(async (found: any) => void rows.push(...(await found.collect())))
      // biome-ignore lint/suspicious/noExplicitAny: see above
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
