import { basename } from 'node:path'
import type { CompactibleLog } from '../base/compactible-log.ts'
import type { Files } from '../base/files.ts'
import type { SinkFileEntry } from '../data/file-sink-log.ts'

const part = /^part-\d{5,}-b(\d+)-e(\d+)-([^.]{1,8})(\.|$)/

/** Whose part a path is (`queryId`: the start of it), where it has the name of one. */
export function partOf(path: string): { readonly batchId: number; readonly epoch: number; readonly queryId: string } | undefined {
  const match = part.exec(basename(path))
  return match ? { batchId: Number(match[1]), epoch: Number(match[2]), queryId: match[3]! } : undefined
}

/**
 * Deletes the parts of this query that earlier runs wrote and no log entry names. A part of a batch that is not in the log yet stays: the
 * run that wrote it may only have been frozen, and its entry, should it win, names the file.
 */
export async function removeLitter(
  folder: string,
  queryId: string,
  epoch: number,
  log: CompactibleLog<SinkFileEntry>,
  files: Files,
): Promise<void> {
  const named = new Set((await log.readAll()).map((entry) => entry.path))
  await visit(folder, files, async (path, name) => {
    const found = partOf(name)
    if (found?.queryId !== queryId.slice(0, 8) || found.epoch >= epoch || found.batchId > log.latestId || named.has(path)) return
    await files.delete(path)
  })
}

/** Partition folders are named `column=value`; nothing of ours lies in others. */
async function visit(folder: string, files: Files, onFile: (path: string, name: string) => Promise<void>): Promise<void> {
  for (const entry of await files.list(folder)) {
    if (!entry.isDirectory) await onFile(entry.path, entry.name)
    else if (entry.name.includes('=')) await visit(entry.path, files, onFile)
  }
}
