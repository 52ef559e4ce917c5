import { InvalidQueryError } from '../base/errors.ts'
import type { Schema } from '../data/schema.ts'
import { showTable } from '../data/show-table.ts'
import {
  alias,
  distinct,
  drop,
  filter,
  groupBy,
  type JoinOn,
  join,
  limit,
  project,
  renameColumn,
  sort,
  union,
  watermark,
  withColumns,
} from '../plan/analyze.ts'
import { explainLogical } from '../plan/explain.ts'
import type { UnresolvedExpression } from '../plan/expression.ts'
import { isStreaming, type JoinType, type LogicalPlan, type OutputMode } from '../plan/logical-plan.ts'
import type { EnginePort } from '../query/engine-port.ts'
import { Column, columnExpression, columnsOf, expressionOf, namedExpressions } from './column.ts'
import type { DataFrame, Row, StreamFrame } from './frame-types.ts'
import { Grouping } from './grouped-data.ts'
import { schemaTree } from './schema-tree.ts'
import { BatchWriter, QueryWriter } from './writer.ts'

/** The frame of a batch plan. */
export function dataFrameOf<S = any>(engine: EnginePort, plan: LogicalPlan): DataFrame<S> {
  return new PlannedFrame(engine, plan) as unknown as DataFrame<S>
}
/** The frame of a streaming plan. */
export function streamFrameOf<S = any>(engine: EnginePort, plan: LogicalPlan): StreamFrame<S> {
  return new PlannedFrame(engine, plan) as unknown as StreamFrame<S>
}
/** The plan behind a frame. */
export function planOf(frame: unknown): LogicalPlan {
  if (frame instanceof PlannedFrame) return frame.plan
  throw new InvalidQueryError('NOT_A_DATAFRAME', {
    what: `a ${typeof frame} was given where a DataFrame was expected`,
    todo: 'give what read, readStream or createDataFrame make',
  })
}

type Callback = (columns: Record<string, Column>, other?: Record<string, Column>) => unknown

/** A plan and the engine that will run it: the class behind DataFrame and StreamFrame. Methods build plans; the analyser checks each at once. */
export class PlannedFrame {
  readonly #engine: EnginePort
  readonly plan: LogicalPlan
  constructor(engine: EnginePort, plan: LogicalPlan) {
    this.#engine = engine
    this.plan = plan
  }
  /** What runs it; for the test kit and for frames made beside this one. */
  get engine(): EnginePort {
    return this.#engine
  }
  get schema(): Schema {
    return this.plan.schema
  }
  get columns(): readonly string[] {
    return this.plan.schema.names
  }
  get isStreaming(): boolean {
    return isStreaming(this.plan)
  }

  select(...items: unknown[]): PlannedFrame {
    if (items.length === 1 && typeof items[0] === 'function')
      return this.#with(project(this.plan, aliased(namedExpressions('select', this.#ask(items[0] as Callback)))))
    return this.#with(
      project(
        this.plan,
        items.map((item) => selectItem(item)),
      ),
    )
  }
  drop(...names: string[]): PlannedFrame {
    return this.#with(drop(this.plan, names))
  }
  withColumnRenamed(from: string, to: string): PlannedFrame {
    return this.#with(renameColumn(this.plan, from, to))
  }
  where(condition: unknown): PlannedFrame {
    return this.#with(filter(this.plan, this.#expression('the condition of where', condition)))
  }
  filter(condition: unknown): PlannedFrame {
    return this.where(condition)
  }
  withColumn(name: string, value: unknown): PlannedFrame {
    return this.#with(withColumns(this.plan, [{ name, expression: this.#expression(`the value of withColumn('${name}')`, value) }]))
  }
  withColumns(f: unknown): PlannedFrame {
    const given = typeof f === 'function' ? this.#ask(f as Callback) : f
    return this.#with(withColumns(this.plan, namedExpressions('withColumns', given)))
  }
  groupBy(...items: unknown[]): Grouping {
    const keys =
      items.length === 1 && typeof items[0] === 'function'
        ? namedExpressions('groupBy', this.#ask(items[0] as Callback))
        : items.map((item) => ({ expression: selectItem(item) }))
    return new Grouping(this.plan, keys, (plan) => this.#with(plan))
  }
  agg(f: unknown): PlannedFrame {
    const items = namedExpressions('agg', typeof f === 'function' ? this.#ask(f as Callback) : f)
    return this.#with(groupBy(this.plan, [], items))
  }
  distinct(): PlannedFrame {
    return this.#with(distinct(this.plan))
  }
  join(other: unknown, on: unknown, how: string = 'inner'): PlannedFrame {
    const right = planOf(other)
    return this.#with(join(this.plan, right, joinOn(this.plan, right, on), joinType(how)))
  }
  crossJoin(other: unknown): PlannedFrame {
    return this.#with(join(this.plan, planOf(other), null, 'cross'))
  }
  union(other: unknown): PlannedFrame {
    return this.#with(union([this.plan, planOf(other)]))
  }
  withWatermark(column: string, delay: string): PlannedFrame {
    return this.#with(watermark(this.plan, column, delay))
  }
  alias(name: string): PlannedFrame {
    return this.#with(alias(this.plan, name))
  }
  orderBy(...keys: unknown[]): PlannedFrame {
    const given = keys.flatMap((key) => (typeof key === 'function' ? this.#ask(key as Callback) : key))
    return this.#with(
      sort(
        this.plan,
        given.map((key) => (typeof key === 'string' ? selectItem(key) : columnExpression('a key of orderBy', key))),
      ),
    )
  }
  limit(count: number): PlannedFrame {
    return this.#with(limit(this.plan, count))
  }
  pipe<R>(f: (frame: this) => R): R {
    return f(this)
  }
  printSchema(): void {
    console.log(schemaTree(this.schema))
  }
  explain(outputMode: OutputMode = 'append'): string {
    const text = `== Logical Plan ==\n${explainLogical(this.plan)}\n== Physical Plan ==\n${this.#engine.explainPhysical(this.plan, outputMode)}`
    console.log(text)
    return text
  }

  async collect(): Promise<Row<any>[]> {
    this.#checkBatch('collect')
    return this.#engine.runBatch(this.plan, (rows) => rows.toObjects())
  }
  async count(): Promise<number> {
    this.#checkBatch('count')
    return this.#engine.runBatch(this.plan, (rows) => rows.count())
  }
  async first(): Promise<Row<any> | null> {
    return (await this.take(1))[0] ?? null
  }
  async take(count: number): Promise<Row<any>[]> {
    return this.limit(count).collect()
  }
  async show(rows = 20, truncate: boolean | number = true): Promise<void> {
    this.#checkBatch('show')
    const found = await this.take(rows + 1)
    console.log(showTable(this.schema, found, { numRows: rows, truncate: truncate === true ? 20 : Number(truncate) }))
  }
  get write(): BatchWriter {
    this.#checkBatch('write')
    return new BatchWriter(this.#engine, this.plan)
  }
  get writeStream(): QueryWriter {
    if (!this.isStreaming)
      throw new InvalidQueryError('WRITE_STREAM_NOT_ALLOWED', {
        what: 'writeStream can be called only on a streaming DataFrame',
        todo: 'read with readStream, or use write for a batch',
      })
    return new QueryWriter(this.#engine, this.plan, (plan) => this.#with(plan))
  }

  #with(plan: LogicalPlan): PlannedFrame {
    return new PlannedFrame(this.#engine, plan)
  }
  #ask(f: Callback): unknown {
    return f(columnsOf(this.schema))
  }
  #expression(where: string, value: unknown): UnresolvedExpression {
    return columnExpression(where, typeof value === 'function' ? this.#ask(value as Callback) : value)
  }
  #checkBatch(action: string): void {
    if (!this.isStreaming) return
    throw new InvalidQueryError('STREAMING_ACTION_NOT_SUPPORTED', {
      what: `${action} was called on a streaming DataFrame, which has no end`,
      todo: 'queries with streaming sources must be executed with writeStream.start()',
    })
  }
}

function aliased(items: readonly { readonly name: string; readonly expression: UnresolvedExpression }[]): UnresolvedExpression[] {
  return items.map(({ name, expression }) => ({ kind: 'alias', input: expression, name }))
}

/** A name (as Spark reads names: dots go into structs), '*', or a column. */
function selectItem(item: unknown): UnresolvedExpression {
  if (item === '*') return { kind: 'star' }
  return typeof item === 'string' ? { kind: 'attribute', name: item } : columnExpression('an item of select or groupBy', item)
}

function joinOn(left: LogicalPlan, right: LogicalPlan, on: unknown): JoinOn {
  if (typeof on === 'string') return { using: [on] }
  if (Array.isArray(on) && on.every((name) => typeof name === 'string')) return { using: on }
  if (on instanceof Column) return { condition: expressionOf(on) }
  if (typeof on === 'function')
    return {
      condition: columnExpression(
        'the condition of join',
        (on as Callback)(columnsOf(left.schema, 'left'), columnsOf(right.schema, 'right')),
      ),
    }
  throw new InvalidQueryError('MISSING_JOIN_CONDITION', {
    what: 'join was given no columns and no condition',
    todo: "write join(other, 'id'), join(other, ['a', 'b']) or join(other, (l, r) => l.a.eq(r.b)); for every pair of rows use crossJoin",
  })
}

const joinTypes: Readonly<Record<string, JoinType>> = {
  inner: 'inner',
  cross: 'cross',
  left: 'left',
  leftouter: 'left',
  right: 'right',
  rightouter: 'right',
  full: 'full',
  outer: 'full',
  fullouter: 'full',
  semi: 'semi',
  leftsemi: 'semi',
  anti: 'anti',
  leftanti: 'anti',
}
function joinType(how: string): JoinType {
  const type = joinTypes[String(how).toLowerCase().replaceAll('_', '')]
  if (type) return type
  throw new InvalidQueryError('UNSUPPORTED_JOIN_TYPE', {
    what: `there is no join of the kind ${JSON.stringify(how)}`,
    todo: `use one of ${['inner', 'left', 'right', 'full', 'semi', 'anti'].join(', ')}`,
  })
}
