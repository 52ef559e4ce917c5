// Triggers, sources, logs: the suites that spec group L names, of Spark 4.2.0.
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStream, Schema, type Source, type SourceProvider, t } from 'millrace'
import {
  addData,
  advanceManualClock,
  assertOnQuery,
  awaitTermination,
  checkAnswer,
  checkNewAnswer,
  ManualClock,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { afterAll, expect, test } from 'vitest'
import { useEngine } from './harness.ts'

/** Rows 1, 2, 3 … up to `rows.count`; it can't freeze what there is for AvailableNow. */
const counted = { count: 3 }
const countingProvider: SourceProvider = {
  formats: ['counting'],
  schemaOf: () => new Schema([{ name: 'value', type: 'long', nullable: true }]),
  open: async ({ schema }): Promise<Source> => ({
    schema,
    description: 'counting',
    readLimit: { kind: 'max-rows', count: 1 },
    latestOffset: async (start, limit) =>
      limit.kind === 'max-rows' ? Math.min(counted.count, ((start as number | null) ?? 0) + limit.count) : counted.count,
    rows: async (start, end) => ({
      kind: 'objects',
      rows: Array.from({ length: (end as number) - ((start as number | null) ?? 0) }, (_, i) => ({
        value: BigInt(((start as number | null) ?? 0) + i + 1),
      })),
    }),
    commit: async () => {},
    stop: async () => {},
  }),
}
const engine = useEngine({ sources: [countingProvider] })
const folders: string[] = []
async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-case-'))
  folders.push(folder)
  await addFiles(folder, files)
  return folder
}
/** Files with rising modification times, in the order given. */
let mtime = 1_700_000_000
async function addFiles(folder: string, files: Record<string, string>): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), content)
    mtime++
    await utimes(join(folder, name), mtime, mtime)
  }
}
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

test('L1: AvailableNow with a source that can not freeze falls back to one batch', async () => {
  const folder = await folderWith({ a: '{"value":7}\n', b: '{"value":8}\n', c: '{"value":9}\n' })
  const files = engine().readStream.schema({ value: t.long().nullable() }).option('maxFilesPerTrigger', 1).json(folder)
  const both = files.union(engine().readStream.format('counting').load())
  await testStream(both, { trigger: { kind: 'available-now' } }, [
    startStream(),
    awaitTermination(),
    checkAnswer([1], [2], [3], [7], [8], [9]),
    assertOnQuery('ran one batch', (query) => expect(query.lastProgress?.batchId).toBe(0)),
    {
      name: 'more data',
      run: async () => {
        counted.count = 6
        await addFiles(folder, { d: '{"value":10}\n', e: '{"value":11}\n', f: '{"value":12}\n' })
      },
    },
    startStream(),
    awaitTermination(),
    checkNewAnswer([4], [5], [6], [10], [11], [12]),
    assertOnQuery('ran one more', (query) => expect(query.lastProgress?.batchId).toBe(1)),
  ])
})

test('AvailableNow honours the limits of sources that can freeze, and leaves later files for the next run', async () => {
  const folder = await folderWith({ a: '{"value":7}\n', b: '{"value":8}\n', c: '{"value":9}\n' })
  const files = engine().readStream.schema({ value: t.long().nullable() }).option('maxFilesPerTrigger', 1).json(folder)
  await testStream(files, { trigger: { kind: 'available-now' } }, [
    startStream(),
    awaitTermination(),
    checkAnswer([7], [8], [9]),
    assertOnQuery('ran three batches', (query) => expect(query.lastProgress?.batchId).toBe(2)),
  ])
})

test('L3: latestFirst decides which file comes first', async () => {
  for (const [latestFirst, first, second] of [
    [false, '1', '2'],
    [true, '2', '1'],
  ] as const) {
    const folder = await folderWith({ '1.txt': '1\n', '2.txt': '2\n' })
    const lines = engine().readStream.option('latestFirst', latestFirst).option('maxFilesPerTrigger', 1).text(folder)
    const clock = new ManualClock(1_800_000_000_000)
    await testStream(lines, { clock, trigger: { kind: 'processing-time', intervalMs: 1000 } }, [
      checkNewAnswer([first]),
      advanceManualClock(1000),
      checkNewAnswer([second]),
    ])
  }
})

test('L4: rate-micro-batch gives batch n the same rows whenever it runs', async () => {
  const rate = engine()
    .readStream.format('rate-micro-batch')
    .option('rowsPerBatch', 10)
    .option('startTimestamp', 1000)
    .option('advanceMillisPerBatch', 50)
    .load()
  const frame = rate
    .select('value', 'timestamp')
    .select(({ value, timestamp }) => ({ value, ms: timestamp.cast('double').mul(1000).cast('long') }))
  const batch = (n: number) => Array.from({ length: 10 }, (_, i) => [10 * n + i, 1000 + 50 * n])
  const clock = new ManualClock()
  await testStream(frame as never, { clock, trigger: { kind: 'processing-time', intervalMs: 1000 } }, [
    checkNewAnswer(...batch(0)),
    advanceManualClock(1000),
    checkNewAnswer(...batch(1)),
    stopStream(),
    startStream(),
    checkNewAnswer(...batch(2)),
    advanceManualClock(1000),
    checkNewAnswer(...batch(3)),
  ])
})

test('L7: a batch longer than the interval is followed by the next one at once, and missed boundaries do not pile up', async () => {
  const input = new MemoryStream(engine(), { value: t.int() })
  const clock = new ManualClock()
  const starts: string[] = []
  await testStream(input.toDF(), { clock, trigger: { kind: 'processing-time', intervalMs: 1000 } }, [
    addData(input, { value: 1 }),
    advanceManualClock(1000),
    checkAnswer([1]),
    addData(input, { value: 2 }),
    advanceManualClock(1000),
    checkAnswer([1], [2]),
    assertOnQuery('batches start at whole seconds', (query) => {
      starts.push(...query.recentProgress.filter(({ isIdle }) => !isIdle).map(({ timestamp }) => timestamp))
      expect(starts).toEqual(['1970-01-01T00:00:01.000Z', '1970-01-01T00:00:02.000Z'])
    }),
  ])
})
