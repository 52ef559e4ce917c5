/** Reads a checkpoint that Spark wrote: what its query was about to do, what it had done, and where its sources stood. Nothing is changed. */
import { join } from 'node:path'
import { CorruptCheckpointError, InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { OffsetEntry } from './checkpoint.ts'
import { decodeLogText, malformed, parseObject, wholeNumber } from './log-text.ts'
import { batchMetadataNotFound, listBatchIds } from './metadata-log.ts'
import { offsetFormat } from './offset-log.ts'
import { readQueryId } from './query-metadata.ts'

export interface SparkCheckpoint {
  readonly folder: string
  readonly queryId: string
  /** The last planned batch and the one before it, ascending; none where the query has not begun. */
  readonly planned: readonly { readonly batchId: number; readonly entry: OffsetEntry }[]
  /** The last committed batch, where that is one of `planned`. */
  readonly committed: { readonly batchId: number; readonly nextBatchWatermarkMs: number } | undefined
  readonly missingCommits: number
}

/**
 * Errors: InvalidQueryError NOT_A_SPARK_CHECKPOINT, CHECKPOINT_IMPORT_STATEFUL; CorruptCheckpointError for logs that can't be trusted.
 */
export async function readSparkCheckpoint(files: Files, folder: string): Promise<SparkCheckpoint> {
  const queryId = await readQueryId(files, folder)
  const ids = await listBatchIds(files, join(folder, 'offsets'))
  await refuseOthers(files, folder, queryId, ids.length)
  await refuseState(files, folder)
  const last = ids.at(-1)
  if (last === undefined) return { folder, queryId: queryId!, planned: [], committed: undefined, missingCommits: 0 }
  const planned = []
  for (const batchId of last === 0 ? [0] : [last - 1, last]) {
    const file = { queryId: queryId!, name: `offsets/${batchId}`, path: join(folder, 'offsets', String(batchId)) }
    if (!ids.includes(batchId)) throw batchMetadataNotFound(file.path)
    planned.push({ batchId, entry: offsetFormat.decode(file, await files.read(file.path)) })
  }
  const committedId = (await listBatchIds(files, join(folder, 'commits'))).at(-1) ?? -1
  if (committedId > last) {
    throw new CorruptCheckpointError('LOGS_DISAGREE', {
      what: `the offset log of ${folder} ends at batch ${last}, the commit log at batch ${committedId}`,
      todo: 'restore both folders from one backup',
    })
  }
  const missingCommits = Math.max(0, last - committedId - 1)
  const committed = committedId < last - 1 ? undefined : await readCommit(files, folder, queryId!, committedId)
  return { folder, queryId: queryId!, planned, committed, missingCommits }
}

/** Versions 1 to 3: later ones add ids of state files and what the sinks were. */
async function readCommit(files: Files, folder: string, queryId: string, batchId: number) {
  if (batchId < 0) return undefined
  const file = { queryId, name: `commits/${batchId}`, path: join(folder, 'commits', String(batchId)) }
  const { lines } = decodeLogText(file, await files.read(file.path), 3)
  if (lines.length > 1) throw malformed(file, 'it has more than two lines')
  return { batchId, nextBatchWatermarkMs: wholeNumber(file, parseObject(file, lines[0]!), 'nextBatchWatermarkMs', 0) }
}

async function refuseOthers(files: Files, folder: string, queryId: string | undefined, entries: number): Promise<void> {
  if (await files.stat(join(folder, 'runs'))) {
    throw new InvalidQueryError('NOT_A_SPARK_CHECKPOINT', {
      what: `${folder} was written by Millrace`,
      todo: 'start the query with it as it is',
    })
  }
  if (queryId !== undefined) return
  if (entries > 0) {
    throw new CorruptCheckpointError('STREAMING_CHECKPOINT_MISSING_METADATA_FILE', {
      what: `${join(folder, 'metadata')} is missing, but offsets/ has entries`,
      todo: 'restore metadata from a backup',
    })
  }
  throw new InvalidQueryError('NOT_A_SPARK_CHECKPOINT', {
    what: `${folder} has no metadata and no offsets`,
    todo: 'give the checkpointLocation of the Spark query',
  })
}

/** State is in Spark's own binary formats: a query that needs it would begin with wrong results. */
async function refuseState(files: Files, folder: string): Promise<void> {
  const operators: string[] = []
  for (const { name, path, isDirectory } of await files.list(join(folder, 'state')))
    if (isDirectory && /^\d+$/.test(name)) operators.push(`${await operatorName(files, path)} (${name})`)
  if (operators.length === 0) return
  throw new InvalidQueryError('CHECKPOINT_IMPORT_STATEFUL', {
    what: `the query of ${folder} has state, in ${operators.sort().join(', ')}, and Spark's state files can't be read`,
    todo: 'start the query in Millrace with a new checkpoint, on input that begins early enough to build the state again; only queries without state can move over',
  })
}
async function operatorName(files: Files, folder: string): Promise<string> {
  try {
    const text = Buffer.from(await files.read(join(folder, '_metadata', 'metadata'))).toString('utf8')
    const { operatorInfo } = JSON.parse(text.split('\n')[1] ?? '') as { operatorInfo?: { operatorName?: unknown } }
    return String(operatorInfo?.operatorName ?? 'an operator')
  } catch {
    // versions before 4.0 wrote no such file
    return 'an operator'
  }
}
