// The oracle: any cut into batches and any restarts give what one batch query over the rows that were in time gives.
import fc from 'fast-check'
import { avg, count, type Engine, MemoryStream, max, min, type StreamFrame, sum, t, window } from 'millrace'
import { addData, checkAnswer, processAllAvailable, type StreamAction, type StreamTest, testStream } from 'millrace/testing'
import { describe, expect, test } from 'vitest'
import { differenceOfRows } from '../../src/testing/compare-rows.ts'
import { useEngine } from '../cases/harness.ts'
import { confOf, holds, providers, type Restart, restarts, restartWith, timeout } from './property.ts'

interface Event {
  readonly k: string | null
  /** Seconds; null is a row without event time. */
  readonly at: number | null
  readonly v: number | null
}
const event: fc.Arbitrary<Event> = fc.record({
  k: fc.option(fc.constantFrom('a', 'b', 'ü', ''), { nil: null, freq: 8 }),
  at: fc.option(fc.integer({ min: 0, max: 120 }), { nil: null, freq: 12 }),
  v: fc.option(fc.integer({ min: -1000, max: 1000 }), { nil: null, freq: 6 }),
})
/** Blocks of rows, with event time on the rise and a wide scatter; after some blocks the query is restarted. */
const feed = fc.array(fc.record({ rows: fc.array(event, { maxLength: 12 }), lift: fc.integer({ min: 0, max: 40 }), restart: restarts() }), {
  minLength: 1,
  maxLength: 7,
})
type Feed = typeof feed extends fc.Arbitrary<infer T> ? T : never

const fields = { k: t.string().nullable(), at: t.timestamp().nullable(), v: t.long().nullable() }
const instant = (second: number | null) => (second === null ? null : new Date(second * 1000))
const toRow = ({ k, at, v }: Event) => ({ k, at: instant(at), v: v === null ? null : BigInt(v) })

function lifted(blocks: Feed): { rows: Event[]; restart: Restart | null }[] {
  let base = 0
  return blocks.map(({ rows, lift, restart }) => {
    base += lift
    return { restart, rows: rows.map((row) => ({ ...row, at: row.at === null ? null : row.at + base })) }
  })
}

/** The rows that are in time for tumbling windows of `size`, where every block is followed by its no-data batch. Null event times count as 0 for the watermark. */
function inTime(blocks: readonly { rows: readonly Event[] }[], size: number, delay: number): Event[] {
  let watermark = 0
  const kept: Event[] = []
  for (const { rows } of blocks) {
    kept.push(...rows.filter(({ at }) => at !== null && (Math.floor(at / size) + 1) * size > watermark))
    if (rows.length > 0) watermark = Math.max(watermark, Math.max(...rows.map(({ at }) => at ?? 0)) - delay)
  }
  return kept
}

type Frame = StreamFrame<{ k: 'string' | null; at: 'timestamp' | null; v: 'long' | null }>
const windowed = (frame: Frame) =>
  frame
    .groupBy(({ at, k }) => ({ window: window(at, '10 seconds'), k }))
    .agg(({ v }) => ({ rows: count(), n: count(v), total: sum(v), mean: avg(v), least: min(v), most: max(v) }))
    .select(({ window, k, rows, n, total, mean, least, most }) => ({ start: window.start, k, rows, n, total, mean, least, most }))

function batchOver(events: readonly Event[], engine: Engine) {
  return windowed(engine.createDataFrame(events.map(toRow), fields) as never as Frame) as never as {
    collect(): Promise<Record<string, unknown>[]>
  }
}

function actionsOf(
  input: { addData(...rows: ReturnType<typeof toRow>[]): unknown },
  blocks: readonly { rows: readonly Event[]; restart: Restart | null }[],
): StreamAction[] {
  return blocks.flatMap(({ rows, restart }) => [addData(input, ...rows.map(toRow)), processAllAvailable(), ...restartWith(restart)])
}

/** Runs a check and gives what the sink holds in the end. */
function finally_(check: (test: StreamTest) => Promise<void>): StreamAction {
  return {
    name: 'compare with the batch',
    run: async (test) => {
      await test.settle()
      await check(test)
    },
  }
}
function same(actual: readonly Record<string, unknown>[], expected: readonly Record<string, unknown>[]): void {
  expect(differenceOfRows(actual, expected)).toBeNull()
}

describe.each(providers)('%s', (provider) => {
  const engine = useEngine({ conf: confOf(provider) })

  test('append: every closed window once, with exactly the rows in time', { timeout }, async () => {
    await holds(
      feed,
      async (generated) => {
        const closing = { rows: [{ k: 'closing', at: 100_000, v: 0 }], restart: null }
        const blocks = [...lifted(generated), closing]
        const input = new MemoryStream(engine(), fields)
        const expected = await batchOver(inTime(blocks, 10, 15), engine()).collect()
        await testStream(windowed(input.toDF().withWatermark('at', '15 seconds') as never), [
          ...actionsOf(input, blocks),
          finally_(async (test) =>
            same(
              test.sink.allRows,
              expected.filter((row) => row['k'] !== 'closing'),
            ),
          ),
        ])
      },
      10,
    )
  })

  test('update: the newest row of each key', { timeout }, async () => {
    await holds(
      feed,
      async (generated) => {
        const blocks = lifted(generated)
        const input = new MemoryStream(engine(), fields)
        const expected = await batchOver(inTime(blocks, 10, 15), engine()).collect()
        await testStream(windowed(input.toDF().withWatermark('at', '15 seconds') as never), { outputMode: 'update' }, [
          ...actionsOf(input, blocks),
          finally_(async (test) => {
            const byKey = new Map(test.sink.allRows.map((row) => [`${String(row['start'])} ${JSON.stringify(row['k'])}`, row]))
            same([...byKey.values()], expected)
          }),
        ])
      },
      10,
    )
  })

  test('complete: the whole table, late rows counted', { timeout }, async () => {
    await holds(
      feed,
      async (generated) => {
        const blocks = lifted(generated)
        const input = new MemoryStream(engine(), fields)
        const expected = await batchOver(
          blocks.flatMap(({ rows }) => rows),
          engine(),
        ).collect()
        await testStream(windowed(input.toDF().withWatermark('at', '15 seconds') as never), { outputMode: 'complete' }, [
          ...actionsOf(input, blocks),
          finally_(async (test) => same(test.sink.lastBatch, expected)),
        ])
      },
      10,
    )
  })

  test('stateless: the rows as they are, and plain aggregation by key with null keys', { timeout }, async () => {
    await holds(
      feed,
      async (generated) => {
        const blocks = lifted(generated)
        const all = blocks.flatMap(({ rows }) => rows).map(toRow)
        const input = new MemoryStream(engine(), fields)
        const kept = (frame: Frame) => frame.where(({ v }) => v.gt(0n)).select(({ k, v }) => ({ k, twice: v.mul(2n) }))
        const keptBatch = kept(engine().createDataFrame(all, fields) as never as Frame) as never as {
          collect(): Promise<Record<string, unknown>[]>
        }
        await testStream(kept(input.toDF()), [...actionsOf(input, blocks), checkAnswer(...(await keptBatch.collect()))])

        const again = new MemoryStream(engine(), fields)
        const grouped = (frame: Frame) => frame.groupBy('k').agg(({ v }) => ({ n: count(v), total: sum(v) }))
        const expected = await (
          grouped(engine().createDataFrame(all, fields) as never as Frame) as never as { collect(): Promise<Record<string, unknown>[]> }
        ).collect()
        await testStream(grouped(again.toDF()), { outputMode: 'update' }, [
          ...actionsOf(again, blocks),
          finally_(async (test) => same([...new Map(test.sink.allRows.map((row) => [JSON.stringify(row['k']), row])).values()], expected)),
        ])
      },
      10,
    )
  })
})
