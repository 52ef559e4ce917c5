import { assert, InvalidQueryError } from '../base/errors.ts'
import type { Column } from '../data/column-batch.ts'
import type { Observed } from '../data/observed.ts'
import type { Row } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import { type Account, tablePlace } from '../data/side-rows.ts'
import { groupsOf } from '../operators/aggregate.ts'
import type { BatchWatermarks, CallsThatFailed, RowError, Rows, StepMetrics, StepSql } from '../operators/step.ts'
import { callInStatement, callUserFunction, isForStatements } from '../operators/user-calls.ts'
import type { BatchScan } from '../plan/logical-plan.ts'
import {
  type BatchGroups,
  type EventTime,
  type FutureRows,
  inputsOfNode,
  isStateful,
  type ObserveStep,
  type PhysicalNode,
  type RowsOrigin,
  type SourceRows,
  type StatefulNode,
  type UserCallsStep,
} from '../planner/streaming-plan.ts'
import type { EventTimeStats, FailedRows, Relation, SqlBatch } from '../sql/sql-batch.ts'
import { MemoryStateStore } from '../state/memory-state-store.ts'
import type { KeyedBatch, StateStore } from '../state/state-store.ts'
import type { DeadLetters } from './dead-letters.ts'
import { callKeepingLetters, callsText, takeFailedCalls } from './failing-calls.ts'
import { checkLateCount, countLate, countRows, type LateCount, type LateRows } from './late-rows.ts'
import { partitionTimes } from './partition-times.ts'
import { RowsToSetAside } from './plain-runs.ts'
import type { ReadFirst } from './read-ahead.ts'
import { type Place, placeIn, setRowsAside, takeFailedRows } from './row-letters.ts'
import { closeSteps, runStep } from './stateful-steps.ts'

/** What the evaluation of a plan needs besides SQL. */
export interface EvaluationContext {
  readonly sql: SqlBatch
  /** The rows of a bounded table that is no file, those columns that are read; undefined where it is one of files. */
  readonly table?: (scan: BatchScan, columns: ReadonlySet<number>) => Promise<Relation | undefined>
  /** The same for the steps with state. */
  readonly stepSql: StepSql
  /** The relation of a stream source's rows in this batch. */
  readonly source: (node: SourceRows) => Promise<Relation>
  /** A relation that the engine made under a name (foreachBatch). */
  readonly relation: (name: string) => Relation
  readonly store: (operatorId: number, name?: string) => StateStore
  /** Throws where the state takes more memory than it may. */
  readonly checkMemory: () => void
  /** Throws where the query was told to leave the batch. */
  readonly checkStop: () => void
  readonly watermarks: (operatorId: number) => BatchWatermarks
  /** Where late rows go; absent where nobody asked for them. */
  readonly lateRows?: LateRows | undefined
  /** As store, null where the checkpoint has none of that name. */
  readonly storeIfThere: (operatorId: number, name: string) => StateStore | null
  readonly isDeleted: (operatorId: number, name: string) => boolean
  /** Where rows go that can't be computed; absent where that ends the query. */
  readonly deadLetters?: DeadLetters | undefined
  /** A source's name, and which of its columns say where a row comes from. */
  readonly originOf?: (node: SourceRows) => RowsOrigin
  /** Whether the first row that is to be set aside ends the evaluation (plain-runs.ts). */
  readonly isPlain?: boolean
  readonly warn?: (text: string) => void
  /** Which of the query's outputs this is the plan of, and where the rows come from that it is given. */
  readonly output?: string
  readonly rowsOrigin?: RowsOrigin | undefined
  readonly batchTimestampMs: number
  readonly salt: string
  readonly query: { readonly queryId: string; readonly runId: string; readonly batchId: number }
  /** Where rows are read before their batch has begun: brings the state to where the batch begins, while these groups are computed. */
  readonly settleState?: (groups: Promise<unknown>) => Promise<void>
  /** StepContext.skipsInitialKeys */
  readonly skipsInitialKeys: boolean
}
/** What was seen on the way. */
export interface EvaluationRecord {
  /** What each observe has seen, by its name. */
  readonly observed: Map<string, { readonly metrics: Row; readonly observed: Observed | null }>
  readonly eventTimes: Map<number, EventTimeStats & { readonly partitions?: ReadonlyMap<string, bigint> }>
  /** Of each place where rows were set aside. */
  readonly books: Account[]
  /** What each stateful operator did, by its id. */
  readonly steps: Map<number, StepMetrics>
}

/** Runs a plan's nodes, inputs first; every node once, also where two others read it. Stateful steps change their store. */
export class Evaluation {
  readonly record: EvaluationRecord = { eventTimes: new Map(), steps: new Map(), observed: new Map(), books: [] }
  readonly #context: EvaluationContext
  readonly #done = new Map<PhysicalNode, Promise<Relation>>()
  readonly #readers: Map<PhysicalNode, number>
  /** What would be computed again: a step may read its input in several statements. */
  readonly #readBySteps: ReadonlySet<PhysicalNode>
  /** Where the rows of relations are from. */
  readonly #places = new Map<Relation, Place>()
  /** Steps that have set rows aside. */
  readonly #refusedBy = new Set<StatefulNode>()
  /** Where the books of rows that expressions have failed for stand. */
  readonly #failedOf = new Map<Relation, number>()
  readonly #partials = new Map<StatefulNode, Promise<KeyedBatch>>()
  #isPlain: boolean
  constructor(root: PhysicalNode, context: EvaluationContext) {
    this.#context = context
    this.#readers = countReaders(root)
    this.#readBySteps = nodesReadBySteps(this.#readers.keys())
    this.#isPlain = context.isPlain === true
    if (this.#isPlain) context.sql.failAtOnce(true)
    else this.#keepFailedRows()
  }

  #keepFailedRows(): void {
    const { sql, deadLetters } = this.#context
    if (!deadLetters) return
    const mayFail = (found: number) => deadLetters.mayTake(found)
    sql.keepFailedRows({ mayFail, take: (failed) => this.#takeFailed(failed, deadLetters) })
  }

  /** Of an evaluation that ends with the first row that is to be set aside: whether nothing has happened that another one could not do again. */
  get mayBeginAgain(): boolean {
    return this.#isPlain
  }

  /** Begins with what needs no more than the rows of the sources. What fails here fails again in relationOf. */
  async readFirst({ nodes, aggregates }: ReadFirst): Promise<void> {
    for (const node of nodes) await this.relationOf(node)
    for (const node of aggregates) {
      const partial = this.relationOf(node.inputs[0]!).then((rows) => groupsOf(node, this.#context.sql, [rows]))
      this.#partials.set(node, partial)
      await partial
    }
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
    const { deadLetters, sql } = this.#context
    const origin = this.#originOf(node)
    const place = placeOf(node)
    if (place || origin) this.#places.set(relation, { at: 'rows between', ...this.#places.get(relation), ...place, origin })
    // where dead letters are kept a source has run
    const hasRun = node.kind === 'event-time' || (node.kind === 'source' && deadLetters !== undefined && !this.#isPlain)
    return (this.#readers.get(node) ?? 0) > 1 && !hasRun ? sql.materialize(relation) : relation
  }

  #originOf(node: PhysicalNode): RowsOrigin | undefined {
    if (node.kind === 'source') return this.#context.originOf?.(node)
    if (node.kind === 'local') return node.local.relation === undefined ? undefined : this.#context.rowsOrigin
    return 'origin' in node ? node.origin : undefined
  }

  async #evaluate(node: PhysicalNode): Promise<Relation> {
    const { sql } = this.#context
    switch (node.kind) {
      case 'source':
        return this.#context.source(node)
      case 'scan':
        return (await this.#context.table?.(node.scan, node.columns)) ?? sql.scan(node.scan, node.columns)
      case 'local':
        if (node.local.relation !== undefined) return this.#context.relation(node.local.relation)
        assert(node.local.batch, 'a local relation has rows or a name')
        return sql.load(node.local.batch)
      case 'fragment': {
        const inputs: Relation[] = []
        for (const input of node.inputs) inputs.push(await this.relationOf(input))
        if (node.rowCheck !== undefined && this.#context.deadLetters) sql.checkRows(inputs[0]!, node.rowCheck)
        return sql.fragment(node.sql, inputs, node.schema, node.rowWise)
      }
      case 'event-time': {
        const input = await this.relationOf(node.input)
        const rows = node.future ? await this.#dropFuture(node, node.future, input) : input
        const measured = await sql.measure(rows, node.column)
        const partitions = node.partitions && (await partitionTimes(sql, measured.relation, node))
        this.record.eventTimes.set(node.index, { ...measured.stats, ...(partitions && { partitions }) })
        return measured.relation
      }
      case 'observe': {
        const input = await this.relationOf(node.input)
        this.record.observed.set(node.name, { metrics: await this.#metrics(node), observed: node.observed })
        return input
      }
      case 'user-calls':
        return this.#userCalls(node)
      case 'batch-groups':
        return this.#batchGroups(node)
      default:
        return this.#step(node)
    }
  }

  /** What was observed. Where rows that can't be computed go on to be dead letters, a metric that has no value is null: rows are none the worse for it. */
  async #metrics({ name, metrics, each }: ObserveStep): Promise<Row> {
    const { deadLetters, warn } = this.#context
    try {
      return await this.#onlyRow(metrics)
    } catch (error) {
      if (!deadLetters || this.#isPlain || !(error instanceof InvalidQueryError)) throw error
    }
    const found: Record<string, unknown> = {}
    for (const one of each) {
      try {
        found[one.name] = (await this.#onlyRow(one.metric))[one.name]
      } catch (error) {
        if (!(error instanceof InvalidQueryError)) throw error
        found[one.name] = null
        warn?.(`the metric ${one.name} of observe('${name}') has no value in this batch, and is null: ${error.code}: ${error.what}`)
      }
    }
    return found
  }
  async #onlyRow(node: PhysicalNode): Promise<Row> {
    const [row] = await this.#context.sql.rowSet(await this.relationOf(node)).toObjects()
    assert(row, 'an aggregation without keys gives one row')
    return row
  }

  /** What is stamped further ahead of the batch's timestamp than is allowed is set aside before it can move the watermark. */
  async #dropFuture(node: EventTime, future: FutureRows, input: Relation): Promise<Relation> {
    const { sql, lateRows, batchTimestampMs } = this.#context
    const rows = await sql.materialize(input)
    const boundUs = BigInt(batchTimestampMs + future.maxSkewMs) * 1000n
    const bounded = (text: string) => text.replaceAll('⟦bound⟧', `make_timestamp(${boundUs})`)
    const ahead = await sql.materialize(sql.fragment(bounded(future.rowsSql), [rows], future.rowsSchema))
    const kept = await sql.materialize(sql.fragment(bounded(future.keptSql), [rows], node.input.schema))
    const lateCount = await countRows(sql, ahead)
    if (lateCount > 0) lateRows?.addFuture(ahead, boundUs)
    this.record.books.push({
      at: `watermark ${node.columnName}`,
      rowsIn: await countRows(sql, rows),
      rowsOn: await countRows(sql, kept),
      lateRows: lateCount,
      deadLetters: 0,
    })
    return kept
  }

  /** Only the arguments cross into JavaScript, and only the results come back. */
  async #userCalls(node: UserCallsStep): Promise<Relation> {
    const { sql, deadLetters, checkStop } = this.#context
    const input = await this.relationOf(node.input)
    if (deadLetters && (deadLetters.takesFunctions || node.calls.some((call) => call.function.isOwn))) {
      const { rows, account } = await callKeepingLetters(
        sql,
        node,
        input,
        deadLetters,
        placeIn(this.#context.output, { at: callsText(node), ofTable: node.ofTable === true }),
        checkStop,
      )
      this.record.books.push(account)
      return rows
    }
    const outside = () => this.#callOutside(node, input)
    if (deadLetters || !node.calls.every((call) => isForStatements(call.function))) return outside()
    const calls = node.calls.map((call, i) => {
      const result = node.schema.fields[node.kept + i]!
      const callRows = (args: readonly Column[], rows: number) => {
        checkStop()
        return callInStatement(call, args, rows, result.nullable)
      }
      return { args: call.args, result, call: callRows }
    })
    const rows = sql.withCalls(input, node.kept, calls, outside)
    if (rows === null) return outside()
    return this.#readBySteps.has(node) ? sql.materialize(rows) : rows
  }
  /** Between two statements: the arguments of all rows at once. */
  async #callOutside(node: UserCallsStep, input: Relation): Promise<Relation> {
    const { sql, checkStop } = this.#context
    const used = [...new Set(node.calls.flatMap((call) => call.args))]
    const batch = await sql.columnsAt(input, used)
    const fields = node.schema.fields.slice(node.kept)
    const columns: Column[] = []
    for (const [i, call] of node.calls.entries()) {
      const over = { ...call, args: call.args.map((at) => used.indexOf(at)) }
      columns.push(await callUserFunction(over, batch, { nullable: fields[i]!.nullable, failed: null, checkStop }))
    }
    // functions over columns were given the arrays themselves, and may keep or return them
    if (node.calls.every((call) => call.function.body.kind !== 'columns')) sql.release({ rows: batch })
    return sql.withColumns(input, node.kept, { schema: new Schema(fields), length: batch.length, columns })
  }

  /** Rows that an expression has no value for. Where more of a relation are found later, its books are one. */
  async #takeFailed(failed: FailedRows, letters: DeadLetters): Promise<void> {
    const { sql, output } = this.#context
    const place = this.#places.get(failed.of) ?? { at: failed.place ?? 'rows between' }
    const account = await takeFailedRows(sql, failed, placeIn(output, { ...place, at: `expressions over ${place.at}` }), letters)
    const { books } = this.record
    const at = this.#failedOf.get(failed.of)
    if (at !== undefined) books[at] = { ...account, rowsIn: books[at]!.rowsIn, deadLetters: books[at]!.deadLetters + account.deadLetters }
    else this.#failedOf.set(failed.of, books.push(account) - 1)
  }

  /** Rows that a step can't take. */
  async #setRowsAside(node: StatefulNode, rows: Rows, refused: ReadonlyMap<number, RowError>, letters: DeadLetters): Promise<Relation> {
    if (this.#isPlain) throw new RowsToSetAside()
    const { origin } = this.#places.get(rows) ?? {}
    this.#refusedBy.add(node)
    const at = `sums of ${node.operatorName} ${node.operatorId}`
    const { others, account } = await setRowsAside(this.#context.sql, rows, refused, { at, origin }, letters)
    this.record.books.push(account)
    return others
  }

  /** Rows of keys for which a function with state has failed, and the keys of calls without rows. */
  async #keepFailedCalls(
    node: StatefulNode,
    ofTable: boolean,
    input: Relation,
    failed: CallsThatFailed,
    letters: DeadLetters,
  ): Promise<void> {
    const { sql, output } = this.#context
    const { origin } = this.#places.get(input) ?? {}
    this.record.books.push(
      ...(await takeFailedCalls(sql, stepText(node, ofTable), failed, input.schema, { origin, output, ofTable }, letters)),
    )
  }

  async #step(node: StatefulNode): Promise<Relation> {
    const {
      stepSql,
      store,
      storeIfThere,
      isDeleted,
      checkMemory,
      checkStop,
      watermarks,
      batchTimestampMs,
      salt,
      query,
      deadLetters,
      skipsInitialKeys,
    } = this.#context
    const inputs: Relation[] = []
    for (const input of node.inputs) inputs.push(await this.relationOf(input))
    if (deadLetters) this.#checkRows(node, inputs)
    const late = await this.#setAside(node, inputs)
    const partial = this.#partials.get(node)
    if (partial) await this.#context.settleState?.(partial)
    const { output, metrics } = await runStep(node, {
      sql: stepSql,
      inputs,
      partial: await partial,
      store: (name) => store(node.operatorId, name),
      storeIfThere: (name) => storeIfThere(node.operatorId, name),
      isDeleted: (name) => isDeleted(node.operatorId, name),
      checkMemory,
      checkStop,
      watermarks: watermarks(node.operatorId),
      batchTimestampMs,
      salt,
      query,
      initialState: () => this.#initialState(node),
      skipsInitialKeys,
      ...(deadLetters && { setRowsAside: (rows, refused) => this.#setRowsAside(node, rows, refused, deadLetters) }),
      ...(deadLetters?.takesFunctions && {
        keepFailedCalls: (failed) => this.#keepFailedCalls(node, false, inputs[0]!, failed, deadLetters),
      }),
    })
    if (this.#isPlain) {
      // the state has changed: what fails from here on is set aside from what the step gives, which has no other origin
      this.#isPlain = false
      this.#context.sql.failAtOnce(false)
      this.#keepFailedRows()
    }
    // another step may follow, and rows are computed before the commit looks
    checkMemory()
    // a row that was set aside may have been late for another window
    if (late && !this.#refusedBy.has(node)) checkLateCount(node, late, metrics)
    const count = late ?? (await this.#countLate(node, inputs, metrics))
    this.record.steps.set(node.operatorId, count ? withLateCount(metrics, count) : metrics)
    return output
  }

  /** What the step is going to compute of each row. */
  #checkRows({ operatorId, rowChecks = [] }: StatefulNode, inputs: readonly Relation[]): void {
    const { sql, watermarks } = this.#context
    const late = `make_timestamp(${watermarks(operatorId).lateUs ?? 0n})`
    rowChecks.forEach((check, i) => {
      if (check !== null) sql.checkRows(inputs[i]!, check.replaceAll('⟦late⟧', late))
    })
  }

  /** Where late rows were asked for: they are taken before the step drops them. */
  async #setAside(node: StatefulNode, inputs: Relation[]): Promise<LateCount | undefined> {
    const { sql, lateRows, watermarks } = this.#context
    const { lateUs } = watermarks(node.operatorId)
    if (!lateRows || !node.late || lateUs === null) return undefined
    const sum = { rows: 0, partly: 0 }
    for (const late of node.late) {
      // the step and the side output must judge the same rows
      inputs[late.input] = await sql.materialize(inputs[late.input]!)
      const { rows, partly, account } = await lateRows.take(node, late, inputs[late.input]!, lateUs)
      this.record.books.push(account)
      sum.rows += rows
      sum.partly += partly
    }
    return sum
  }

  /** The input rows that were late, for the metric. An aggregation knows the groups only: its rows are counted where it has dropped one. */
  async #countLate(node: StatefulNode, inputs: readonly Relation[], metrics: StepMetrics): Promise<LateCount | undefined> {
    const { sql, watermarks } = this.#context
    const { lateUs } = watermarks(node.operatorId)
    if (lateUs === null) return undefined
    const dropped = metrics.rowsDroppedByWatermark
    if (node.kind !== 'aggregate' || dropped === 0 || !node.late) return { rows: dropped, partly: 0 }
    const [late] = node.late
    return countLate(sql, late!, inputs[late!.input]!, lateUs)
  }

  #initialState(node: StatefulNode): Promise<Relation> {
    assert(node.kind === 'groups' && node.initialState !== null, 'the step has an initial state')
    return this.relationOf(node.initialState.node)
  }

  /** A function with state over a table: one batch, whose state begins empty and is forgotten. */
  async #batchGroups({ step, ofTable }: BatchGroups): Promise<Relation> {
    const { sql, batchTimestampMs, salt, checkStop, skipsInitialKeys, deadLetters } = this.#context
    const stores = new Map(step.stores.map(({ name, schema }) => [name, new MemoryStateStore(schema, keyGroups)]))
    const inputs: Relation[] = []
    for (const input of step.inputs) inputs.push(await this.relationOf(input))
    try {
      const { output } = await runStep(step, {
        sql,
        inputs,
        store: (name = 'default') => stores.get(name)!,
        storeIfThere: () => null,
        isDeleted: () => false,
        checkMemory: () => {},
        checkStop,
        watermarks: { lateUs: null, evictionUs: null },
        batchTimestampMs,
        salt,
        query: { queryId: noQuery, runId: noQuery, batchId: 0 },
        initialState: () => this.#initialState(step),
        skipsInitialKeys,
        ...(deadLetters?.takesFunctions && {
          keepFailedCalls: (failed) => this.#keepFailedCalls(step, ofTable === true, inputs[0]!, failed, deadLetters),
        }),
      })
      return output
    } finally {
      await closeSteps([step])
    }
  }
}

/** What the books call a step. */
function stepText({ operatorName, operatorId }: StatefulNode, ofTable = false): string {
  return `${operatorName} ${operatorId}${ofTable ? ' over a table' : ''}`
}

function withLateCount(metrics: StepMetrics, { rows }: LateCount): StepMetrics {
  return { ...metrics, custom: { ...metrics.custom, numLateInputRows: rows } }
}

/** What the books call the place behind a node whose rows are kept. */
function placeOf(node: PhysicalNode): Place | undefined {
  if (node.kind === 'source') return { at: `source ${node.source}` }
  if (node.kind === 'user-calls') return { at: callsText(node), ofTable: node.ofTable === true }
  if (node.kind === 'scan') return tableOf(node.scan.paths.join(', ') || node.scan.format)
  if (node.kind === 'local') return node.local.relation === undefined ? tableOf('of the program') : { at: 'rows of the batch' }
  if (node.kind === 'event-time' && node.future) return { at: `watermark ${node.columnName}` }
  if (node.kind === 'fragment' && node.tableBehind !== undefined) return tableOf(`behind ${node.tableBehind}`)
  if (node.kind === 'batch-groups') return node.ofTable ? tableOf(`behind ${stepText(node.step)}`) : { at: stepText(node.step) }
  return isStateful(node) ? { at: `${node.operatorName} ${node.operatorId}` } : undefined
}

function tableOf(name: string): Place {
  return { at: tablePlace(name), note: `in a row of the table ${name}`, ofTable: true }
}

const keyGroups = 16
const noQuery = '00000000-0000-0000-0000-000000000000'

/** Nodes that steps with state read, themselves or through fragments. */
function nodesReadBySteps(nodes: Iterable<PhysicalNode>): ReadonlySet<PhysicalNode> {
  const read = new Set<PhysicalNode>()
  const visit = (node: PhysicalNode) => {
    if (read.has(node)) return
    read.add(node)
    if (node.kind === 'fragment') node.inputs.forEach(visit)
  }
  for (const node of nodes) if (isStateful(node) || node.kind === 'batch-groups') inputsOfNode(node).forEach(visit)
  return read
}

function countReaders(root: PhysicalNode): Map<PhysicalNode, number> {
  const readers = new Map<PhysicalNode, number>()
  const visit = (node: PhysicalNode) => {
    const seen = readers.get(node) ?? 0
    readers.set(node, seen + 1)
    if (seen > 0) return
    inputsOfNode(node).forEach(visit)
  }
  visit(root)
  return readers
}
