// Files of a batch that are written before the batch is delivered (Sink.prepare): named by its commit, or litter where another writer came first.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { count, MemoryStream, millrace, t, window } from 'millrace'
import 'millrace/delta'
import { expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'

/** An engine that calls `before` when a batch is about to be delivered. */
async function setUp(before: (batchId: number) => Promise<void>) {
  const folder = await tempFolder()
  const engine = await millrace.local({
    async observeStep({ step, when, batchId }) {
      if (step === 'sink/commit' && when === 'before') await before(batchId)
    },
  })
  const table = join(folder.path, 'table')
  const parts = async () => (await readdir(table).catch(() => [])).filter((name) => name.endsWith('.parquet'))
  const rows = async () => (await engine.read.format('delta').load(table)).collect()
  const close = async () => {
    await engine.close()
    await folder.remove()
  }
  return { engine, table, checkpoint: join(folder.path, 'checkpoint'), parts, rows, [Symbol.asyncDispose]: close }
}

test('files lie there before the batch is delivered, and its commit names them', async () => {
  const seen: number[] = []
  await using place = await setUp(async () => void seen.push((await place.parts()).length))
  const stream = new MemoryStream(place.engine, { word: t.string(), at: t.timestamp() })
  const query = await stream
    .toDF()
    .withWatermark('at', '0 seconds')
    .groupBy(({ at, word }) => ({ minute: window(at, '1 minute'), word }))
    .agg(() => ({ n: count() }))
    .writeStream.option('checkpointLocation', place.checkpoint)
    .format('delta')
    .start(place.table)
  const at = (minute: number) => new Date(minute * 60_000 + 1000)
  stream.addData({ word: 'a', at: at(1) })
  await query.processAllAvailable()
  stream.addData({ word: 'b', at: at(3) })
  await query.processAllAvailable()
  await query.stop()
  // batches 0 and 2 have rows and close nothing; 1 and 3 write the windows that they closed
  const rows = (await place.rows()).map(({ word, n }) => [word, n])
  expect(rows).toEqual([['a', 1n]])
  expect(seen).toEqual([0, 0, 0, 1])
  expect(await place.parts()).toHaveLength(1)
})

test('where another writer changed the columns meanwhile they are written anew', async () => {
  let other: (() => Promise<void>) | undefined
  await using place = await setUp(async (batchId) => (batchId === 1 ? other!() : undefined))
  const { engine, table } = place
  other = () =>
    engine
      .createDataFrame([{ id: 100, more: 'x' }], { id: t.int(), more: t.string().nullable() })
      .write.format('delta')
      .mode('append')
      .option('mergeSchema', 'true')
      .save(table)
  const stream = new MemoryStream(engine, { id: t.int() })
  const query = await stream.toDF().writeStream.option('checkpointLocation', place.checkpoint).format('delta').start(table)
  for (const id of [1, 2]) {
    stream.addData({ id })
    await query.processAllAvailable()
  }
  await query.stop()
  const rows = (await place.rows()).map((row) => [row['id'], row['more']]).sort(([a], [b]) => Number(a) - Number(b))
  expect(rows).toEqual([
    [1, null],
    [2, null],
    [100, 'x'],
  ])
  // of batch 1 those without the column, which nobody names, and those with it
  expect(await place.parts()).toHaveLength(4)
})
