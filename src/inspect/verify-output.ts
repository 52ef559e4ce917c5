/** Whether a checkpoint and the output folder of its query belong together. */
import { join } from 'node:path'
import { MillraceError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { liveFiles, openSinkLog, type SinkFileEntry, sinkLogFolder } from '../data/file-sink-log.ts'
import { readOutputOwner } from '../data/output-owner.ts'
import type { CheckpointView } from './checkpoint-view.ts'
import { type CheckpointProblem, systemProblem } from './verify.ts'

const fileFormats = new Set(['parquet', 'json', 'csv', 'text'])

/** Gives notes; problems go to `tell`. */
export async function checkOutput(view: CheckpointView, tell: (problem: CheckpointProblem) => void): Promise<string[]> {
  const run = await view.runs().then(
    ({ runs }) => runs.at(-1),
    () => undefined,
  )
  const sink = run?.shape?.sink
  if (!sink?.path || !fileFormats.has(sink.format) || /^[a-z][a-z0-9+.-]*:\/\//i.test(sink.path)) return []
  const { files, queryId } = view
  const committed = await view.latestCommitted()
  const logFolder = join(sink.path, sinkLogFolder)
  try {
    const owner = await readOutputOwner(sink.path, files)
    if (owner !== undefined && owner !== queryId) {
      const what = `${sink.path}, where the query wrote, belongs to query ${owner} now; this is query ${queryId}`
      tell({ file: logFolder, code: 'SINK_OWNED_BY_ANOTHER_QUERY', what })
      return []
    }
    const log = await openSinkLog(sink.path, files)
    const entries = await log.readAll()
    if (log.latestId < 0) {
      return committed === undefined
        ? []
        : [`${sink.path} has no log: the output was removed, or no batch had rows; the query goes on without what was there`]
    }
    if (owner === undefined)
      tell({
        file: logFolder,
        code: 'SINK_OWNER_UNKNOWN',
        what: `${logFolder} ends at batch ${log.latestId} and does not say which query wrote it`,
      })
    const planned = (await view.plannedIds()).at(-1) ?? -1
    if (log.latestId > planned) {
      const what = `the log of ${sink.path} goes to batch ${log.latestId}, the checkpoint to ${planned}: the next batches would be taken for written, and their rows lost`
      tell({ file: logFolder, code: 'OUTPUT_AHEAD_OF_CHECKPOINT', what })
    }
    if (committed !== undefined && log.latestId < committed) {
      const what = `the log of ${sink.path} ends at batch ${log.latestId}, and the checkpoint has committed batch ${committed}: batches ${log.latestId + 1} to ${committed} are missing`
      tell({ file: logFolder, code: 'SINK_BEHIND_CHECKPOINT', what })
    }
    await checkParts(files, logFolder, liveFiles(entries), tell)
  } catch (error) {
    tell({ file: logFolder, ...(error instanceof MillraceError ? { code: error.code, what: error.what } : systemProblem(error)) })
  }
  return []
}

/** That the files which the log names are there, with the bytes that it says; what is in them has no checksum. */
async function checkParts(
  files: Files,
  logFolder: string,
  parts: readonly SinkFileEntry[],
  tell: (problem: CheckpointProblem) => void,
): Promise<void> {
  const damaged: string[] = []
  for (const { path, sizeBytes } of parts) {
    const found = await files.stat(path)
    if (found === undefined || found.isDirectory) damaged.push(`${path} is not there`)
    else if (found.sizeBytes !== sizeBytes) damaged.push(`${path} has ${found.sizeBytes} bytes and should have ${sizeBytes}`)
  }
  if (damaged.length === 0) return
  const more = damaged.length > namedParts ? ` and ${damaged.length - namedParts} more` : ''
  const what = `of ${parts.length} files that ${logFolder} names ${damaged.length} can't be read as they were written: ${damaged.slice(0, namedParts).join('; ')}${more}`
  tell({ file: logFolder, code: 'FAILED_READ_FILE', what })
}
const namedParts = 10
