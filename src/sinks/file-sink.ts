import { join } from 'node:path'
import type { CompactibleLog } from '../base/compactible-log.ts'
import { CorruptCheckpointError, FencedError, InvalidQueryError } from '../base/errors.ts'
import { refuseDeltaWrite } from '../data/delta-folder.ts'
import { openSinkLog, type SinkFileEntry, sinkLogFolder } from '../data/file-sink-log.ts'
import type { FileBounds, RowSet, WrittenFile } from '../data/row-set.ts'
import { type FileSinkOptions, fileSinkOptions } from './file-sink-options.ts'
import { partOf, removeLitter } from './litter.ts'
import { checkOwner, claimOutput } from './output-owner.ts'
import type { Sink, SinkBatch, SinkCommit, SinkContext, SinkProvider } from './sink.ts'

/** Files of json, csv, parquet or text, each batch exactly once. */
export const fileSinkProvider: SinkProvider = {
  formats: ['parquet', 'json', 'csv', 'text'],
  outputModes: ['append'],
  allowsTemporaryCheckpoint: false,
  heedsPartitionBy: true,
  async open(context) {
    const options = fileSinkOptions(context)
    if (context.outputMode !== 'append') {
      throw new InvalidQueryError('STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE', {
        what: `files of ${options.format} can't be changed once they are written, and output mode ${context.outputMode} would have to`,
        todo: 'use append with a watermark, or foreachBatch',
      })
    }
    const log = await openSinkLog(options.folder, context.files, context.clock, context.conf)
    const isOwned = await checkOwner(options.folder, context.queryId, log, options.adoptOutput, context.files)
    if (!isOwned) await refuseDeltaWrite(options.folder, options.format, context.files)
    refuseForeignParts(options.folder, context.queryId, log, await log.takeOver())
    return new FileSink(context, options, log, isOwned)
  },
}

/**
 * Readers follow the log, so a batch appears whole or not at all: the part files are durable before the entry names them, and the entry is
 * created exclusively. The first delivery of a batch counts; a later one finds the entry and writes nothing. A part that no entry names is
 * litter of a run that died; its name holds batch and epoch, so two runs never share a file.
 */
class FileSink implements Sink {
  readonly description: string
  readonly guarantee = 'exactly-once'
  readonly use = 'files'
  readonly #context: SinkContext
  readonly #options: FileSinkOptions
  readonly #log: CompactibleLog<SinkFileEntry>
  #isOwned: boolean
  #delivered = false
  /** What a row of the files written so far took. */
  #bytesPerRow: number | undefined
  #cleaning: Promise<void> | undefined
  /** Part files that wait for their entry in the log. */
  #prepared: { readonly batchId: number; readonly parts: Parts } | undefined

  constructor(context: SinkContext, options: FileSinkOptions, log: CompactibleLog<SinkFileEntry>, isOwned: boolean) {
    this.#context = context
    this.#options = options
    this.#log = log
    this.#isOwned = isOwned
    this.description = `FileSink[${options.folder}]`
  }

  async prepare({ batchId, rows }: SinkBatch): Promise<void> {
    // the folder is claimed by a batch that is in the offset log, and a run's first batch may be in the sink's log already
    if (!this.#delivered || !this.#isOwned) return
    this.#prepared = { batchId, parts: await this.#writeParts(batchId, rows) }
  }

  async addBatch({ batchId, rows }: SinkBatch): Promise<SinkCommit> {
    if (!this.#delivered) this.#refuseGap(batchId)
    this.#delivered = true
    if (batchId <= this.#log.latestId) return { status: 'already-committed', numOutputRows: -1 }
    await this.#claim()
    const prepared = this.#prepared?.batchId === batchId ? this.#prepared.parts : undefined
    this.#prepared = undefined
    const { entries, numRows } = prepared ?? (await this.#writeParts(batchId, rows))
    await this.#context.checkFence()
    if (await this.#log.add(batchId, entries, this.#keep())) return { status: 'committed', numOutputRows: numRows }
    throw new FencedError('CONCURRENT_STREAM_LOG_UPDATE', {
      what: `another run committed batch ${batchId} to ${this.#options.folder} before run ${this.#context.epoch} of query ${this.#context.queryId}`,
      todo: 'stop one of the two runs, or give each its own checkpoint and output',
    })
  }

  /** Old log entries go as compactions replace them; what runs before this one left behind is looked for once. */
  async maintain(): Promise<void> {
    await this.#log.deleteExpired()
    if (this.#context.recovering) this.#cleaning ??= this.#cleanUp()
  }

  async stop(): Promise<void> {
    await this.#cleaning
  }

  /** The folder of the log exists before the first part does, so that no reader takes a part for committed. */
  async #claim(): Promise<void> {
    if (this.#isOwned) return
    await this.#context.checkFence()
    await claimOutput(this.#options.folder, this.#context.queryId, this.#context.files)
    this.#isOwned = true
  }

  async #writeParts(batchId: number, rows: RowSet): Promise<Parts> {
    const { files, epoch, queryId, partitionBy } = this.#context
    const { folder, format, ending, formatOptions } = this.#options
    const fileName = (index: number) => partName({ index, batchId, epoch, queryId }) + ending
    const bounds = this.#bounds()
    const written = await rows.writeFiles({ format, folder, fileName, partitionBy, options: formatOptions, ...(bounds && { bounds }) })
    this.#learn(written)
    const paths = written.map((file) => join(folder, file.path))
    if (paths.length > 0) await files.sync(paths)
    const entries = await Promise.all(
      written.map(async (file, i): Promise<SinkFileEntry> => {
        const entry = await files.stat(paths[i]!)
        return { path: paths[i]!, sizeBytes: file.sizeBytes, modifiedMs: entry?.modifiedMs ?? this.#context.clock.nowMs(), action: 'add' }
      }),
    )
    return { entries, numRows: written.reduce((sum, file) => sum + file.numRows, 0) }
  }

  #bounds(): FileBounds | undefined {
    const { bounds } = this.#options
    return bounds && this.#bytesPerRow !== undefined ? { ...bounds, bytesPerRow: this.#bytesPerRow } : bounds
  }
  /** From the largest file of the batch, whose fixed part weighs least. */
  #learn(written: readonly WrittenFile[]): void {
    const largest = written.reduce<WrittenFile | undefined>((most, file) => (most && most.numRows >= file.numRows ? most : file), undefined)
    if (largest) this.#bytesPerRow = largest.sizeBytes / largest.numRows
  }

  #keep(): ((entry: SinkFileEntry) => boolean) | undefined {
    const { retentionMs } = this.#options
    if (retentionMs === undefined) return undefined
    const oldestMs = this.#context.clock.nowMs() - retentionMs
    return (entry) => entry.modifiedMs >= oldestMs
  }

  async #cleanUp(): Promise<void> {
    const { files, queryId, epoch } = this.#context
    try {
      await removeLitter(this.#options.folder, queryId, epoch, await openSinkLog(this.#options.folder, files), files)
    } catch {
      // litter costs space and nothing else; the next run tries again
    }
  }

  /** The log may be one batch ahead of the commit log, never more, and must not be behind it. */
  #refuseGap(batchId: number): void {
    const { latestId } = this.#log
    if (latestId > batchId) {
      throw new CorruptCheckpointError('SINK_AHEAD_OF_CHECKPOINT', {
        what: `${join(this.#options.folder, sinkLogFolder)} ends at batch ${latestId}, and the checkpoint goes on with batch ${batchId}: batches ${batchId} to ${latestId} would be taken for written, whatever they hold now`,
        todo: 'restore checkpoint and output from one backup, or start with a new checkpoint and a new output folder',
      })
    }
    if (latestId >= 0 && latestId < batchId - 1) {
      throw new CorruptCheckpointError('SINK_BEHIND_CHECKPOINT', {
        what: `${join(this.#options.folder, sinkLogFolder)} ends at batch ${latestId}, and the checkpoint goes on with batch ${batchId}: batches ${latestId + 1} to ${batchId - 1} are missing`,
        todo: 'restore checkpoint and output from one backup, or start with a new output folder',
      })
    }
  }
}

interface Parts {
  readonly entries: readonly SinkFileEntry[]
  readonly numRows: number
}

/** A log that was restored from somewhere else, beside the owner file of this one. */
function refuseForeignParts(folder: string, queryId: string, log: CompactibleLog<SinkFileEntry>, entries: readonly SinkFileEntry[]): void {
  const foreign = entries.find(({ path }) => (partOf(path)?.queryId ?? queryId.slice(0, 8)) !== queryId.slice(0, 8))
  if (!foreign) return
  throw new CorruptCheckpointError('SINK_OWNED_BY_ANOTHER_QUERY', {
    what: `${join(folder, sinkLogFolder)} (batches up to ${log.latestId}) names ${foreign.path}, which another query than ${queryId} wrote`,
    todo: 'restore the folder from the backup that the checkpoint comes from; nothing was overwritten',
  })
}

/** Which attempt a part file belongs to. */
export interface PartName {
  readonly index: number
  readonly batchId: number
  readonly epoch: number
  readonly queryId: string
}
/** `part-00000-b12-e3-1f2e3d4c`: running index, batch, epoch of the run, start of the query's id. */
function partName({ index, batchId, epoch, queryId }: PartName): string {
  return `part-${String(index).padStart(5, '0')}-b${batchId}-e${epoch}-${queryId.slice(0, 8)}`
}
