import { join } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { LocalFiles } from '../base/local-files.ts'
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
  readonly #settings: ProgressHistorySettings
  readonly #folder: string
  #waiting: string[] = []
  #writing: Promise<void> | null = null
  /** The file that is written to; null until the folder was looked at. */
  #file: { readonly number: number; bytes: number } | null = null
  #hasWarned = false

  constructor(settings: ProgressHistorySettings) {
    this.#settings = settings
    this.#folder = historyFolder(settings.checkpointFolder)
  }

  /** Takes a progress and returns at once. */
  add(progress: QueryProgress): void {
    if (!this.#settings.files.append) return
    this.#waiting.push(`${progressJson(progress)}\n`)
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null
    })
  }
  /** Resolves when everything that was added is written, or given up. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting
      this.#waiting = []
      try {
        await this.#append(lines)
      } catch (error) {
        this.#file = null
        if (!this.#hasWarned)
          this.#settings.warn(`the progress history ${this.#folder} can't be written, and goes on without: ${String(error)}`)
        this.#hasWarned = true
      }
    }
  }

  async #append(lines: readonly string[]): Promise<void> {
    const { files, maxFileBytes } = this.#settings
    this.#file ??= await this.#newest()
    const text = lines.join('')
    if (this.#file.bytes > 0 && this.#file.bytes + Buffer.byteLength(text) > maxFileBytes) {
      this.#file = { number: this.#file.number + 1, bytes: 0 }
      await this.#removeOld(this.#file.number)
    }
    await files.append!(this.#pathOf(this.#file.number), text)
    this.#file.bytes += Buffer.byteLength(text)
  }

  /** A line that a crash has torn gets its end, so that the next one is whole. */
  async #newest(): Promise<{ readonly number: number; bytes: number }> {
    const { files } = this.#settings
    const number = (await numbersIn(files, this.#folder)).at(-1)
    if (number === undefined) {
      // where somebody has removed the checkpoint, its folder must not come back
      if (!(await files.stat(this.#settings.checkpointFolder))) throw new Error(`${this.#settings.checkpointFolder} is gone`)
      await files.makeFolder(this.#folder)
      return { number: 1, bytes: 0 }
    }
    const content = await files.read(this.#pathOf(number))
    if (content.length === 0 || content.at(-1) === 10) return { number, bytes: content.length }
    await files.append!(this.#pathOf(number), '\n')
    return { number, bytes: content.length + 1 }
  }
  async #removeOld(newest: number): Promise<void> {
    const { files, maxFiles } = this.#settings
    for (const number of await numbersIn(files, this.#folder)) if (number <= newest - maxFiles) await files.delete(this.#pathOf(number))
  }
  #pathOf(number: number): string {
    return join(this.#folder, `${number}.jsonl`)
  }
}

/**
 * The progresses of a query's batches over all its runs, oldest first, as far back as the history goes
 * (`millrace.progressHistory.*`); it may be read while the query runs. What is no whole line is passed over.
 * A field that was a bigint is a number where that is exact, else text. InvalidQueryError PATH_NOT_FOUND where there is no such checkpoint.
 */
export async function readProgressHistory(checkpointFolder: string, files: Files = new LocalFiles()): Promise<QueryProgress[]> {
  if ((await files.stat(join(checkpointFolder, 'metadata'))) === undefined) {
    throw new InvalidQueryError('PATH_NOT_FOUND', {
      what: `${checkpointFolder} is no checkpoint: it has no file "metadata"`,
      todo: 'give the folder of option checkpointLocation, as it was when the query ran',
    })
  }
  const folder = historyFolder(checkpointFolder)
  const found: QueryProgress[] = []
  for (const number of await numbersIn(files, folder)) {
    const text = await readUnlessRemoved(files, join(folder, `${number}.jsonl`))
    for (const line of text.split('\n')) {
      const progress = progressOf(line)
      if (progress) found.push(progress)
    }
  }
  return found
}

function historyFolder(checkpointFolder: string): string {
  return join(checkpointFolder, 'progress')
}
async function numbersIn(files: Files, folder: string): Promise<number[]> {
  return (await files.list(folder))
    .filter((entry) => /^[1-9]\d{0,14}\.jsonl$/.test(entry.name))
    .map((entry) => Number.parseInt(entry.name, 10))
    .sort((a, b) => a - b)
}
/** The query that runs may have removed its oldest file since it was listed. */
async function readUnlessRemoved(files: Files, path: string): Promise<string> {
  try {
    return Buffer.from(await files.read(path)).toString()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
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
