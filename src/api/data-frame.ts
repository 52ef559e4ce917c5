import { namesOf, textOf } from '../base/arguments.ts'
import { InvalidQueryError, UserFunctionError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { showTable, showVertical } from '../data/show-table.ts'
import { typeText } from '../data/types.ts'
import { rowsToColumns } from '../data/values.ts'
import {
  alias,
  checkRowCount,
  cubeSets,
  deduplicate,
  distinct,
  drop,
  filter,
  groupBy,
  join,
  limit,
  localRelation,
  observe,
  offset,
  project,
  randomSplit,
  renameAll,
  renameColumn,
  renameColumns,
  rollupSets,
  type SetOperationWord,
  sample,
  setOperation,
  sort,
  union,
  unionByName,
  unpivot,
  watermark,
  withColumns,
} from '../plan/analyze.ts'
import { describedStatistics, summary, summaryStatistics } from '../plan/analyze-summary.ts'
import { bindUserFunctions } from '../plan/bind-user-functions.ts'
import type { UnresolvedExpression } from '../plan/expression.ts'
import { isStreaming, type LogicalPlan, type OutputMode } from '../plan/logical-plan.ts'
import { filterByFrames, projectWithFrames } from '../plan/queries/build-query.ts'
import { numbered, sameSemantics, semanticHash, toSchema } from '../plan/reshape.ts'
import { parseCondition, parseExpression } from '../plan/sql/parse.ts'
import type { WatermarkOptions } from '../plan/watermark-options.ts'
import type { EnginePort } from '../query/engine-port.ts'
import { attributeOrStar, Column, columnExpression, columnsOf, namedExpressions } from './column.ts'
import { type ExplainMode, explainText } from './explain-text.ts'
import { boundOn, joinOn, joinType, keySets, seedOf } from './frame-arguments.ts'
import type { DataFrame, Row, StreamFrame } from './frame-types.ts'
import { aggregateItems, Grouping } from './grouped-data.ts'
import { checkHint, checkPartitions } from './hints.ts'
import { dropRows, fill, replace } from './missing.ts'
import { Observation } from './observation.ts'
import { OutputWriter } from './output-writer.ts'
import { isLocalPlan, sampleBy, transposed } from './reshaping.ts'
import { rowsOf } from './row-stream.ts'
import { schemaTree } from './schema-tree.ts'
import { corr, cov, crosstabText, frequentItems, quantiles } from './statistics.ts'
import { type SchemaInput, schemaOf } from './types.ts'
import { createView } from './views.ts'
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
    if (items.length === 1 && typeof items[0] === 'function') {
      return this.#with(projectWithFrames(this.plan, aliased(this.#named('select', this.#ask(items[0] as Callback)))))
    }
    return this.#with(
      projectWithFrames(
        this.plan,
        items.map((item) => this.#item(item)),
      ),
    )
  }
  selectExpr(...texts: string[]): PlannedFrame {
    return this.#with(
      project(
        this.plan,
        texts.map((text) => this.#bound(parseExpression(text))),
      ),
    )
  }
  drop(...names: string[]): PlannedFrame {
    return this.#with(drop(this.plan, namesOf('drop', names, "name the columns one by one: drop('a', 'b')")))
  }
  withColumnRenamed(from: string, to: string): PlannedFrame {
    return this.#with(renameColumn(this.plan, from, to))
  }
  where(condition: unknown): PlannedFrame {
    if (typeof condition === 'string') return this.#with(filter(this.plan, this.#bound(parseCondition(condition))))
    return this.#with(filterByFrames(this.plan, this.#expression('the condition of where', condition)))
  }
  filter(condition: unknown): PlannedFrame {
    return this.where(condition)
  }
  withColumn(name: string, value: unknown): PlannedFrame {
    return this.#with(withColumns(this.plan, [{ name, expression: this.#expression(`the value of withColumn('${name}')`, value) }]))
  }
  withColumns(f: unknown): PlannedFrame {
    const given = typeof f === 'function' ? this.#ask(f as Callback) : f
    return this.#with(withColumns(this.plan, this.#named('withColumns', given)))
  }
  groupBy(...items: unknown[]): Grouping {
    return this.#grouping('groupBy', items)
  }
  rollup(...items: unknown[]): Grouping {
    return this.#grouping('rollup', items, rollupSets)
  }
  cube(...items: unknown[]): Grouping {
    return this.#grouping('cube', items, cubeSets)
  }
  groupingSets(sets: unknown, ...items: unknown[]): Grouping {
    return this.#grouping('groupingSets', items, () => keySets(sets, items))
  }
  #grouping(method: string, items: readonly unknown[], setsOf?: (keyCount: number) => number[][]): Grouping {
    const keys =
      items.length === 1 && typeof items[0] === 'function'
        ? this.#named(method, this.#ask(items[0] as Callback))
        : items.map((item) => ({ expression: this.#item(item) }))
    return new Grouping({
      input: this.plan,
      keys,
      engine: this.#engine,
      frameOf: (plan) => this.#with(plan),
      ...(setsOf && { sets: setsOf(keys.length) }),
    })
  }
  agg(...given: unknown[]): PlannedFrame {
    return this.#with(groupBy(this.plan, [], aggregateItems(this.plan, given, this.#engine.userFunctions)))
  }
  dropDuplicates(names?: readonly string[]): PlannedFrame {
    return this.#with(deduplicate(this.plan, distinctNames('dropDuplicates', names)))
  }
  drop_duplicates(names?: readonly string[]): PlannedFrame {
    return this.dropDuplicates(names)
  }
  dropDuplicatesWithinWatermark(names?: readonly string[]): PlannedFrame {
    return this.#with(deduplicate(this.plan, distinctNames('dropDuplicatesWithinWatermark', names), true))
  }
  distinct(): PlannedFrame {
    return this.#with(this.isStreaming ? deduplicate(this.plan, null) : distinct(this.plan))
  }
  join(other: unknown, on: unknown, how: string = 'inner'): PlannedFrame {
    const right = planOf(other)
    return this.#with(join(this.plan, right, boundOn(joinOn(this.plan, right, on), this.#engine.userFunctions), joinType(how)))
  }
  crossJoin(other: unknown): PlannedFrame {
    return this.#with(join(this.plan, planOf(other), null, 'cross'))
  }
  union(other: unknown): PlannedFrame {
    return this.#with(union([this.plan, planOf(other)]))
  }
  unionAll(other: unknown): PlannedFrame {
    return this.union(other)
  }
  unionByName(other: unknown, allowMissingColumns: boolean = false): PlannedFrame {
    return this.#with(unionByName(this.plan, planOf(other), allowMissingColumns))
  }
  intersect(other: unknown): PlannedFrame {
    return this.#set('intersect', other, false)
  }
  intersectAll(other: unknown): PlannedFrame {
    return this.#set('intersect', other, true)
  }
  except(other: unknown): PlannedFrame {
    return this.#set('except', other, false)
  }
  exceptAll(other: unknown): PlannedFrame {
    return this.#set('except', other, true)
  }
  subtract(other: unknown): PlannedFrame {
    return this.except(other)
  }
  #set(operation: SetOperationWord, other: unknown, all: boolean): PlannedFrame {
    return this.#with(setOperation(operation, this.plan, planOf(other), all))
  }
  sample(...args: unknown[]): PlannedFrame {
    const [withReplacement, fraction, seed] = typeof args[0] === 'boolean' ? args : [false, ...args]
    return this.#with(sample(this.plan, fraction as number, withReplacement as boolean, seedOf(seed)))
  }
  randomSplit(weights: readonly number[], seed?: number | bigint): PlannedFrame[] {
    return randomSplit(this.plan, weights, seedOf(seed)).map((plan) => this.#with(plan))
  }
  unpivot(ids: unknown, values: unknown, variableColumnName: string, valueColumnName: string): PlannedFrame {
    const items = (given: unknown) => (given === null || given === undefined ? null : [given].flat().map((item) => this.#item(item)))
    return this.#with(unpivot(this.plan, items(ids), items(values), variableColumnName, valueColumnName))
  }
  melt(ids: unknown, values: unknown, variableColumnName: string, valueColumnName: string): PlannedFrame {
    return this.unpivot(ids, values, variableColumnName, valueColumnName)
  }
  observe(to: unknown, ...items: unknown[]): PlannedFrame {
    const given = items.length === 1 && typeof items[0] === 'function' ? this.#ask(items[0] as Callback) : undefined
    const metrics =
      given !== undefined
        ? this.#named('observe', given)
        : items.map((item) => ({ expression: this.#bound(columnExpression('a metric of observe', item)) }))
    if (to instanceof Observation) return this.#with(observe(this.plan, to.name, metrics, Observation.observedOf(to)))
    return this.#with(observe(this.plan, String(to), metrics))
  }
  withWatermark(column: string, delay: string, options?: WatermarkOptions): PlannedFrame {
    const name = textOf('the column of withWatermark', column, "name it: withWatermark('at', '10 minutes')")
    return this.#with(watermark(this.plan, name, delay, options))
  }
  alias(name: string): PlannedFrame {
    return this.#with(alias(this.plan, name))
  }
  orderBy(...keys: unknown[]): PlannedFrame {
    const given = keys.flatMap((key) => (typeof key === 'function' ? this.#ask(key as Callback) : key))
    return this.#with(
      sort(
        this.plan,
        given.map((key) => (typeof key === 'string' ? selectItem(key) : this.#bound(columnExpression('a key of orderBy', key)))),
      ),
    )
  }
  limit(count: number): PlannedFrame {
    return this.#with(limit(this.plan, count))
  }
  offset(count: number): PlannedFrame {
    return this.#with(offset(this.plan, count))
  }
  sort(...keys: unknown[]): PlannedFrame {
    return this.orderBy(...keys)
  }
  sortWithinPartitions(...keys: unknown[]): PlannedFrame {
    return this.orderBy(...keys)
  }
  pipe<R>(f: (frame: this) => R): R {
    return f(this)
  }
  /** The only value of this frame's only row, as a column of another frame's select or where; null without a row. */
  scalar(): Column {
    return new Column({ kind: 'subquery', use: 'scalar', query: { kind: 'plan', plan: this.plan } })
  }
  exists(): Column {
    return new Column({ kind: 'subquery', use: 'exists', query: { kind: 'plan', plan: this.plan } })
  }
  colRegex(pattern: string): Column {
    const quoted = /^`(.+)`$/.exec(pattern)
    return new Column(quoted ? { kind: 'star', matching: quoted[1]! } : { kind: 'attribute', name: pattern })
  }
  to(schema: SchemaInput<unknown>): PlannedFrame {
    return this.#with(toSchema(this.plan, schemaOf(schema)))
  }
  toJSON(): PlannedFrame {
    const row: UnresolvedExpression = { kind: 'call', name: 'struct', args: [{ kind: 'star' }] }
    return this.#with(project(this.plan, [{ kind: 'alias', input: { kind: 'call', name: 'to_json', args: [row] }, name: 'value' }]))
  }
  zipWithIndex(name = 'index'): PlannedFrame {
    return this.#with(numbered(this.plan, name))
  }
  sampleBy(
    column: unknown,
    fractions: ReadonlyMap<unknown, number> | Readonly<Record<string, number>>,
    seed?: number | bigint,
  ): PlannedFrame {
    return this.#with(sampleBy(this.plan, this.#item(column), fractions, seedOf(seed)))
  }
  async transpose(indexColumn?: string): Promise<PlannedFrame> {
    this.#checkBatch('transpose')
    return this.#with(await transposed(this.#engine, this.plan, indexColumn))
  }
  isLocal(): boolean {
    return isLocalPlan(this.plan)
  }
  sameSemantics(other: unknown): boolean {
    return sameSemantics(this.plan, planOf(other))
  }
  semanticHash(): number {
    return semanticHash(this.plan)
  }
  registerTempTable(name: string): void {
    this.createOrReplaceTempView(name)
  }
  async foreachPartition(f: (rows: AsyncIterableIterator<Row<any>>) => unknown): Promise<void> {
    await f(this.toLocalIterator())
  }
  createTempView(name: string): void {
    createView(this.#engine, name, this.plan, { global: false, replace: false })
  }
  createOrReplaceTempView(name: string): void {
    createView(this.#engine, name, this.plan, { global: false, replace: true })
  }
  createGlobalTempView(name: string): void {
    createView(this.#engine, name, this.plan, { global: true, replace: false })
  }
  createOrReplaceGlobalTempView(name: string): void {
    createView(this.#engine, name, this.plan, { global: true, replace: true })
  }
  transform(f: (frame: this, ...args: unknown[]) => unknown, ...args: unknown[]): unknown {
    const result = f(this, ...args)
    planOf(result)
    return result
  }
  toDF(...names: string[]): PlannedFrame {
    return this.#with(renameAll(this.plan, names))
  }
  withColumnsRenamed(names: Readonly<Record<string, string>>): PlannedFrame {
    return this.#with(renameColumns(this.plan, names))
  }
  get dtypes(): readonly (readonly [name: string, type: string])[] {
    return this.schema.fields.map(({ name, type }) => [name, typeText(type)] as const)
  }

  fillna(value: unknown, subset?: unknown): PlannedFrame {
    return this.#with(fill(this.plan, value, subset))
  }
  dropna(how?: unknown): PlannedFrame {
    return this.#with(dropRows(this.plan, how ?? 'any'))
  }
  replace(...args: unknown[]): PlannedFrame {
    return this.#with(replace(this.plan, args))
  }
  get na() {
    return {
      fill: (value: unknown, subset?: unknown) => this.fillna(value, subset),
      drop: (how?: unknown) => this.dropna(how),
      replace: (...args: unknown[]) => this.replace(...args),
    }
  }
  describe(...names: string[]): PlannedFrame {
    return this.#with(summary(this.plan, describedStatistics, names.length === 0 ? null : names))
  }
  summary(...statistics: string[]): PlannedFrame {
    return this.#with(summary(this.plan, statistics.length === 0 ? summaryStatistics : statistics, null))
  }
  get stat() {
    return {
      corr: (a: string, b: string, method = 'pearson') => this.corr(a, b, method),
      cov: (a: string, b: string) => this.cov(a, b),
      crosstab: (a: string, b: string) => this.crosstab(a, b),
      freqItems: (columns: readonly string[], support?: number) => this.freqItems(columns, support),
      approxQuantile: (column: string | readonly string[], probabilities: readonly number[], relativeError?: number) =>
        this.approxQuantile(column, probabilities, relativeError),
    }
  }
  async corr(a: string, b: string, method = 'pearson'): Promise<number> {
    this.#checkBatch('corr')
    return corr(this.#engine, this.plan, a, b, method)
  }
  async cov(a: string, b: string): Promise<number> {
    this.#checkBatch('cov')
    return cov(this.#engine, this.plan, a, b)
  }
  async crosstab(a: string, b: string): Promise<PlannedFrame> {
    this.#checkBatch('crosstab')
    const text = (name: string): UnresolvedExpression => crosstabText(name)
    const named = this.#with(
      project(this.plan, [
        { kind: 'alias', input: text(a), name: `${a}_${b}` },
        { kind: 'alias', input: text(b), name: '__column' },
      ]),
    )
    const counted = (await named.groupBy(`\`${a}_${b}\``).pivot('__column')) as Grouping
    return counted.count().fillna(0)
  }
  async freqItems(columns: readonly string[], support = 0.01): Promise<PlannedFrame> {
    this.#checkBatch('freqItems')
    const found = await frequentItems(this.#engine, this.plan, columns, support)
    const fields = columns.map((name) => {
      const { type, nullable } = project(this.plan, [{ kind: 'attribute', name }]).schema.fields[0]!
      return { name: `${name}_freqItems`, type: { kind: 'array', element: type, containsNull: nullable } as const, nullable: false }
    })
    const row = Object.fromEntries(fields.map((field, i) => [field.name, found[i]]))
    return this.#with(localRelation(rowsToColumns(new Schema(fields), [row])))
  }
  async approxQuantile(
    column: string | readonly string[],
    probabilities: readonly number[],
    relativeError = 0,
  ): Promise<number[] | number[][]> {
    this.#checkBatch('approxQuantile')
    if (!(relativeError >= 0))
      throw new InvalidQueryError('INVALID_PARAMETER_VALUE.RELATIVE_ERROR', {
        what: `approxQuantile was given the relative error ${relativeError}`,
        todo: 'give a number of at least 0 (the result is exact)',
      })
    if (typeof column === 'string') return quantiles(this.#engine, this.plan, column, probabilities)
    const found: number[][] = []
    for (const name of column) found.push(await quantiles(this.#engine, this.plan, name, probabilities))
    return found
  }

  // What only a cluster chooses by: accepted, checked, and without effect on one machine.
  repartition(...args: unknown[]): PlannedFrame {
    checkPartitions('repartition', args[0])
    return this
  }
  repartitionByRange(...args: unknown[]): PlannedFrame {
    checkPartitions('repartitionByRange', args[0])
    return this
  }
  coalesce(partitions: number): PlannedFrame {
    checkPartitions('coalesce', partitions)
    return this
  }
  hint(name: string, ..._parameters: unknown[]): PlannedFrame {
    checkHint(name)
    return this
  }
  cache(): PlannedFrame {
    return this
  }
  persist(_storageLevel?: unknown): PlannedFrame {
    return this
  }
  unpersist(_blocking?: boolean): PlannedFrame {
    return this
  }
  printSchema(): void {
    console.log(schemaTree(this.schema))
  }
  explain(how: ExplainMode | OutputMode | boolean = 'append'): string {
    // explain(extended) of PySpark
    const mode = typeof how === 'boolean' ? (how ? 'extended' : 'simple') : how
    const text = explainText(this.plan, mode, (outputMode) => this.#engine.explainPhysical(this.plan, outputMode))
    console.log(text)
    return text
  }

  async collect(): Promise<Row<any>[]> {
    this.#checkBatch('collect')
    this.#checkRowNames()
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
  head(): Promise<Row<any> | null>
  head(count: number): Promise<Row<any>[]>
  async head(count?: number): Promise<Row<any> | null | Row<any>[]> {
    return count === undefined ? this.first() : this.take(count)
  }
  async tail(count: number): Promise<Row<any>[]> {
    this.#checkBatch('tail')
    this.#checkRowNames()
    checkRowCount('tail', count)
    const rows = await this.#engine.runBatch(this.plan, (found) => found.toObjects())
    return count === 0 ? [] : rows.slice(-count)
  }
  async isEmpty(): Promise<boolean> {
    this.#checkBatch('isEmpty')
    return (await this.limit(1).count()) === 0
  }
  async show(rows = 20, truncate: boolean | number = true, vertical = false): Promise<void> {
    this.#checkBatch('show')
    // names may be there twice: the cells go by number
    const numbered = this.toDF(...this.columns.map((_, i) => String(i)))
    const found = await numbered.take(rows + 1)
    const cells = found.map((row) => this.columns.map((_, i) => row[String(i)]))
    const timeZone = this.#engine.conf('spark.sql.session.timeZone') ?? 'UTC'
    const how = { numRows: rows, truncate: truncate === true ? 20 : Number(truncate), timeZone }
    console.log(vertical ? showVertical(this.schema, cells, how) : showTable(this.schema, cells, how))
  }
  toLocalIterator(): AsyncIterableIterator<Row<any>> {
    this.#checkBatch('toLocalIterator')
    this.#checkRowNames()
    return rowsOf<Row<any>>((use) => this.#engine.runBatch(this.plan, use))
  }
  async foreach(f: (row: Row<any>) => unknown): Promise<void> {
    for await (const row of this.toLocalIterator()) {
      try {
        await f(row)
      } catch (cause) {
        throw new UserFunctionError('FOREACH_USER_FUNCTION_ERROR', {
          what: `the function of foreach threw: ${cause instanceof Error ? cause.message : String(cause)}`,
          todo: 'see the cause; rows before this one have been given to the function',
          cause,
        })
      }
    }
  }
  get write(): BatchWriter {
    if (this.isStreaming)
      throw new InvalidQueryError('CALL_ON_STREAMING_DATASET_UNSUPPORTED', {
        what: 'write was called on a streaming DataFrame, which has no end',
        todo: 'use writeStream',
      })
    return new BatchWriter(this.#engine, this.plan)
  }
  get output(): OutputWriter {
    return new OutputWriter(this.plan, new QueryWriter(this.#engine, this.plan, (plan) => this.#with(plan)))
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
  /** With functions by the engine's names. */
  #bound(e: UnresolvedExpression): UnresolvedExpression {
    return bindUserFunctions(e, this.#engine.userFunctions)
  }
  #item(item: unknown): UnresolvedExpression {
    return this.#bound(selectItem(item))
  }
  #named(method: string, given: unknown): { name: string; expression: UnresolvedExpression }[] {
    return namedExpressions(method, given).map(({ name, expression }) => ({ name, expression: this.#bound(expression) }))
  }
  #expression(where: string, value: unknown): UnresolvedExpression {
    return this.#bound(columnExpression(where, typeof value === 'function' ? this.#ask(value as Callback) : value))
  }
  /** Rows are objects: of two columns with one name they could only show one. */
  #checkRowNames(): void {
    const { columns } = this
    if (new Set(columns).size === columns.length) return
    const twice = columns.find((name, i) => columns.indexOf(name) !== i)
    throw new InvalidQueryError('COLUMN_ALREADY_EXISTS', {
      what: `there are several columns \`${twice}\`, and a row is an object that can hold one`,
      todo: 'drop or rename one of them: select(…), toDF(…), or alias(…) the inputs of a join and choose by col("a.x")',
    })
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
  return typeof item === 'string' ? attributeOrStar(item) : columnExpression('an item of select or groupBy', item)
}

/** Of dropDuplicates: no list stands for all columns. */
function distinctNames(method: string, names: unknown): readonly string[] | null {
  return names === undefined || names === null ? null : namesOf(method, names, `give a list of names: ${method}(['user', 'at'])`)
}
