import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, describe, expect, test } from 'vitest'
import { MemoryStream, millrace, t } from '../../src/index.ts'
import { tempFolders } from './temp-folders.ts'

const engine = await millrace.local()
const duckdb = await (await DuckDBInstance.create()).connect()
afterAll(async () => {
  duckdb.closeSync()
  await engine.close()
})
const folder = tempFolders()

async function sql(text: string): Promise<unknown[][]> {
  return (await duckdb.runAndReadAll(text)).getRowsJson() as unknown[][]
}
/** Part files below a folder, with their sizes. */
function parts(path: string): { path: string; bytes: number }[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => /(^|\/)part-/.test(name))
    .map((name) => ({ path: join(path, name), bytes: statSync(join(path, name)).size }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}
async function stream(
  rows: { k: string; n: number }[],
  options: Record<string, string | number>,
  format: string,
  partitionBy: string[] = [],
) {
  const source = new MemoryStream(engine, { k: t.string(), n: t.int() })
  const out = join(folder(), 'out')
  let writer = source.toDF().writeStream.format(format).options(options).option('checkpointLocation', join(folder(), 'cp'))
  if (partitionBy.length > 0) writer = writer.partitionBy(...(partitionBy as ['k']))
  const query = await writer.start(out)
  source.addData(...rows)
  await query.processAllAvailable()
  return { out, query, source }
}
const rows = (count: number) => Array.from({ length: count }, (_, n) => ({ k: `k${n % 3}`, n }))

describe('a file is full', () => {
  test('maxRecordsPerFile: so many rows a file, none lost, and the reader finds all', async () => {
    const { out, query } = await stream(rows(25), { maxRecordsPerFile: 10 }, 'parquet')
    expect(await Promise.all(parts(out).map(async ({ path }) => (await sql(`SELECT count(*)::INT FROM '${path}'`))[0]![0]))).toEqual([
      10, 10, 5,
    ])
    expect(await engine.read.parquet(out, { k: t.string(), n: t.int() }).count()).toBe(25)
    expect(query.lastProgress!.sink.numOutputRows).toBe(25)
    await query.stop()
  })
  test('in each partition for itself', async () => {
    const { out, query } = await stream(rows(25), { maxRecordsPerFile: 5 }, 'json', ['k'])
    expect(parts(out).map(({ path }) => path.slice(out.length + 1, out.length + 5))).toEqual([
      'k=k0',
      'k=k0',
      'k=k1',
      'k=k1',
      'k=k2',
      'k=k2',
    ])
    expect(await sql(`SELECT count(*)::INT, sum(n)::INT FROM read_json('${out}/*/*.json')`)).toEqual([[25, 300]])
    await query.stop()
  })
  test('targetFileSize: what a row takes is learnt from the batch before', async () => {
    const { out, query, source } = await stream(rows(2000), { targetFileSize: '8k' }, 'csv')
    expect(parts(out)).toHaveLength(1)
    source.addData(...rows(4000))
    await query.processAllAvailable()
    const later = parts(out).filter(({ path }) => path.includes('-b1-'))
    expect(later.length).toBeGreaterThan(3)
    for (const { bytes } of later.slice(0, -1)) {
      expect(bytes).toBeGreaterThan(4 * 1024)
      expect(bytes).toBeLessThan(12 * 1024)
    }
    expect((await sql(`SELECT count(*)::INT FROM read_csv('${out}/*.csv', header = false)`))[0]![0]).toBe(6000)
    await query.stop()
  })
  test('a batch DataFrame too', async () => {
    const out = join(folder(), 'out')
    await engine.createDataFrame(rows(7), { k: t.string(), n: t.int() }).write.option('maxRecordsPerFile', 3).parquet(out)
    expect(parts(out)).toHaveLength(3)
    expect((await sql(`SELECT count(*)::INT FROM '${out}/*.parquet'`))[0]![0]).toBe(7)
  })
})

test('parquet: row groups and compression', async () => {
  const { out, query } = await stream(rows(5000), { rowGroupSize: 2048, compression: 'zstd', compressionLevel: 9 }, 'parquet')
  const meta = await sql(
    `SELECT DISTINCT row_group_id::INT, row_group_num_rows::INT, compression FROM parquet_metadata('${parts(out)[0]!.path}') ORDER BY 1`,
  )
  expect(meta).toEqual([
    [0, 2048, 'ZSTD'],
    [1, 2048, 'ZSTD'],
    [2, 904, 'ZSTD'],
  ])
  await query.stop()
})

test.each([
  ['parquet', { maxRecordsPerFile: -1 }, 'INVALID_OPTION_VALUE'],
  ['parquet', { targetFileSize: 'big' }, 'INVALID_OPTION_VALUE'],
  ['parquet', { rowGroupSize: 0 }, 'INVALID_OPTION_VALUE'],
  ['parquet', { compressionLevel: 3 }, 'INVALID_OPTION_VALUE'],
  ['parquet', { 'parquet.block.size': 1024 }, 'UNSUPPORTED_OPTION'],
  ['json', { timestampFormat: 'yyyy' }, 'UNSUPPORTED_OPTION'],
  ['csv', { sepp: ',' }, 'UNKNOWN_OPTION'],
])('%s with %j is refused by a batch writer before anything is written', async (format, options, code) => {
  const out = join(folder(), 'out')
  const frame = engine.createDataFrame(rows(2), { k: t.string(), n: t.int() })
  await expect(frame.write.format(format).options(options).save(out)).rejects.toMatchObject({ code })
  expect(existsSync(out) ? parts(out) : []).toEqual([])
})
test.each([
  ['parquet', { targetFileSize: '0' }, 'INVALID_OPTION_VALUE'],
  ['parquet', { 'parquet.block.size': 1024 }, 'UNSUPPORTED_OPTION'],
  ['csv', { sepp: ',' }, 'UNKNOWN_OPTION'],
])('%s with %j is refused by start()', async (format, options, code) => {
  await expect(stream(rows(1), options, format)).rejects.toMatchObject({ code })
})
