import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MemoryStream, millrace, type QueryProgress, t } from 'millrace'
import { expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'

const wide = 'x'.repeat(1000)
/** Reads files that a batch without a limit takes at once, and gives the progress of each batch. */
async function read(
  options: Readonly<Record<string, string | number>>,
  readerOptions: Readonly<Record<string, number>> = {},
): Promise<readonly QueryProgress[]> {
  await using folder = await tempFolder()
  await mkdir(join(folder.path, 'in'))
  for (let i = 0; i < 12; i++) await writeFile(join(folder.path, 'in', `${i}.json`), `{"a":${i},"b":"${wide}"}\n`.repeat(200))
  await using engine = await millrace.local({ threads: 1, print: () => {} })
  const query = await engine.readStream
    .schema({ a: t.int(), b: t.string() })
    .options(readerOptions)
    .json(join(folder.path, 'in'))
    .writeStream.format('noop')
    .options({ checkpointLocation: join(folder.path, 'checkpoint'), ...options })
    .trigger({ availableNow: true })
    .start()
  await query.awaitTermination()
  return query.recentProgress.filter(({ numInputRows }) => numInputRows > 0)
}
const rows = (batches: readonly QueryProgress[]) => batches.reduce((sum, { numInputRows }) => sum + numInputRows, 0)

test('without a target or a memory limit there is no limit of ours', async () => {
  const batches = await read({})
  expect(batches.map(({ numInputRows }) => numInputRows)).toEqual([2400])
  expect(Object.keys(batches[0]!.sources[0]!.metrics)).not.toContain('adaptiveMaxBytes')
})

test('the limit of each source is in its metrics, in the unit of the source, with its reason', async () => {
  const [batch] = await read({ targetBatchDuration: '10s' })
  const { metrics } = batch!.sources[0]!
  expect(Number(metrics['adaptiveMaxBytes'])).toBeGreaterThan(0)
  expect(metrics['adaptiveLimitReason']).toBe('duration')

  await using engine = await millrace.local({ threads: 1, print: () => {} })
  const input = new MemoryStream(engine, { a: t.int() })
  input.addData({ a: 1 })
  const query = await input.toDF().writeStream.format('noop').option('memoryLimit', '100g').start()
  await query.processAllAvailable()
  const memory = query.recentProgress.find(({ numInputRows }) => numInputRows > 0)!.sources[0]!.metrics
  expect(Number(memory['adaptiveMaxRows'])).toBeGreaterThan(0)
})

test('the limits of the options hold as well, and every row comes once', async () => {
  const batches = await read({ targetBatchDuration: '10s' }, { maxFilesPerTrigger: 5 })
  expect(batches.map(({ numInputRows }) => numInputRows)).toEqual([1000, 1000, 400])
})

test('a target that no batch can meet makes batches smaller, not endless; every row comes once', async () => {
  const batches = await read({ targetBatchDuration: '1ms', 'millrace.memoryLimit': '1m' })
  expect(rows(batches)).toBe(2400)
  const limits = batches.map(({ sources }) => Number(sources[0]!.metrics['adaptiveMaxBytes']))
  expect(limits.at(-1)!).toBeLessThanOrEqual(limits[0]!)
})

test('a trigger interval is the target, unless another is given; 0 switches the limit off', async () => {
  await using engine = await millrace.local({ threads: 1, print: () => {} })
  const limited = async (options: Readonly<Record<string, string>>) => {
    const input = new MemoryStream(engine, { a: t.int() })
    input.addData({ a: 1 })
    const query = await input.toDF().writeStream.format('noop').options(options).trigger({ processingTime: '20 milliseconds' }).start()
    await query.processAllAvailable()
    await query.stop()
    return query.recentProgress.some(({ sources }) => 'adaptiveMaxRows' in sources[0]!.metrics)
  }
  expect(await limited({})).toBe(true)
  expect(await limited({ targetBatchDuration: '0' })).toBe(false)
})
