// The RocksDB provider under whole queries: chosen by configuration, kept by the checkpoint, its database a cache that is used only where it is right.
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, type Engine, millrace, type Row, sum, t, window } from 'millrace'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const providerClass = 'spark.sql.streaming.stateStore.providerClass'
const rocksdbClass = 'org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider'
const fields = { k: t.string(), at: t.timestamp(), v: t.long() }

let folder: string
let engine: Engine | undefined
let printed: string[]
let batches = 0
const checkpoint = () => join(folder, 'checkpoint')
const local = (...more: string[]) => join(checkpoint(), 'local', ...more)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-rocksdb-'))
  await mkdir(join(folder, 'in'))
  batches = 0
})
afterEach(async () => {
  await engine?.close()
  engine = undefined
  await rm(folder, { recursive: true, force: true })
})
async function open(conf: Record<string, string> = {}): Promise<Engine> {
  await engine?.close()
  printed = []
  engine = await millrace.local({ threads: 1, print: (line) => printed.push(line), conf: { [providerClass]: 'rocksdb', ...conf } })
  return engine
}

/** One file, which is a batch. */
async function arrive(...rows: readonly (readonly [k: string, second: number, v: number])[]): Promise<void> {
  const lines = rows.map(([k, second, v]) => JSON.stringify({ k, at: new Date(1_700_000_000_000 + second * 1000).toISOString(), v }))
  await writeFile(join(folder, 'in', `${String(batches++).padStart(3, '0')}.json`), `${lines.join('\n')}\n`)
}
/** A run over all that has come; what it shows of the last rows of each key, and its last progress. */
async function run(conf: Record<string, string> = {}) {
  const opened = await open(conf)
  const rows: Row[] = []
  const query = await opened.readStream
    .schema(fields)
    .option('maxFilesPerTrigger', 1)
    .json(join(folder, 'in'))
    .withWatermark('at', '10 seconds')
    .groupBy(({ at, k }) => ({ window: window(at, '10 seconds'), k }))
    .agg(({ v }) => ({ n: count(), total: sum(v) }))
    .select(({ k, n, total }) => ({ k, n, total }))
    .writeStream.outputMode('update')
    .trigger({ availableNow: true })
    .option('checkpointLocation', checkpoint())
    .foreachBatch(async (batch) => void rows.push(...(await batch.collect())))
    .start()
  await query.awaitTermination()
  const newest = new Map(rows.map((row) => [row['k'], `${row['n']} ${row['total']}`]))
  return { newest: Object.fromEntries([...newest].sort()), operator: query.lastProgress?.stateOperators[0] }
}

describe('the provider', () => {
  test.each(['rocksdb', 'ROCKSDB', rocksdbClass])('%s keeps its rows in a database in the checkpoint, over restarts', async (name) => {
    await arrive(['a', 1, 1], ['b', 1, 2])
    await arrive(['a', 2, 3])
    expect((await run({ [providerClass]: name })).newest).toEqual({ a: '2 4', b: '1 2' })
    expect(existsSync(local('db', 'CURRENT'))).toBe(true)
    await arrive(['b', 3, 5], ['c', 3, 6])
    // another name of the same provider is no other provider
    const { newest, operator } = await run({ [providerClass]: name === 'rocksdb' ? rocksdbClass : 'rocksdb' })
    expect(newest).toEqual({ b: '2 7', c: '1 6' })
    expect(printed.filter((line) => line.includes(providerClass))).toEqual([])
    expect(operator).toMatchObject({ numRowsTotal: 3 })
    expect(operator!.memoryUsedBytes).toBeGreaterThan(0)
    expect(operator!.customMetrics).toMatchObject({ rocksdbGetCount: expect.any(Number), rocksdbSstFileSize: expect.any(Number) })
  })

  test('is that of the checkpoint, whatever is configured later', async () => {
    await arrive(['a', 1, 1])
    await run({ [providerClass]: 'memory' })
    await arrive(['a', 2, 2])
    expect((await run()).newest).toEqual({ a: '2 3' })
    expect(printed).toContainEqual(expect.stringContaining(`the checkpoint keeps ${providerClass} = memory`))
    expect(existsSync(local())).toBe(false)
  })

  test('its database may lie elsewhere', async () => {
    await arrive(['a', 1, 1])
    await run({ 'millrace.stateStore.localFolder': join(folder, 'fast') })
    expect(existsSync(local())).toBe(false)
    const [query] = await readdir(join(folder, 'fast'))
    expect(await readdir(join(folder, 'fast', query!))).toEqual(['db'])
  })
})

describe('the database is a cache', () => {
  beforeEach(async () => {
    for (let i = 0; i < 4; i++) await arrive(['a', i, 1], [`k${i}`, i, 2])
    await run()
    await arrive(['a', 5, 10], ['k0', 5, 10])
  })
  const expected = { a: '5 14', k0: '2 12' }
  /** Not of the newest versions, which a start reads again. */
  const oldChangelog = () => join(checkpoint(), 'state/changelog/1-1')

  test('that spares a start what it holds', async () => {
    await writeFile(oldChangelog(), 'no changelog')
    expect((await run()).newest).toEqual(expected)
  })
  test('and is made anew where it is gone', async () => {
    await rm(local(), { recursive: true })
    expect((await run()).newest).toEqual(expected)
  })
  test('or damaged', async () => {
    await writeFile(local('db', 'CURRENT'), 'no such manifest')
    expect((await run()).newest).toEqual(expected)
    expect(printed).toContainEqual(expect.stringContaining('cannot be opened and is made anew'))
  })
  test('or not made of the changelogs that the checkpoint has', async () => {
    // a copy that goes another way comes to the same versions by runs of the same numbers
    const copy = join(folder, 'copy')
    await cp(checkpoint(), copy, { recursive: true })
    await arrive(['a', 6, 1000], ['k1', 6, 1000])
    await run()
    await rename(checkpoint(), join(folder, 'first'))
    await rename(copy, checkpoint())
    await rm(join(folder, 'in', '005.json'))
    batches--
    await arrive(['a', 6, 1])
    await run()
    await rm(local(), { recursive: true })
    await rename(join(folder, 'first/local'), local())
    await arrive(['a', 7, 1], ['k1', 7, 1])
    expect((await run()).newest).toEqual({ a: '7 16', k1: '2 3' })
  })
  test('the checkpoint is what counts: without the database a damaged changelog is told', async () => {
    await rm(local(), { recursive: true })
    await writeFile(oldChangelog(), 'no changelog')
    await expect(run()).rejects.toThrow(expect.objectContaining({ code: 'CHECKPOINT_FILE_CHECKSUM_VERIFICATION_FAILED' }))
  })
})
