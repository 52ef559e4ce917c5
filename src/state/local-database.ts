/**
 * The state of a query in RocksDB on this machine, for state larger than memory. It is a cache: what counts are the changelogs and snapshots of the
 * checkpoint. It gets the rows of a version, in one write that also says which version it is, once that version is committed; so a crash leaves it at a
 * committed version or at one before, and a start goes on from there with the changelogs above. A database of any other content is removed and made anew.
 */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UnavailableError } from '../base/errors.ts'
import { eventTimeIndex, type StateColumn, type StateSchema } from '../data/state-schema.ts'
import { typeText } from '../data/types.ts'
import { metaKey, prefixBytes } from './local-keys.ts'
import type { LocalStore, StoreCounts } from './local-state-store.ts'
import { loadRocksdb, type RocksIterator, type RocksLevel } from './rocksdb-addon.ts'

/** How the RocksDB provider works. */
export interface RocksdbSettings {
  readonly kind: 'rocksdb'
  /** Where the database goes; made when it is needed. */
  readonly folder: string
  /** The checkpoint has no batch yet: what it begins with can still be chosen. */
  readonly isNew: boolean
  /** Memory for all of it: block cache, write buffers, and rows kept between batches. 500 MB. */
  readonly memoryBytes: number
  /** The part of the database's memory that write buffers may take, 0 to 1. 0.5. */
  readonly writeBufferRatio: number
  readonly blockBytes: number
  /** Hears what the user should know. */
  readonly warn: (text: string) => void
}

/** Which version of which state a database has; the value of `metaKey`. */
interface Content {
  readonly format: number
  readonly queryId: string
  readonly keyGroups: number
  /** Id and form of the rows of each store, in the order of their places. */
  readonly stores: readonly string[]
  readonly version: number
  /** The run that committed the version. */
  readonly epoch: number
  /** CRC-32 of the changelog that led to it. */
  readonly changelogCrc: number
  readonly counts: readonly StoreCounts[]
}
/** A version of the state, as one run wrote it. */
export interface LocalVersion {
  readonly version: number
  readonly epoch: number
  readonly changelogCrc: number
}

/** What the name of a database begins with whose place was taken. */
const asideName = 'db-'
const contentFormat = 2

const readOptions = { fillCache: true, valueEncoding: 'buffer' }

/** An iterator gives no more at a time than a little over this. */
const pageBytes = 4 << 20

/** Rows are fetched in pieces of so many: their keys are buffers that are kept. */
export const fetchRows = 4096

export class LocalDatabase {
  readonly settings: RocksdbSettings
  readonly #identity: Pick<Content, 'format' | 'queryId' | 'keyGroups' | 'stores'>
  readonly #stores: readonly LocalStore[]
  #level: RocksLevel | null = null
  #path = ''
  #pending: LocalVersion | 'load' | null = null
  #isDamaged = false
  /** Of the last write. */
  #writeMs = 0
  #bytesWritten = 0
  #openedMs = performance.now()
  #loadMs = 0

  constructor(settings: RocksdbSettings, queryId: string, keyGroups: number, stores: ReadonlyMap<string, LocalStore>) {
    this.settings = settings
    this.#stores = [...stores.values()]
    const texts = [...stores].map(([id, { schema }]) => `${id} ${rowForm(schema)}`)
    this.#identity = { format: contentFormat, queryId, keyGroups, stores: texts }
  }

  /**
   * Opens what is there if it has a version that `isGood`, else an empty database; returns that version. A database that another run of this machine
   * still holds (it was superseded and does not know it yet) is left alone.
   */
  async open(isGood: (version: LocalVersion) => Promise<boolean>): Promise<number> {
    this.#path = join(this.settings.folder, 'db')
    const opened = await this.#tryOpen()
    if (opened === 'locked') {
      // not by the run's number: a checkpoint that was restored from a backup counts again from an old one
      this.#path = await mkdtemp(join(this.settings.folder, asideName))
      await this.#openEmpty()
      return 0
    }
    await this.#removeOthers()
    const content = opened === 'damaged' ? null : this.#content()
    if (content !== null && this.#isOurs(content) && (await isGood(content))) {
      for (const [i, store] of this.#stores.entries()) store.attach(this, content.counts[i]!)
      return content.version
    }
    await this.#level?.close()
    await this.#openEmpty()
    return 0
  }

  /** Databases of runs that were superseded or died beside the one that we hold. */
  async #removeOthers(): Promise<void> {
    const { folder } = this.settings
    for (const name of await readdir(folder)) if (name.startsWith(asideName)) await rm(join(folder, name), { recursive: true, force: true })
  }

  async #tryOpen(): Promise<'open' | 'locked' | 'damaged'> {
    await mkdir(this.#path, { recursive: true })
    const { RocksLevel } = await loadRocksdb(this.settings.isNew ? 'new' : 'begun')
    const level = new RocksLevel(this.#path)
    try {
      await level.open(this.#options())
    } catch (error) {
      const cause = (error as { cause?: { code?: unknown; message?: unknown } }).cause
      if (cause?.code === 'LEVEL_LOCKED' || String(cause?.message).includes('lock hold by current process')) return 'locked'
      this.settings.warn(`the local state in ${this.#path} cannot be opened and is made anew: ${String(cause?.message ?? error)}`)
      return 'damaged'
    }
    this.#level = level
    return 'open'
  }

  async #openEmpty(): Promise<void> {
    await rm(this.#path, { recursive: true, force: true })
    if ((await this.#tryOpen()) !== 'open') throw failed(this.#path, new Error('an empty database cannot be opened'))
    for (const store of this.#stores) store.attach(this, null)
  }

  /**
   * The addon takes the sizes of write buffers from one budget: a buffer is a quarter of it, and there may be six. Universal compaction writes a row about half as often as
   * levels do, and leaves it uncompressed; several threads, so that a long compaction does not hold up the short ones.
   */
  #options(): Readonly<Record<string, unknown>> {
    const { memoryBytes, writeBufferRatio, blockBytes } = this.settings
    const bytes = memoryBytes - this.rowsBytes
    return {
      createIfMissing: true,
      compaction: 'universal',
      memtableMemoryBudget: Math.max(1 << 20, Math.floor((bytes * writeBufferRatio) / 1.5)),
      cacheSize: Math.min(0xffff_ffff, Math.max(1 << 20, Math.floor(bytes * (1 - writeBufferRatio)))),
      cacheIndexAndFilterBlocks: true,
      optimize: 'point-lookup',
      // Ribbon filters, which come with that, are a third smaller and cost three times as much to make
      filterPolicy: 'bloomfilter:10:false',
      blockSize: blockBytes,
      // it doubles the filters, so only where keys have several rows
      ...(this.#stores.some(({ schema }) => schema.rowsPerKey === 'many') && { prefixExtractor: `fixed:${prefixBytes}` }),
      compression: false,
      walCompression: false,
      parallelism: 4,
    }
  }

  /** Rows may be kept between batches up to that. */
  get rowsBytes(): number {
    return Math.floor(this.settings.memoryBytes / 4)
  }

  #content(): Content | null {
    const [bytes] = this.getMany([metaKey])
    try {
      return bytes ? (JSON.parse(Buffer.from(bytes).toString('utf8')) as Content) : null
    } catch {
      return null
    }
  }
  #isOurs({ format, queryId, keyGroups, stores }: Content): boolean {
    return JSON.stringify({ format, queryId, keyGroups, stores }) === JSON.stringify(this.#identity)
  }

  // ---- reading -----------------------------------------------------------------------------------------------------------------------------

  getMany(keys: readonly Uint8Array[]): (Uint8Array | undefined)[] {
    return this.#call((level) => level._getManySync(keys, readOptions)) as (Uint8Array | undefined)[]
  }

  /** Entries in the order of their keys as they are at this moment. To be closed. Bounds are shorter than `prefixBytes`, which only a target of `_seekSync` may reach. */
  iterate(range: {
    readonly gte?: Uint8Array
    readonly lt?: Uint8Array
    readonly values: boolean
    readonly fillCache: boolean
  }): RocksIterator {
    const options = { ...range, highWaterMarkBytes: pageBytes, keys: true, keyEncoding: 'buffer', valueEncoding: 'buffer' }
    return this.#call((level) => level.iterator(options))
  }

  /** Runs a call of the addon, whose errors are the disk's. */
  #call<T>(use: (level: RocksLevel) => T): T {
    if (this.#level === null) throw failed(this.#path, new Error('it is closed'))
    try {
      return use(this.#level)
    } catch (error) {
      throw this.fail(error)
    }
  }
  /** What to throw where the database gave an error. It will be made anew. */
  fail(error: unknown): UnavailableError {
    this.#isDamaged = true
    return failed(this.#path, error)
  }

  // ---- writing -----------------------------------------------------------------------------------------------------------------------------

  /** The stores hold this version, whose changelog is durable. It is written as soon as it is known to be committed: at `settle`. */
  noteCommit(version: LocalVersion): void {
    this.#pending = version
  }
  /** The stores hold rows of a load that is not at its end. */
  noteLoad(): void {
    this.#pending ??= 'load'
  }

  /** Writes what the stores hold of a finished version. */
  settle(): void {
    const pending = this.#pending
    if (pending === null) return
    this.#pending = null
    const startMs = performance.now()
    this.#call((level) => {
      const batch = level.batch()
      let bytes = 0
      for (const store of this.#stores) bytes += store.write(batch)
      if (pending !== 'load') batch._put(metaKey, this.#encodeContent(pending), {})
      batch._writeSync({})
      batch._closeSync()
      this.#bytesWritten = bytes
    })
    for (const store of this.#stores) store.written(this.rowsBytes / this.#stores.length)
    this.#writeMs = performance.now() - startMs
  }
  #encodeContent({ version, epoch, changelogCrc }: LocalVersion): Buffer {
    const counts = this.#stores.map((store) => store.counts)
    return Buffer.from(JSON.stringify({ ...this.#identity, version, epoch, changelogCrc, counts } satisfies Content))
  }

  // ---- what it takes -----------------------------------------------------------------------------------------------------------------------

  /** A store's part of a number that the database has as a whole, so that the parts add up to it. */
  shareOf(what: 'memory' | 'files' | 'pinned' | 'writeMs' | 'bytesWritten' | 'loadMs'): number {
    return this.#wholeOf(what) / this.#stores.length
  }
  #wholeOf(what: Parameters<LocalDatabase['shareOf']>[0]): number {
    switch (what) {
      case 'memory':
        // block cache, write buffers, and what is held of files beside them
        return (
          this.#property('block-cache-usage') + this.#property('cur-size-all-mem-tables') + this.#property('estimate-table-readers-mem')
        )
      case 'files':
        return this.#property('total-sst-files-size')
      case 'pinned':
        return this.#property('block-cache-pinned-usage')
      case 'writeMs':
        return this.#writeMs
      case 'bytesWritten':
        return this.#bytesWritten
      case 'loadMs':
        return this.#loadMs
    }
  }
  /** The state is loaded. */
  noteLoaded(): void {
    this.#loadMs = performance.now() - this.#openedMs
  }
  #property(name: string): number {
    return this.#level === null ? 0 : Number(this.#level.getProperty(`rocksdb.${name}`)) || 0
  }

  /** What is not known to be committed is not written: the next start has it from its changelog. */
  async close(): Promise<void> {
    const level = this.#level
    this.#level = null
    await level?.close()
    if (this.#isDamaged || this.#path !== join(this.settings.folder, 'db')) await rm(this.#path, { recursive: true, force: true })
  }
}

/** What the bytes of a row depend on. */
function rowForm(schema: StateSchema): string {
  const form = ({ type, nullable }: StateColumn) => `${typeText(type)}${nullable ? '' : ' not null'}`
  const parts = [
    schema.keys.map(form),
    schema.values.map((value) => form(value)),
    eventTimeIndex(schema) ?? '-',
    schema.rowsPerKey ?? 'one',
  ]
  return parts.map(String).join(' | ')
}

function failed(path: string, cause: unknown): UnavailableError {
  return new UnavailableError('STATE_STORE_LOCAL_DATABASE_FAILED', {
    what: `the local state in ${path} cannot be read or written: ${cause instanceof Error ? cause.message : String(cause)}`,
    todo: 'see that its disk has room and works, then start the query again: it makes the local state anew from the checkpoint',
    cause,
  })
}
