import { assert, FencedError, InvalidQueryError, UnavailableError } from '../base/errors.ts'
import { boundOptions, fileBounds } from '../data/file-bounds.ts'
import { writeOptions } from '../data/file-options.ts'
import { absolutePath } from '../data/file-uri.ts'
import type { FileBounds, RowSet } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import { type DeleteColumn, findDeleteColumn, refuseDeleteColumn, storedSchema } from '../sinks/delete-column.ts'
import { queryOptions } from '../sinks/file-sink-options.ts'
import type { Sink, SinkBatch, SinkCommit, SinkContext, SinkProvider } from '../sinks/sink.ts'
import type { Action, Metadata } from './actions.ts'
import { deltaBoundedSink } from './batch-write.ts'
import { writeCheckpoint } from './checkpoint.ts'
import { commitChange } from './commit.ts'
import { hasSameLayout, optimizeTable } from './optimize.ts'
import { checkWritable } from './protocol.ts'
import { optionsWithoutProperties, propertiesIn } from './table-properties.ts'
import { TableState } from './table-state.ts'
import { type FilesWritten, writeTableFiles } from './table-writer.ts'
import { checkMayRemove, isCheckpointDue, removal, type TableAccess } from './transaction.ts'
import { keyColumns, prepareTable, upsert } from './upsert.ts'
import { boundsOf } from './write-plan.ts'
import { mergedMetadata, newMetadata, newProtocol } from './write-schema.ts'

const sinkOptions = ['path', 'mergeSchema', 'txnAppId', 'key', 'deleteColumn', 'autoCompact']

/** As Delta Lake's auto compaction has it: so many small files of a partition, into files of so many bytes. */
const autoCompactFiles = 50
const autoCompactTarget = 128 * 1024 ** 2

/** Rows become Parquet files of a Delta table, each batch exactly once. */
export const deltaSinkProvider: SinkProvider = {
  formats: ['delta'],
  outputModes: ['append', 'complete', 'update'],
  takesPlans: ['update'],
  allowsTemporaryCheckpoint: false,
  heedsPartitionBy: true,
  bounded: deltaBoundedSink,
  async open(context) {
    const owner = 'the Delta sink'
    const known = [...queryOptions, ...sinkOptions, ...boundOptions, ...writeOptions.parquet]
    const options = optionsWithoutProperties(owner, context.options, known)
    const table = absolutePath(options.required('path', "start('tables/orders') or .option('path', 'tables/orders')"))
    const isUpdate = context.outputMode === 'update'
    const key = isUpdate ? keyColumns(options.required('key', ".option('key', 'user, day')"), context.schema) : []
    const deleteColumn = options.text('deleteColumn') ?? null
    if (deleteColumn !== null && !isUpdate) {
      refuseDeleteColumn(deleteColumn, `output mode ${context.outputMode} writes none by key`, "use outputMode('update'), with a key")
    }
    refuseUnusedKey(isUpdate ? undefined : options.text('key'), context.outputMode)
    const appId = options.text('txnAppId')
    if (appId === '') {
      throw new InvalidQueryError('INVALID_OPTION_VALUE', {
        what: 'txnAppId = "" is no name, and every query that had it would take the batches of the others for its own',
        todo: 'give a name, or leave the option out',
      })
    }
    const sink = new DeltaSink(context, new TableState(context.files, table), {
      appId: appId ?? context.queryId,
      mergeSchema: options.flag('mergeSchema', false),
      key,
      deletes: findDeleteColumn(context.schema, deleteColumn, key),
      autoCompact: options.text('autoCompact') === undefined ? undefined : options.flag('autoCompact', false),
      properties: propertiesIn(owner, context.options),
      bounds: fileBounds(options),
      format: Object.fromEntries(
        writeOptions.parquet.flatMap((name) => {
          const value = options.text(name)
          return value === undefined ? [] : [[name, value] as const]
        }),
      ),
    })
    await sink.check()
    return sink
  },
}

interface DeltaSinkOptions {
  /** Under which the table keeps how far this query has come. */
  readonly appId: string
  readonly mergeSchema: boolean
  /** Output mode update: the columns by which rows take the place of others. */
  readonly key: readonly string[]
  /** Output mode update: which rows take the one with their key away. */
  readonly deletes: DeleteColumn | null
  /** Whether small files are put together now and then; undefined: the table says (delta.autoOptimize.autoCompact). */
  readonly autoCompact: boolean | undefined
  /** Of a table that the query makes. */
  readonly properties: Readonly<Record<string, string>>
  readonly bounds: FileBounds | undefined
  readonly format: Readonly<Record<string, string>>
}

/**
 * A batch's files are durable before a commit names them, and the commit carries a `txn` action with the query's id and the batch's: a batch that is delivered again
 * finds it and writes nothing. Files that no commit names are litter, which VACUUM removes.
 */
export class DeltaSink implements Sink {
  readonly description: string
  readonly guarantee = 'exactly-once'
  readonly use = 'files'
  readonly #context: SinkContext
  readonly #state: TableState
  readonly #options: DeltaSinkOptions
  /** What is stored of the rows. */
  readonly #schema: Schema
  #checkpointDue = false
  #compactionDue = false
  #delivered = false
  /** Files that wait for the commit that names them. */
  #prepared: { readonly batchId: number; readonly metadata: Metadata; readonly written: FilesWritten } | undefined

  constructor(context: SinkContext, state: TableState, options: DeltaSinkOptions) {
    this.#context = context
    this.#state = state
    this.#options = options
    this.#schema = storedSchema(context.schema, options.deletes)
    this.description = `DeltaSink[${state.table}]`
  }

  /** Finds out before the first row whether the rows go into the table. */
  async check(): Promise<void> {
    await this.#state.refresh()
    this.#metadata()
  }

  async prepare({ batchId, rows, outputMode }: SinkBatch): Promise<void> {
    // a run's first batch may be in the table already; the files of an upsert depend on what the table holds
    if (!this.#delivered || outputMode === 'update') return
    const metadata = this.#metadata()
    this.#prepared = { batchId, metadata, written: await this.#writeFiles(batchId, rows, metadata) }
  }

  async addBatch({ batchId, rows, outputMode, plan }: SinkBatch): Promise<SinkCommit> {
    const prepared = this.#prepared?.batchId === batchId ? this.#prepared : undefined
    this.#prepared = undefined
    this.#delivered = true
    await this.#state.refresh()
    if (this.#hasBatch(batchId)) {
      await this.#state.confirm()
      return { status: 'already-committed', numOutputRows: -1 }
    }
    this.#compactionDue = this.#options.autoCompact ?? this.#state.metadata?.configuration?.['delta.autoOptimize.autoCompact'] === 'true'
    if (outputMode === 'update') return this.#upsert(batchId, plan)
    const metadata = this.#metadata()
    // another writer may have changed the table since they were prepared: those are litter then
    const fits = prepared !== undefined && hasSameLayout(metadata, prepared.metadata)
    const { adds, numRows } = fits ? prepared.written : await this.#writeFiles(batchId, rows, metadata)
    let wasThere = false
    const committed = await commitChange(
      this.#access(),
      () => {
        wasThere = this.#hasBatch(batchId)
        if (wasThere) return null
        // another writer may have changed the table since the files were written
        if (!hasSameLayout(this.#metadata(), metadata)) throw changedMeanwhile(this.#state.table, batchId)
        return [
          ...this.#preparations(metadata),
          { txn: this.#transaction(batchId) },
          ...this.#removals(outputMode),
          ...adds.map((add) => ({ add })),
        ]
      },
      {
        operation: 'STREAMING UPDATE',
        operationParameters: {
          outputMode: outputMode === 'complete' ? 'Complete' : 'Append',
          queryId: this.#context.queryId,
          epochId: String(batchId),
        },
      },
    )
    if (wasThere) {
      throw new FencedError('CONCURRENT_STREAM_LOG_UPDATE', {
        what: `another run committed batch ${batchId} of query ${this.#options.appId} to ${this.#state.table} first`,
        todo: 'stop one of the two runs, or give each its own checkpoint',
      })
    }
    this.#checkpointDue ||= isCheckpointDue(metadata, committed.version)
    return {
      status: 'committed',
      numOutputRows: numRows,
      metrics: { version: String(committed.version), numFiles: String(adds.length), numRetries: String(committed.retries) },
    }
  }

  async #upsert(batchId: number, plan: LogicalPlan | undefined): Promise<SinkCommit> {
    const access = this.#access()
    assert(plan, 'the Delta sink is given plans in output mode update')
    await prepareTable(access, () => this.#preparations(this.#metadata()))
    const { version, metrics, wasThere, retries } = await upsert(access, plan, this.#options, {
      appId: this.#options.appId,
      version: batchId,
    })
    if (wasThere) return { status: 'already-committed', numOutputRows: -1 }
    const { numTargetRowsInserted: inserted = 0, numTargetRowsUpdated: updated = 0, numTargetRowsDeleted: deleted = 0 } = metrics
    const { numTargetFilesAdded: numFiles = 0 } = metrics
    return {
      status: 'committed',
      numOutputRows: inserted + updated + deleted,
      metrics: {
        version: String(version),
        numFiles: String(numFiles),
        numRetries: String(retries),
        numInsertedRows: String(inserted),
        numUpdatedRows: String(updated),
        numDeletedRows: String(deleted),
      },
    }
  }

  #access(): TableAccess {
    const { files, clock, checkFence, engine } = this.#context
    return { files, state: this.#state, nowMs: () => clock.nowMs(), checkFence, engine: engine! }
  }

  async maintain(): Promise<void> {
    if (this.#compactionDue && this.#state.version >= 0) {
      this.#compactionDue = false
      await optimizeTable(this.#access(), { targetBytes: autoCompactTarget, minFiles: autoCompactFiles })
    }
    if (!this.#checkpointDue) return
    this.#checkpointDue = false
    await this.#context.checkFence()
    await writeCheckpoint(this.#context.files, this.#state, this.#context.writeRows!, this.#context.clock.nowMs())
  }
  async stop(): Promise<void> {}

  #hasBatch(batchId: number): boolean {
    return (this.#state.transactions.get(this.#options.appId) ?? -1) >= batchId
  }
  #transaction(batchId: number) {
    return { appId: this.#options.appId, version: batchId, lastUpdated: this.#context.clock.nowMs() }
  }

  /** The table's metadata as this query leaves it. InvalidQueryError where the rows don't go into it. */
  #metadata(): Metadata {
    const { partitionBy, clock } = this.#context
    const schema = this.#schema
    const { table, protocol, metadata } = this.#state
    if (protocol === null || metadata === null) return newMetadata(table, schema, partitionBy, clock.nowMs(), this.#options.properties)
    checkWritable(table, protocol, metadata)
    return mergedMetadata(table, metadata, schema, partitionBy, this.#options.mergeSchema)
  }

  #preparations(metadata: Metadata): Action[] {
    const { version, metadata: before } = this.#state
    if (version < 0) return [{ protocol: newProtocol(this.#schema, this.#options.properties) }, { metaData: metadata }]
    return metadata.schemaString === before!.schemaString ? [] : [{ metaData: metadata }]
  }

  /** Complete mode: what the batch gives is the table. */
  #removals(outputMode: SinkBatch['outputMode']): Action[] {
    if (outputMode !== 'complete') return []
    checkMayRemove(this.#state.table, this.#state.metadata, 'output mode complete')
    return [...this.#state.active.values()].map((add) => removal(add, this.#context.clock.nowMs()))
  }

  #writeFiles(batchId: number, rows: RowSet, metadata: Metadata): Promise<FilesWritten> {
    const { files, epoch, queryId } = this.#context
    return writeTableFiles({
      files,
      table: this.#state.table,
      metadata,
      rows,
      mark: `b${batchId}-e${epoch}-${queryId.slice(0, 8)}`,
      bounds: this.#options.bounds ?? boundsOf(metadata),
      format: this.#options.format,
    })
  }
}

function changedMeanwhile(table: string, batchId: number): UnavailableError {
  return new UnavailableError('DELTA_METADATA_CHANGED', {
    what: `the columns or the partitioning of the Delta table ${table} were changed by another writer while batch ${batchId} was written`,
    todo: 'start the query again: the batch is run anew against the changed table',
  })
}

/** Who gives a key expects rows to be replaced. */
function refuseUnusedKey(key: string | undefined, outputMode: string): void {
  if (key === undefined) return
  throw new InvalidQueryError('INCOMPATIBLE_OPTIONS', {
    what: `key = ${key} tells rows apart, and output mode ${outputMode} writes none by key`,
    todo: "use outputMode('update'), or leave the key out",
  })
}
