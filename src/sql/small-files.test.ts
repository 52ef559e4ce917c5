import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LocalFiles } from '../base/local-files.ts'
import { emptyColumns } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import { type DataType, struct } from '../data/types.ts'
import { SqlEngine } from './sql-engine.ts'

let engine: SqlEngine
let folder: string
beforeAll(async () => {
  engine = await SqlEngine.open({ files: new LocalFiles(), threads: 2 })
  folder = mkdtempSync(join(tmpdir(), 'millrace-small-'))
})
afterAll(async () => {
  await engine.close()
  rmSync(folder, { recursive: true })
})

const field = (name: string, type: DataType) => ({ name, type, nullable: true })
const flat = new Schema([field('id', 'int'), field('at', 'timestamp'), field('name', 'string'), field('none', 'string')])
const nested = new Schema([...flat.fields, field('inner', struct([field('n', 'int')]))])
function fileOf(name: string, content: string) {
  const path = join(folder, name)
  writeFileSync(path, content)
  return { path, sizeBytes: Buffer.byteLength(content), modifiedMs: 0 }
}

test('of few rows only the columns that are read are looked at, and every row counts, also one that a filter drops', async () => {
  const lines = ['{"id":1,"at":"no time","name":"a","inner":{"n":1}}', '{"id":2,"at":3,"name":"b"}', '{"id":3}']
  const batch = { kind: 'files', format: 'json', files: [fileOf('a.json', lines.join('\n'))] } as const
  const read = async (columns: readonly number[], schema = flat) => {
    const sql = await engine.beginBatch({ batchTimestampMs: 0, salt: 'salt' })
    try {
      const rows = await sql.source('s', { ...batch, options: { mode: 'FAILFAST' }, read: new Set(columns) }, schema)
      const picked = new Schema(columns.map((at) => schema.fields[at]!))
      const list = columns.map((at, i) => `t0.c${at} AS c${i}`).join(', ')
      const kept = sql.fragment(`SELECT ${list} FROM ⟦0⟧ AS t0 WHERE t0.c0 > 1`, [rows], picked, [0])
      const measured = columns.includes(1) ? await sql.measure(kept, 1) : undefined
      return { rows: await sql.rowSet(kept).toObjects(), input: (await sql.inputRows()).get('s'), stats: measured?.stats }
    } finally {
      await sql.close()
    }
  }
  const names = [
    { id: 2, name: 'b' },
    { id: 3, name: null },
  ]
  expect(await read([0, 2])).toEqual({ rows: names, input: 3, stats: undefined })
  await expect(read([0, 1])).rejects.toThrow('MALFORMED_RECORD_IN_PARSING')
  // nested values are read where the files lie
  expect((await read([0, 4], nested)).rows).toEqual([
    { id: 2, inner: null },
    { id: 3, inner: null },
  ])
})

test('a few bytes may hold many rows', async () => {
  const sql = await engine.beginBatch({ batchTimestampMs: 0, salt: 'salt' })
  try {
    const path = join(folder, 'many.parquet')
    await sql.rowSet(sql.fragment('SELECT 7::INTEGER AS c0 FROM range(100000)', [], new Schema([field('id', 'int')]))).writeFiles({
      format: 'parquet',
      folder,
      fileName: () => 'many.parquet',
      partitionBy: [],
      options: {},
    })
    const files = [{ path, sizeBytes: (await new LocalFiles().stat(path))!.sizeBytes, modifiedMs: 0 }]
    expect(files[0]!.sizeBytes).toBeLessThan(10_000)
    const one = new Schema([field('id', 'int')])
    const rows = await sql.source('s', { kind: 'files', format: 'parquet', files, options: {} }, one)
    const sum = sql.fragment('SELECT sum(t0.c0)::BIGINT AS c0 FROM ⟦0⟧ AS t0', [rows], new Schema([field('sum', 'long')]))
    expect(await sql.rowSet(sum).toObjects()).toEqual([{ sum: 700_000n }])
    expect((await sql.inputRows()).get('s')).toBe(100_000)
  } finally {
    await sql.close()
  }
})

test('of no rows come none, unless something else than rows is computed of them', async () => {
  const sql = await engine.beginBatch({ batchTimestampMs: 0, salt: 'salt' })
  try {
    const one = new Schema([field('id', 'int')])
    const none = await sql.load(emptyColumns(one))
    const rows = sql.rowSet(sql.fragment('SELECT t0.c0 + 1 AS c0 FROM ⟦0⟧ AS t0', [none], one, [0]))
    expect(await rows.toObjects()).toEqual([])
    const written = { format: 'parquet', folder, fileName: () => 'none.parquet', partitionBy: [], options: {} } as const
    expect(await rows.writeFiles(written)).toEqual([])
    const count = sql.fragment('SELECT count(*)::INTEGER AS c0 FROM ⟦0⟧ AS t0', [none], one)
    expect(await sql.rowSet(count).toObjects()).toEqual([{ id: 0 }])
    // without columns
    const empty = sql.fragment('SELECT 1 FROM ⟦0⟧ AS t0', [none], new Schema([]), [0])
    expect(await sql.rowSet(sql.fragment('SELECT count(*)::INTEGER AS c0 FROM ⟦0⟧ AS t0', [empty], one)).toObjects()).toEqual([{ id: 0 }])
  } finally {
    await sql.close()
  }
})
