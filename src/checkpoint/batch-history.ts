/**
 * `history/<n>.jsonl`: what the batches did whose entries have left the logs, a line each, for as long as the retention says. With it, and with the restore points of the
 * state, a checkpoint can be copied as it stood after a batch of last week. Nothing that a query does reads it; a crash may lose the last lines, which the next start
 * makes up for from the logs.
 */
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Files } from '../base/files.ts'
import { type LineFile, LineLog, lineFiles, readLines } from '../base/line-log.ts'
import type { BatchLog, CommitEntry, OffsetEntry } from './checkpoint.ts'
import { listBatchIds } from './metadata-log.ts'

/** A committed batch as the history has it. */
export interface BatchRecord {
  readonly batchId: number
  readonly offsets: OffsetEntry
  readonly commit: CommitEntry
  /** Where its sources began, which is where the batch before it ended. */
  readonly before: Readonly<Record<string, unknown>>
}

export interface BatchHistorySettings {
  readonly files: Files
  readonly checkpointFolder: string
  readonly queryId: string
  readonly retentionMs: number
  /** All files together. */
  readonly maxBytes: number
  readonly nowMs: () => number
  readonly warn: (text: string) => void
}

const maxFileBytes = 4 << 20
/** What the checkpoint pins hardly ever changes: it is told where it has, and every so many lines. */
const linesPerConf = 1000

export class BatchHistory {
  readonly #settings: BatchHistorySettings
  readonly #log: LineLog
  #conf = ''
  #sinceConf = linesPerConf

  constructor(settings: BatchHistorySettings) {
    const { files, checkpointFolder, warn } = settings
    this.#settings = settings
    const folder = batchHistoryFolder(checkpointFolder)
    this.#log = new LineLog({
      files,
      folder,
      owner: checkpointFolder,
      maxFileBytes,
      obsolete: (all) => obsoleteFiles(all, settings.nowMs() - settings.retentionMs, settings.maxBytes),
      warn: (error) => warn(`the history ${folder} can't be written, and goes on without: ${String(error)}`),
    })
  }

  /** What the logs have and the history lacks: an earlier run was killed over it, or knew no history. Must be called before `add`. */
  async fill(offsets: BatchLog<OffsetEntry>, commits: BatchLog<CommitEntry>): Promise<void> {
    const { files, checkpointFolder, queryId } = this.#settings
    const last = await newestRecord(files, checkpointFolder, queryId)
    for (const batchId of await listBatchIds(files, join(checkpointFolder, 'commits'))) {
      if (batchId <= last) continue
      const [entry, before, commit] = [await offsets.get(batchId), await offsets.get(batchId - 1), await commits.get(batchId)]
      if (entry && commit && (before || batchId === 0)) this.add({ batchId, offsets: entry, commit, before: before?.sources ?? {} })
    }
  }

  /** Takes a batch that is committed, and returns at once. */
  add(record: BatchRecord): void {
    const { conf, sourceInfo } = record.offsets
    const pinned = JSON.stringify({ conf, sourceInfo })
    const tellsConf = pinned !== this.#conf || ++this.#sinceConf >= linesPerConf
    if (tellsConf) this.#sinceConf = 0
    this.#conf = pinned
    this.#log.add(encodeRecord(this.#settings.queryId, record, tellsConf))
  }
  flush(): Promise<void> {
    return this.#log.flush()
  }
}

export function batchHistoryFolder(checkpointFolder: string): string {
  return join(checkpointFolder, 'history')
}

/** Those whose newest line is too old, and of the others the oldest that are too much. */
export function obsoleteFiles(all: readonly LineFile[], oldestMs: number, maxBytes: number): LineFile[] {
  let bytes = 0
  return all.toReversed().filter((file) => (bytes += file.bytes) > maxBytes || file.modifiedMs < oldestMs)
}

function encodeRecord(queryId: string, { batchId, offsets, commit, before }: BatchRecord, tellsConf: boolean): string {
  const { conf, sourceInfo, ...entry } = offsets
  const line: Line = { batchId, before, offsets: entry, commit, ...(tellsConf && { conf, ...(sourceInfo && { sourceInfo }) }) }
  const text = JSON.stringify(line).slice(0, -1)
  return `${text},"crc32":"${checksum(queryId, text)}"}`
}

const endOfLine = /,"crc32":"([0-9a-f]{8})"\}$/
interface Line {
  readonly batchId: number
  readonly before: Readonly<Record<string, unknown>>
  readonly offsets: Omit<OffsetEntry, 'conf' | 'sourceInfo'>
  readonly commit: CommitEntry
  readonly conf?: Readonly<Record<string, string>>
  readonly sourceInfo?: NonNullable<OffsetEntry['sourceInfo']>
}

/** Undefined for what is no whole line of this query. */
function decodeLine(queryId: string, line: string): Line | undefined {
  const sum = endOfLine.exec(line)?.[1]
  if (sum === undefined || checksum(queryId, line.slice(0, -',"crc32":"00000000"}'.length)) !== sum) return undefined
  return JSON.parse(line) as Line
}
function checksum(queryId: string, text: string): string {
  return crc32(`${queryId}\nhistory\n${text}`).toString(16).padStart(8, '0')
}

/** All batches of the history by their ids. A batch that is there twice counts as it was written last; torn lines are passed over, and counted. */
export async function readBatchHistory(
  files: Files,
  checkpointFolder: string,
  queryId: string,
): Promise<{ readonly records: ReadonlyMap<number, BatchRecord>; readonly torn: number }> {
  const records = new Map<number, BatchRecord>()
  let torn = 0
  let pinned: Pick<Line, 'conf' | 'sourceInfo'> | undefined
  const waiting: Line[] = []
  const keep = (line: Line, { conf, sourceInfo }: Pick<Line, 'conf' | 'sourceInfo'>) => {
    const { batchId, before, commit } = line
    records.set(batchId, { batchId, before, commit, offsets: { ...line.offsets, conf: conf ?? {}, ...(sourceInfo && { sourceInfo }) } })
  }
  for (const { path } of await lineFiles(files, batchHistoryFolder(checkpointFolder))) {
    for (const text of await readLines(files, path)) {
      if (text === '') continue
      const line = decodeLine(queryId, text)
      if (line === undefined) {
        torn++
        continue
      }
      if (line.conf !== undefined) {
        pinned = line
        // lines whose own conf was in a file that is gone
        for (const earlier of waiting.splice(0)) keep(earlier, pinned)
      }
      if (pinned === undefined) waiting.push(line)
      else keep(line, pinned)
    }
  }
  return { records, torn }
}

/** The id of the last batch, -1 without any. */
async function newestRecord(files: Files, checkpointFolder: string, queryId: string): Promise<number> {
  for (const { path } of (await lineFiles(files, batchHistoryFolder(checkpointFolder))).reverse()) {
    const last = (await readLines(files, path)).findLast((line) => decodeLine(queryId, line) !== undefined)
    if (last !== undefined) return decodeLine(queryId, last)!.batchId
  }
  return -1
}
