import { join } from 'node:path'
import type { Files } from '../base/files.ts'

/** A commit in `_delta_log`. */
export interface CommitFile {
  readonly version: number
  readonly path: string
  readonly modifiedMs: number
}
/** A checkpoint whose parts are all there. */
export interface CheckpointFile {
  readonly version: number
  readonly paths: readonly string[]
}
export interface LogFiles {
  /** By version, rising. */
  readonly commits: readonly CommitFile[]
  /** By version, rising. */
  readonly checkpoints: readonly CheckpointFile[]
}

export function logFolder(table: string): string {
  return join(table, '_delta_log')
}
export function commitPath(table: string, version: number): string {
  return join(logFolder(table), `${String(version).padStart(20, '0')}.json`)
}
export function checkpointPath(table: string, version: number): string {
  return join(logFolder(table), `${String(version).padStart(20, '0')}.checkpoint.parquet`)
}

/** What is in the log's folder; null where there is none. `_last_checkpoint` is only a hint, and the folder is listed anyway. */
export async function listLog(files: Files, table: string): Promise<LogFiles | null> {
  const folder = logFolder(table)
  const commits: CommitFile[] = []
  const parts = new Map<string, { version: number; of: number; paths: string[] }>()
  for (const { name, modifiedMs } of await files.list(folder)) {
    const commit = /^(\d{20})\.json$/.exec(name)
    if (commit) commits.push({ version: Number(commit[1]), path: join(folder, name), modifiedMs })
    const checkpoint = /^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10})|\.[0-9a-fA-F-]{36})?\.(parquet|json)$/.exec(name)
    if (!checkpoint) continue
    const version = Number(checkpoint[1])
    const of = Number(checkpoint[3] ?? 1)
    // the parts of one checkpoint say how many they are; all others are one file
    const key = checkpoint[3] === undefined ? name : `${version} of ${of}`
    const group = parts.get(key) ?? { version, of, paths: [] }
    group.paths.push(join(folder, name))
    parts.set(key, group)
  }
  if (commits.length === 0 && parts.size === 0) return null
  const checkpoints = [...parts.values()]
    .filter(({ of, paths }) => paths.length === of)
    .map(({ version, paths }) => ({ version, paths: paths.sort() }))
  return {
    commits: commits.sort((a, b) => a.version - b.version),
    checkpoints: checkpoints.sort((a, b) => a.version - b.version),
  }
}
