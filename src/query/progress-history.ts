import { join } from 'node:path'
import type { Files } from '../base/files.ts'
import { isThere } from '../base/is-there.ts'
import { LineLog, lineFiles, readLines } from '../base/line-log.ts'
import { LocalFiles } from '../base/local-files.ts'
import { noCheckpoint } from './no-checkpoint.ts'
import { progressJson, withEmptyMaps } from './progress-json.ts'
import type { QueryProgress } from './query-progress.ts'

/*
 * The progresses of a query's batches beside its checkpoint, over all its runs: `progress/<n>.jsonl`, a progress a line. The newest file is
 * appended to until it is full, then comes the next number, and the oldest is removed. Nothing reads them back but people and tools, so
 * no write is synced, no error here stops a query, and what a crash has torn is passed over.
 */

export interface ProgressHistorySettings {
  readonly files: Files
  readonly checkpointFolder: string
  /** Size at which a file is followed by the next. */
  readonly maxFileBytes: number
  /** Files that are kept. */
  readonly maxFiles: number
  /** Is told once when lines can't be written. */
  readonly warn: (text: string) => void
}

/** Writes the history of one run. */
export class ProgressHistory {
  readonly #log: LineLog

  constructor({ files, checkpointFolder, maxFileBytes, maxFiles, warn }: ProgressHistorySettings) {
    const folder = historyFolder(checkpointFolder)
    this.#log = new LineLog({
      files,
      folder,
      owner: checkpointFolder,
      maxFileBytes,
      // with the one that is begun there are as many as there may be
      obsolete: (all) => all.slice(0, Math.max(0, all.length + 1 - maxFiles)),
      warn: (error) => warn(`the progress history ${folder} can't be written, and goes on without: ${String(error)}`),
    })
  }

  /** Takes a progress and returns at once. */
  add(progress: QueryProgress): void {
    this.#log.add(progressJson(progress))
  }
  /** Resolves when everything that was added is written, or given up. */
  flush(): Promise<void> {
    return this.#log.flush()
  }
}

/**
 * The progresses of a query's batches over all its runs, oldest first, as far back as the history goes
 * (`millrace.progressHistory.*`); it may be read while the query runs. What is no whole line is passed over.
 * A field that was a bigint is a number where that is exact, else text. InvalidQueryError PATH_NOT_FOUND where there is no such checkpoint.
 */
export async function readProgressHistory(checkpointFolder: string, files: Files = new LocalFiles()): Promise<QueryProgress[]> {
  if (!(await isThere(files, join(checkpointFolder, 'metadata')))) throw noCheckpoint(checkpointFolder)
  const folder = historyFolder(checkpointFolder)
  const found: QueryProgress[] = []
  for (const { path } of await lineFiles(files, folder)) {
    for (const line of await readLines(files, path)) {
      const progress = progressOf(line)
      if (progress) found.push(progress)
    }
  }
  return found
}

function historyFolder(checkpointFolder: string): string {
  return join(checkpointFolder, 'progress')
}
/** Empty maps, which the text leaves out, are there again. */
function progressOf(line: string): QueryProgress | undefined {
  try {
    const read = JSON.parse(line) as QueryProgress
    if (typeof read?.batchId !== 'number' || !Array.isArray(read.sources)) return undefined
    return withEmptyMaps(read)
  } catch {
    return undefined
  }
}
