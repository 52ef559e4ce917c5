import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Anomaly, Result } from './anomalies.ts'
import { type ResultRow, resultOf } from './result-row.ts'

interface Action {
  readonly add?: { readonly path: string }
  readonly remove?: { readonly path: string }
  readonly txn?: { readonly appId: string; readonly version: number }
}

/** Reads a Delta table by its log alone: the rows of all files that it names, and batches that it has twice. Nothing of Millrace's own is used. */
export async function readDelta(table: string): Promise<{ results: Result[]; anomalies: Anomaly[] }> {
  const log = join(table, '_delta_log')
  const versions = existsSync(log) ? readdirSync(log).filter((name) => /^\d{20}\.json$/.test(name)) : []
  const files = new Map<string, string>()
  const transactions = new Map<string, string>()
  const anomalies: Anomaly[] = []
  for (const version of versions.sort()) {
    for (const line of readFileSync(join(log, version), 'utf8').trim().split('\n')) {
      const { add, remove, txn } = JSON.parse(line) as Action
      if (add) files.set(decodeURIComponent(add.path), version)
      if (remove) files.delete(decodeURIComponent(remove.path))
      if (!txn) continue
      const batch = `batch ${txn.version} of ${txn.appId}`
      const before = transactions.get(batch)
      if (before !== undefined) anomalies.push({ kind: 'duplicate', what: `${batch} is in ${before} and in ${version}` })
      transactions.set(batch, version)
    }
  }
  return { results: files.size === 0 ? [] : await rowsOf(table, files), anomalies }
}

async function rowsOf(table: string, files: ReadonlyMap<string, string>): Promise<Result[]> {
  const duckdb = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await duckdb.connect()
  try {
    const results: Result[] = []
    for (const [path, version] of files) {
      const rows = await connection.runAndReadAll(`SELECT to_json(t) FROM read_parquet('${join(table, path)}') t`)
      for (const [text] of rows.getRows() as [string][]) {
        results.push(resultOf(JSON.parse(text) as ResultRow, `${version.slice(0, 20)} ${path}`, false))
      }
    }
    return results
  } finally {
    connection.closeSync()
    duckdb.closeSync()
  }
}
