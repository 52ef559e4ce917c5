import { basename, join } from 'node:path'
import { CompactibleLog, compactibleLogSettings } from '../base/compactible-log.ts'
import { CorruptCheckpointError, InvalidQueryError, UnavailableError } from '../base/errors.ts'
import { isGlob } from '../base/glob.ts'
import { nextTurn, sortInSlices } from '../base/slices.ts'
import { refuseDeltaRead } from '../data/delta-folder.ts'
import type { ReadFormat } from '../data/file-options.ts'
import { ignoreMetadataKey, sinkLogFolder } from '../data/file-sink-log.ts'
import { pathToUri, uriToPath } from '../data/file-uri.ts'
import type { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import { type CleaningCounts, cleanFiles } from './clean-source.ts'
import { FileLister, type FoundFile } from './file-lister.ts'
import { type FileSourceOptions, fileSourceOptions } from './file-source-options.ts'
import type { SourceContext } from './provider.ts'
import { SeenFiles } from './seen-files.ts'
import { boundOf, type Offset, type ReadLimit, type RowsNeeded, type Source } from './source.ts'

/*
 * New files of a folder. The log in the checkpoint's `sources/<name>/` is the order in which they are read: entry n lists the files that
 * offset {"logOffset": n} adds. latestOffset writes the entry before it returns the offset, so an offset in offsets/ always has its files.
 * An entry whose offset no batch has planned (the process died in between) is not lost: its files count as seen, and it is the
 * next thing that latestOffset returns.
 */

/** A line of `sources/<name>/<n>`, Spark's with the file's size besides. */
interface FileLogEntry {
  readonly path: string
  /** Undefined in what Spark wrote. */
  readonly sizeBytes: number | undefined
  readonly modifiedMs: number
  readonly batchId: number
}

/** Files found and not yet taken: `files` from `next` on, in reading order. `frozen`: nothing else is read in this run. */
interface FileQueue {
  readonly files: readonly FoundFile[]
  readonly next: number
  readonly bytesLeft: number
  readonly frozen: boolean
}

/** So many looks at files happen at a stretch: a few milliseconds. */
const statSlice = 512

/** Entries of so many newest offsets stay in memory; older ones are read from the log. */
const cachedOffsets = 16

export async function openFileSource(context: SourceContext): Promise<Source> {
  const format = context.format.toLowerCase() as ReadFormat
  const { files, clock, conf, queryId, metadataFolder: folder } = context
  const options = fileSourceOptions(format, context.options)
  if (!isGlob(options.path) && !(await files.stat(options.path))) {
    throw new InvalidQueryError('PATH_NOT_FOUND', {
      what: `${options.path}, which a stream of ${format} files reads, is not there`,
      todo: 'check the path, or create the folder first: it may be empty',
    })
  }
  if (!isGlob(options.path)) await refuseDeltaRead(options.path, format, files)
  if (options.cleaning.kind !== 'off' && (await files.stat(join(options.path, sinkLogFolder)))) {
    throw new InvalidQueryError('UNSUPPORTED_OPTION', {
      what: `cleanSource is set, and ${options.path} is the output of a streaming query: its log would name files that are gone`,
      todo: 'leave cleanSource out; the query that writes the folder keeps it',
    })
  }
  const log = await CompactibleLog.open<FileLogEntry>({
    files,
    clock,
    folder,
    encode: encodeEntry,
    decode: decodeEntry,
    idOf: (entry) => entry.batchId,
    ...(queryId === undefined ? {} : { owner: queryId }),
    ...compactibleLogSettings('fileSource', conf),
  })
  const source = new FileSource(context, format, options, log)
  await source.restore(await log.takeOver())
  return source
}

class FileSource implements Source {
  readonly schema: Schema
  readonly description: string
  readonly readLimit: ReadLimit
  readonly tellsRecords = true
  readonly readsAhead = true
  readonly #context: SourceContext
  readonly #format: ReadFormat
  readonly #options: FileSourceOptions
  readonly #log: CompactibleLog<FileLogEntry>
  readonly #lister: FileLister
  readonly #seen: SeenFiles
  readonly #entries = new Map<number, readonly FileLogEntry[]>()
  #queue: FileQueue | null = null
  #forgot = false
  #outstanding = { files: 0, bytes: 0 }
  #cleanedTo: number | undefined
  readonly #cleaning: CleaningCounts = { cleaned: 0, failed: 0 }
  #missing = 0

  constructor(context: SourceContext, format: ReadFormat, options: FileSourceOptions, log: CompactibleLog<FileLogEntry>) {
    this.#context = context
    this.#format = format
    this.#options = options
    this.#log = log
    this.schema = context.schema
    this.description = `FileStreamSource[${options.path}]`
    this.readLimit = options.readLimit
    this.#lister = new FileLister({
      path: options.path,
      recursive: options.recursive,
      nameFilter: options.nameFilter,
      files: context.files,
      ignoresSinkLog: context.conf(ignoreMetadataKey) === 'true',
    })
    this.#seen = new SeenFiles(options.maxFileAgeMs, options.fileNameOnly)
  }

  /** Remembers what the log says, before anything is asked. */
  async restore(entries: readonly FileLogEntry[]): Promise<void> {
    for (const [i, { path, modifiedMs }] of entries.entries()) {
      this.#seen.add(path, modifiedMs)
      if (i % 4096 === 4095) await nextTurn()
    }
    this.#remember(entries.filter((entry) => entry.batchId > this.#log.latestId - cachedOffsets))
  }

  async latestOffset(start: Offset | null, limit: ReadLimit): Promise<Offset | null> {
    const from = logOffsetOf(start)
    this.#refuseOffsetBeyondLog(from)
    if (this.#log.latestId > from && limit.kind !== 'all') return offsetOf(from + 1)
    const taken = this.#take(await this.#findFiles(limit), limit)
    if (taken.length > 0 && !(await this.#addToLog(taken))) return this.latestOffset(start, limit)
    return this.#log.latestId > from ? offsetOf(this.#log.latestId) : start
  }

  async rows(start: Offset | null, end: Offset, needed?: RowsNeeded): Promise<SourceBatch> {
    const entries: FileLogEntry[] = []
    for (let id = logOffsetOf(start) + 1; id <= logOffsetOf(end); id++) entries.push(...(await this.#entriesOf(id)))
    const files = await this.#present(entries)
    const { columns, fields } = needed ?? {}
    return {
      kind: 'files',
      format: this.#format,
      files,
      options: this.#options.format,
      ...(columns && { read: columns }),
      ...(columns && fields && { needed: { columns, fields } }),
    }
  }

  async commit(end: Offset): Promise<void> {
    await this.#clean(logOffsetOf(end))
    // what a batch that is not committed reads must stay, if it is many entries
    await this.#log.deleteExpired(logOffsetOf(end))
  }

  /** Files up to an offset are cleaned once; a run begins with those that the one before it may have left. */
  async #clean(end: number): Promise<void> {
    const { cleaning } = this.#options
    if (cleaning.kind === 'off') return
    for (let id = Math.max(0, this.#cleanedTo ?? end - cachedOffsets); id <= end; id++) {
      const paths = (await this.#entriesOf(id, true)).map(({ path }) => path)
      if (paths.length === 0) continue
      await this.#context.checkFence()
      await cleanFiles(cleaning, paths, this.#context.files, this.#cleaning)
    }
    this.#cleanedTo = end + 1
  }

  reportLatestOffset(): Offset | null {
    return this.#log.latestId < 0 ? null : offsetOf(this.#log.latestId)
  }

  async prepareForAvailableNow(): Promise<void> {
    this.#queue = queueOf(await this.#list(), true)
  }

  /** What was found and not yet taken when the source last looked. */
  metrics(): Record<string, string> {
    const { cleaning, ignoreMissingFiles } = this.#options
    const { cleaned, failed } = this.#cleaning
    return {
      numFilesOutstanding: String(this.#outstanding.files),
      numBytesOutstanding: String(this.#outstanding.bytes),
      ...(cleaning.kind === 'off' ? {} : { numFilesCleaned: String(cleaned), numFilesNotCleaned: String(failed) }),
      ...(ignoreMissingFiles ? { numMissingFilesIgnored: String(this.#missing) } : {}),
    }
  }

  async stop(): Promise<void> {}

  async #findFiles(limit: ReadLimit): Promise<FileQueue> {
    const queue = this.#queue
    if (queue && (queue.frozen || (limit.kind !== 'all' && queue.next < queue.files.length))) return queue
    return queueOf(await this.#list(), false)
  }

  async #list(): Promise<FoundFile[]> {
    const found = await this.#lister.unseen((path) => this.#seen.has(path))
    const young = found.filter((file) => !this.#seen.isTooOld(file.modifiedMs))
    const files = await sortInSlices(
      this.#options.fileNameOnly ? firstOfEachName(young) : young,
      (a, b) => a.modifiedMs - b.modifiedMs || (a.path < b.path ? -1 : 1),
    )
    return this.#options.latestFirst ? files.reverse() : files
  }

  /** Takes the next files within the limit (at least one) and keeps the rest for the next batch, where enough is left to be worth it. */
  #take({ files, next, bytesLeft, frozen }: FileQueue, limit: ReadLimit): readonly FoundFile[] {
    const end = endWithin(files, next, limit)
    const taken = files.slice(next, end)
    const left = { files: files.length - end, bytes: bytesLeft - taken.reduce((sum, file) => sum + file.sizeBytes, 0) }
    const worth = this.#options.discardCachedInputRatio
    const [maxFiles, maxBytes] = [boundOf(limit, 'max-files'), boundOf(limit, 'max-bytes')]
    // without a limit nothing is left; of two the one that ends first counts
    const enough = left.files > 0 && left.files >= finite(maxFiles) * worth && left.bytes >= finite(maxBytes) * worth
    this.#outstanding = left
    this.#queue = frozen
      ? { files, next: end, bytesLeft: left.bytes, frozen }
      : enough && !this.#options.latestFirst
        ? this.#cached(files, end, left.bytes)
        : null
    return taken
  }

  #cached(files: readonly FoundFile[], next: number, bytesLeft: number): FileQueue {
    const { maxCachedFiles } = this.#options
    if (files.length - next <= maxCachedFiles) return { files, next, bytesLeft, frozen: false }
    return queueOf(files.slice(next, next + maxCachedFiles), false)
  }

  /** False where the entry exists already: another run wrote it in between, and what it lists comes next. */
  async #addToLog(taken: readonly FoundFile[]): Promise<boolean> {
    const id = this.#log.latestId + 1
    const entries = taken.map(
      (file): FileLogEntry => ({ path: file.path, sizeBytes: file.sizeBytes, modifiedMs: file.modifiedMs, batchId: id }),
    )
    const { oldestAllowedMs } = this.#seen
    await this.#context.checkFence()
    const added = await this.#log.add(id, entries, this.#forgot ? (entry) => entry.modifiedMs >= oldestAllowedMs : undefined)
    if (added) {
      if (this.#log.compactsAt(id)) this.#forgot = false
      this.#remember(entries)
      return true
    }
    await this.#context.checkFence()
    await this.#log.refresh()
    for (let each = id; each <= this.#log.latestId; each++)
      this.#remember((await this.#log.read(each))?.filter((entry) => entry.batchId === each) ?? [])
    const left = this.#queue?.frozen
      ? [...taken, ...this.#queue.files.slice(this.#queue.next)].filter((file) => !this.#seen.has(file.path))
      : null
    this.#queue = left && queueOf(left, true)
    return false
  }

  #remember(entries: readonly FileLogEntry[]): void {
    const oldest = this.#log.latestId - cachedOffsets
    for (const entry of entries) this.#seen.add(entry.path, entry.modifiedMs)
    this.#forgot = this.#seen.purge() || this.#forgot
    for (const [id, own] of Map.groupBy(
      entries.filter((entry) => entry.batchId > oldest),
      (entry) => entry.batchId,
    ))
      this.#entries.set(id, own)
    for (const id of this.#entries.keys()) {
      if (id > oldest) break
      this.#entries.delete(id)
    }
  }

  async #entriesOf(id: number, mayBeGone = false): Promise<readonly FileLogEntry[]> {
    const entries = this.#entries.get(id) ?? (await this.#log.read(id))?.filter((entry) => entry.batchId === id)
    if (entries) return entries
    if (mayBeGone) return []
    throw new CorruptCheckpointError('BATCH_METADATA_NOT_FOUND', {
      what: `${this.#context.metadataFolder} has no entry ${id}, and the offset log says that its files were read`,
      todo: 'restore sources/ from the backup that offsets/ comes from',
    })
  }

  /** The files as the log knows them, checked against those on disk, in slices that let other work in between. */
  async #present(entries: readonly FileLogEntry[]): Promise<FoundFile[]> {
    const found: (FoundFile | undefined)[] = []
    for (let i = 0; i < entries.length; i += statSlice) {
      if (i > 0) await nextTurn()
      found.push(...(await Promise.all(entries.slice(i, i + statSlice).map((entry) => this.#unchanged(entry)))))
    }
    this.#missing += found.filter((file) => file === undefined).length
    return found.filter((file) => file !== undefined)
  }

  async #unchanged({ path, sizeBytes, modifiedMs }: FileLogEntry): Promise<FoundFile | undefined> {
    const now = await this.#context.files.stat(path)
    if (now === undefined && this.#options.ignoreMissingFiles) return undefined
    if (now === undefined) {
      throw new UnavailableError('FAILED_READ_FILE.FILE_NOT_EXIST', {
        what: `${path} was found by the source and is gone before its batch could read it`,
        todo: 'put it back; files may be removed only after the batch that reads them has been committed',
      })
    }
    if (sizeBytes !== undefined && now.sizeBytes !== sizeBytes) {
      throw new UnavailableError('FAILED_READ_FILE.FILE_CHANGED', {
        what: `${path} had ${sizeBytes} bytes when the source found it and has ${now.sizeBytes} now`,
        todo: 'restore its content; write files elsewhere, or under a name with a leading dot, and move them into the folder when they are complete',
      })
    }
    // times that were set by a program may be off by what a double loses
    if (sizeBytes !== undefined && Math.abs(now.modifiedMs - modifiedMs) > 2 && !(await this.#followsSinkLog())) {
      throw new UnavailableError('FAILED_READ_FILE.FILE_CHANGED', {
        what: `${path} was written at ${timeText(modifiedMs)} when the source found it, and has been written again at ${timeText(now.modifiedMs)}`,
        todo: 'restore it with the time that it had (cp --preserve, touch -d), or write files elsewhere and move them into the folder when they are complete',
      })
    }
    return { path, sizeBytes: now.sizeBytes, modifiedMs }
  }
  /** Files of another query's output are named once and never written again; a copy of the folder may give them other times. */
  async #followsSinkLog(): Promise<boolean> {
    return (await this.#context.files.stat(join(this.#options.path, sinkLogFolder))) !== undefined
  }

  #refuseOffsetBeyondLog(from: number): void {
    if (from <= this.#log.latestId) return
    throw new CorruptCheckpointError('SOURCE_LOG_BEHIND_OFFSETS', {
      what: `the query has read up to log offset ${from}, and ${this.#context.metadataFolder} ends at ${this.#log.latestId}: it no longer knows which files were read`,
      todo: 'restore sources/ from the backup that offsets/ comes from; without it files would be read twice',
    })
  }
}

function queueOf(files: readonly FoundFile[], frozen: boolean): FileQueue {
  return { files, next: 0, bytesLeft: files.reduce((sum, file) => sum + file.sizeBytes, 0), frozen }
}

/** Where the files from `next` reach the limit: at least one is taken. How many rows they have nobody knows before they are read. */
function endWithin(files: readonly FoundFile[], next: number, limit: ReadLimit): number {
  const maxBytes = boundOf(limit, 'max-bytes')
  const last = Math.min(files.length, next + boundOf(limit, 'max-files'))
  if (next >= last || !Number.isFinite(maxBytes)) return last
  let end = next + 1
  for (let bytes = files[next]!.sizeBytes; end < last; end++) {
    bytes += files[end]!.sizeBytes
    if (bytes > maxBytes) break
  }
  return end
}
function timeText(ms: number): string {
  return new Date(ms).toISOString()
}
function finite(bound: number): number {
  return Number.isFinite(bound) ? bound : 0
}

function firstOfEachName(files: readonly FoundFile[]): FoundFile[] {
  const byName = new Map<string, FoundFile>()
  for (const file of files) if (!byName.has(basename(file.path))) byName.set(basename(file.path), file)
  return [...byName.values()]
}

function offsetOf(id: number): Offset {
  return { logOffset: id }
}
/** -1 before the first. Spark's older form, a bare number, is read too. */
function logOffsetOf(offset: Offset | null): number {
  if (offset === null || offset === undefined) return -1
  const id = typeof offset === 'object' ? (offset as { logOffset?: unknown }).logOffset : offset
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id
  throw new CorruptCheckpointError('MALFORMED_OFFSET', {
    what: `${JSON.stringify(offset)} is not an offset of a file source, which looks like {"logOffset":3}`,
    todo: 'start the query with the checkpoint that belongs to it; a source cannot change its kind',
  })
}

function encodeEntry({ path, sizeBytes, modifiedMs, batchId }: FileLogEntry): object {
  return { path: pathToUri(path), timestamp: modifiedMs, batchId, ...(sizeBytes === undefined ? {} : { size: sizeBytes }) }
}
function decodeEntry(json: Readonly<Record<string, unknown>>): FileLogEntry | undefined {
  const { path, timestamp, batchId, size } = json
  if (typeof path !== 'string' || typeof timestamp !== 'number' || typeof batchId !== 'number') return undefined
  return { path: uriToPath(path), modifiedMs: timestamp, batchId, sizeBytes: typeof size === 'number' ? size : undefined }
}
