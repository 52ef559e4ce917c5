/** Makes a checkpoint of Millrace out of one of Spark, so that the query goes on where Spark stopped. */
import { join } from 'node:path'
import { CorruptCheckpointError, InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { offsetFormat } from './offset-log.ts'
import { watermarkPolicyKey } from './pinned-conf.ts'
import { readSparkCheckpoint, type SparkCheckpoint } from './spark-checkpoint.ts'

export interface ImportOptions {
  readonly files: Files
  /** Absolute paths. `to` must be empty or missing. */
  readonly from: string
  readonly to: string
  /** Prefixes of file URIs or paths in Spark's log of files, and what takes their place: `hdfs://cluster/in` → `/mnt/in`. */
  readonly moved?: readonly { readonly from: string; readonly to: string }[]
}

export interface ImportedSource {
  readonly name: string
  readonly kind: 'files' | 'kafka' | 'rate-micro-batch' | 'number' | 'none'
  readonly offset: unknown
  /** What was taken over, in a sentence. */
  readonly taken: string
}
export interface ImportReport {
  readonly queryId: string
  readonly from: string
  readonly to: string
  /** The batch that the first start runs; null where Spark had planned none. */
  readonly nextBatchId: number
  /** Spark had planned that batch and not committed it: it is run again with the offsets that Spark wrote down. */
  readonly replays: boolean
  readonly sources: readonly ImportedSource[]
  readonly notTaken: readonly string[]
}

/**
 * Errors: those of readSparkCheckpoint; InvalidQueryError CHECKPOINT_IMPORT_TARGET_NOT_EMPTY, CHECKPOINT_IMPORT_REMOTE_FILES;
 * CorruptCheckpointError SOURCE_LOG_BEHIND_OFFSETS. `metadata` is written last: an import that was killed leaves a folder that no query starts with.
 */
export async function importSparkCheckpoint(options: ImportOptions): Promise<ImportReport> {
  const { files, from, to } = options
  const spark = await readSparkCheckpoint(files, from)
  await refuseTarget(files, to)
  const last = spark.planned.at(-1)
  const sources: ImportedSource[] = []
  for (const [name, offset] of Object.entries(last?.entry.sources ?? {})) sources.push(await importSource(options, name, offset))
  await writeLogs(files, to, spark)
  await files.createExclusive(join(to, 'metadata'), JSON.stringify({ id: spark.queryId }))
  const isCommitted = last !== undefined && spark.committed?.batchId === last.batchId
  return {
    queryId: spark.queryId,
    from,
    to,
    nextBatchId: last === undefined ? 0 : isCommitted ? last.batchId + 1 : last.batchId,
    replays: last !== undefined && !isCommitted,
    sources,
    notTaken: notTaken(spark),
  }
}

async function refuseTarget(files: Files, to: string): Promise<void> {
  const [found] = await files.list(to)
  if (found === undefined) return
  throw new InvalidQueryError('CHECKPOINT_IMPORT_TARGET_NOT_EMPTY', {
    what: `${to} is to become the new checkpoint, and ${found.name} is in it`,
    todo: 'give a folder that is empty or not there yet',
  })
}

async function writeLogs(files: Files, to: string, { queryId, planned, committed }: SparkCheckpoint): Promise<void> {
  for (const { batchId, entry } of planned) {
    const file = { queryId, name: `offsets/${batchId}`, path: join(to, 'offsets', String(batchId)) }
    // of what Spark pins, only the policy means something here
    const policy = entry.conf[watermarkPolicyKey]
    const conf: Record<string, string> = policy === undefined ? {} : { [watermarkPolicyKey]: policy }
    const { sourceInfo: _, ...rest } = entry
    await files.createExclusive(file.path, offsetFormat.encode(file, { ...rest, conf }))
  }
  if (committed === undefined) return
  // as Spark writes it: without an epoch, so that it is no run of Millrace's
  const { batchId, nextBatchWatermarkMs } = committed
  await files.createExclusive(join(to, 'commits', String(batchId)), `v1\n${JSON.stringify({ nextBatchWatermarkMs })}`)
}

function notTaken({ planned, missingCommits }: SparkCheckpoint): string[] {
  const left = Object.keys(planned.at(-1)?.entry.conf ?? {}).filter((key) => key !== watermarkPolicyKey)
  return [
    'batches before the last two: their offsets are not needed any more',
    ...(left.length > 0 ? [`the configuration that Spark pinned (${left.length} keys): it is about Spark's state and shuffles`] : []),
    ...(missingCommits > 0 ? [`${missingCommits} commits that Spark's log lacks before the last batch`] : []),
  ]
}

// ---- sources

function kindOf(offset: unknown): ImportedSource['kind'] {
  if (offset === null) return 'none'
  if (typeof offset === 'number') return 'number'
  const object = offset as Record<string, unknown>
  if (typeof object['logOffset'] === 'number') return 'files'
  if (typeof object['offset'] === 'number' && typeof object['timestamp'] === 'number') return 'rate-micro-batch'
  return 'kafka'
}

async function importSource(options: ImportOptions, name: string, offset: unknown): Promise<ImportedSource> {
  const { files, from, to } = options
  const kind = kindOf(offset)
  const [source, target] = [join(from, 'sources', name), join(to, 'sources', name)]
  const notes = (await files.list(source)).filter((entry) => !entry.isDirectory && /^\d+(\.compact)?$/.test(entry.name))
  const log = notes.filter((entry) => kind === 'files' || entry.name === '0')
  const entries = kind === 'files' ? await importFileLog(options, log, target, (offset as { logOffset: number }).logOffset, source) : 0
  if (kind !== 'files') for (const { path, name: own } of log) await files.createExclusive(join(target, own), await files.read(path))
  return { name, kind, offset, taken: takenText(kind, entries) }
}

function takenText(kind: ImportedSource['kind'], entries: number): string {
  switch (kind) {
    case 'files':
      return `the log of ${entries} files that were read; the offset {"logOffset":n}`
    case 'kafka':
      return 'the offsets of each topic and partition, for a Kafka source in this place'
    case 'rate-micro-batch':
      return 'the offset, for a rate-micro-batch source in this place'
    case 'number':
      return 'the offset, for a rate source in this place; rows of a socket or a memory stream are gone with the process that held them'
    case 'none':
      return 'that it has read nothing yet'
  }
}

/** Copies Spark's log of files, which Millrace reads and goes on with. Gives how many files it names. */
async function importFileLog(
  options: ImportOptions,
  log: readonly { readonly name: string; readonly path: string }[],
  target: string,
  logOffset: number,
  source: string,
): Promise<number> {
  const { files } = options
  const newest = Math.max(-1, ...log.map(({ name }) => Number.parseInt(name, 10)))
  if (newest < logOffset) {
    throw new CorruptCheckpointError('SOURCE_LOG_BEHIND_OFFSETS', {
      what: `the query has read up to log offset ${logOffset}, and ${source} ends at ${newest}: it does not say which files were read`,
      todo: 'restore sources/ from the backup that offsets/ comes from',
    })
  }
  const lastCompact = Math.max(-1, ...log.filter(({ name }) => name.endsWith('.compact')).map(({ name }) => Number.parseInt(name, 10)))
  let entries = 0
  for (const { name, path } of log) {
    const id = Number.parseInt(name, 10)
    const text = Buffer.from(await files.read(path)).toString('utf8')
    const [version, ...lines] = text.split('\n').filter((line) => line !== '')
    if (version !== 'v1') throw malformed(path, `its first line is ${JSON.stringify(version ?? '')} and not v1`)
    const mapped = lines.map((line) => movedLine(line, path, options))
    if (id > lastCompact || (id === lastCompact && name.endsWith('.compact'))) entries += lines.length
    await files.createExclusive(join(target, name), ['v1', ...mapped].join('\n'))
  }
  return entries
}

function movedLine(line: string, file: string, { moved = [] }: ImportOptions): string {
  let entry: { path?: unknown; [key: string]: unknown }
  try {
    entry = JSON.parse(line) as typeof entry
  } catch (cause) {
    throw malformed(file, `the line ${JSON.stringify(line.slice(0, 80))} is not JSON`, cause)
  }
  const { path } = entry
  if (typeof path !== 'string') throw malformed(file, `the line ${JSON.stringify(line.slice(0, 80))} names no path`)
  const move = moved.find(({ from }) => path.startsWith(from))
  const now = move ? move.to + path.slice(move.from.length) : path
  if (/^[a-z][a-z0-9+.-]*:/i.test(now) && !now.startsWith('file:')) {
    throw new InvalidQueryError('CHECKPOINT_IMPORT_REMOTE_FILES', {
      what: `Spark read ${path}, which is not on this machine's file system`,
      todo: 'say where the same files are here: --move <prefix>=<path>',
    })
  }
  return move ? JSON.stringify({ ...entry, path: now }) : line
}

function malformed(path: string, why: string, cause?: unknown): CorruptCheckpointError {
  return new CorruptCheckpointError('MALFORMED_LOG_FILE', {
    what: `${path} can't be read: ${why}`,
    todo: 'restore the checkpoint from a backup; nothing was overwritten',
    cause,
  })
}
