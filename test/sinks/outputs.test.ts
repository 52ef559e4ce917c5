import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { count, MemoryStream, millrace, type Sink, type SinkProvider, t, window } from '../../src/index.ts'
import { tempFolders } from './temp-folders.ts'

/** A sink that fails when it is told to. */
let failing = false
const delivered: { batchId: number; rows: unknown[] }[] = []
const fragile: SinkProvider = {
  formats: ['fragile'],
  outputModes: ['append', 'update'],
  allowsTemporaryCheckpoint: true,
  open: async (): Promise<Sink> => ({
    description: 'Fragile',
    guarantee: 'at-least-once',
    async addBatch({ batchId, rows }) {
      if (failing) throw new Error('the other side is down')
      delivered.push({ batchId, rows: await rows.toObjects() })
      return { status: 'committed', numOutputRows: -1, metrics: { calls: '1' } }
    },
    stop: async () => {},
  }),
}
const engine = await millrace.local({ sinks: [fragile] })
afterAll(() => engine.close())
const folder = tempFolders()

function events() {
  const stream = new MemoryStream(engine, { k: t.string(), n: t.int(), at: t.timestamp() })
  return { stream, frame: stream.toDF() }
}
const at = (second: number) => new Date(1_700_000_000_000 + second * 1000)

test('two outputs with one folder are refused, however it is written; side outputs too', async () => {
  const { frame } = events()
  const start = (paths: Record<string, [format: string, path: string]>, letters?: string) => {
    const writer = frame.writeStream
      .option('checkpointLocation', join(folder(), 'cp'))
      .outputs(
        (rows) =>
          Object.fromEntries(
            Object.entries(paths).map(([name, [format, path]]) => [name, rows.output.format(format).option('path', path)]),
          ) as any,
      )
    return (letters === undefined ? writer : writer.deadLetters((found) => found.output.format('json').option('path', letters))).start()
  }
  const place = folder()
  const refused = (names: string) => ({ code: 'OUTPUTS_SHARE_DESTINATION', message: expect.stringContaining(names) })
  await expect(start({ a: ['json', join(place, 'x')], b: ['parquet', join(place, 'y', '..', 'x')] })).rejects.toMatchObject(
    refused('a and b'),
  )
  await expect(start({ a: ['json', join(place, 'x')] }, `file://${join(place, 'x')}`)).rejects.toMatchObject(refused('a and deadLetters.'))
  const query = await start({ a: ['json', join(place, 'x')], b: ['json', join(place, 'x', 'b')] }, join(place, 'z'))
  await query.stop()
})

test('several sinks get what each asks for of one reading', async () => {
  const { stream, frame } = events()
  let calls = 0
  const alerts: unknown[] = []
  const names = engine.createDataFrame([{ k: 'a', name: 'Ann' }], { k: t.string(), name: t.string() })
  const query = await frame.writeStream
    .queryName('several')
    .option('checkpointLocation', join(folder(), 'cp'))
    .outputs((rows) => ({
      archive: rows.output.format('parquet').option('path', join(folder(), 'archive')).partitionBy('k'),
      alerts: rows
        .where(({ n }) => n.gt(1))
        .join(names, 'k')
        .select('name', 'n')
        .output.foreach((row) => alerts.push(row)),
      totals: rows
        .groupBy('k')
        .agg(() => ({ c: count() }))
        .output.format('memory'),
      calls: rows.output.foreachBatch(async (all) => {
        calls += Number(await all.count())
      }),
    }))
    .start()
  stream.addData({ k: 'a', n: 1, at: at(0) }, { k: 'a', n: 2, at: at(1) }, { k: 'b', n: 3, at: at(2) })
  await query.processAllAvailable()
  expect(alerts).toEqual([{ name: 'Ann', n: 2 }])
  expect(calls).toBe(3)
  expect(engine.memoryTable('totals')).toEqual(
    expect.arrayContaining([
      { k: 'a', c: 2n },
      { k: 'b', c: 1n },
    ]),
  )
  expect(await engine.read.parquet(join(folder(), 'archive'), { n: t.int(), at: t.timestamp(), k: t.string() }).count()).toBe(3)
  const { sink, sources } = query.lastProgress!
  expect(sources[0]!.numInputRows).toBe(3)
  expect(sink.description).toMatch(
    /^Outputs\[archive: FileSink\[.*\], alerts: ForeachWriterTable, totals: MemorySink.*, calls: ForeachBatchSink\]$/,
  )
  expect(sink.metrics).toMatchObject({ 'archive.numOutputRows': '3', 'alerts.numOutputRows': '1', 'calls.numOutputRows': '-1' })
  await query.stop()
})

test('a crash between two sinks: the batch comes again, and the first counts it once', async () => {
  const { stream, frame } = events()
  const start = () =>
    frame
      .withWatermark('at', '1 second')
      .groupBy((row) => ({ w: window(row.at, '10 seconds') }))
      .agg(() => ({ c: count() }))
      .writeStream.option('checkpointLocation', join(folder(), 'cp'))
      .outputs((rows) => ({
        files: rows
          .select((row) => ({ c: row.c }))
          .output.format('json')
          .option('path', join(folder(), 'out')),
        other: rows.output.format('fragile'),
      }))
      .start()
  delivered.length = 0
  failing = true
  stream.addData({ k: 'a', n: 1, at: at(0) }, { k: 'a', n: 1, at: at(60) })
  const first = await start()
  await expect(first.processAllAvailable()).rejects.toThrow('the other side is down')
  failing = false
  const second = await start()
  await second.processAllAvailable()
  stream.addData({ k: 'a', n: 1, at: at(120) })
  await second.processAllAvailable()
  await second.stop()
  expect(await engine.read.json(join(folder(), 'out'), { c: t.long() }).collect()).toEqual([{ c: 1n }, { c: 1n }])
  expect(delivered.flatMap(({ rows }) => rows)).toHaveLength(2)
})

describe('what can not be an output', () => {
  const start = (f: (rows: any) => unknown, mode = 'append') =>
    (events().frame.writeStream as any).outputMode(mode).option('checkpointLocation', join(folder(), 'cp')).outputs(f).start()
  test.each([
    ['nothing', () => ({}), 'INVALID_OUTPUTS'],
    ['a frame', (rows: any) => ({ a: rows }), 'INVALID_OUTPUTS'],
    ['a name with a dot', (rows: any) => ({ 'a.b': rows.output.format('noop') }), 'INVALID_OUTPUTS'],
    ['a stream', () => ({ a: (events().frame as any).output.format('noop') }), 'INVALID_OUTPUTS'],
    ['a format that is not there', (rows: any) => ({ a: rows.output.format('parquette') }), 'DATA_SOURCE_NOT_FOUND'],
    ['partitions where there are none', (rows: any) => ({ a: rows.output.format('noop').partitionBy('k') }), 'PARTITION_BY_NOT_SUPPORTED'],
    ['files without a path', (rows: any) => ({ a: rows.output.format('json') }), 'MISSING_OPTION'],
  ])('%s', async (_what, f, code) => {
    await expect((async () => start(f))()).rejects.toMatchObject({ code })
  })
  test('a mode that one of them can not do', async () => {
    await expect(
      start((rows) => ({ a: rows.output.format('noop'), b: rows.output.format('json').option('path', join(folder(), 'x')) }), 'update'),
    ).rejects.toMatchObject({ code: 'STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE', message: expect.stringContaining('the output b') })
  })
  test('the checkpoint must last where one of the sinks needs it', async () => {
    await expect(
      events()
        .frame.writeStream.outputs((rows) => ({ a: rows.output.format('json').option('path', join(folder(), 'x')) }))
        .start(),
    ).rejects.toMatchObject({ code: 'CHECKPOINT_LOCATION_REQUIRED' })
  })
})
