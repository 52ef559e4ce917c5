import { InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import type { Row } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import type { OutputMode } from '../plan/logical-plan.ts'
import { queryOptions } from './file-sink-options.ts'
import type { Sink, SinkBatch, SinkCommit, SinkProvider } from './sink.ts'

/** What a query has put into memory, under its name. */
export class MemoryTable {
  readonly schema: Schema
  readonly outputMode: OutputMode
  #batches: { readonly batchId: number; readonly rows: readonly Row[] }[] = []

  constructor(schema: Schema, outputMode: OutputMode) {
    this.schema = schema
    this.outputMode = outputMode
  }
  /** Append and update: the rows of all batches, in order. Complete: those of the last batch. */
  get rows(): readonly Row[] {
    return this.#batches.flatMap((batch) => batch.rows)
  }
  /** Those of the last batch. */
  get lastBatch(): readonly Row[] {
    return this.#batches.at(-1)?.rows ?? []
  }
  get batchIds(): readonly number[] {
    return this.#batches.map((batch) => batch.batchId)
  }
  /** False where the batch is there already. */
  add(batchId: number, rows: readonly Row[]): boolean {
    const latest = this.#batches.at(-1)?.batchId ?? -1
    if (batchId <= latest) return false
    const batch = { batchId, rows }
    if (this.outputMode === 'complete') this.#batches = [batch]
    else this.#batches.push(batch)
    return true
  }
  clear(): void {
    this.#batches = []
  }
}

/** The memory tables of an engine by query name. */
export type MemoryTables = Map<string, MemoryTable>

/** `memory`: rows stay in this process, in the table named like the query. Nothing survives the process, so nothing is promised over a crash. */
export const memorySinkProvider: SinkProvider = {
  formats: ['memory'],
  outputModes: ['append', 'update', 'complete'],
  allowsTemporaryCheckpoint: true,
  async open({ options, queryName, schema, outputMode, recovering, instance }) {
    new Options('the memory sink', options, queryOptions)
    if (queryName === null)
      throw new InvalidQueryError('QUERY_NAME_REQUIRED', {
        what: 'a query into memory has no name, and its table is called like the query',
        todo: "set .queryName('…')",
      })
    if (recovering && outputMode !== 'complete') {
      throw new InvalidQueryError('MEMORY_SINK_RECOVERY_UNSUPPORTED', {
        what: `the checkpoint of query "${queryName}" has been used before, and the rows that earlier runs put into memory are gone`,
        todo: 'start with a new checkpoint, or write to files',
      })
    }
    if (!(instance instanceof Map))
      throw new InvalidQueryError('MEMORY_TABLES_MISSING', {
        what: 'the memory sink was opened without the engine’s tables',
        todo: 'give a Map as the instance',
      })
    const table = new MemoryTable(schema, outputMode)
    ;(instance as MemoryTables).set(queryName, table)
    return new MemorySink(table)
  },
}

class MemorySink implements Sink {
  readonly description = 'MemorySink'
  readonly guarantee = 'none'
  readonly #table: MemoryTable
  constructor(table: MemoryTable) {
    this.#table = table
  }
  async addBatch({ batchId, rows }: SinkBatch): Promise<SinkCommit> {
    const objects = await rows.toObjects()
    return this.#table.add(batchId, objects)
      ? { status: 'committed', numOutputRows: objects.length }
      : { status: 'already-committed', numOutputRows: -1 }
  }
  async stop(): Promise<void> {}
}
