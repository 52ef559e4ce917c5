import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { LocalFiles } from '../base/local-files.ts'
import { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import { columnsToRows, rowsToColumns, Temporal } from '../data/values.ts'
import { runChecks } from '../testing/conformance.ts'
import { SimFileSystem } from '../testing/sim-file-system.ts'
import { sourceConformance } from '../testing/source-conformance.ts'
import { tempFolder } from '../testing/temp-folder.ts'
import { MemoryStream, memoryProvider } from './memory-stream.ts'
import type { SourceContext } from './provider.ts'
import { sourceProviders } from './providers.ts'
import { rateMicroBatchProvider } from './rate-micro-batch-source.ts'
import { rateProvider, rateSchema, valueAtSecond } from './rate-source.ts'
import type { Offset } from './source.ts'

const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
async function runSql(batch: SourceBatch): Promise<[number, number][]> {
  if (batch.kind !== 'sql') throw new Error(batch.kind)
  const reader = await connection.runAndReadAll(
    `SELECT epoch_us("timestamp"), "value", typeof("timestamp"), typeof("value") FROM (${batch.sql})`,
  )
  const rows = reader.getRowsJS()
  expect(rows.length).toBe(batch.numRows)
  for (const row of rows) expect([row[2], row[3]]).toEqual(['TIMESTAMP', 'BIGINT'])
  return rows.map((row) => [Number(row[0]) / 1000, Number(row[1])])
}
const rowsOf = async (batch: SourceBatch) => (await runSql(batch)).map((row) => JSON.stringify(row))

function context(format: string, folder: string, more: Partial<SourceContext> = {}): SourceContext {
  return {
    format,
    schema: rateSchema,
    options: {},
    metadataFolder: `${folder}/sources/0`,
    files: new LocalFiles(),
    clock: new ManualClock(),
    checkFence: async () => {},
    conf: () => undefined,
    ...more,
  }
}
const all = { kind: 'all' } as const

async function blockCount(rows: Promise<SourceBatch>): Promise<number> {
  const batch = await rows
  return batch.kind === 'columns' ? batch.batches.length : Number.NaN
}

describe('rate', () => {
  describe('conformance', () => {
    runChecks(
      sourceConformance(
        async () => {
          const folder = await tempFolder()
          const clock = new ManualClock(1_700_000_000_123)
          // the source begins with its first look at the clock
          await (await rateProvider.open(context('rate', folder.path, { clock }))).latestOffset(null, all)
          return {
            open: () => rateProvider.open(context('rate', folder.path, { clock, options: { rowsPerSecond: '3' } })),
            addData: async () => clock.advance(2000),
            rowsOf: async (batch) => (await runSql(batch)).map(([, value]) => String(value)),
            close: folder.remove,
          }
        },
        { 'a limit is kept, and is never so small that nothing moves': 'the rate source has no limit: time makes its batches' },
      ),
      { test, skip: test.skip },
    )
  })

  test('rows stand evenly in the seconds of their batch, counted from the first start', async () => {
    await using folder = await tempFolder()
    const clock = new ManualClock(10_500)
    const options = { rowsPerSecond: '2' }
    const source = await rateProvider.open(context('rate', folder.path, { clock, options }))
    expect(await source.latestOffset(null, all)).toBeNull()
    clock.advance(2999)
    expect(await source.latestOffset(null, all)).toBe(2)
    expect(await runSql(await source.rows(null, 2))).toEqual([
      [10_500, 0],
      [11_000, 1],
      [11_500, 2],
      [12_000, 3],
    ])
    const restarted = await rateProvider.open(context('rate', folder.path, { clock, options }))
    clock.advance(1)
    expect(await restarted.latestOffset(2, all)).toBe(3)
    expect(await runSql(await restarted.rows(2, 3))).toEqual([
      [12_500, 4],
      [13_000, 5],
    ])
  })

  test('the rate ramps up as Spark’s does', () => {
    expect([0, 1, 2, 3, 4, 5, 6].map((second) => Number(valueAtSecond(second, { rowsPerSecond: 10n, rampUpSeconds: 4 })))).toEqual([
      0, 2, 6, 12, 20, 30, 40,
    ])
    expect(valueAtSecond(10, { rowsPerSecond: 10n ** 15n, rampUpSeconds: 0 })).toBe(10n ** 16n)
  })

  test('a start whose writer was killed over it is durable for the next run', async () => {
    await using folder = await tempFolder()
    const killed = new SimFileSystem(folder.path)
    killed.crashAt({ matches: ({ kind }) => kind === 'link', when: 'after' })
    const on = (sim: SimFileSystem, nowMs: number) =>
      rateProvider.open(context('rate', folder.path, { clock: new ManualClock(nowMs), files: new LocalFiles(sim) }))
    await expect((await on(killed, 10_000)).latestOffset(null, all)).rejects.toThrow('simulated crash')
    const second = await killed.restart()
    expect(await (await on(second, 12_000)).latestOffset(null, all)).toBe(2)
    await second.losePower({ unsynced: 'drop', entries: 'undo' })
    expect(await (await on(await second.restart(), 13_000)).latestOffset(2, all)).toBe(3)
  })

  test('a clock that goes back takes nothing back', async () => {
    await using folder = await tempFolder()
    const clock = new ManualClock(10_000)
    const source = await rateProvider.open(context('rate', folder.path, { clock }))
    await source.latestOffset(null, all)
    clock.setTime(15_000)
    expect(await source.latestOffset(null, all)).toBe(5)
    clock.setTime(1000)
    expect(await source.latestOffset(5, all)).toBe(5)
    expect(await (await rateProvider.open(context('rate', folder.path, { clock }))).latestOffset(5, all)).toBe(5)
  })

  test('what is wrong is told', () => {
    expect(() => rateProvider.schemaOf('rate', undefined, { rowsPerSecond: '0' })).toThrow(/INVALID_OPTION_VALUE/)
    expect(() => rateProvider.schemaOf('rate', undefined, { rowPerSecond: '1' })).toThrow(/rowsPerSecond/)
    expect(() => rateProvider.schemaOf('rate', rateSchema, {})).toThrow(/UNSUPPORTED_USER_SPECIFIED_SCHEMA/)
    expect(() => rateProvider.schemaOf('rate', undefined, { rowsPerSecond: String(2n ** 63n) })).toThrow(/INVALID_OPTION_VALUE/)
  })
})

describe('rate-micro-batch', () => {
  const options = { rowsPerBatch: '10', startTimestamp: '1000', advanceMillisPerBatch: '50' }
  const open = () => rateMicroBatchProvider.open(context('rate-micro-batch', '/nowhere', { options }))

  describe('conformance', () => {
    const endless = 'there is always a next batch'
    runChecks(
      sourceConformance(async () => ({ open, addData: async () => {}, rowsOf, limit: all }), {
        'before the first data there is nothing to read': endless,
        'new data move the offset, and no new data leave it where it is': endless,
        'after a restart the same offsets give the same rows': endless,
        'a crash before the offset was used neither loses nor doubles rows': endless,
        'batches are cut from the whole, whatever restarts lie between': endless,
        'a limit is kept, and is never so small that nothing moves': endless,
        'AvailableNow reads what was there at its start and nothing newer': endless,
      }),
      { test, skip: test.skip },
    )
  })

  test('L4: batch n has the values 10n to 10n+9 at 1000+50n ms; a restart goes on exactly', async () => {
    let source = await open()
    let start: Offset | null = null
    for (let n = 0; n < 6; n++) {
      if (n % 2 === 0) source = await open()
      const end: Offset | null = await source.latestOffset(start, all)
      expect(end).toEqual({ offset: 10 * n + 10, timestamp: 1050 + 50 * n })
      expect(await runSql(await source.rows(start, end))).toEqual(Array.from({ length: 10 }, (_, i) => [1000 + 50 * n, 10 * n + i]))
      start = end
    }
  })

  test('an AvailableNow run takes one batch', async () => {
    const source = await open()
    await source.prepareForAvailableNow!()
    const end = await source.latestOffset({ offset: 10, timestamp: 1050 }, all)
    expect(end).toEqual({ offset: 20, timestamp: 1100 })
    expect(await source.latestOffset(end, all)).toEqual(end)
  })

  test('rowsPerBatch is needed', () => {
    expect(() => rateMicroBatchProvider.schemaOf('rate-micro-batch', undefined, {})).toThrow(/MISSING_OPTION.*rowsPerBatch/)
    expect(() => rateMicroBatchProvider.schemaOf('rate-micro-batch', undefined, { rowsPerBatch: 'x' })).toThrow(/INVALID_OPTION_VALUE/)
  })
})

describe('memory', () => {
  const schema = new Schema([
    { name: 'n', type: 'long', nullable: false },
    { name: 'at', type: 'timestamp', nullable: true },
  ])
  const open = (stream: MemoryStream) => memoryProvider.open(context('memory', '/nowhere', { schema, instance: stream }))

  describe('conformance', () => {
    runChecks(
      sourceConformance(async () => {
        const stream = new MemoryStream(schema)
        let n = 0
        return {
          open: () => open(stream),
          addData: async () => void stream.addData({ n: n++ }, { n: n++, at: new Date(n) }),
          limit: { kind: 'max-rows', count: 3 },
        }
      }),
      { test, skip: test.skip },
    )
  })

  test('a block for each call, -1 before the first; columns are taken as they are', async () => {
    const stream = new MemoryStream<{ n: number; at?: string }>(schema)
    const source = await open(stream as never)
    expect(stream.latestOffset).toBe(-1)
    expect(stream.addData({ n: 1, at: '2026-01-31T00:00:00Z' })).toBe(0)
    expect(stream.addData()).toBe(1)
    const columns = rowsToColumns(schema, [{ n: 2n, at: null }])
    expect(stream.addColumns(columns)).toBe(2)
    expect(await source.latestOffset(-1, all)).toBe(2)
    const batch = await source.rows(null, 2)
    if (batch.kind !== 'columns') throw new Error(batch.kind)
    expect(batch.batches.map((each) => each.length)).toEqual([1, 0, 1])
    expect(batch.batches[2]).toBe(columns)
    expect(columnsToRows(batch.batches[0]!)[0]!['at']).toEqual(Temporal.Instant.from('2026-01-31T00:00:00Z'))
  })

  test('a new stream over an old checkpoint waits until it was fed again', async () => {
    const stream = new MemoryStream<{ n: number }>(schema)
    stream.addData({ n: 1 })
    const source = await open(stream as never)
    expect(await source.latestOffset(1, all)).toBe(1)
    await expect(source.rows(0, 1)).rejects.toMatchObject({ code: 'MEMORY_STREAM_BLOCKS_MISSING' })
    stream.addData({ n: 2 })
    expect(await blockCount(source.rows(0, 1))).toBe(1)
  })

  test('blocks go when every query has committed them', async () => {
    const stream = new MemoryStream<{ n: number }>(schema)
    const [one, other] = [await open(stream as never), await open(stream as never)]
    for (const n of [0, 1, 2]) stream.addData({ n })
    await one.commit(1)
    expect(await blockCount(other.rows(null, 2))).toBe(3)
    await other.commit(0)
    await expect(other.rows(null, 2)).rejects.toMatchObject({ code: 'MEMORY_STREAM_BLOCKS_DROPPED' })
    expect(await blockCount(other.rows(0, 2))).toBe(2)
    await other.stop()
    await one.commit(1)
    await expect(one.rows(0, 2)).rejects.toMatchObject({ code: 'MEMORY_STREAM_BLOCKS_DROPPED' })
  })

  test('a wrong row adds nothing; wrong columns are refused; listeners hear of each block', async () => {
    const stream = new MemoryStream(schema)
    let heard = 0
    const end = stream.onData(() => heard++)
    expect(() => stream.addData({ n: 1 }, { n: null })).toThrow(/NOT_NULL_ASSERT_VIOLATION.*rows\[1\]\.n/)
    expect(() => stream.addColumns(rowsToColumns(rateSchema, []))).toThrow(/DATATYPE_MISMATCH.*value bigint.*n bigint/)
    expect([stream.latestOffset, heard]).toEqual([-1, 0])
    stream.addData({ n: 1 })
    end()
    stream.addData({ n: 1 })
    expect(heard).toBe(1)
    await expect(memoryProvider.open(context('memory', '/nowhere'))).rejects.toMatchObject({ code: 'MEMORY_STREAM_MISSING' })
  })
})

test('every format has one provider', () => {
  const formats = sourceProviders.flatMap((provider) => provider.formats)
  expect(formats).toEqual(['json', 'csv', 'parquet', 'text', 'binaryfile', 'rate', 'rate-micro-batch', 'socket', 'memory'])
})
