import { assert } from '../base/errors.ts'
import { type Column, type ColumnBatch, emptyColumns } from '../data/column-batch.ts'
import type { Observed } from '../data/observed.ts'
import type { Row } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import { type AggregateResult, aggregateBatch, type BatchWatermarks } from '../operators/aggregate.ts'
import { callUserFunction } from '../operators/user-calls.ts'
import type { PhysicalNode, SourceRows, StatefulAggregate, UserCallsStep } from '../planner/streaming-plan.ts'
import type { EventTimeStats, Relation, SqlBatch } from '../sql/sql-batch.ts'
import type { StateStore } from '../state/state-store.ts'

/** What the evaluation of a plan needs besides SQL. */
export interface EvaluationContext {
  readonly sql: SqlBatch
  /** The relation of a stream source's rows in this batch. */
  readonly source: (node: SourceRows) => Promise<Relation>
  /** A relation that the engine made under a name (foreachBatch). */
  readonly relation: (name: string) => Relation
  readonly store: (operatorId: number) => StateStore
  readonly watermarks: BatchWatermarks
}
/** What was seen on the way. */
export interface EvaluationRecord {
  /** What each observe has seen, by its name. */
  readonly observed: Map<string, { readonly metrics: Row; readonly observed: Observed | null }>
  readonly eventTimes: Map<number, EventTimeStats>
  readonly aggregates: Map<number, AggregateResult & { readonly updatesMs: number }>
}

/** Runs a plan's nodes, inputs first; every node once, also where two others read it. Stateful steps change their store. */
export class Evaluation {
  readonly record: EvaluationRecord = { eventTimes: new Map(), aggregates: new Map(), observed: new Map() }
  readonly #context: EvaluationContext
  readonly #done = new Map<PhysicalNode, Promise<Relation>>()
  readonly #readers: Map<PhysicalNode, number>
  constructor(root: PhysicalNode, context: EvaluationContext) {
    this.#context = context
    this.#readers = countReaders(root)
  }

  relationOf(node: PhysicalNode): Promise<Relation> {
    let relation = this.#done.get(node)
    if (!relation) {
      relation = this.#evaluateOnce(node)
      this.#done.set(node, relation)
    }
    return relation
  }

  async #evaluateOnce(node: PhysicalNode): Promise<Relation> {
    const relation = await this.#evaluate(node)
    return (this.#readers.get(node) ?? 0) > 1 && node.kind !== 'event-time' ? this.#context.sql.materialize(relation) : relation
  }

  async #evaluate(node: PhysicalNode): Promise<Relation> {
    const { sql } = this.#context
    switch (node.kind) {
      case 'source':
        return this.#context.source(node)
      case 'scan':
        return sql.scan(node.scan)
      case 'local':
        if (node.local.relation !== undefined) return this.#context.relation(node.local.relation)
        assert(node.local.batch, 'a local relation has rows or a name')
        return sql.load(node.local.batch)
      case 'fragment': {
        const inputs: Relation[] = []
        for (const input of node.inputs) inputs.push(await this.relationOf(input))
        return sql.fragment(node.sql, inputs, node.schema)
      }
      case 'event-time': {
        const measured = await sql.measure(await this.relationOf(node.input), node.column)
        this.record.eventTimes.set(node.index, measured.stats)
        return measured.relation
      }
      case 'observe': {
        const input = await this.relationOf(node.input)
        const [metrics] = await sql.rowSet(await this.relationOf(node.metrics)).toObjects()
        assert(metrics, 'an aggregation without keys gives one row')
        this.record.observed.set(node.name, { metrics, observed: node.observed })
        return input
      }
      case 'user-calls':
        return this.#userCalls(node)
      case 'aggregate':
        return this.#aggregate(node)
    }
  }

  /** Only the arguments cross into JavaScript, and only the results come back. */
  async #userCalls(node: UserCallsStep): Promise<Relation> {
    const { sql } = this.#context
    const input = await this.relationOf(node.input)
    const used = [...new Set(node.calls.flatMap((call) => call.args))]
    const batch = await sql.columnsAt(input, used)
    const fields = node.schema.fields.slice(node.kept)
    const columns: Column[] = []
    for (const [i, call] of node.calls.entries())
      columns.push(await callUserFunction({ ...call, args: call.args.map((at) => used.indexOf(at)) }, batch, fields[i]!.nullable))
    return sql.withColumns(input, node.kept, { schema: new Schema(fields), length: batch.length, columns })
  }

  async #aggregate(node: StatefulAggregate): Promise<Relation> {
    const { sql, watermarks } = this.#context
    const input = await this.relationOf(node.input)
    const partial = await sql.keyedColumns(node.partialSql, [input], node.schema)
    const startMs = performance.now()
    const spec = { outputMode: node.outputMode, eventTimeKey: node.stateSchema.eventTime?.key ?? null }
    const result = aggregateBatch(this.#context.store(node.operatorId), partial, spec, watermarks)
    this.record.aggregates.set(node.operatorId, { ...result, updatesMs: performance.now() - startMs })
    return loadAll(sql, result.output, node)
  }
}

async function loadAll(sql: SqlBatch, batches: readonly ColumnBatch[], node: StatefulAggregate): Promise<Relation> {
  if (batches.length === 0) return sql.load(emptyColumns(node.schema))
  if (batches.length === 1) return sql.load(batches[0]!)
  const relations: Relation[] = []
  for (const batch of batches) relations.push(await sql.load(batch))
  const text = relations.map((_, i) => `SELECT * FROM ⟦${i}⟧`).join(' UNION ALL ')
  return sql.fragment(text, relations, node.schema)
}

function countReaders(root: PhysicalNode): Map<PhysicalNode, number> {
  const readers = new Map<PhysicalNode, number>()
  const visit = (node: PhysicalNode) => {
    const seen = readers.get(node) ?? 0
    readers.set(node, seen + 1)
    if (seen > 0) return
    if (node.kind === 'fragment') node.inputs.forEach(visit)
    else if ('input' in node) visit(node.input)
    if (node.kind === 'observe') visit(node.metrics)
  }
  visit(root)
  return readers
}
