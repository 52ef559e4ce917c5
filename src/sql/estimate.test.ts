import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LocalFiles } from '../base/local-files.ts'
import { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import { rowsToColumns } from '../data/values.ts'
import { readColumns } from './read-vectors.ts'
import { SqlRelation } from './relation.ts'
import type { Relation, SqlBatch } from './sql-batch.ts'
import type { SqlBatchRun } from './sql-batch-run.ts'
import { SqlEngine } from './sql-engine.ts'

let engine: SqlEngine
let folder: string
beforeAll(async () => {
  engine = await SqlEngine.open({ files: new LocalFiles(), threads: 2 })
  folder = mkdtempSync(join(tmpdir(), 'millrace-estimate-'))
})
afterAll(async () => {
  await engine.close()
  rmSync(folder, { recursive: true })
})

const text = { name: 'text', type: 'string', nullable: true } as const
const events = new Schema([{ name: 'kind', type: 'int', nullable: true }, { name: 'key', type: 'long', nullable: true }, text])
const table = new Schema([{ name: 'key', type: 'long', nullable: true }, text])
const joined = new Schema([events.fields[1]!, text])
const joinSql = 'SELECT t0.c1 AS c0, t1.c1 AS c1 FROM (SELECT * FROM ⟦0⟧ AS s WHERE s.c0 = 1) AS t0 JOIN ⟦1⟧ AS t1 ON (t0.c1 = t1.c0)'

function fileOf(rows: number): SourceBatch {
  const path = join(folder, `${rows}.json`)
  const lines = Array.from({ length: rows }, (_, i) => JSON.stringify({ kind: i % 2, key: i % 100, text: 'x'.repeat(200) }))
  const content = `${lines.join('\n')}\n`
  writeFileSync(path, content)
  return { kind: 'files', format: 'json', files: [{ path, sizeBytes: content.length, modifiedMs: 0 }], options: {} }
}
async function joinOf(sql: SqlBatch, rows: number, keys: number): Promise<Relation> {
  const stream = await sql.source('s', fileOf(rows), events)
  const values = Array.from({ length: keys }, (_, i) => ({ key: i, text: `name ${i}` }))
  return sql.fragment(joinSql, [stream, await sql.load(rowsToColumns(table, values))], joined)
}

interface PlanNode {
  readonly name: string
  readonly children: readonly PlanNode[]
}
const has = (node: PlanNode, name: string): boolean => node.name.trim() === name || node.children.some((child) => has(child, name))
const find = (node: PlanNode, name: string): PlanNode | undefined =>
  node.name.trim() === name ? node : node.children.map((child) => find(child, name)).find((found) => found !== undefined)

/** Which side of the join DuckDB keeps in memory. */
async function keptSide(rows: number, keys: number): Promise<'stream' | 'table'> {
  const sql = await engine.beginBatch({ batchTimestampMs: 0, salt: 'salt' })
  try {
    const { select } = SqlRelation.of(await joinOf(sql, rows, keys))
    const result = await (sql as SqlBatchRun).session.run(`EXPLAIN (FORMAT json) ${select}`)
    const [, plan] = readColumns(result, new Schema([text, text])).columns
    const { heap } = plan as { heap: Uint8Array }
    const root = find({ name: '', children: JSON.parse(Buffer.from(heap).toString()) }, 'HASH_JOIN')!
    return has(root.children[1]!, 'READ_JSON') ? 'stream' : 'table'
  } finally {
    await sql.close()
  }
}

test('a join keeps the side with fewer rows, whether those are a file’s or a table’s', async () => {
  expect(await keptSide(20_000, 1000)).toBe('table')
  expect(await keptSide(100, 4000)).toBe('stream')
})

test('the rows and their count are the same', async () => {
  const sql = await engine.beginBatch({ batchTimestampMs: 0, salt: 'salt' })
  try {
    const rows = await sql.rowSet(await joinOf(sql, 2000, 50)).toObjects()
    expect(rows).toHaveLength(500)
    expect(rows.every(({ key, text }) => text === `name ${key}`)).toBe(true)
    expect((await sql.inputRows()).get('s')).toBe(2000)
  } finally {
    await sql.close()
  }
})

test('what is not joined is read as it is', async () => {
  const sql = await engine.beginBatch({ batchTimestampMs: 0, salt: 'salt' })
  try {
    const stream = await sql.source('s', fileOf(10), events)
    expect(SqlRelation.of(sql.fragment('SELECT t0.c1 AS c0 FROM ⟦0⟧ AS t0', [stream], joined)).select).not.toContain('millrace_no_rows')
  } finally {
    await sql.close()
  }
})
