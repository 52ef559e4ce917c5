import { join } from 'node:path'
import type { FileEntry, Files } from './files.ts'

/*
 * Lines of text for people and tools: `<folder>/<n>.jsonl`. The newest file is appended to until it is full, then comes the next number, and old ones are removed.
 * No write is synced, no error here stops anybody, and what a crash has torn is passed over by whoever reads.
 */

export interface LineLogSettings {
  readonly files: Files
  readonly folder: string
  /** The folder above, which must be there: where somebody has removed it, it must not come back. */
  readonly owner: string
  /** Size at which a file is followed by the next. */
  readonly maxFileBytes: number
  /** Which files go when a new one is begun, of all that there are (ascending). */
  readonly obsolete: (files: readonly LineFile[]) => readonly LineFile[]
  /** Is told once when lines can't be written. */
  readonly warn: (error: unknown) => void
}
export interface LineFile {
  readonly number: number
  readonly bytes: number
  /** When its last line was written. */
  readonly modifiedMs: number
}

/** Writes the lines of one run. */
export class LineLog {
  readonly #settings: LineLogSettings
  #waiting: string[] = []
  #writing: Promise<void> | null = null
  /** The file that is written to; null until the folder was looked at. */
  #file: { readonly number: number; bytes: number } | null = null
  #hasWarned = false

  constructor(settings: LineLogSettings) {
    this.#settings = settings
  }

  /** Takes a line, without its end, and returns at once. */
  add(line: string): void {
    if (!this.#settings.files.append) return
    this.#waiting.push(`${line}\n`)
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
        if (!this.#hasWarned) this.#settings.warn(error)
        this.#hasWarned = true
      }
    }
  }

  async #append(lines: readonly string[]): Promise<void> {
    const { files, folder, maxFileBytes } = this.#settings
    this.#file ??= await this.#newest()
    const text = lines.join('')
    if (this.#file.bytes > 0 && this.#file.bytes + Buffer.byteLength(text) > maxFileBytes) {
      await this.#removeOld(this.#file.number)
      this.#file = { number: this.#file.number + 1, bytes: 0 }
    }
    await files.append!(pathOf(folder, this.#file.number), text)
    this.#file.bytes += Buffer.byteLength(text)
  }

  /** A line that a crash has torn gets its end, so that the next one is whole. */
  async #newest(): Promise<{ readonly number: number; bytes: number }> {
    const { files, folder, owner } = this.#settings
    const newest = (await lineFiles(files, folder)).at(-1)
    if (newest === undefined) {
      if (!(await files.stat(owner))) throw new Error(`${owner} is gone`)
      await files.makeFolder(folder)
      return { number: 1, bytes: 0 }
    }
    const content = await files.read(pathOf(folder, newest.number))
    if (content.length === 0 || content.at(-1) === 10) return { number: newest.number, bytes: content.length }
    await files.append!(pathOf(folder, newest.number), '\n')
    return { number: newest.number, bytes: content.length + 1 }
  }
  /** The one that is being written to stays. */
  async #removeOld(current: number): Promise<void> {
    const { files, folder, obsolete } = this.#settings
    for (const { number } of obsolete(await lineFiles(files, folder))) if (number < current) await files.delete(pathOf(folder, number))
  }
}

/** The files of such a log, ascending. */
export async function lineFiles(files: Files, folder: string): Promise<(LineFile & { readonly path: string })[]> {
  return (await files.list(folder)).flatMap(lineFile).sort((a, b) => a.number - b.number)
}
function lineFile({ name, path, sizeBytes, modifiedMs }: FileEntry): (LineFile & { readonly path: string })[] {
  return /^[1-9]\d{0,14}\.jsonl$/.test(name) ? [{ number: Number.parseInt(name, 10), path, bytes: sizeBytes, modifiedMs }] : []
}

/** The lines of one file; none where it was removed since it was listed. */
export async function readLines(files: Files, path: string): Promise<string[]> {
  try {
    return Buffer.from(await files.read(path))
      .toString()
      .split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function pathOf(folder: string, number: number): string {
  return join(folder, `${number}.jsonl`)
}
