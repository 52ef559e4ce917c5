// Queries of one engine share its thread and its memory: what one of them does while another stands in the middle of a batch must not change that batch's rows.
import { join } from 'node:path'
import { count, type Engine, MemoryStream, millrace, t } from 'millrace'
import { expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'

const spacingMs = 500
const rows = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ word: `word ${(from + i) % 40}`, at: new Date((from + i + 1) * spacingMs) }))

/** Counts words by their time, and writes the counts that the watermark has closed. */
async function counting(engine: Engine, folder: string, name: string) {
  const input = new MemoryStream(engine, { word: t.string(), at: t.timestamp() })
  const output = join(folder, name)
  const query = await input
    .toDF()
    .withWatermark('at', '0 seconds')
    .groupBy('at', 'word')
    .agg(() => ({ n: count() }))
    .writeStream.queryName(name)
    .option('checkpointLocation', join(folder, `${name}-checkpoint`))
    .format('parquet')
    .start(output)
  const add = (from: number, to: number) => void input.addData(...rows(from, to))
  return { add, query, output }
}

test("a batch's rows stay as they are while another query has empty batches and full ones", async () => {
  await using folder = await tempFolder()
  const stands = Promise.withResolvers<void>()
  const goesOn = Promise.withResolvers<void>()
  const engine = await millrace.local({
    async observeStep({ step, when, queryName, batchId }) {
      if (queryName !== 'held' || batchId !== 3 || step !== 'batch/run' || when !== 'after') return
      stands.resolve()
      await goesOn.promise
    },
  })
  try {
    const held = await counting(engine, folder.path, 'held')
    const other = await counting(engine, folder.path, 'other')
    // of each two batches the first has the rows and closes nothing, and the second writes them
    for (const { add, query } of [held, other]) {
      add(0, 100)
      await query.processAllAvailable()
    }
    held.add(100, 180)
    await stands.promise
    for (let from = 100; from < 600; from += 100) {
      other.add(from, from + 100)
      await other.query.processAllAvailable()
    }
    goesOn.resolve()
    await held.query.processAllAvailable()
    await Promise.all([held.query.stop(), other.query.stop()])
    for (const [{ output }, until] of [
      [held, 180],
      [other, 600],
    ] as const) {
      const written = await (await engine.read.parquet(output)).selectExpr('unix_millis(at) AS ms', 'word', 'n').collect()
      const sorted = written.map(({ ms, word, n }) => [Number(ms) / spacingMs, word, n]).sort(([a], [b]) => Number(a) - Number(b))
      expect(sorted).toEqual(rows(0, until).map(({ word }, i) => [i + 1, word, 1n]))
    }
  } finally {
    goesOn.resolve()
    await engine.close()
  }
})
