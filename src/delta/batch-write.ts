/** `df.write.format('delta')`: a batch DataFrame as one commit. */
import { InvalidQueryError, UnavailableError } from '../base/errors.ts'
import { boundOptions, fileBounds } from '../data/file-bounds.ts'
import { writeOptions } from '../data/file-options.ts'
import { absolutePath } from '../data/file-uri.ts'
import type { FileBounds } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import { filter } from '../plan/analyze.ts'
import type { Expression } from '../plan/expression.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import type { BatchRunner, BoundedSink, BoundedWrite, SaveMode } from '../sinks/sink.ts'
import type { Action, AddFile, Metadata } from './actions.ts'
import { planRowChange, withChangeType } from './change-rows.ts'
import { commitChange } from './commit.ts'
import { conditionOver, done, isTrue, not } from './expressions.ts'
import { inTable } from './in-table.ts'
import { hasSameLayout } from './optimize.ts'
import { checkWritable } from './protocol.ts'
import { filesFor } from './skipping.ts'
import { optionsWithoutProperties, propertiesIn } from './table-properties.ts'
import { type FilesWritten, writeTableFiles } from './table-writer.ts'
import {
  accessTo,
  changeTable,
  checkMayRemove,
  checkpointIfDue,
  hasTransaction,
  noted,
  type Planned,
  removal,
  type TableAccess,
  type TableView,
  type TransactionId,
} from './transaction.ts'
import { transactionIn, transactionOptions } from './write-options.ts'
import { added, boundsOf, writeChanges } from './write-plan.ts'
import { mergedMetadata, newMetadata, newProtocol } from './write-schema.ts'

const ownOptions = ['path', 'mergeSchema', 'overwriteSchema', 'replaceWhere', 'partitionOverwriteMode', ...transactionOptions]

interface DeltaWrite {
  readonly table: string
  readonly mode: SaveMode
  readonly mergeSchema: boolean
  readonly overwriteSchema: boolean
  /** Only rows for which it is true are replaced. */
  readonly replaceWhere: string | undefined
  /** Only partitions that the rows fall into are replaced. */
  readonly dynamicPartitions: boolean
  readonly transaction: TransactionId | null
  readonly bounds: FileBounds | undefined
  readonly format: Readonly<Record<string, string>>
  readonly properties: Readonly<Record<string, string>>
}

export const deltaBoundedSink: BoundedSink = {
  modes: ['append', 'overwrite', 'errorifexists', 'ignore'],
  async write(context) {
    const write = deltaWrite(context)
    const access = accessTo(write.table, context.files, context.engine, () => context.clock.nowMs())
    const { state } = access
    await state.refresh()
    if (write.transaction && hasTransaction(state, write.transaction)) return state.confirm()
    if (state.version >= 0 && write.mode === 'ignore') return
    if (state.version >= 0 && write.mode === 'errorifexists') throw exists(write.table)
    if (state.metadata !== null) checkSameProperties(write.table, state.metadata, write.properties)
    if (state.version >= 0 && write.mode === 'overwrite' && (write.replaceWhere !== undefined || write.dynamicPartitions))
      return replacePart(context, write, access)
    await writeWhole(context, write, access)
  },
}

/** Checks the options. */
function deltaWrite({ options: given, mode }: BoundedWrite): DeltaWrite {
  const owner = 'the Delta writer'
  const options = optionsWithoutProperties(owner, given, [...ownOptions, ...boundOptions, ...writeOptions.parquet])
  const overwriteMode = options.text('partitionOverwriteMode')?.toLowerCase() ?? 'static'
  const replaceWhere = options.text('replaceWhere')
  const overwriteSchema = options.flag('overwriteSchema', false)
  const dynamicPartitions = overwriteMode === 'dynamic'
  if (!dynamicPartitions && overwriteMode !== 'static') {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `${owner} was given partitionOverwriteMode = ${JSON.stringify(overwriteMode)}`,
      todo: 'give static or dynamic, or leave the option out',
    })
  }
  if (replaceWhere !== undefined && mode !== 'overwrite') {
    throw new InvalidQueryError('DELTA_REPLACE_WHERE_IN_APPEND', {
      what: `${owner} was given replaceWhere in mode ${mode}`,
      todo: "say mode('overwrite'), or leave replaceWhere out",
    })
  }
  if (overwriteSchema && mode !== 'overwrite') {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `${owner} was given overwriteSchema in mode ${mode}, which keeps the columns that the table has`,
      todo: "say mode('overwrite'), or mergeSchema to add columns, or leave overwriteSchema out",
    })
  }
  if ([replaceWhere !== undefined, dynamicPartitions, overwriteSchema].filter(Boolean).length > 1) {
    throw new InvalidQueryError('DELTA_REPLACE_WHERE_WITH_DYNAMIC_PARTITION_OVERWRITE', {
      what: `${owner} was given more than one of replaceWhere, partitionOverwriteMode = dynamic and overwriteSchema`,
      todo: 'leave one of them: they say different things of what is replaced',
    })
  }
  return {
    table: absolutePath(options.required('path', "save('tables/orders')")),
    mode,
    mergeSchema: options.flag('mergeSchema', false),
    overwriteSchema,
    replaceWhere,
    dynamicPartitions,
    transaction: transactionIn(owner, options),
    bounds: fileBounds(options),
    format: Object.fromEntries(
      writeOptions.parquet.flatMap((name) => {
        const value = options.text(name)
        return value === undefined ? [] : [[name, value] as const]
      }),
    ),
    properties: propertiesIn(owner, given),
  }
}

function exists(table: string): InvalidQueryError {
  return new InvalidQueryError('DELTA_PATH_EXISTS', {
    what: `there is a Delta table at ${table} already`,
    todo: "choose another path, or say mode('append') or mode('overwrite')",
  })
}

/** The table's metadata as this write leaves it. */
function metadataAfter({ state, nowMs }: TableAccess, { schema, partitionBy }: BoundedWrite, write: DeltaWrite): Metadata {
  const { table, metadata, protocol } = state
  if (metadata === null || protocol === null) return newMetadata(table, schema, partitionBy, nowMs(), write.properties)
  checkWritable(table, protocol, metadata)
  if (write.mode === 'overwrite' && write.overwriteSchema) {
    const fresh = newMetadata(table, schema, partitionBy.length > 0 ? partitionBy : metadata.partitionColumns, nowMs())
    return { ...metadata, schemaString: fresh.schemaString, partitionColumns: fresh.partitionColumns }
  }
  return mergedMetadata(table, metadata, schema, partitionBy, write.mergeSchema)
}

/** Properties are given to a table that is made; a table that is there keeps its own, and must not be thought to have others. */
function checkSameProperties(table: string, { configuration }: Metadata, given: Readonly<Record<string, string>>): void {
  const other = Object.entries(given).find(([name, value]) => configuration?.[name] !== value)
  if (other === undefined) return
  const [name, value] = other
  const has = configuration?.[name]
  throw new InvalidQueryError('DELTA_CREATE_TABLE_WITH_DIFFERENT_PROPERTY', {
    what: `the write was given ${name} = ${JSON.stringify(value)}, and the Delta table at ${table} ${has === undefined ? 'has no such property' : `has ${JSON.stringify(has)}`}`,
    todo: 'leave the option out: a table gets its properties when it is made; make a new table, or set it with another writer (ALTER TABLE … SET TBLPROPERTIES)',
  })
}

async function writeWhole(context: BoundedWrite, write: DeltaWrite, access: TableAccess): Promise<void> {
  const { state, nowMs } = access
  const { mode, table, transaction } = write
  const metadata = metadataAfter(access, context, write)
  if (mode === 'overwrite' && state.version >= 0) checkMayRemove(table, state.metadata, 'an overwrite')
  const { adds, numRows, bytes } = await writeRows(context, write, metadata, inTable(context.plan, table, metadata))
  const committed = await commitChange(
    access,
    () => {
      if (transaction && hasTransaction(state, transaction)) return null
      if (state.version >= 0 && mode === 'ignore') return null
      if (state.version >= 0 && mode === 'errorifexists') throw exists(table)
      const now = metadataAfter(access, context, write)
      if (!hasSameLayout(now, metadata)) throw changedMeanwhile(table)
      const gone = mode === 'overwrite' ? [...state.active.values()].map((add) => removal(add, nowMs())) : []
      return [
        ...preparations(access, context.schema, metadata),
        ...(transaction ? [{ txn: noted(transaction, nowMs()) }] : []),
        ...gone,
        ...added(adds),
      ]
    },
    {
      operation: 'WRITE',
      operationParameters: {
        mode: { append: 'Append', overwrite: 'Overwrite', errorifexists: 'ErrorIfExists', ignore: 'Ignore' }[mode],
        partitionBy: JSON.stringify(metadata.partitionColumns),
      },
      operationMetrics: { numFiles: String(adds.length), numOutputRows: String(numRows), numOutputBytes: String(bytes) },
    },
  )
  await checkpointIfDue(access, committed.version)
}

function preparations({ state }: TableAccess, schema: Schema, metadata: Metadata): Action[] {
  const { version, metadata: before } = state
  if (version < 0) return [{ protocol: newProtocol(schema, metadata.configuration ?? {}) }, { metaData: metadata }]
  return hasSameLayout(before!, metadata) ? [] : [{ metaData: metadata }]
}

function changedMeanwhile(table: string): UnavailableError {
  return new UnavailableError('DELTA_METADATA_CHANGED', {
    what: `the columns or the partitioning of the Delta table ${table} were changed by another writer while rows were written for it`,
    todo: 'write again: the rows are then laid out as the table is now',
  })
}

/** Replaces the rows for which a condition is true, or the partitions that the new rows fall into. */
async function replacePart(context: BoundedWrite, write: DeltaWrite, access: TableAccess): Promise<void> {
  const { engine, plan } = context
  const { table, transaction, replaceWhere } = write
  if (!hasSameLayout(metadataAfter(access, context, write), access.state.metadata!)) {
    throw new InvalidQueryError('DELTA_SCHEMA_MISMATCH', {
      what: `the rows bring columns that the Delta table ${table} does not have, and replace only a part of its rows`,
      todo: 'add the columns first, with an append under mergeSchema',
    })
  }
  checkMayRemove(table, access.state.metadata, 'an overwrite')
  await engine.holdRows(inTable(plan, table, access.state.metadata!), (held) =>
    changeTable(
      access,
      async (view) => {
        const { fields } = held.schema
        const condition = replaceWhere === undefined ? null : replaced(fields, replaceWhere)
        if (condition) await checkRows(engine, table, filter(held, not(isTrue(done(condition)))), replaceWhere!)
        const written = await writeRows(context, write, view.metadata, held)
        const gone = condition
          ? await planRowChange(access, view, { condition, values: null })
          : partitionsGone(view, written.adds, access.nowMs())
        // a commit with files of changes has all of its changes there
        const changes = gone?.actions.some(({ cdc }) => cdc) ? await writeChanges(access, view, withChangeType(held, 'insert')) : []
        return {
          actions: [...(gone?.actions ?? []), ...added(written.adds), ...changes],
          operation: 'WRITE',
          parameters: {
            mode: 'Overwrite',
            partitionBy: JSON.stringify(view.metadata.partitionColumns),
            ...(condition ? { predicate: replaceWhere } : { isDynamicPartitionOverwrite: true }),
          },
          metrics: { numFiles: written.adds.length, numOutputRows: written.numRows, numOutputBytes: written.bytes },
          read: gone?.read ?? [],
          mayRead: gone?.mayRead ?? filesFor(view, condition!),
        }
      },
      transaction,
    ),
  )
}

function replaced(fields: Schema['fields'], replaceWhere: string): Expression {
  return conditionOver({ fields, targetCount: fields.length, functions: new Map() }, 'replaceWhere', replaceWhere)
}

/** New rows that would not be replaced by the same write once more. */
async function checkRows(engine: BatchRunner, table: string, others: LogicalPlan, replaceWhere: string): Promise<void> {
  const count = await engine.runBatch(others, (rows) => rows.count())
  if (count === 0) return
  throw new InvalidQueryError('DELTA_REPLACE_WHERE_MISMATCH', {
    what: `${count} of the rows that are to go into the Delta table ${table} are none for which replaceWhere (${replaceWhere}) is true`,
    todo: 'filter the rows by it first',
  })
}

function partitionsGone(view: TableView, adds: readonly AddFile[], nowMs: number): Planned {
  const keyOf = ({ partitionValues }: AddFile) =>
    JSON.stringify(view.metadata.partitionColumns.map((name) => partitionValues[name] ?? null))
  const given = new Set(adds.map(keyOf))
  const gone = view.files.filter((add) => given.has(keyOf(add)))
  return {
    actions: gone.map((add) => removal(add, nowMs)),
    operation: 'WRITE',
    parameters: {},
    metrics: {},
    read: gone,
    mayRead: (add) => given.has(keyOf(add)),
  }
}

function writeRows({ files, engine }: BoundedWrite, write: DeltaWrite, metadata: Metadata, plan: LogicalPlan): Promise<FilesWritten> {
  const { table, bounds = boundsOf(metadata), format } = write
  return engine.runBatch(plan, (rows) => writeTableFiles({ files, table, metadata, rows, mark: 'write', bounds, format }))
}
