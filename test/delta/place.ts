/** An engine and a folder for one table, for each test of a file. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Engine, millrace, type Row } from 'millrace'
import { DeltaTable } from 'millrace/delta'
import { afterEach, beforeEach } from 'vitest'

export interface DeltaPlace {
  readonly engine: Engine
  readonly folder: string
  table(): string
  delta(): DeltaTable
  /** The rows as JSON, sorted. */
  rows(options?: Record<string, string>): Promise<string[]>
  /** The actions of a commit. */
  commit(version: number): Promise<any[]>
  commits(): Promise<number>
  /** Names of the files of rows, sorted. */
  dataFiles(): Promise<string[]>
}

export function asText(rows: readonly Row[]): string[] {
  return rows.map((row) => JSON.stringify(row, (_, v) => (typeof v === 'bigint' ? Number(v) : v))).sort()
}

export function deltaPlace(): DeltaPlace {
  let engine: Engine
  let folder: string
  beforeEach(async () => {
    engine = await millrace.local()
    folder = await mkdtemp(join(tmpdir(), 'millrace-delta-'))
  })
  afterEach(async () => {
    await engine.close()
    await rm(folder, { recursive: true, force: true })
  })
  const table = () => join(folder, 'table')
  const log = () => join(table(), '_delta_log')
  return {
    get engine() {
      return engine
    },
    get folder() {
      return folder
    },
    table,
    delta: () => DeltaTable.forPath(engine, table()),
    rows: async (options = {}) => asText(await (await engine.read.format('delta').options(options).load(table())).collect()),
    commit: async (version) => {
      const text = await readFile(join(log(), `${String(version).padStart(20, '0')}.json`), 'utf8')
      return text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    },
    commits: async () => (await readdir(log())).filter((name) => name.endsWith('.json')).length,
    dataFiles: async () => (await readdir(table(), { recursive: true })).filter((name) => /^[^_].*\.parquet$/.test(name)).sort(),
  }
}
