// The oracle of late rows: over any cut into batches, any restart and any failure between the sinks, each row is in the windows that were open for it, and
// in the side output once where one was not; and the books say so.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { count, MemoryStream, type QueryProgress, type Row, t, window } from 'millrace'
import { expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'

const engine = useEngine()
const runs = Number(process.env['MILLRACE_ORACLE_RUNS'] ?? 6)
const seed = Number(process.env['MILLRACE_ORACLE_SEED'] ?? Date.now() % 1_000_000)
const settings = { numRuns: runs, seed, endOnFailure: false } as const
console.log(`oracle tests of late rows: seed ${seed}, ${runs} runs each`)

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

/** Windows of a second by [start, end). */
function windowsOf(at: number, size: number, slide: number): [number, number][] {
  const found: [number, number][] = []
  for (let start = Math.floor(at / slide) * slide; start > at - size; start -= slide) found.push([start, start + size])
  return found
}

test.each([
  ['tumbling', 10, 10],
  ['sliding', 10, 5],
  ['sliding with a rest', 10, 4],
])('%s windows', { timeout: 300_000 }, async (_name, size, slide) => {
  let lateSeen = 0
  await fc.assert(
    fc.asyncProperty(feed, async (generated) => {
      let base = 0
      let id = 0
      const blocks = generated.map(({ rows, lift, trouble }) => {
        base += lift
        return { trouble, rows: rows.map((at) => ({ id: id++, at: at === null ? null : at + base })) }
      })
      const expected = model(blocks, size, slide)
      const folder = await mkdtemp(join(tmpdir(), 'millrace-late-'))
      try {
        const actual = await run(folder, blocks, size, slide)
        expect(actual.late).toEqual(expected.late)
        expect(actual.windows).toEqual(expected.windows)
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
    }),
    settings,
  )
  expect(lateSeen).toBeGreaterThan(0)
})

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

async function run(folder: string, blocks: readonly Block[], size: number, slide: number) {
  const stream = new MemoryStream(engine(), { id: t.int(), at: t.timestamp().nullable() })
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
    stream
      .toDF()
      .withWatermark('at', `${delay} seconds`)
      .groupBy(({ at }) => ({ w: window(at, `${size} seconds`, `${slide} seconds`) }))
      .agg(() => ({ n: count() }))
      .select(({ w, n }) => ({ start: w.start.cast('long'), n }))
      .writeStream.outputMode('update')
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
  const windows: Record<number, number> = {}
  for (const [, rows] of [...main].sort(([a], [b]) => Number(a - b)))
    for (const row of rows) windows[Number(row['start'])] = Number(row['n'])
  return { late, windows, progresses }
}
