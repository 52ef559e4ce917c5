/** Whether a checkpoint and the output folder of its query belong together. */
import { join } from 'node:path'
import { MillraceError } from '../base/errors.ts'
import { openSinkLog, sinkLogFolder } from '../data/file-sink-log.ts'
import type { CheckpointView } from './checkpoint-view.ts'
import type { CheckpointProblem } from './verify.ts'

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
    const owner = await ownerOf(view, logFolder)
    if (owner !== undefined && owner !== queryId) {
      const what = `${sink.path}, where the query wrote, belongs to query ${owner} now; this is query ${queryId}`
      tell({ file: logFolder, code: 'SINK_OWNED_BY_ANOTHER_QUERY', what })
      return []
    }
    const log = await openSinkLog(sink.path, files)
    await log.readAll()
    if (log.latestId < 0) {
      return committed === undefined
        ? []
        : [`${sink.path} has no log: the output was removed, or no batch had rows; the query goes on without what was there`]
    }
    const planned = (await view.plannedIds()).at(-1) ?? -1
    if (log.latestId <= planned) return []
    const what = `the log of ${sink.path} goes to batch ${log.latestId}, the checkpoint to ${planned}: the next batches would be taken for written, and their rows lost`
    tell({ file: logFolder, code: 'OUTPUT_AHEAD_OF_CHECKPOINT', what })
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    tell({ file: logFolder, code: error.code, what: error.what })
  }
  return []
}

async function ownerOf(view: CheckpointView, logFolder: string): Promise<string | undefined> {
  try {
    const text = Buffer.from(await view.files.read(join(logFolder, '.millrace-query'))).toString()
    return (JSON.parse(text.split('\n')[1] ?? '{}') as { queryId?: string }).queryId
  } catch {
    return undefined
  }
}
