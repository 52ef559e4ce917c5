import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { count, MemoryStream, millrace, type Sink, type SinkProvider, t } from '../../src/index.ts'
import { tempFolders } from './temp-folders.ts'

const folder = tempFolders()
/** What the sink was asked for, in order, and whether the batch was in the offset log then. */
let calls: string[] = []
let offsets = ''
let failing = false
const preparing: SinkProvider = {
  formats: ['preparing'],
  outputModes: ['append', 'update'],
  allowsTemporaryCheckpoint: true,
  open: async (): Promise<Sink> => {
    const prepared = new Map<number, readonly unknown[]>()
    return {
      description: 'Preparing',
      guarantee: 'at-least-once',
      async prepare({ batchId, rows }) {
        calls.push(`prepare ${batchId}`)
        if (failing) throw new Error('the disk is full')
        prepared.set(batchId, await rows.toObjects())
      },
      async addBatch({ batchId, rows }) {
        const all = await rows.toObjects()
        calls.push(`add ${batchId}: ${all.length} rows`)
        expect(existsSync(join(offsets, String(batchId)))).toBe(true)
        if (prepared.has(batchId)) expect(all).toEqual(prepared.get(batchId))
        return { status: 'committed', numOutputRows: all.length }
      },
      stop: async () => {},
    }
  },
}
const engine = await millrace.local({ sinks: [preparing] })
afterAll(() => engine.close())
beforeEach(() => {
  calls = []
  failing = false
})

function events() {
  const stream = new MemoryStream(engine, { k: t.string(), n: t.int() })
  return { stream, frame: stream.toDF() }
}
/** The checkpoint's folder, whose offset log the sink looks into. */
function checkpoint(): string {
  const place = join(folder(), 'cp')
  offsets = join(place, 'offsets')
  return place
}

test('rows without state are prepared once, before they are added, and added when the batch is in the log', async () => {
  const { stream, frame } = events()
  const query = await frame.where('n > 1').writeStream.format('preparing').option('checkpointLocation', checkpoint()).start()
  stream.addData({ k: 'a', n: 1 }, { k: 'a', n: 2 })
  await query.processAllAvailable()
  stream.addData({ k: 'b', n: 3 }, { k: 'c', n: 4 })
  await query.processAllAvailable()
  await query.stop()
  expect(calls).toEqual(['prepare 0', 'add 0: 1 rows', 'prepare 1', 'add 1: 2 rows'])
})

test('where preparing fails nothing is added, and the batch comes again', async () => {
  const { stream, frame } = events()
  const place = checkpoint()
  const start = () => frame.writeStream.format('preparing').option('checkpointLocation', place).start()
  failing = true
  stream.addData({ k: 'a', n: 1 })
  await expect((await start()).awaitTermination()).rejects.toThrow(/the disk is full/)
  expect(calls).toEqual(['prepare 0'])
  failing = false
  const again = await start()
  await again.processAllAvailable()
  await again.stop()
  expect(calls).toEqual(['prepare 0', 'prepare 0', 'add 0: 1 rows'])
})

test('what comes of state is prepared beside its commit, and added after it', async () => {
  const { stream, frame } = events()
  const query = await frame
    .groupBy('k')
    .agg(() => ({ c: count() }))
    .writeStream.format('preparing')
    .outputMode('update')
    .option('checkpointLocation', checkpoint())
    .start()
  stream.addData({ k: 'a', n: 1 })
  await query.processAllAvailable()
  await query.stop()
  expect(calls).toEqual(['prepare 0', 'add 0: 1 rows'])
})
