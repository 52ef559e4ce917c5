// With availableNow, a query with state reads the next batch while it writes the one before: what comes out, and what fails, is as if it did not.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  avg,
  col,
  collect_set,
  count,
  type Engine,
  max,
  millrace,
  type QueryProgress,
  Schema,
  type Source,
  type SourceProvider,
  size,
  window,
} from 'millrace'
import { afterEach, beforeEach, expect, test } from 'vitest'

let folder: string
let engines: Engine[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-ahead-'))
  engines = []
})
afterEach(async () => {
  for (const engine of engines) await engine.close()
  rmSync(folder, { recursive: true })
})

interface Numbered {
  readonly calls: string[]
  readonly provider: SourceProvider
}
/** Batches 1 … `batches` of `rows` rows each, ten seconds apart. `fails`: the batch whose rows can't be read. */
function numbered(batches: number, rows: number, settings: { fails?: number; readsAhead?: boolean } = {}): Numbered {
  const calls: string[] = []
  const schema = new Schema([
    { name: 'at', type: 'timestamp', nullable: false },
    { name: 'n', type: 'long', nullable: false },
  ])
  const provider: SourceProvider = {
    formats: ['numbered'],
    schemaOf: () => schema,
    open: async (): Promise<Source> => ({
      schema,
      description: 'numbered',
      readLimit: { kind: 'all' },
      readsAhead: settings.readsAhead ?? true,
      latestOffset: async (start) => {
        calls.push(`latest ${start ?? 0}`)
        return Math.min(batches, ((start as number | null) ?? 0) + 1)
      },
      rows: async (_start, end) => {
        calls.push(`rows ${end}`)
        if (end === settings.fails) throw new Error(`batch ${end} can't be read`)
        const time = `make_timestamp(${1_700_000_000_000_000 + (end as number) * 10_000_000} + i * 1000)`
        return { kind: 'sql', sql: `SELECT ${time}, i % 7 FROM range(${rows}) r(i)`, numRows: rows }
      },
      prepareForAvailableNow: async () => {},
      commit: async (end) => {
        calls.push(`commit ${end}`)
      },
      stop: async () => {
        calls.push('stop')
      },
    }),
  }
  return { calls, provider }
}

async function run({ provider, calls }: Numbered, conf: Record<string, string> = {}, checkpoint = 'checkpoint') {
  const engine = await millrace.local({ threads: 2, sources: [provider], conf })
  engines.push(engine)
  const rows: string[] = []
  const progress: QueryProgress[] = []
  engine.streams.addListener({ onQueryProgress: ({ progress: one }) => void progress.push(one) })
  const query = await engine.readStream
    .format('numbered')
    .load()
    .withWatermark('at', '20 seconds')
    .groupBy(() => ({ window: window(col('at'), '10 seconds'), n: col('n') }))
    .agg(() => ({ rows: count(), last: max(col('at')), mean: avg(col('n')), times: size(collect_set(col('at'))) }))
    .writeStream.outputMode('append')
    .trigger({ availableNow: true })
    .option('checkpointLocation', join(folder, checkpoint))
    .foreachBatch(async (batch, batchId) => {
      calls.push(`sink ${batchId}`)
      for (const row of await batch.collect())
        rows.push(JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? Number(value) : value)))
    })
    .start()
  const failure = await query.awaitTermination().then(
    () => null,
    (error: unknown) => error,
  )
  await new Promise(setImmediate)
  return { rows, progress, failure }
}

test.each([
  ['few rows', 100],
  ['many rows', 20_000],
])('%s: the next batch is read before the sink has the one before, and all comes out as without it', async (_, count) => {
  const ahead = numbered(8, count)
  const got = await run(ahead)
  expect(got.failure).toBeNull()
  const at = (call: string) => ahead.calls.indexOf(call)
  for (let batch = 1; batch < 7; batch++) {
    expect(at(`rows ${batch + 1}`), `rows ${batch + 1}`).toBeLessThan(at(`sink ${batch - 1}`))
    // in its turn: the batch before has been read, and is in the log
    expect(at(`rows ${batch + 1}`)).toBeGreaterThan(at(`rows ${batch}`))
    expect(ahead.calls.filter((call) => call === `rows ${batch}`)).toHaveLength(1)
  }
  const off = numbered(8, count)
  const plain = await run(off, { 'millrace.readAhead': 'false' }, 'plain')
  expect(off.calls.indexOf('rows 3')).toBeGreaterThan(off.calls.indexOf('sink 1'))
  expect(got.rows.toSorted()).toEqual(plain.rows.toSorted())
  expect(got.rows.length).toBeGreaterThan(20)
  const told = ({ batchId, numInputRows, eventTime, stateOperators, sources }: QueryProgress) => ({
    batchId,
    numInputRows,
    eventTime,
    states: stateOperators.map(({ numRowsTotal, numRowsUpdated, numRowsRemoved }) => ({ numRowsTotal, numRowsUpdated, numRowsRemoved })),
    offsets: sources.map(({ startOffset, endOffset }) => [startOffset, endOffset]),
  })
  expect(got.progress.map(told)).toEqual(plain.progress.map(told))
})

test('a source that does not say so is asked for one batch at a time', async () => {
  const source = numbered(4, 100, { readsAhead: false })
  expect((await run(source)).failure).toBeNull()
  expect(source.calls.indexOf('rows 2')).toBeGreaterThan(source.calls.indexOf('sink 0'))
})

test('rows that can not be read fail their own batch: the one before is committed, and the next start goes on', async () => {
  const broken = numbered(6, 100, { fails: 4 })
  const got = await run(broken)
  expect(String(got.failure)).toContain("batch 4 can't be read")
  expect(got.progress.map(({ batchId }) => batchId)).toEqual([0, 1, 2])
  expect(broken.calls.at(-1)).toBe('stop')
  const rest = await run(numbered(6, 100))
  expect(rest.failure).toBeNull()
  const whole = await run(numbered(6, 100), {}, 'whole')
  expect([...got.rows, ...rest.rows].toSorted()).toEqual(whole.rows.toSorted())
})

test('a query that is stopped leaves the batch that was read ahead to the next start', async () => {
  const source = numbered(40, 100)
  const engine = await millrace.local({ threads: 2, sources: [source.provider] })
  engines.push(engine)
  const query = await engine.readStream
    .format('numbered')
    .load()
    .withWatermark('at', '20 seconds')
    .groupBy(() => ({ window: window(col('at'), '10 seconds') }))
    .agg(() => ({ rows: count() }))
    .writeStream.outputMode('update')
    .trigger({ availableNow: true })
    .option('checkpointLocation', join(folder, 'stopped'))
    .foreachBatch(async (_, batchId) => {
      source.calls.push(`sink ${batchId}`)
      if (batchId === 3n) void query.stop()
    })
    .start()
  await query.awaitTermination()
  const reads = source.calls.filter((call) => call.startsWith('rows ')).length
  const sinks = source.calls.filter((call) => call.startsWith('sink ')).length
  expect(reads - sinks).toBeLessThanOrEqual(1)
  expect(source.calls.at(-1)).toBe('stop')
  expect(sinks).toBeLessThan(40)
})
