// The oracle of late rows: over any cut into batches, any restart and any failure between the sinks, each row is in the windows that were open for it, and
// in the side output once where one was not; and the books say so.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { count, MemoryStream, type QueryProgress, type Row, t, type ValueState, window } from 'millrace'
import { afterAll, describe, expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { hasManyRuns, holds, providerKey, providers, timeout } from './property.ts'

const engine = useEngine()
let lateSeen = 0
afterAll(() => {
  // all properties have the same seed, and so much the same rows
  if (hasManyRuns) expect(lateSeen).toBeGreaterThan(0)
})

/** What goes wrong with a block: nothing, a restart after it, or the batch fails once, before a sink has it. */
const trouble = fc.constantFrom('none', 'none', 'restart', 'main sink', 'side output')
const feed = fc.array(
  fc.record({
    rows: fc.array(fc.option(fc.integer({ min: 0, max: 60 }), { nil: null, freq: 12 }), { minLength: 1, maxLength: 10 }),
    lift: fc.integer({ min: 0, max: 30 }),
    trouble,
  }),
  { minLength: 1, maxLength: 6 },
)
const delay = 10

/** Windows of a second by [start, end); of the size 0: the second itself. */
function windowsOf(at: number, size: number, slide: number): [number, number][] {
  if (size === 0) return [[at, at]]
  const found: [number, number][] = []
  for (let start = Math.floor(at / slide) * slide; start > at - size; start -= slide) found.push([start, start + size])
  return found
}

test.each([
  ['tumbling', 10, 10],
  ['sliding', 10, 5],
  ['sliding with a rest', 10, 4],
])('%s windows', { timeout }, async (_name, size, slide) => {
  await holds(
    feed,
    async (generated) => {
      const { blocks, ids: id } = blocksOf(generated)
      const expected = model(blocks, size, slide)
      const folder = await mkdtemp(join(tmpdir(), 'millrace-late-'))
      try {
        const actual = await run(folder, blocks, windowed(size, slide))
        expect(actual.late).toEqual(expected.late)
        expect(windowCounts(actual.main)).toEqual(expected.windows)
        lateSeen += Object.keys(expected.late).length
        const account = { rowsIn: 0, rowsOn: 0, lateRows: 0 }
        for (const { books, stateOperators, batchId } of actual.progresses.values()) {
          const [entry] = books!
          expect(entry!.rowsOn + entry!.lateRows + entry!.deadLetters).toBe(entry!.rowsIn)
          const inBatch = Object.values(expected.lateByBlock.get(batchId) ?? {})
          expect([batchId, stateOperators[0]!.customMetrics['numLateInputRows']]).toEqual([batchId, inBatch.length])
          account.rowsIn += entry!.rowsIn
          account.rowsOn += entry!.rowsOn
          account.lateRows += entry!.lateRows
        }
        const partly = Object.values(expected.late).filter(([, isPartly]) => isPartly).length
        const late = Object.keys(expected.late).length
        expect(account).toEqual({ rowsIn: id, rowsOn: id - (late - partly), lateRows: late - partly })
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
    6,
  )
})

describe.each(providers)('state in %s', (provider) => {
  test.each(['transformWithState', 'flatMapGroupsWithState'] as const)('%s', { timeout }, async (method) => {
    await holds(
      feed,
      async (generated) => {
        const { blocks, ids } = blocksOf(generated)
        const expected = model(blocks, 0, 1)
        const folder = await mkdtemp(join(tmpdir(), 'millrace-late-'))
        try {
          const actual = await run(folder, blocks, byEventTime[method], { [providerKey]: provider })
          expect(actual.late).toEqual(expected.late)
          // each row that is not late was seen once, and how many came before it is in the state
          const main = [...actual.main.values()].flat()
          const kept = blocks.flatMap(({ rows }) => rows.map(({ id }) => id)).filter((id) => !(id in expected.late))
          expect(main.map((row) => Number(row['id'])).sort((a, b) => a - b)).toEqual(kept)
          for (const parity of [0, 1]) {
            const seen = main.filter((row) => Number(row['id']) % 2 === parity).map((row) => Number(row['before']))
            expect(seen.sort((a, b) => a - b)).toEqual(Array.from(seen.keys()))
          }
          const account = { rowsIn: 0, rowsOn: 0, lateRows: 0 }
          for (const { books, stateOperators, batchId } of actual.progresses.values()) {
            const [entry] = books!
            expect(entry!.rowsOn + entry!.lateRows + entry!.deadLetters).toBe(entry!.rowsIn)
            const inBatch = Object.keys(expected.lateByBlock.get(batchId) ?? {}).length
            const [operator] = stateOperators
            expect([batchId, operator!.customMetrics['numLateInputRows']]).toEqual([batchId, inBatch])
            expect(operator!.numRowsDroppedByWatermark).toBe(inBatch)
            for (const key of ['rowsIn', 'rowsOn', 'lateRows'] as const) account[key] += entry![key]
          }
          const late = Object.keys(expected.late).length
          expect(account).toEqual({ rowsIn: ids, rowsOn: ids - late, lateRows: late })
          lateSeen += late
        } finally {
          await rm(folder, { recursive: true, force: true })
        }
      },
      4,
    )
  })
})

type Generated = typeof feed extends fc.Arbitrary<infer T> ? T : never
function blocksOf(generated: Generated) {
  let base = 0
  let ids = 0
  const blocks = generated.map(({ rows, lift, trouble }): Block => {
    base += lift
    return { trouble, rows: rows.map((at) => ({ id: ids++, at: at === null ? null : at + base })) }
  })
  return { blocks, ids }
}

interface Block {
  readonly trouble: string
  readonly rows: readonly { readonly id: number; readonly at: number | null }[]
}

/** Block by block: which windows are open, by the watermark of the blocks before. Every block is followed by its no-data batch. */
function model(blocks: readonly Block[], size: number, slide: number) {
  const late: Record<number, [windows: number, partly: boolean]> = {}
  const lateByBlock = new Map<number, Record<number, unknown>>()
  const windows: Record<number, number> = {}
  let [watermark, evicted, batch] = [0, 0, 0]
  for (const { rows } of blocks) {
    const inBlock: Record<number, unknown> = {}
    for (const { id, at } of rows) {
      if (at === null) continue
      const all = windowsOf(at, size, slide)
      const closed = all.filter(([, end]) => end <= evicted)
      for (const [start, end] of all) if (end > evicted) windows[start] = (windows[start] ?? 0) + 1
      if (closed.length > 0) inBlock[id] = late[id] = [closed.length, closed.length < all.length]
    }
    lateByBlock.set(batch++, inBlock)
    evicted = watermark
    const newest = Math.max(...rows.map(({ at }) => at ?? 0)) - delay
    if (newest <= watermark) continue
    watermark = newest
    batch++
    evicted = watermark
  }
  return { late, lateByBlock, windows }
}

const fields = { id: t.int(), at: t.timestamp().nullable() }
const newStream = () => new MemoryStream(engine(), fields)
const marked = (stream: ReturnType<typeof newStream>) => stream.toDF().withWatermark('at', `${delay} seconds`)
const windowed = (size: number, slide: number) => (stream: ReturnType<typeof newStream>) =>
  marked(stream)
    .groupBy(({ at }) => ({ w: window(at, `${size} seconds`, `${slide} seconds`) }))
    .agg(() => ({ n: count() }))
    .select(({ w, n }) => ({ start: w.start.cast('long'), n }))

/** Both give each row that they are called with, and how many of its key came before: in the state, and asynchronously in one of them. */
const byEventTime = {
  transformWithState: (stream: ReturnType<typeof newStream>) =>
    byParity(stream).transformWithState(
      () => {
        let seen: ValueState<number>
        return {
          init: (handle) => void (seen = handle.getValueState('seen', t.int())),
          async *handleInputRows(_key, rows) {
            for (const { id } of rows) {
              const before = seen.get() ?? 0
              await Promise.resolve()
              seen.update(before + 1)
              yield { id, before }
            }
          },
        }
      },
      { output: { id: t.int(), before: t.int() }, timeMode: 'EventTime', outputMode: 'update' },
    ),
  flatMapGroupsWithState: (stream: ReturnType<typeof newStream>) =>
    byParity(stream).flatMapGroupsWithState(
      (_key, rows, state) => {
        const before = state.getOption() ?? 0
        state.update(before + rows.length)
        return rows.map(({ id }, i) => ({ id, before: before + i }))
      },
      { state: t.int(), output: { id: t.int(), before: t.int() }, outputMode: 'update', timeout: 'EventTimeTimeout' },
    ),
}
const byParity = (stream: ReturnType<typeof newStream>) =>
  marked(stream)
    .withColumn('parity', ({ id }) => id.mod(2))
    .groupBy('parity')

function windowCounts(main: ReadonlyMap<bigint, readonly Row[]>): Record<number, number> {
  const windows: Record<number, number> = {}
  for (const [, rows] of [...main].sort(([a], [b]) => Number(a - b)))
    for (const row of rows) windows[Number(row['start'])] = Number(row['n'])
  return windows
}

async function run(
  folder: string,
  blocks: readonly Block[],
  frameOf: (stream: ReturnType<typeof newStream>) => unknown,
  options: Readonly<Record<string, string>> = {},
) {
  const stream = newStream()
  const main = new Map<bigint, Row[]>()
  const side = new Map<bigint, Row[]>()
  const progresses = new Map<number, QueryProgress>()
  let failing = 'none'
  const fails = (where: string) => {
    if (failing !== where) return
    failing = 'none'
    throw new Error(`${where} is down`)
  }
  const start = () =>
    (frameOf(stream) as ReturnType<ReturnType<typeof windowed>>).writeStream
      .outputMode('update')
      .options(options)
      .option('checkpointLocation', folder)
      .foreachBatch(async (rows, batchId) => {
        fails('main sink')
        main.set(batchId, await rows.collect())
      })
      .lateRows({ id: t.int() }, (late) =>
        late.output.foreachBatch(async (rows, batchId) => {
          fails('side output')
          side.set(batchId, await rows.collect())
        }),
      )
      .start()
  let query = await start()
  const note = () => {
    for (const progress of query.recentProgress) if (!progress.isIdle) progresses.set(progress.batchId, progress)
  }
  for (const { rows, trouble } of blocks) {
    failing = trouble
    stream.addData(...rows.map(({ id, at }) => ({ id, at: at === null ? null : new Date(at * 1000) })))
    const failed = await query.processAllAvailable().then(
      () => false,
      () => true,
    )
    note()
    if (failed) {
      query = await start()
      await query.processAllAvailable()
      note()
    } else if (trouble === 'restart') {
      await query.stop()
      query = await start()
    }
  }
  await query.stop()
  note()
  const late: Record<number, [number, boolean]> = {}
  for (const row of [...side.values()].flat()) {
    expect(late[row['id'] as number], 'each row once').toBeUndefined()
    late[row['id'] as number] = [row['_late_windows'] as number, row['_partly'] as boolean]
  }
  return { late, main, progresses }
}
