import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import type { SourceContext } from '../sources/provider.ts'
import { boundOf, type Offset, type ReadLimit, type Source } from '../sources/source.ts'
import { type NoteFormat, StartNote } from '../sources/start-note.ts'
import type { Action, AddFile } from './actions.ts'
import { type ChangedFile, changedRows, changesOf, checkKeepsChanges, withChangeFields } from './change-feed.ts'
import { commitPath, listLog } from './log-files.ts'
import { checkReadable } from './protocol.ts'
import { readCommit } from './read-actions.ts'
import { commitTimes, readSnapshot, type Snapshot } from './snapshot.ts'
import type { StreamOptions } from './source-options.ts'
import { tableRows } from './table-rows.ts'
import { tableSchema } from './table-schema.ts'

/** How far a stream has come, as Delta Lake's own connector writes it. All files of the version up to `index` are read; -1: none of it. */
interface DeltaOffset {
  readonly sourceVersion: 1
  /** The table's id. */
  readonly reservoirId: string
  readonly reservoirVersion: number
  readonly index: number
  /** Whether the files are those that the table held at that version, and not those that its commit added. */
  readonly isStartingVersion: boolean
}

const startFormat: NoteFormat<DeltaOffset> = {
  encode: (offset) => `v1\n${JSON.stringify(offset)}`,
  decode: (text) => {
    try {
      return text.startsWith('v1\n') ? (JSON.parse(text.slice(3)) as DeltaOffset) : undefined
    } catch {
      return undefined
    }
  },
  content: 'v1 and an offset',
  meaning: 'the version at which the stream began',
}

/** `readStream.format('delta')`: first the rows that the table holds, then what each commit adds. */
export class DeltaSource implements Source {
  readonly tellsRecords = true
  readonly schema: Schema
  readonly description: string
  readonly readLimit: ReadLimit
  readonly #note: StartNote<DeltaOffset>
  readonly #files: Files
  #first: DeltaOffset | undefined
  readonly #options: StreamOptions
  /** The table as it was when this run began: its columns are the stream's. */
  readonly #table: Snapshot
  /** The newest version that an AvailableNow run goes to. */
  #frozen: number | undefined
  #latest: DeltaOffset | null = null
  /** The files of the versions that were looked at last, in the order in which the stream takes them. */
  readonly #versions = new Map<string, readonly (AddFile | ChangedFile)[]>()

  constructor(context: SourceContext, options: StreamOptions, table: Snapshot) {
    this.#note = new StartNote(context, startFormat)
    this.#files = context.files
    this.#options = options
    this.#table = table
    this.schema = context.schema
    this.description = `DeltaSource[${options.table}]`
    const limits: ReadLimit[] = []
    if (options.maxFiles !== undefined) limits.push({ kind: 'max-files', count: options.maxFiles })
    if (options.maxBytes !== undefined) limits.push({ kind: 'max-bytes', bytes: options.maxBytes })
    this.readLimit = limits.length === 1 ? limits[0]! : limits.length === 0 ? { kind: 'all' } : { kind: 'composite', limits }
  }

  async latestOffset(start: Offset | null, limit: ReadLimit): Promise<Offset | null> {
    const from = (start as DeltaOffset | null) ?? (await this.#begin())
    this.#checkTable(from)
    const newest = this.#frozen ?? (await this.#newestVersion())
    const [maxFiles, maxBytes] = [boundOf(limit, 'max-files'), boundOf(limit, 'max-bytes')]
    let [files, bytes] = [0, 0]
    let at = from
    while (at.isStartingVersion || at.reservoirVersion <= newest) {
      const adds = await this.#filesOf(at)
      for (let index = at.index + 1; index < adds.length; index++) {
        bytes += adds[index]!.size
        // one file at least
        if (files > 0 && (files >= maxFiles || bytes > maxBytes)) return this.#reached({ ...at, index: index - 1 })
        files++
      }
      at = { ...at, reservoirVersion: at.reservoirVersion + 1, index: -1, isStartingVersion: false }
    }
    return this.#reached(at)
  }
  #reached(offset: DeltaOffset): DeltaOffset {
    this.#latest = offset
    return offset
  }

  async rows(start: Offset | null, end: Offset): Promise<SourceBatch> {
    const to = end as DeltaOffset
    let at = (start as DeltaOffset | null) ?? (this.#first ??= await this.#note.readWritten())
    this.#checkTable(to)
    const taken: (AddFile | ChangedFile)[] = []
    while (
      at.reservoirVersion < to.reservoirVersion ||
      (at.reservoirVersion === to.reservoirVersion && at.isStartingVersion && !to.isStartingVersion)
    ) {
      taken.push(...(await this.#filesOf(at)).slice(at.index + 1))
      at = { ...at, reservoirVersion: at.reservoirVersion + 1, index: -1, isStartingVersion: false }
    }
    if (to.index > at.index) taken.push(...(await this.#filesOf(at)).slice(at.index + 1, to.index + 1))
    if (this.#options.readChangeFeed) return changedRows(this.#files, this.#table, taken as ChangedFile[])
    return tableRows(this.#files, this.#table, taken)
  }

  async commit(): Promise<void> {}

  reportLatestOffset(): Offset | null {
    return this.#latest
  }
  async prepareForAvailableNow(): Promise<void> {
    this.#frozen = await this.#newestVersion()
  }
  async stop(): Promise<void> {}

  /** Where the stream began, or begins now. */
  async #begin(): Promise<DeltaOffset> {
    this.#first ??= await this.#note.read()
    this.#first ??= await this.#note.write(await this.#findFirstOffset())
    return this.#first
  }

  async #findFirstOffset(): Promise<DeltaOffset> {
    const { start, table } = this.#options
    const offset = (reservoirVersion: number, isStartingVersion: boolean): DeltaOffset => ({
      sourceVersion: 1,
      reservoirId: this.#table.metadata.id,
      reservoirVersion,
      index: -1,
      isStartingVersion,
    })
    if (start === 'latest') return offset((await this.#newestVersion()) + 1, false)
    if (start === null) return offset(this.#table.version, true)
    const log = (await listLog(this.#files, table))!
    if ('version' in start) {
      const oldest = log.commits[0]?.version ?? 0
      if (start.version >= oldest && start.version <= (await this.#newestVersion()) + 1) return offset(start.version, false)
      throw new InvalidQueryError('DELTA_VERSION_NOT_FOUND', {
        what: `startingVersion is ${start.version}, and the log of ${table} has the commits ${oldest} to ${log.commits.at(-1)?.version ?? oldest}`,
        todo: 'start at one of those, or leave startingVersion out to read the whole table first',
      })
    }
    const found = (await commitTimes(this.#files, table, log)).find(({ timestampMs }) => timestampMs >= start.timestampMs)
    if (found) return offset(found.version, false)
    throw new InvalidQueryError('DELTA_TIMESTAMP_NOT_FOUND', {
      what: `startingTimestamp is ${new Date(start.timestampMs).toISOString()}, later than every commit of ${table}`,
      todo: 'start at a time of the past, or with startingVersion = latest',
    })
  }

  async #newestVersion(): Promise<number> {
    let version = Math.max(this.#table.version, this.#latest === null ? 0 : this.#latest.reservoirVersion - 1)
    while ((await this.#files.stat(commitPath(this.#options.table, version + 1))) !== undefined) version++
    if ((await this.#files.stat(commitPath(this.#options.table, version))) !== undefined) return version
    // the log was cleaned while nobody looked: what comes next is behind a gap, which the read of it tells
    return Math.max(version, (await listLog(this.#files, this.#options.table))?.commits.at(-1)?.version ?? version)
  }

  #checkTable({ reservoirId }: DeltaOffset): void {
    if (reservoirId === this.#table.metadata.id) return
    throw new InvalidQueryError('DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE', {
      what: `the checkpoint follows the Delta table with the id ${reservoirId}, and ${this.#options.table} has the id ${this.#table.metadata.id}: it was made anew`,
      todo: 'start the query with a new checkpoint',
    })
  }

  async #filesOf({ reservoirVersion, isStartingVersion }: DeltaOffset): Promise<readonly (AddFile | ChangedFile)[]> {
    const key = `${reservoirVersion} ${isStartingVersion}`
    const known = this.#versions.get(key)
    if (known) return known
    const made = isStartingVersion ? await this.#heldAt(reservoirVersion) : await this.#addedBy(reservoirVersion)
    if (this.#versions.size > 100) this.#versions.clear()
    this.#versions.set(key, made)
    return made
  }

  async #heldAt(version: number): Promise<readonly AddFile[]> {
    const snapshot = version === this.#table.version ? this.#table : await readSnapshot(this.#files, this.#options.table, { version })
    const held = [...snapshot.files].sort((a, b) => a.modificationTime - b.modificationTime || (a.path < b.path ? -1 : 1))
    if (!this.#options.readChangeFeed) return held
    const { timestampMs } = snapshot
    return held.map((add): ChangedFile => ({ ...add, change: { type: 'insert', version, timestampMs } }))
  }

  async #addedBy(version: number): Promise<readonly (AddFile | ChangedFile)[]> {
    const { table, skipChangeCommits, readChangeFeed } = this.#options
    const path = commitPath(table, version)
    const actions = await readCommit(this.#files, table, path).catch((cause: unknown) => {
      throw new InvalidQueryError('DELTA_FILE_NOT_FOUND_DETAILED', {
        what: `the stream of the Delta table ${table} has come to version ${version}, and its commit ${path} can't be read`,
        todo: 'where the log was cleaned before the stream came by, start with a new checkpoint; keep the log for longer than the stream may stand still (delta.logRetentionDuration)',
        cause,
      })
    })
    this.#checkChanges(version, actions)
    if (readChangeFeed) {
      const stated = actions.find(({ commitInfo }) => commitInfo)?.commitInfo?.inCommitTimestamp
      const timestampMs = stated ?? (await this.#files.stat(path))?.modifiedMs ?? 0
      return changesOf(this.#files, table, { version, timestampMs: Math.trunc(timestampMs), actions })
    }
    const removes = actions.some(({ remove }) => remove?.dataChange)
    return skipChangeCommits && removes ? [] : actions.flatMap(({ add }) => (add?.dataChange ? [add] : []))
  }

  /** Rows that were removed or changed can't be taken back from what a stream has given out. */
  #checkChanges(version: number, actions: readonly Action[]): void {
    const { table, ignoreChanges, ignoreDeletes, skipChangeCommits } = this.#options
    for (const { metaData, protocol } of actions) {
      if (protocol) checkReadable(table, protocol)
      if (metaData && version > this.#table.version) this.#checkColumns(version, metaData.schemaString, this.#table.metadata.schemaString)
    }
    const removed = actions.find(({ remove }) => remove?.dataChange)?.remove
    if (!removed || skipChangeCommits || ignoreChanges || this.#options.readChangeFeed) return
    const adds = actions.some(({ add }) => add?.dataChange)
    if (!adds && ignoreDeletes) return
    throw new InvalidQueryError(adds ? 'DELTA_SOURCE_TABLE_IGNORE_CHANGES' : 'DELTA_SOURCE_IGNORE_DELETE', {
      what: `version ${version} of the Delta table ${table} ${adds ? 'changed' : 'removed'} rows (for one, it removed the file ${removed.path}), and a stream can't take back what it gave out`,
      todo: adds
        ? 'pass over such commits (skipChangeCommits), or let changed files come again whole (ignoreChanges)'
        : 'pass over such commits: option("ignoreDeletes", true) or option("skipChangeCommits", true)',
    })
  }
  #checkColumns(version: number, now: string, before: string): void {
    if (now === before) return
    throw new InvalidQueryError('DELTA_SCHEMA_CHANGED_WITH_VERSION', {
      what: `version ${version} of the Delta table ${this.#options.table} changed its columns, and the query was built on those before`,
      todo: 'start the query again: it then has the new columns and goes on where it stopped',
    })
  }
}

/** The table that a stream follows, checked against the columns that the query was written with. */
export async function openTable(files: Files, { table, readChangeFeed }: StreamOptions, schema: Schema): Promise<Snapshot> {
  const snapshot = await readSnapshot(files, table)
  checkReadable(table, snapshot.protocol)
  if (readChangeFeed) checkKeepsChanges(snapshot)
  const columns = tableSchema(table, snapshot.metadata).schema
  const now = readChangeFeed ? withChangeFields(columns) : columns
  if (JSON.stringify(now.fields) === JSON.stringify(schema.fields)) return snapshot
  throw new InvalidQueryError('DELTA_SCHEMA_CHANGED', {
    what: `the Delta table ${table} has the columns [${now.names.join(', ')}], and the query was written with [${schema.names.join(', ')}] or other types of them`,
    todo: 'write the query anew over the table as it is: readStream.format("delta").load(…)',
  })
}
