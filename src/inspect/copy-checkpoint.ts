/** A copy of a checkpoint as it stood after one batch. */
import { join, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import { CorruptCheckpointError, InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { LocalFiles } from '../base/local-files.ts'
import { type Random, systemRandom } from '../base/random.ts'
import type { CommitEntry, OffsetEntry } from '../checkpoint/checkpoint.ts'
import { commitFormat } from '../checkpoint/commit-log.ts'
import { encodeLogText } from '../checkpoint/log-text.ts'
import { offsetFormat } from '../checkpoint/offset-log.ts'
import { decodeChangelog } from '../state/changelog.ts'
import { type SnapshotFile, writeManifest } from '../state/manifest.ts'
import { listStores, type StoredStore, schemaOfStores } from '../state/read-state.ts'
import { rehomeChangelog, rehomeSnapshot } from '../state/rehome.ts'
import { damagedFile, missingChangelog } from '../state/state-errors.ts'
import { writeSchema } from '../state/state-schema-file.ts'
import { CheckpointView, isVanished } from './checkpoint-view.ts'
import { logOffsetOf, openFileLog } from './file-log.ts'
import { listFiles } from './inventory.ts'
import { listState, lostChangelog, type NeededFiles, neededFor, notRestorable, requireRestorable } from './loadable.ts'
import { noSuchBatch } from './show-batch.ts'

export interface CopyOptions {
  /** The last batch of the copy: a query that starts with it runs the next one. Default: the newest committed. */
  readonly batchId?: number
  /**
   * Keep the query's id. Default false: the copy is another query, and no sink that remembers its query takes it for this one. With the same id the two must never
   * write to one output: batches that the output has already would be passed over.
   */
  readonly sameId?: boolean
  readonly files?: Files
  readonly random?: Random
  readonly onProgress?: (done: number, total: number) => void
}
export interface CopyReport {
  readonly from: string
  readonly to: string
  /** The last batch of the copy; its query goes on with the next one. */
  readonly batchId: number
  readonly queryId: string
  readonly copiedFrom: string
  readonly files: number
  readonly bytes: number
  /** Where the original writes: the copy needs a place of its own. */
  readonly sink: { readonly format: string; readonly path: string | null } | null
}

/**
 * Makes the folder `to`, which must be empty or missing, a checkpoint that goes on exactly after a batch of the checkpoint `from`: the same offsets, watermark, state
 * and salt. The query of `from` may be running; its checkpoint is only read. `metadata` is written last: a copy that was killed starts no query.
 *
 * InvalidQueryError PATH_NOT_FOUND, CHECKPOINT_COPY_TARGET_NOT_EMPTY, BATCH_NOT_IN_CHECKPOINT, BATCH_NOT_RESTORABLE; CorruptCheckpointError names what is damaged.
 */
export async function copyCheckpoint(from: string, to: string, options: CopyOptions = {}): Promise<CopyReport> {
  const files = options.files ?? new LocalFiles()
  const view = await CheckpointView.open(resolve(from), files)
  const target = resolve(to)
  await refuseTarget(files, target)
  const queryId = options.sameId ? view.queryId : (options.random ?? systemRandom).uuid()
  const copy = await copyWhole(view, files, target, queryId, options)
  const { batchId } = copy
  const sink = (await view.runs()).runs.at(-1)?.shape?.sink ?? null
  return { from: view.folder, to: target, batchId, queryId, copiedFrom: view.queryId, files: copy.files, bytes: copy.bytes, sink }
}

const attempts = 20

/** What vanishes under a copy was removed by the query that runs: then it begins anew, with the newest batch unless one was asked for. */
async function copyWhole(view: CheckpointView, files: Files, target: string, queryId: string, options: CopyOptions): Promise<Copy> {
  for (let attempt = 1; ; attempt++) {
    const batchId = options.batchId ?? (await view.latestCommitted())
    if (batchId === undefined) throw await noSuchBatch(view, 0)
    const copy = new Copy(view, files, target, batchId, queryId)
    try {
      await copy.run(options.onProgress ?? (() => {}))
      return copy
    } catch (error) {
      await copy.undo()
      if (!isVanished(error)) throw error
      if (attempt === attempts) throw notRestorable(view.folder, batchId, 'the query that runs removed it meanwhile')
    }
  }
}

async function refuseTarget(files: Files, to: string): Promise<void> {
  // folders alone may be left of a copy that was taken back
  const [found] = await listFiles(files, to)
  if (found === undefined) return
  throw new InvalidQueryError('CHECKPOINT_COPY_TARGET_NOT_EMPTY', {
    what: `${to} is to become the copy, and ${found.name} is in it`,
    todo: 'give a folder that is empty or not there yet',
  })
}

class Copy {
  files = 0
  bytes = 0
  readonly #view: CheckpointView
  readonly #files: Files
  readonly #to: string
  readonly batchId: number
  readonly #queryId: string

  constructor(view: CheckpointView, files: Files, to: string, batchId: number, queryId: string) {
    this.#view = view
    this.#files = files
    this.#to = to
    this.batchId = batchId
    this.#queryId = queryId
  }

  async run(onProgress: (done: number, total: number) => void): Promise<void> {
    const view = this.#view
    const { planned, before, commit } = await this.#entries()
    const stores = await listStores(view.state)
    const needed = stores.length === 0 ? null : await this.#needed()
    const total = (needed ? needed.snapshots.length + needed.changelogs.length : 0) + 4
    let done = 0
    const step = () => onProgress(++done, total)
    if (before !== undefined) await this.#offsets(this.batchId - 1, before)
    await this.#offsets(this.batchId, planned)
    await this.#commit(commit)
    step()
    await this.#run(commit.epoch)
    step()
    await this.#sources(planned)
    step()
    for (const store of stores) {
      for (const stored of store.schemas) {
        await writeSchema(this.#files, join(this.#to, 'state'), this.#queryId, stored)
        this.files++
      }
    }
    if (needed !== null) await this.#state(needed, stores, step)
    await this.#write('metadata', JSON.stringify({ id: this.#queryId }))
    step()
  }

  async #entries(): Promise<{ planned: OffsetEntry; before: OffsetEntry | undefined; commit: CommitEntry }> {
    const view = this.#view
    const id = this.batchId
    const [planned, commit, record] = [await view.offsets(id), await view.commit(id), await view.record(id)]
    // a batch of the history knows where it began, and nothing more is needed of the one before
    const before = id === 0 ? undefined : ((await view.offsets(id - 1)) ?? (record && { ...record.offsets, sources: record.before }))
    if (planned === undefined) throw await noSuchBatch(view, id)
    if (commit === undefined) throw notRestorable(view.folder, id, 'it is planned and not committed')
    if (id > 0 && before === undefined) throw notRestorable(view.folder, id, `the offsets of batch ${id - 1}, where it began, are gone`)
    return { planned, before, commit }
  }

  /** What a load of the state after the batch reads, all of which has to be there. */
  async #needed(): Promise<NeededFiles> {
    const view = this.#view
    await requireRestorable(view, this.batchId)
    const listing = await listState(view)
    const needed = await neededFor(view, listing, this.batchId + 1)
    const lost = lostChangelog(listing, needed)
    if (lost !== undefined) throw missingChangelog(lost)
    return needed
  }

  #offsets(batchId: number, entry: OffsetEntry): Promise<void> {
    const name = `offsets/${batchId}`
    return this.#write(name, offsetFormat.encode({ queryId: this.#queryId, name, path: '' }, entry))
  }
  async #commit(entry: CommitEntry): Promise<void> {
    const name = `commits/${this.batchId}`
    // one that came from Spark has no run
    const ofSpark = `v1\n${JSON.stringify({ nextBatchWatermarkMs: entry.nextBatchWatermarkMs })}`
    await this.#write(name, entry.epoch === 0 ? ofSpark : commitFormat.encode({ queryId: this.#queryId, name, path: '' }, entry))
  }

  /** The run that committed the batch: with what it ran the next start is compared. It has ended, whatever became of the original. */
  async #run(epoch: number): Promise<void> {
    if (epoch === 0) return
    const { runs } = await this.#view.runs()
    const record = runs.find((run) => run.epoch === epoch) ?? runs.at(-1)
    if (record === undefined) {
      throw new CorruptCheckpointError('RUN_RECORDS_MISSING', {
        what: `${this.#view.folder}/runs has no record, and the commit log names epoch ${epoch}`,
        todo: 'restore runs/ from the same backup as the rest',
      })
    }
    const name = `runs/${epoch}`
    const { crc32: _, ...fields } = record as typeof record & { crc32?: unknown }
    await this.#write(name, encodeLogText({ queryId: '', name, path: '' }, 1, { ...fields, epoch, queryId: this.#queryId }))
    await this.#write(`${name}.ended`, `${JSON.stringify({ endedAtMs: record.startedAtMs })}\n`)
  }

  async #sources(planned: OffsetEntry): Promise<void> {
    const { files, folder, queryId } = this.#view
    for (const [name, offset] of Object.entries(planned.sources)) {
      const [source, target] = [join(folder, 'sources', name), join(this.#to, 'sources', name)]
      const logOffset = logOffsetOf(offset)
      if (logOffset === undefined) {
        for (const entry of await files.list(source)) {
          if (!entry.isDirectory && !entry.name.startsWith('.'))
            await this.#write(`sources/${name}/${entry.name}`, await files.read(entry.path))
        }
        continue
      }
      const lines = (await (await openFileLog(files, source, queryId)).readAll()).filter(({ batchId }) => batchId <= logOffset)
      // what came later is not yet seen by the copy; what is there becomes one file
      const log = await openFileLog(this.#files, target, this.#queryId)
      if (logOffset >= 0 && log.latestId < 0) await log.add(logOffset, lines)
      this.files++
    }
  }

  async #state({ manifest, snapshots, changelogs }: NeededFiles, stores: readonly StoredStore[], step: () => void): Promise<void> {
    const { folder, files, queryId } = this.#view.state
    const copies = new Map<SnapshotFile, SnapshotFile>()
    for (const file of snapshots) {
      const path = join(folder, file.name)
      const content = await files.read(path)
      if (content.length !== file.bytes || crc32(content) !== file.crc32) throw damagedFile(path, 'its size or checksum is wrong')
      const own = queryId === this.#queryId ? content : rehomeSnapshot(content, queryId, this.#queryId)
      await this.#write(`state/${file.name}`, own)
      copies.set(file, { ...file, crc32: crc32(own) })
      step()
    }
    let base: number | undefined
    for (const { version, epoch, path } of changelogs) {
      const content = await files.read(path)
      decodeChangelog(content, { path, queryId, epoch: epoch!, version, keyGroups: stores[0]!.keyGroups, schemaOf: schemaOfStores(stores) })
      const own = queryId === this.#queryId ? content : rehomeChangelog(content, queryId, this.#queryId, base)
      base = crc32(own)
      await this.#write(`state/changelog/${version}-${epoch}`, own)
      step()
    }
    if (manifest === null) return
    const operators = new Map(
      [...manifest.operators].map(
        ([id, ranges]) => [id, ranges.map((range) => ({ ...range, file: range.file && copies.get(range.file)! }))] as const,
      ),
    )
    await writeManifest(this.#files, join(this.#to, 'state'), this.#queryId, { ...manifest, operators })
    this.files++
  }

  /** Takes back what was written: it is of a batch that can't be copied whole. */
  async undo(): Promise<void> {
    for (const { path } of await listFiles(this.#files, this.#to)) await this.#files.delete(path)
  }

  async #write(name: string, content: Uint8Array | string): Promise<void> {
    await this.#files.createExclusive(join(this.#to, name), content)
    this.files++
    this.bytes += typeof content === 'string' ? Buffer.byteLength(content) : content.length
  }
}
