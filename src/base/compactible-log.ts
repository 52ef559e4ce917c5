import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Clock } from './clock.ts'
import { CorruptCheckpointError } from './errors.ts'
import type { Files } from './files.ts'
import { nextTurn } from './slices.ts'

/*
 * Spark's CompactibleFileStreamLog: a folder of files `<id>` with the entries that id added, and every `interval` ids a file
 * `<id>.compact` in place of `<id>` that holds all entries up to it. The whole log is therefore the newest compact file and what
 * follows it. A file is `v1` and then a line of JSON for each entry. Readers (Spark among them) find out the interval from the
 * numbers of the compact files, so it stays what it was when the log began.
 *
 * Each line ends in its checksum, and the last line of a file says that it is the last: so a changed byte and a file that was cut are
 * found. Spark skips fields that it doesn't know, and its own lines, which have no checksum, are read without one.
 */

export interface CompactibleLogOptions<Entry> {
  readonly files: Files
  readonly folder: string
  readonly clock: Clock
  readonly encode: (entry: Entry) => object
  /** The entry in one line's JSON value, or undefined where that is none. */
  readonly decode: (json: Readonly<Record<string, unknown>>) => Entry | undefined
  /** Part of each checksum, so that a file of another log is told from this one's. Readers have to know it too. */
  readonly owner?: string
  /** The id that added an entry, where entries know it and no id is without any: then a file that lacks its own entries is found. */
  readonly idOf?: (entry: Entry) => number
  readonly compactInterval: number
  /** Whether files that a compaction holds are removed, and how old (ms) they must be. */
  readonly deleteExpired: boolean
  readonly cleanupDelayMs: number
  readonly minBatchesToRetain: number
}

/** Settings of a log from the engine's configuration; `log` is `fileSource` or `fileSink`. */
export function compactibleLogSettings(log: string, conf: (key: string) => string | undefined) {
  const get = (key: string) => conf(`spark.sql.streaming.${key}`)
  return {
    compactInterval: Number(get(`${log}.log.compactInterval`) ?? 10),
    deleteExpired: get(`${log}.log.deletion`) !== 'false',
    cleanupDelayMs: durationOf(get(`${log}.log.cleanupDelay`) ?? '10min'),
    minBatchesToRetain: Number(get('minBatchesToRetain') ?? 100),
  }
}
function durationOf(text: string): number {
  const match = /^\s*(\d+)\s*(ms|s|m|min|h|d)?\s*$/.exec(text)
  const unit = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? 'ms']!
  return match === null ? 600_000 : Number(match[1]) * unit
}

/** So many lines are read at a stretch: a few milliseconds. */
const slice = 500
const lastMark = ',"last":true'
const checksumAtEnd = /,"crc32":"([0-9a-f]{8})"\}$/
const checksumLength = ',"crc32":"00000000"}'.length

interface LogFile {
  readonly id: number
  readonly compact: boolean
}

export class CompactibleLog<Entry> {
  readonly #options: CompactibleLogOptions<Entry>
  /** Ascending by id. */
  #present: LogFile[] = []
  #interval: number

  private constructor(options: CompactibleLogOptions<Entry>) {
    this.#options = options
    this.#interval = options.compactInterval
  }

  /** Lists the folder (which need not exist) and reads nothing else. */
  static async open<Entry>(options: CompactibleLogOptions<Entry>): Promise<CompactibleLog<Entry>> {
    const log = new CompactibleLog(options)
    await log.refresh()
    return log
  }

  /** The newest id, -1 in an empty log. */
  get latestId(): number {
    return this.#present.at(-1)?.id ?? -1
  }

  /** Whether the file of this id holds all entries before it too. */
  compactsAt(id: number): boolean {
    return (id + 1) % this.#interval === 0
  }

  /** Looks at the folder again: somebody else may write to this log. */
  async refresh(): Promise<void> {
    const { files, folder } = this.#options
    const names = files.names ? await files.names(folder) : (await files.list(folder)).map((entry) => entry.name)
    this.#present = names.flatMap(parseName).sort((a, b) => a.id - b.id)
    this.#interval = intervalOf(
      this.#present.filter((file) => file.compact).map((file) => file.id),
      this.#options.compactInterval,
    )
  }

  /**
   * All entries, for a run that goes on with the log. A run that was killed just after it added an entry has left a name that is seen and
   * may still go with the power: it is durable afterwards. Must be called before anything builds on what is there, and before anything is
   * added or removed: a compaction copies what it finds. CorruptCheckpointError as of readAll.
   */
  async takeOver(): Promise<Entry[]> {
    const entries = await this.readAll()
    const newest = this.#present.at(-1)
    if (newest) await this.#options.files.sync([this.#path(newest)])
    return entries
  }

  /** All entries: those of the newest compact file and of everything after it. CorruptCheckpointError where a file is missing or no such log. */
  async readAll(): Promise<Entry[]> {
    return (await this.readWhole(this.#wholeUpTo(this.latestId))).flat()
  }

  /** The entries of files that hold the ids above `afterId`; where a compaction lies between, all that it holds. */
  async readAfter(afterId: number): Promise<Entry[]> {
    const whole = this.#wholeUpTo(this.latestId)
    return (await this.readWhole(whole[0]?.compact && whole[0].id > afterId ? whole : whole.filter((file) => file.id > afterId))).flat()
  }

  /** The file of one id: its own entries, or where it is a compaction all up to it. Undefined where there is none. */
  async read(id: number): Promise<Entry[] | undefined> {
    const file = this.#present.find((each) => each.id === id)
    return file && this.#read(file)
  }

  /**
   * Adds the next id, durably: false where it exists already. `keep`, where given, decides which earlier entries a compaction keeps.
   * The ids of a log follow one another; in an empty one the first may be any, and its file then counts as a compaction of all before it.
   */
  async add(id: number, entries: readonly Entry[], keep?: (entry: Entry) => boolean): Promise<boolean> {
    const { files } = this.#options
    const startsLate = this.latestId < 0 && id > 0
    const compact = startsLate || this.compactsAt(id)
    const copies = compact && !startsLate && !keep
    const kept = compact && !startsLate && keep ? (await this.readAll()).filter(keep) : []
    const text = [Buffer.from('v1'), ...(copies ? await this.#textOfAll() : []), this.#encode([...kept, ...entries])]
    const file = { id, compact }
    if (!(await files.createExclusive(this.#path(file), Buffer.concat(text)))) return false
    this.#present.push(file)
    if (startsLate) this.#interval = intervalOf([id], this.#options.compactInterval)
    return true
  }

  /**
   * Removes old files whose entries a later compact file holds, oldest first: those before the last compaction that lies
   * `minBatchesToRetain` ids back, as Spark counts them, once they are older than the cleanup delay. None above `upTo`, whose own entries somebody may still
   * ask for. Costs one look where there is nothing to remove.
   */
  async deleteExpired(upTo = Number.POSITIVE_INFINITY): Promise<void> {
    const { files, clock, deleteExpired, cleanupDelayMs, minBatchesToRetain } = this.#options
    const oldestRetained = this.latestId + 1 - minBatchesToRetain
    const boundary = oldestRetained - (oldestRetained % this.#interval) - 1
    if (!deleteExpired || boundary <= 0) return
    let removed = 0
    for (const file of this.#present) {
      if (file.id >= boundary || file.id > upTo) break
      const entry = await files.stat(this.#path(file))
      if (entry && entry.modifiedMs > clock.nowMs() - cleanupDelayMs) break
      await files.delete(this.#path(file))
      removed++
    }
    if (removed > 0) this.#present.splice(0, removed)
  }

  /** The newest compact file up to `id` and what follows it, each id there. */
  #wholeUpTo(id: number): LogFile[] {
    const from = this.#present.findLastIndex((file) => file.compact && file.id <= id)
    const files = this.#present.slice(Math.max(from, 0)).filter((file) => file.id <= id)
    for (let i = 0; i < files.length; i++) {
      const expected = i === 0 ? (from < 0 ? 0 : files[0]!.id) : files[i - 1]!.id + 1
      if (files[i]!.id !== expected) throw missingFile(this.#path({ id: expected, compact: false }))
    }
    return files
  }

  async readWhole(files: readonly LogFile[]): Promise<Entry[][]> {
    const contents: Entry[][] = []
    for (let i = 0; i < files.length; i += 64) {
      const read = await Promise.allSettled(files.slice(i, i + 64).map((file) => this.#read(file)))
      // of several that are damaged the first one is named, whichever was read first
      for (const each of read) {
        if (each.status === 'rejected') throw each.reason
        contents.push(each.value)
      }
    }
    return contents
  }

  async #read(file: LogFile): Promise<Entry[]> {
    const path = this.#path(file)
    const [, ...all] = checkHeader(path, await this.#bytes(file))
      .toString('utf8')
      .split('\n')
    const lines = all.filter((line) => line !== '')
    const entries: Entry[] = []
    for (const line of lines) {
      entries.push(this.#decodeLine(path, line))
      if (entries.length % slice === 0) await nextTurn()
    }
    const { idOf } = this.#options
    const isCut = checksumAtEnd.test(lines.at(-1) ?? '') && !lines.at(-1)!.slice(0, -checksumLength).endsWith(lastMark)
    if (isCut || (idOf && (entries.length === 0 || idOf(entries.at(-1)!) !== file.id))) throw malformed(path, 'its last lines are missing')
    return entries
  }

  #decodeLine(path: string, line: string): Entry {
    const expected = checksumAtEnd.exec(line)?.[1]
    if (expected !== undefined && this.#checksum(line.slice(0, -checksumLength)) !== expected) {
      throw malformed(
        path,
        `the checksum of the line ${clip(line)} is wrong: it was changed after it was written, or belongs to another log`,
      )
    }
    let json: unknown
    try {
      json = JSON.parse(line)
    } catch (cause) {
      throw malformed(path, `the line ${clip(line)} is not JSON`, cause)
    }
    const entry = typeof json === 'object' && json !== null ? this.#options.decode(json as Record<string, unknown>) : undefined
    if (entry === undefined) throw malformed(path, `the line ${clip(line)} is no entry of this log`)
    // what a changed byte makes of a checksum is no checksum
    if (expected === undefined && 'crc32' in (json as object)) throw malformed(path, `the line ${clip(line)} does not end in its checksum`)
    return entry
  }

  /** The text of the whole log as it is. What is in it was checked by takeOver, or written by this run. */
  async #textOfAll(): Promise<Buffer[]> {
    return Promise.all(
      this.#wholeUpTo(this.latestId).map(async (file) => {
        const bytes = checkHeader(this.#path(file), await this.#bytes(file)).subarray(2)
        return bytes.at(-1) === 10 ? bytes.subarray(0, -1) : bytes
      }),
    )
  }

  #encode(entries: readonly Entry[]): Buffer {
    return Buffer.from(
      entries
        .map((entry, i) => {
          const text = JSON.stringify(this.#options.encode(entry)).slice(0, -1) + (i === entries.length - 1 ? lastMark : '')
          return `\n${text},"crc32":"${this.#checksum(text)}"}`
        })
        .join(''),
    )
  }

  #checksum(text: string): string {
    return crc32(`${this.#options.owner ?? ''}\n${text}`)
      .toString(16)
      .padStart(8, '0')
  }

  async #bytes(file: LogFile): Promise<Uint8Array> {
    try {
      return await this.#options.files.read(this.#path(file))
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') throw missingFile(this.#path(file))
      throw error
    }
  }

  #path({ id, compact }: LogFile): string {
    return join(this.#options.folder, compact ? `${id}.compact` : String(id))
  }
}

function parseName(name: string): LogFile[] {
  const match = /^(0|[1-9]\d{0,14})(\.compact)?$/.exec(name)
  return match === null ? [] : [{ id: Number(match[1]), compact: match[2] !== undefined }]
}

/** The interval of a log with these compact files, as Spark derives it: from the last two; from a single one the least divisor of
 *  its position that is no smaller than the configured interval. */
export function intervalOf(compactIds: readonly number[], configured: number): number {
  const last = compactIds.at(-1)
  if (last === undefined) return configured
  const previous = compactIds.at(-2)
  if (previous !== undefined) return last - previous
  if (last + 1 <= configured) return last + 1
  for (let divisor = configured; divisor <= (last + 1) / 2; divisor++) if ((last + 1) % divisor === 0) return divisor
  return last + 1
}

function checkHeader(path: string, content: Uint8Array): Buffer {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const end = bytes.indexOf(10)
  const header = bytes.toString('latin1', 0, end < 0 ? Math.min(bytes.length, 20) : Math.min(end, 20))
  if (header === 'v1') return bytes
  if (/^v[1-9]\d*$/.test(header)) {
    throw new CorruptCheckpointError('INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION', {
      what: `${path} has version ${header}, and this program reads up to v1`,
      todo: 'run the query with the release that wrote it, or a later one',
    })
  }
  throw malformed(path, bytes.length === 0 ? 'it is empty' : `its first line is ${clip(header)} and not v1`)
}

function malformed(path: string, why: string, cause?: unknown): CorruptCheckpointError {
  return new CorruptCheckpointError('MALFORMED_LOG_FILE', {
    what: `${path} can't be read: ${why}`,
    todo: 'restore the folder from a backup; nothing was overwritten',
    ...(cause === undefined ? {} : { cause }),
  })
}
function missingFile(path: string): CorruptCheckpointError {
  return new CorruptCheckpointError('BATCH_METADATA_NOT_FOUND', {
    what: `${path} is missing, and the log goes on after it`,
    todo: 'restore it from a backup; Millrace will not guess what it held',
  })
}
function clip(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 80)}…`)
}
