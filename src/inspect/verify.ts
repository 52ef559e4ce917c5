/** Checks of a whole checkpoint: every file that has a checksum, and that what the next start needs is there. */
import { join, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import { CorruptCheckpointError, MillraceError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { commitFormat } from '../checkpoint/commit-log.ts'
import { decideStart } from '../checkpoint/decide-start.ts'
import { MetadataLog } from '../checkpoint/metadata-log.ts'
import { hasState, missingState } from '../checkpoint/missing-state.ts'
import { offsetFormat } from '../checkpoint/offset-log.ts'
import { decodeRun } from '../checkpoint/runs.ts'
import { decodeChangelog } from '../state/changelog.ts'
import { readManifest, type SnapshotFile, snapshotsOf } from '../state/manifest.ts'
import { listStores, type StoredStore, schemaOfStores } from '../state/read-state.ts'
import { CheckpointView } from './checkpoint-view.ts'
import { logOffsetOf, openFileLog } from './file-log.ts'
import { type CheckpointFile, listFiles } from './inventory.ts'
import { listState, namesOf, neededFor, olderFiles } from './loadable.ts'
import { checkOutput } from './verify-output.ts'

export interface CheckpointProblem {
  /** The file, below the checkpoint's folder (the output's are absolute). */
  readonly file: string
  /** Of the error that a start would end with. */
  readonly code: string
  readonly what: string
}
export interface VerifyReport {
  readonly path: string
  readonly queryId: string
  /** Of the files that were read. */
  readonly files: number
  readonly bytes: number
  /** Files without a checksum: leases, progress, notes of sources that write none. */
  readonly unchecked: number
  /** The newest batch that is committed. */
  readonly committed: number | null
  /** Damage that a start, or a reader of a kept batch, would meet. None: the checkpoint is whole. */
  readonly problems: readonly CheckpointProblem[]
  /** What is not as it might be and does no harm: litter that is damaged, temporary files. */
  readonly notes: readonly string[]
}
export interface VerifyOptions {
  readonly files?: Files
  /** Is told how far it has come, now and then. */
  readonly onProgress?: (done: number, total: number) => void
}

/**
 * Reads every file of a checkpoint and holds it against its checksum. The query may be running: what it removes meanwhile is passed over. Nothing is changed.
 * InvalidQueryError PATH_NOT_FOUND where there is no checkpoint; damage is in the report, and no error.
 */
export async function verifyCheckpoint(path: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const view = await CheckpointView.open(resolve(path), options.files)
  const verification = new Verification(view)
  return verification.run(options.onProgress ?? (() => {}))
}

class Verification {
  readonly #view: CheckpointView
  readonly #problems: CheckpointProblem[] = []
  readonly #notes: string[] = []
  readonly #snapshots = new Map<string, SnapshotFile>()
  #stores: readonly StoredStore[] = []
  #committed: number | undefined
  #unchecked = 0

  constructor(view: CheckpointView) {
    this.#view = view
  }

  async run(onProgress: (done: number, total: number) => void): Promise<VerifyReport> {
    const view = this.#view
    const all = await listFiles(view.files, view.folder, (name) =>
      this.#problems.push({ file: name, code: 'MALFORMED_LOG_FILE', what: `${join(view.folder, name)} can't be read: it is a folder` }),
    )
    this.#committed = await view.latestCommitted()
    await this.#checkLogs()
    await this.#try('state', async () => {
      this.#stores = await listStores(view.state)
    })
    // manifests first: they say what snapshots should be
    const order = (file: CheckpointFile) => (file.what.kind === 'manifest' ? 0 : 1)
    const files = all.toSorted((a, b) => order(a) - order(b) || (a.name < b.name ? -1 : 1))
    let done = 0
    for (const file of files) {
      await this.#checkFile(file)
      if (++done % 100 === 0) onProgress(done, files.length)
    }
    await this.#try('runs', () => this.#checkRuns(all))
    await this.#try('state', () => this.#checkState())
    await this.#try('history', () => this.#checkHistory())
    await this.#checkSources()
    await this.#checkLoad(all)
    for (const note of await checkOutput(view, (problem) => this.#problems.push(problem))) this.#notes.push(note)
    onProgress(files.length, files.length)
    const temporary = files.filter(({ what }) => what.kind === 'temporary').length
    if (temporary > 0) this.#notes.push(`${temporary} temporary files: a process died while it made them, or is making them now`)
    return {
      path: view.folder,
      queryId: view.queryId,
      files: files.length,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      unchecked: this.#unchecked,
      committed: this.#committed ?? null,
      problems: distinct(this.#problems),
      notes: this.#notes,
    }
  }

  /** Gaps, and logs that disagree. */
  async #checkLogs(): Promise<void> {
    const { files, folder: checkpointFolder, queryId } = this.#view
    const shared = { files, checkpointFolder, queryId, checkFence: async () => {} }
    const offsets = new MetadataLog({ ...shared, name: 'offsets', format: offsetFormat, contiguous: true, keep: 2 })
    const commits = new MetadataLog({ ...shared, name: 'commits', format: commitFormat, contiguous: false, keep: 1 })
    await this.#try('offsets', async () => {
      const planned = await offsets.batchIds()
      const committed = await commits.batchIds()
      decideStart(planned.at(-1), committed.at(-1), planned[0])
      const gap = committed.find((batchId, i) => i > 0 && batchId !== committed[i - 1]! + 1)
      if (gap !== undefined)
        this.#notes.push(
          `commits/${gap - 1} is missing, and the log goes on after it: a start does not need it, the state after that batch can't be looked at`,
        )
    })
  }

  async #checkState(): Promise<void> {
    const { files, folder } = this.#view
    if (this.#committed === undefined || (await hasState(files, folder))) return
    const missing = missingState(folder, (await this.#view.runs()).runs.at(-1), await this.#view.commit(this.#committed))
    if (missing) throw missing
  }

  /** A commit of a run without a record: a start would give its number out again. */
  async #checkRuns(all: readonly CheckpointFile[]): Promise<void> {
    const committed = this.#committed === undefined ? undefined : await this.#view.epochOf(this.#committed + 1)
    const newest = Math.max(0, ...all.map(({ what }) => (what.kind === 'run' ? what.epoch : 0)))
    if (committed === undefined || committed <= newest) return
    const what = `${join(this.#view.folder, 'runs')} ends at epoch ${newest}, but the commit log names epoch ${committed}`
    this.#problems.push({ file: 'runs', code: 'RUN_RECORDS_MISSING', what })
  }

  async #checkHistory(): Promise<void> {
    const { torn } = await this.#view.history()
    if (torn > 0) this.#notes.push(`history/: ${torn} lines can't be read; their batches can't be restored once they leave the logs`)
  }

  async #checkFile(file: CheckpointFile): Promise<void> {
    const { files, folder, queryId } = this.#view
    const { what, name, path } = file
    const log = { queryId, name, path }
    await this.#try(name, async () => {
      switch (what.kind) {
        case 'offsets':
          return void offsetFormat.decode(log, await files.read(path))
        case 'commits':
          return void commitFormat.decode(log, await files.read(path))
        case 'run':
          return this.#checkRun(file)
        case 'manifest': {
          if (!(await this.#counts(what))) return this.#litter(file)
          const manifest = await readManifest(files, join(folder, 'state'), queryId, what.version, what.epoch)
          for (const snapshot of snapshotsOf(manifest)) this.#snapshots.set(`state/${snapshot.name}`, snapshot)
          return
        }
        case 'snapshot':
          return this.#checkSnapshot(file)
        case 'changelog': {
          if (!(await this.#counts(what))) return this.#litter(file)
          return this.#checkChangelog(file, what)
        }
        case 'metadata':
        case 'schema':
        case 'source':
        case 'temporary':
        case 'history':
          return // looked at as a whole
        default:
          this.#unchecked++
      }
    })
  }

  async #checkRun({ name, path, what }: CheckpointFile): Promise<void> {
    const record = decodeRun({ queryId: '', name, path }, await this.#view.files.read(path))
    const epoch = what.kind === 'run' ? what.epoch : 0
    if (record.queryId === this.#view.queryId && record.epoch === epoch) return
    this.#problems.push({
      file: name,
      code: 'CHECKPOINT_OF_ANOTHER_QUERY',
      what: `it is run ${record.epoch} of query ${record.queryId}, and this is run ${epoch} of query ${this.#view.queryId}`,
    })
  }

  /** Files of a version count once its batch is committed, if their run is the one that the commit names. */
  async #counts({ version, epoch }: { readonly version: number; readonly epoch: number }): Promise<boolean> {
    if (this.#committed === undefined || version > this.#committed + 1) return false
    const committed = await this.#view.epochOf(version).catch(() => undefined)
    return committed === undefined || committed === epoch
  }
  #litter({ name }: CheckpointFile): void {
    this.#unchecked++
    if (this.#notes.length < 100) this.#notes.push(`${name} does not count: its batch is not committed, or another run's files are`)
  }

  async #checkSnapshot({ name, path }: CheckpointFile): Promise<void> {
    const named = this.#snapshots.get(name)
    if (named === undefined) {
      this.#unchecked++
      return
    }
    const content = await this.#view.files.read(path)
    const why =
      content.length !== named.bytes
        ? `it has ${content.length} bytes and should have ${named.bytes}`
        : crc32(content) !== named.crc32
          ? 'its checksum is wrong'
          : undefined
    if (why !== undefined) {
      this.#problems.push({
        file: name,
        code: 'CHECKPOINT_FILE_CHECKSUM_VERIFICATION_FAILED',
        what: `the state file ${path} is damaged: ${why}`,
      })
    }
  }

  async #checkChangelog({ path }: CheckpointFile, { version, epoch }: { readonly version: number; readonly epoch: number }): Promise<void> {
    const { files, queryId } = this.#view
    const stores = this.#stores
    decodeChangelog(await files.read(path), {
      path,
      queryId,
      epoch,
      version,
      keyGroups: stores[0]?.keyGroups ?? 1,
      schemaOf: schemaOfStores(stores),
    })
  }

  /** Logs of file sources have checksums; notes of other sources have none of their own. */
  async #checkSources(): Promise<void> {
    const { files, folder, queryId } = this.#view
    const newest = (await this.#view.plannedIds()).at(-1)
    const planned = newest === undefined ? undefined : await this.#view.offsets(newest).catch(() => undefined)
    for (const [name, offset] of Object.entries(planned?.sources ?? {})) {
      const source = join(folder, 'sources', name)
      const wanted = logOffsetOf(offset)
      if (wanted === undefined) {
        this.#unchecked += (await files.list(source)).length
        continue
      }
      await this.#try(`sources/${name}`, async () => {
        const log = await openFileLog(files, source, queryId)
        if (log.latestId < wanted) {
          throw new CorruptCheckpointError('SOURCE_LOG_BEHIND_OFFSETS', {
            what: `the query has read up to log offset ${wanted}, and ${source} ends at ${log.latestId}: it does not say which files were read`,
            todo: 'restore sources/ from the backup that offsets/ comes from',
          })
        }
        await log.readAll()
      })
      for (const file of await files.list(source)) {
        const id = Number.parseInt(file.name, 10)
        if (!/^\d+(\.compact)?$/.test(file.name)) continue
        await this.#try(`sources/${name}/${file.name}`, async () => {
          await (await openFileLog(files, source, queryId)).read(id)
        })
      }
    }
  }

  /** That the newest version of the state is whole, and every older one from where the retention begins. */
  async #checkLoad(files: readonly CheckpointFile[]): Promise<void> {
    if (this.#committed === undefined || this.#stores.length === 0) return
    const names = new Set(files.map(({ name }) => name))
    const isThere = async (name: string) => names.has(name) || (await this.#view.files.stat(join(this.#view.folder, name))) !== undefined
    await this.#try('state', async () => {
      const listing = await listState(this.#view)
      const needed = await neededFor(this.#view, listing, this.#committed! + 1)
      // the state after the oldest batch whose commit is in the logs
      const oldest = (await this.#view.committedIds())[0]! + 1
      const older = await olderFiles(this.#view, listing, needed, oldest)
      for (const each of new Set([...namesOf(needed), ...older])) {
        const name = `state/${each}`
        if (await isThere(name)) continue
        const code = name.endsWith('.parquet')
          ? 'CANNOT_LOAD_STATE_STORE.CANNOT_READ_MISSING_SNAPSHOT_FILE'
          : 'CANNOT_LOAD_STATE_STORE.CANNOT_READ_DELTA_FILE_NOT_EXISTS'
        const whose =
          older.has(each) && !namesOf(needed).includes(each)
            ? 'the state after an older batch that is kept'
            : `the state after batch ${this.#committed}`
        this.#problems.push({ file: name, code, what: `${whose} needs ${name}, which is not there` })
      }
    })
  }

  /** An error of Millrace is a finding; a file that the query has removed meanwhile is none. */
  async #try(file: string, check: () => Promise<void>): Promise<void> {
    try {
      await check()
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return
      if (error instanceof MillraceError) this.#problems.push({ file, code: error.code, what: error.what })
      else this.#problems.push({ file, ...systemProblem(error) })
    }
  }
}

/** What the system says of a file that it can't read. */
export function systemProblem(error: unknown): { readonly code: string; readonly what: string } {
  const { message, path } = error as NodeJS.ErrnoException
  return { code: 'FILE_SYSTEM_ERROR', what: path === undefined || message.includes(path) ? message : `${message}: ${path}` }
}

/** The same damage may be met twice, by its file and by who needs it. */
function distinct(problems: readonly CheckpointProblem[]): CheckpointProblem[] {
  return [...new Map(problems.map((problem) => [problem.what, problem])).values()]
}
