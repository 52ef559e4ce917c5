import { join } from 'node:path'
import { CorruptCheckpointError } from '../base/errors.ts'
import type { SourceContext } from './provider.ts'

/** How a source's note is written. */
export interface NoteFormat<T> {
  encode(value: T): string
  /** Undefined for what is no note. */
  decode(text: string): T | undefined
  /** What stands in it: `v1 and a time in milliseconds`. */
  readonly content: string
  /** What is lost without it: `the time at which the source began`. */
  readonly meaning: string
}

/**
 * Where a source began: `sources/<name>/0`, written once, before the first batch, and read by every run after, so that a batch that is run again is the same.
 * CorruptCheckpointError MALFORMED_LOG_FILE where it can't be read, BATCH_METADATA_NOT_FOUND where it is gone: which rows were read is never guessed.
 */
export class StartNote<T> {
  readonly #context: SourceContext
  readonly #format: NoteFormat<T>
  readonly #path: string
  constructor(context: SourceContext, format: NoteFormat<T>) {
    this.#context = context
    this.#format = format
    this.#path = join(context.metadataFolder, '0')
  }

  /** Undefined where the source has not begun. */
  async read(): Promise<T | undefined> {
    const { files } = this.#context
    let text: string
    try {
      text = Buffer.from(await files.read(this.#path)).toString('utf8')
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return undefined
      throw error
    }
    const value = this.#format.decode(text)
    if (value === undefined) {
      throw new CorruptCheckpointError('MALFORMED_LOG_FILE', {
        what: `${this.#path} holds ${JSON.stringify(text.slice(0, 80))}, and not ${this.#format.content}`,
        todo: 'restore it from a backup; nothing was overwritten',
      })
    }
    // the run that wrote it may have been killed before it was durable
    await files.sync([this.#path])
    return value
  }

  /** For a source that has begun. */
  async readWritten(): Promise<T> {
    const value = await this.read()
    if (value !== undefined) return value
    throw new CorruptCheckpointError('BATCH_METADATA_NOT_FOUND', {
      what: `${this.#path} is missing, and with it ${this.#format.meaning}`,
      todo: 'restore it from a backup; Millrace will not guess which rows were read',
    })
  }

  /** Gives what stands there then: where another run was first, that counts. */
  async write(value: T): Promise<T> {
    await this.#context.checkFence()
    return (await this.#context.files.createExclusive(this.#path, this.#format.encode(value))) ? value : this.readWritten()
  }
}
