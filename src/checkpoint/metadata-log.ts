import { join } from 'node:path'
import { assert, CorruptCheckpointError, FencedError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { BatchLog, StagedEntry } from './checkpoint.ts'
import { type LogFile, malformed } from './log-text.ts'

/** How the entries of one log become files and come back. */
export interface EntryFormat<Entry> {
  encode(file: LogFile, entry: Entry): string
  /** Throws CorruptCheckpointError for whatever it can't trust. */
  decode(file: LogFile, content: Uint8Array): Entry
}

export interface MetadataLogOptions<Entry> {
  readonly files: Files
  readonly checkpointFolder: string
  /** `offsets` or `commits`. */
  readonly name: string
  readonly queryId: string
  readonly format: EntryFormat<Entry>
  /** A missing id between the first and the last is an error. (The commit log may have gaps: a commit that was lost is not made up for.) */
  readonly contiguous: boolean
  /** How many of the newest entries stay whatever purgeBelow says: the start after this one reads them. */
  readonly keep: number
  /** Called before an entry is written; rejects where another run has taken over. */
  readonly checkFence: () => Promise<void>
}

/** An entry as it lies there; undefined where there is none. CorruptCheckpointError MALFORMED_LOG_FILE. */
export async function readEntry<Entry>(files: Files, file: LogFile, format: EntryFormat<Entry>): Promise<Entry | undefined> {
  let content: Uint8Array
  try {
    content = await files.read(file.path)
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'ENOENT') return undefined
    if (code === 'EISDIR') throw malformed(file, 'it is a folder', error)
    throw error
  }
  return format.decode(file, content)
}

/** The batch ids of a log folder, ascending. Everything whose name is not a whole number (temporary files, checksums of Hadoop) is no entry. */
export async function listBatchIds(files: Files, folder: string): Promise<number[]> {
  return (await listBatches(files, folder)).map(({ batchId }) => batchId)
}

interface BatchFile {
  readonly batchId: number
  readonly modifiedMs: number
}
async function listBatches(files: Files, folder: string): Promise<BatchFile[]> {
  const entries = await files.list(folder)
  return entries
    .filter((entry) => /^(0|[1-9]\d{0,14})$/.test(entry.name))
    .map(({ name, modifiedMs }) => ({ batchId: Number(name), modifiedMs }))
    .sort((a, b) => a.batchId - b.batchId)
}

/**
 * A run that was frozen just before it wrote an entry, while another one took over and has long removed that entry as an old one, writes
 * it anew. Such an entry stands alone below the others and is younger than they: it says nothing. (Where one of them was lost, those
 * before the gap are older.) Gives how many there are.
 */
function countLateEntries(batches: readonly BatchFile[]): number {
  let late = 0
  for (; late + 2 < batches.length; late++) {
    const [entry, next] = [batches[late]!, batches[late + 1]!]
    if (entry.batchId + 1 === next.batchId || entry.modifiedMs <= next.modifiedMs) break
  }
  return late
}

/** A log with a file for each batch, named for its id. Entries are created exclusively and never change. */
export class MetadataLog<Entry> implements BatchLog<Entry> {
  readonly #options: MetadataLogOptions<Entry>
  readonly #folder: string
  /** First and last id as this run knows them: only this run adds and removes, or is fenced. Undefined until the folder was listed. */
  #range: { lowest: number; newest: number } | 'empty' | undefined
  #newest: { readonly batchId: number; readonly entry: Entry } | undefined
  /** Entries that a superseded run wrote after they had been removed. */
  #late: number[] = []

  constructor(options: MetadataLogOptions<Entry>) {
    this.#options = options
    this.#folder = join(options.checkpointFolder, options.name)
  }

  async latest(): Promise<{ readonly batchId: number; readonly entry: Entry } | undefined> {
    const range = this.#range ?? (await this.#list())
    if (range === 'empty') return undefined
    if (this.#newest?.batchId !== range.newest) {
      const entry = await this.get(range.newest)
      if (entry === undefined) throw this.#missing(range.newest)
      this.#newest = { batchId: range.newest, entry }
    }
    return this.#newest
  }

  async get(batchId: number): Promise<Entry | undefined> {
    if (this.#newest?.batchId === batchId) return this.#newest.entry
    const file = this.#file(batchId)
    return readEntry(this.#options.files, file, this.#options.format)
  }

  async batchIds(): Promise<number[]> {
    const { files, contiguous } = this.#options
    const batches = await listBatches(files, this.#folder)
    const late = contiguous ? batches.splice(0, countLateEntries(batches)) : []
    this.#late = late.map(({ batchId }) => batchId)
    const ids = batches.map(({ batchId }) => batchId)
    if (contiguous) this.#refuseGap(ids)
    this.#range = ids.length === 0 ? 'empty' : { lowest: ids[0]!, newest: ids.at(-1)! }
    return ids
  }

  async add(batchId: number, entry: Entry): Promise<void> {
    await (await this.stage(batchId, entry)).publish()
  }

  async stage(batchId: number, entry: Entry): Promise<StagedEntry> {
    const { files, format, checkFence, contiguous, name } = this.#options
    assert(Number.isSafeInteger(batchId) && batchId >= 0, `${batchId} is not a batch id`)
    const range = this.#range ?? (await this.#list())
    if (contiguous && range !== 'empty') {
      assert(batchId <= range.newest + 1, `batch ${batchId} was added to ${name}/, which ends at batch ${range.newest}`)
    }
    const file = this.#file(batchId)
    const content = format.encode(file, entry)
    await checkFence()
    const staged = await this.#orSuperseded(() => files.stage(file.path, content))
    return {
      publish: async () => {
        await checkFence()
        if (!(await this.#orSuperseded(() => staged.publish()))) throw this.#concurrent(file, batchId)
        this.#added(batchId, entry)
      },
      drop: () => staged.drop(),
    }
  }
  #added(batchId: number, entry: Entry): void {
    const range = this.#range!
    this.#range = range === 'empty' ? { lowest: batchId, newest: batchId } : { lowest: Math.min(range.lowest, batchId), newest: batchId }
    this.#newest = { batchId, entry }
  }
  /** A run that takes over removes the temporary files of the one before: then that is the reason of a failure. */
  async #orSuperseded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      await this.#options.checkFence()
      throw error
    }
  }

  /** In ascending order, so that a kill half-way leaves no gap. */
  async purgeBelow(batchId: number): Promise<void> {
    const range = this.#range ?? (await this.#list())
    if (range === 'empty') return
    const end = Math.min(batchId, range.newest + 1 - this.#options.keep)
    for (const late of this.#late.splice(0)) await this.#options.files.delete(this.#file(late).path)
    for (; range.lowest < end; range.lowest++) await this.#options.files.delete(this.#file(range.lowest).path)
  }

  async #list(): Promise<{ lowest: number; newest: number } | 'empty'> {
    await this.batchIds()
    return this.#range!
  }

  #file(batchId: number): LogFile {
    const { name, queryId } = this.#options
    return { queryId, name: `${name}/${batchId}`, path: join(this.#folder, String(batchId)) }
  }

  #refuseGap(ids: readonly number[]): void {
    for (let i = 1; i < ids.length; i++) {
      if (ids[i] !== ids[i - 1]! + 1) throw this.#missing(ids[i - 1]! + 1)
    }
  }

  #missing(batchId: number): CorruptCheckpointError {
    return batchMetadataNotFound(this.#file(batchId).path)
  }

  #concurrent(file: LogFile, batchId: number): FencedError {
    return new FencedError('CONCURRENT_STREAM_LOG_UPDATE', {
      what: `${file.path} exists: another run wrote batch ${batchId} of this checkpoint first`,
      todo: 'stop one of the two runs; what is in the checkpoint is right, and a new start goes on from it',
    })
  }
}

export function batchMetadataNotFound(path: string): CorruptCheckpointError {
  return new CorruptCheckpointError('BATCH_METADATA_NOT_FOUND', {
    what: `${path} is missing, and the log goes on after it`,
    todo: 'restore it from a backup, or start the query with a new checkpoint; Millrace will not guess which rows were read',
  })
}
