import { join } from 'node:path'
import type { Files } from '../base/files.ts'
import type { Action } from './actions.ts'
import { damagedLog } from './errors.ts'
import { parquetLibrary } from './library.ts'
import { type CheckpointFile, logFolder } from './log-files.ts'

/** The actions of one commit. */
export async function readCommit(files: Files, table: string, path: string): Promise<Action[]> {
  return parseLines(table, path, Buffer.from(await files.read(path)).toString('utf8'))
}

/** The actions of a checkpoint, those of its sidecars among them. */
export async function readCheckpoint(files: Files, table: string, checkpoint: CheckpointFile): Promise<Action[]> {
  const actions = await ownActions(files, table, checkpoint)
  const all = actions.filter(({ sidecar }) => !sidecar)
  for (const path of sidecarsIn(table, actions)) all.push(...(await readOne(files, table, path)))
  return all
}

/** Where the sidecars of a checkpoint lie. */
export async function sidecarsOf(files: Files, table: string, checkpoint: CheckpointFile): Promise<string[]> {
  return sidecarsIn(table, await ownActions(files, table, checkpoint))
}
export function sidecarFolder(table: string): string {
  return join(logFolder(table), '_sidecars')
}
function sidecarsIn(table: string, actions: readonly Action[]): string[] {
  return actions.flatMap(({ sidecar }) =>
    sidecar ? [sidecar.path.includes('/') ? sidecar.path : join(sidecarFolder(table), sidecar.path)] : [],
  )
}
async function ownActions(files: Files, table: string, { paths }: CheckpointFile): Promise<Action[]> {
  const actions: Action[] = []
  for (const path of paths) actions.push(...(await readOne(files, table, path)))
  return actions
}

async function readOne(files: Files, table: string, path: string): Promise<Action[]> {
  const content = await files.read(path)
  if (path.endsWith('.json')) return parseLines(table, path, Buffer.from(content).toString('utf8'))
  try {
    return await readParquet(content)
  } catch (cause) {
    throw damagedLog('DELTA_CHECKPOINT_NOT_READABLE', table, `its checkpoint ${path} can't be read`, cause)
  }
}

const columns = ['protocol', 'metaData', 'add', 'remove', 'txn', 'sidecar', 'domainMetadata'] as const

async function readParquet(content: Uint8Array): Promise<Action[]> {
  const { parquet, compressors } = await parquetLibrary()
  const file = content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength) as ArrayBuffer
  const metadata = parquet.parquetMetadata(file)
  const there = new Set(parquet.parquetSchema(metadata).children.map(({ element }) => element.name))
  const rows = await parquet.parquetReadObjects({
    file: { byteLength: file.byteLength, slice: (start, end) => file.slice(start, end) },
    metadata,
    columns: columns.filter((name) => there.has(name)),
    compressors,
  })
  return rows.map((row) => plain(row) as Action).filter((action) => columns.some((name) => action[name] != null))
}

/** Whole numbers as the log's JSON has them, and maps as objects. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, of]) => [key, plain(of)]))
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, plain(of)]))
  return value
}

function parseLines(table: string, path: string, text: string): Action[] {
  const actions: Action[] = []
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    try {
      actions.push(JSON.parse(line) as Action)
    } catch (cause) {
      throw damagedLog('DELTA_LOG_NOT_READABLE', table, `line ${i + 1} of ${path} is no JSON`, cause)
    }
  }
  return actions
}
