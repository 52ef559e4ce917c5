// The oracle of dropDuplicates, dropDuplicatesWithinWatermark and limit: over any cut into batches, any disorder and any restarts, what a plain fold over the rows gives, and
// where nothing is late what the batch gives.
import fc from 'fast-check'
import { MemoryStream, t } from 'millrace'
import { addData, processAllAvailable, type StreamAction, type StreamTest, testStream } from 'millrace/testing'
import { describe, expect, test } from 'vitest'
import { differenceOfRows } from '../../src/testing/compare-rows.ts'
import { useEngine } from '../cases/harness.ts'
import { confOf, holds, providers, type Restart, restarts, restartWith, timeout } from './property.ts'

interface Event {
  readonly k: string | null
  readonly at: number | null
  readonly v: number | null
}
const event: fc.Arbitrary<Event> = fc.record({
  k: fc.option(fc.constantFrom('a', 'b', 'ü', ''), { nil: null, freq: 8 }),
  at: fc.option(fc.integer({ min: 0, max: 12 }), { nil: null, freq: 12 }),
  v: fc.option(fc.integer({ min: 0, max: 2 }), { nil: null, freq: 6 }),
})
const feed = fc.array(fc.record({ rows: fc.array(event, { maxLength: 12 }), lift: fc.integer({ min: 0, max: 20 }), restart: restarts() }), {
  minLength: 1,
  maxLength: 7,
})
type Feed = typeof feed extends fc.Arbitrary<infer T> ? T : never
type Block = { readonly rows: readonly Event[]; readonly restart: Restart | null }
function lifted(blocks: Feed): Block[] {
  let base = 0
  return blocks.map(({ rows, lift, restart }) => {
    base += lift
    return { restart, rows: rows.map((row) => ({ ...row, at: row.at === null ? null : row.at + base })) }
  })
}

const fields = { k: t.string().nullable(), at: t.timestamp().nullable(), v: t.int().nullable() }
const toRow = ({ k, at, v }: Event) => ({ k, at: at === null ? null : new Date(at * 1000), v })
const delay = 9

/** The rows that a fold lets through: `keyOf` says which are the same, `expires` when the first of them is forgotten (null: never). Late rows go where there is an event time. */
function fold(
  blocks: readonly Block[],
  keyOf: (row: Event) => unknown,
  expires: ((row: Event) => number) | null,
  hasTime: boolean,
): Event[] {
  const seen = new Map<string, number>()
  const kept: Event[] = []
  let watermark = 0
  for (const { rows } of blocks) {
    for (const row of rows) {
      if (hasTime && row.at !== null && row.at <= watermark) continue
      const key = JSON.stringify(keyOf(row))
      if (seen.has(key)) continue
      seen.set(key, expires === null ? Number.POSITIVE_INFINITY : expires(row))
      kept.push(row)
    }
    watermark = Math.max(watermark, ...rows.map((row) => (row.at ?? 0) - delay))
    for (const [key, end] of seen) if (end <= watermark) seen.delete(key)
  }
  return kept
}

type Untyped = any
type Prepare = (frame: Untyped) => Untyped
async function runs(
  input: MemoryStream<Untyped>,
  query: Untyped,
  blocks: readonly Block[],
  check: (test: StreamTest) => void,
): Promise<void> {
  const actions = blocks.flatMap(({ rows, restart }): StreamAction[] => [
    addData(input as Untyped, ...(rows.map(toRow) as never[])),
    processAllAvailable(),
    ...restartWith(restart),
  ])
  const last = async (running: StreamTest) => {
    await running.settle()
    check(running)
  }
  await testStream(query, [...actions, { name: 'compare', run: last }])
}

describe.each(providers)('%s', (provider) => {
  const engine = useEngine({ conf: confOf(provider) })

  /** The stream against the fold, and (where no row is late) the fold against the batch. */
  async function compare(
    prepare: Prepare,
    generated: Feed,
    expectedOf: (blocks: readonly Block[]) => Event[],
    batch: Prepare | null,
  ): Promise<void> {
    const blocks = lifted(generated)
    const expected = expectedOf(blocks).map(toRow)
    if (batch) {
      const rows = blocks.flatMap((block) => block.rows.map(toRow))
      expect(differenceOfRows(await batch(engine().createDataFrame(rows, fields)).collect(), expected)).toBeNull()
    }
    const input = new MemoryStream(engine(), fields)
    await runs(input, prepare(input.toDF()), blocks, ({ sink }) => expect(differenceOfRows(sink.allRows, expected)).toBeNull())
  }

  test('dropDuplicates, all columns and some, without a watermark', { timeout }, async () => {
    const all: Prepare = (frame) => frame.dropDuplicates()
    const byKey: Prepare = (frame) => frame.dropDuplicates(['k', 'v'])
    const each = async (generated: Feed) => {
      await compare(all, generated, (blocks) => fold(blocks, (row) => row, null, false), all)
      await compare(byKey, generated, (blocks) => fold(blocks, ({ k, v }) => [k, v], null, false), byKey)
    }
    await holds(feed, each, 4)
  })

  test('dropDuplicates with the event time among the columns', { timeout }, async () => {
    const prepare: Prepare = (frame) => frame.withWatermark('at', `${delay} seconds`).dropDuplicates(['k', 'at'])
    const expires = ({ at }: Event) => at ?? Number.POSITIVE_INFINITY
    await holds(feed, (generated) => compare(prepare, generated, (blocks) => fold(blocks, ({ k, at }) => [k, at], expires, true), null), 6)
  })

  test('dropDuplicates with the event time elsewhere: late rows go, keys stay', { timeout }, async () => {
    const prepare: Prepare = (frame) => frame.withWatermark('at', `${delay} seconds`).dropDuplicates(['k'])
    await holds(feed, (generated) => compare(prepare, generated, (blocks) => fold(blocks, ({ k }) => k, null, true), null), 5)
  })

  test('dropDuplicatesWithinWatermark', { timeout }, async () => {
    const prepare: Prepare = (frame) => frame.withWatermark('at', `${delay} seconds`).dropDuplicatesWithinWatermark(['k'])
    const expires = ({ at }: Event) => (at ?? 0) + delay
    await holds(feed, (generated) => compare(prepare, generated, (blocks) => fold(blocks, ({ k }) => k, expires, true), null), 6)
  })

  test('limit: so many of the rows, over all batches and restarts', { timeout }, async () => {
    const each = async ([generated, count]: readonly [Feed, number]) => {
      const blocks = lifted(generated)
      const rows = blocks.flatMap((block) => block.rows.map(toRow))
      const input = new MemoryStream(engine(), fields)
      await runs(input, (input.toDF() as Untyped).limit(count), blocks, ({ sink }) => {
        expect(sink.allRows).toHaveLength(Math.min(count, rows.length))
        // what was left out, put back in, makes the whole
        const texts = (list: readonly Record<string, unknown>[]) =>
          list.map((row) =>
            JSON.stringify({
              ...row,
              at: row['at'] === null ? null : Number((row['at'] as Untyped).epochMilliseconds ?? (row['at'] as Date).getTime()),
            }),
          )
        const left = texts(rows)
        for (const text of texts(sink.allRows)) {
          const at = left.indexOf(text)
          expect(at).toBeGreaterThanOrEqual(0)
          left.splice(at, 1)
        }
      })
    }
    await holds(fc.tuple(feed, fc.integer({ min: 0, max: 30 })), each, 5)
  })
})
