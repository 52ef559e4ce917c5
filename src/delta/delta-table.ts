import { dataFrameOf, PlannedFrame } from '../api/data-frame.ts'
import type { DataFrame } from '../api/frame-types.ts'
import type { Session } from '../api/session.ts'
import { InvalidQueryError } from '../base/errors.ts'
import { LocalFiles } from '../base/local-files.ts'
import { bytesOf } from '../base/quantities.ts'
import { absolutePath } from '../data/file-uri.ts'
import { rowsToColumns } from '../data/values.ts'
import { alias, batchScan, localRelation } from '../plan/analyze.ts'
import { columnsRead } from '../plan/expression-tree.ts'
import type { EnginePort } from '../query/engine-port.ts'
import { columnsOfTable, planRowChange } from './change-rows.ts'
import { type Condition, conditionOver, type Scope, type ValuesOf, valuesOver } from './expressions.ts'
import { detailRow, detailSchema, historyRows, historySchema } from './history.ts'
import { listLog } from './log-files.ts'
import { DeltaMergeBuilder } from './merge-builder.ts'
import { type OptimizeMetrics, optimizeTable } from './optimize.ts'
import { checkReadable } from './protocol.ts'
import { type RestoreMetrics, restoreTable } from './restore.ts'
import { readSnapshot } from './snapshot.ts'
import { asOfTime, asOfVersion } from './source-options.ts'
import { accessTo, changeTable, type TableAccess, type TableView, viewOf } from './transaction.ts'
import { type VacuumOptions, vacuumTable } from './vacuum.ts'

/** What a delete or an update has done. */
export interface RowChangeMetrics {
  /** The version that was written; null where no row was concerned. */
  readonly version: number | null
  readonly numAffectedRows: number
  readonly numCopiedRows: number
  readonly numAddedFiles: number
  readonly numRemovedFiles: number
}

/** A Delta table by its path, to look into and to change: `DeltaTable.forPath(engine, 'tables/orders')`. */
export class DeltaTable {
  readonly #engine: EnginePort
  readonly #table: string
  readonly #alias: string | null

  private constructor(engine: EnginePort, table: string, name: string | null = null) {
    this.#engine = engine
    this.#table = table
    this.#alias = name
  }

  /** Nothing is read yet. */
  static forPath(engine: Session, path: string): DeltaTable {
    if (typeof path !== 'string' || path === '')
      throw new InvalidQueryError('MISSING_PATH', {
        what: 'forPath was given no path',
        todo: "say where the table lies: DeltaTable.forPath(engine, 'tables/orders')",
      })
    const frame: unknown = engine.range(0)
    if (frame instanceof PlannedFrame) return new DeltaTable(frame.engine, absolutePath(path))
    throw new InvalidQueryError('NOT_AN_ENGINE', { what: 'forPath was given no engine', todo: 'give what millrace.local() returns' })
  }
  /** Whether there is a Delta table at the path. */
  static async isDeltaTable(_engine: Session, path: string): Promise<boolean> {
    return (await listLog(new LocalFiles(), absolutePath(path))) !== null
  }

  /** The table under a name, by which the expressions of a merge call its columns. */
  alias(name: string): DeltaTable {
    return new DeltaTable(this.#engine, this.#table, name)
  }
  as(name: string): DeltaTable {
    return this.alias(name)
  }

  /** The rows as they are when they are asked for. */
  // biome-ignore lint/suspicious/noExplicitAny: columns of a table that is known at run time
  async toDF(): Promise<DataFrame<any>> {
    const { table, metadata } = await this.#snapshot()
    const scan = batchScan({ format: 'delta', options: {}, paths: [table], schema: columnsOfTable({ table, metadata }) })
    return dataFrameOf(this.#engine, this.#alias === null ? scan : alias(scan, this.#alias))
  }

  /** What was done to the table, newest first; as far back as its log goes, or the last `limit` commits. */
  // biome-ignore lint/suspicious/noExplicitAny: columns of a table that is known at run time
  async history(limit?: number): Promise<DataFrame<any>> {
    await this.#snapshot()
    return dataFrameOf(this.#engine, localRelation(rowsToColumns(historySchema, await historyRows(this.#engine.files, this.#table, limit))))
  }
  /** One row: id, columns of partitions, files, bytes, properties, protocol. */
  // biome-ignore lint/suspicious/noExplicitAny: columns of a table that is known at run time
  async detail(): Promise<DataFrame<any>> {
    return dataFrameOf(this.#engine, localRelation(rowsToColumns(detailSchema, [detailRow(await this.#snapshot())])))
  }

  /** Removes the rows for which the condition is true; without one, all rows. */
  async delete(condition?: Condition): Promise<RowChangeMetrics> {
    return this.#changeRows(condition, null)
  }
  /** Gives columns new values, in all rows or in those for which the condition is true: `update({ set: { price: 'price * 2' }, condition: "shop = 'oslo'" })`. */
  async update(change: { readonly set: ValuesOf; readonly condition?: Condition }): Promise<RowChangeMetrics> {
    const { set, condition } = change ?? {}
    return this.#changeRows(condition, set)
  }

  /** Begins a merge: `table.alias('t').merge(rows.alias('s'), 't.id = s.id').whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()`. */
  // biome-ignore lint/suspicious/noExplicitAny: columns of a table that is known at run time
  merge(source: DataFrame<any>, condition: Condition): DeltaMergeBuilder {
    const { userFunctions: functions } = this.#engine
    return new DeltaMergeBuilder({ access: this.#access(), functions, alias: this.#alias, source, condition })
  }

  /** Begins a compaction: `table.optimize().where("day = '2026-01-31'").executeCompaction()`. */
  optimize(): DeltaOptimizeBuilder {
    return new DeltaOptimizeBuilder((where, targetFileSize) => this.#optimize(where, targetFileSize))
  }

  /**
   * Removes files that left the table longer ago than the retention (hours; default a week, or `delta.deletedFileRetentionDuration`), and files as old that no commit names.
   * Gives their paths. A shorter retention is refused unless it is forced.
   */
  async vacuum(retentionHours?: number, options: VacuumOptions = {}): Promise<string[]> {
    return vacuumTable(this.#access(), retentionHours, options)
  }

  /** Makes the table what it was after that commit, as a new commit. */
  async restoreToVersion(version: number): Promise<RestoreMetrics> {
    return restoreTable(this.#access(), asOfVersion(version))
  }
  /** The same by a time (`2026-01-31`, `2026-01-31T12:00:00Z`; without an offset UTC): the newest commit that was there then. */
  async restoreToTimestamp(timestamp: string | Date): Promise<RestoreMetrics> {
    return restoreTable(this.#access(), asOfTime('restoreToTimestamp', timestamp instanceof Date ? timestamp.toISOString() : timestamp))
  }

  async #changeRows(condition: Condition | undefined, set: ValuesOf | null): Promise<RowChangeMetrics> {
    const access = this.#access()
    const { version, metrics } = await changeTable(access, (view) => {
      const scope = this.#scope(view)
      const where = set === null ? 'delete' : 'update'
      return planRowChange(access, view, {
        condition: condition === undefined ? null : conditionOver(scope, `the condition of ${where}`, condition),
        values: set === null ? null : valuesOver(scope, where, set, columnsOfTable(view)),
      })
    })
    const metric = (name: string) => metrics[name] ?? 0
    return {
      version,
      numAffectedRows: metric('numDeletedRows') + metric('numUpdatedRows'),
      numCopiedRows: metric('numCopiedRows'),
      numAddedFiles: metric('numAddedFiles'),
      numRemovedFiles: metric('numRemovedFiles'),
    }
  }

  async #optimize(where: Condition | undefined, targetFileSize: string | number | undefined): Promise<OptimizeMetrics> {
    const access = this.#access()
    await access.state.refresh()
    const view = viewOf(access.state)
    const scope = this.#scope(view)
    const partitions = where === undefined ? undefined : conditionOver(scope, 'where', where)
    const inPartitions = new Set(view.metadata.partitionColumns.map((name) => name.toLowerCase()))
    for (const index of partitions ? columnsRead(partitions) : []) {
      const { name } = scope.fields[index]!
      if (inPartitions.has(name.toLowerCase())) continue
      throw new InvalidQueryError('DELTA_NON_PARTITION_COLUMN_REFERENCE', {
        what: `where of optimize reads the column "${name}", by which the Delta table ${this.#table} is not partitioned`,
        todo: `name columns of its partitions: [${view.metadata.partitionColumns.join(', ')}]`,
      })
    }
    const targetBytes = targetFileSize === undefined ? undefined : bytesOf(String(targetFileSize))
    if (targetFileSize !== undefined && !(targetBytes !== undefined && targetBytes > 0)) {
      throw new InvalidQueryError('INVALID_OPTION_VALUE', {
        what: `optimize was given targetFileSize = ${JSON.stringify(targetFileSize)}, which is no size`,
        todo: 'give a size such as 128m or 1g, or leave it out',
      })
    }
    return optimizeTable(access, { partitions, targetBytes })
  }

  #scope(view: TableView): Scope {
    const scan = batchScan({ format: 'delta', options: {}, paths: [view.table], schema: columnsOfTable(view) })
    const { fields } = (this.#alias === null ? scan : alias(scan, this.#alias)).schema
    return { fields, targetCount: fields.length, functions: this.#engine.userFunctions }
  }
  #access(): TableAccess {
    return accessTo(this.#table, this.#engine.files, this.#engine, () => this.#engine.clock.nowMs())
  }
  async #snapshot() {
    const snapshot = await readSnapshot(this.#engine.files, this.#table)
    checkReadable(this.#table, snapshot.protocol)
    return snapshot
  }
}

type Run = (where: Condition | undefined, targetFileSize: string | number | undefined) => Promise<OptimizeMetrics>

/** `table.optimize()`: each method gives a new builder. */
export class DeltaOptimizeBuilder {
  readonly #run: Run
  readonly #where: Condition | undefined
  readonly #targetFileSize: string | number | undefined
  constructor(run: Run, where?: Condition, targetFileSize?: string | number) {
    this.#run = run
    this.#where = where
    this.#targetFileSize = targetFileSize
  }
  /** Only in these partitions. InvalidQueryError DELTA_NON_PARTITION_COLUMN_REFERENCE for another column. */
  where(condition: Condition): DeltaOptimizeBuilder {
    return new DeltaOptimizeBuilder(this.#run, condition, this.#targetFileSize)
  }
  /** What a file is to come near to: `128m`, or bytes (default: the property delta.targetFileSize, else 1 GiB). */
  targetFileSize(size: string | number): DeltaOptimizeBuilder {
    return new DeltaOptimizeBuilder(this.#run, this.#where, size)
  }
  /** Puts the small files of each partition together. The rows, and what streams over the table see, stay the same. */
  executeCompaction(): Promise<OptimizeMetrics> {
    return this.#run(this.#where, this.#targetFileSize)
  }
  /** Not there: InvalidQueryError NOT_SUPPORTED_YET. */
  executeZOrderBy(...columns: string[]): Promise<OptimizeMetrics> {
    throw new InvalidQueryError('NOT_SUPPORTED_YET', {
      what: `executeZOrderBy(${columns.join(', ')}) is not in this version of Millrace yet`,
      todo: 'use executeCompaction(); rows that are written in order of a column, or partitioned by it, are skipped by it as well',
    })
  }
}
