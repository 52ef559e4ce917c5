import type { Clock } from '../base/clock.ts'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { ignoreMetadataKey } from '../data/file-sink-log.ts'
import type { RowSet } from '../data/row-set.ts'
import type { Account } from '../data/side-rows.ts'
import { checkMetricNames } from '../plan/analyze.ts'
import { inputsOf, isStreaming, type LogicalPlan } from '../plan/logical-plan.ts'
import { optimize } from '../plan/rules.ts'
import { planBatch, planOutput } from '../planner/streaming.ts'
import type { RowsOrigin } from '../planner/streaming-plan.ts'
import type { BatchRunner } from '../sinks/sink.ts'
import type { SourceProvider } from '../sources/provider.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'
import type { SqlEngine } from '../sql/sql-engine.ts'
import { readTable } from './bounded-tables.ts'
import type { DeadLetters } from './dead-letters.ts'
import { Evaluation, type EvaluationRecord } from './evaluate.ts'
import { type HeldRows, heldRows } from './held-rows.ts'
import type { NamedRelations } from './named-relations.ts'

/** What a batch plan needs to run. */
export interface BatchEnvironment {
  readonly sql: SqlEngine
  readonly relations: NamedRelations
  readonly clock: Clock
  readonly files: Files
  readonly conf: { text(key: string): string }
  readonly sourceProviders: readonly SourceProvider[]
}

/** Runs a plan over bounded tables; `use` gets its rows, which are gone when it has returned. One over the rows of a micro-batch runs within that batch. */
export function runBatch<T>(plan: LogicalPlan, environment: BatchEnvironment, use: (rows: RowSet) => Promise<T>): Promise<T> {
  return evaluate(plan, environment, (relation, sql) => use(sql.rowSet(relation)))
}

/** Runs a plan once and keeps its rows while `use` makes other plans of them: `held` stands for them in those. */
export function holdRows<T>(plan: LogicalPlan, environment: BatchEnvironment, use: (held: LogicalPlan) => Promise<T>): Promise<T> {
  return evaluate(plan, environment, async (relation, sql) =>
    environment.relations.with(sql, await sql.materialize(relation), (name) => use({ kind: 'local', relation: name, schema: plan.schema })),
  )
}

/** Both, for sinks. */
export function batchRunner(environment: BatchEnvironment): BatchRunner {
  return {
    runBatch: (plan, use) => runBatch(plan, environment, use),
    holdRows: (plan, use) => holdRows(plan, environment, use),
  }
}

/** Where the rows of an output go that can't be computed. */
export interface OutputLetters {
  /** The output's name. */
  readonly output: string
  readonly deadLetters: DeadLetters
  readonly warn: (text: string) => void
  /** What columns behind the batch's own say where its rows come from. */
  readonly rowsOrigin: RowsOrigin | undefined
}
/** The rows of an output, computed. */
export interface OutputRows {
  readonly held: HeldRows
  readonly sql: SqlBatch
  readonly books: readonly Account[]
}
/** Runs an output's plan over the rows of a micro-batch, and sets those aside that can't be computed. Its rows live as long as the batch. */
export async function computeOutput(plan: LogicalPlan, environment: BatchEnvironment, letters: OutputLetters): Promise<OutputRows> {
  return evaluate(
    plan,
    environment,
    async (relation, sql, { books }, origin) => ({ held: await heldRows(sql, relation, plan.schema, origin), sql, books }),
    letters,
  )
}

async function evaluate<T>(
  plan: LogicalPlan,
  environment: BatchEnvironment,
  use: (relation: Relation, sql: SqlBatch, record: EvaluationRecord, origin: RowsOrigin | undefined) => Promise<T>,
  letters?: OutputLetters,
): Promise<T> {
  const { relations, clock, conf } = environment
  const batchTimestampMs = clock.nowMs()
  if (isStreaming(plan)) {
    throw new InvalidQueryError('STREAMING_QUERY_NEEDS_WRITE_STREAM', {
      what: 'a DataFrame over a stream was asked for all its rows, and a stream has no end',
      todo: 'start it with writeStream….start(); for a look at it use format("memory") or format("console")',
    })
  }
  checkMetricNames(plan)
  const timeZone = conf.text('spark.sql.session.timeZone')
  const { root, origin }: ReturnType<typeof planOutput> = letters
    ? planOutput(optimize(plan), timeZone, letters.rowsOrigin)
    : { root: planBatch(optimize(plan), timeZone) }
  const held = relationNames(plan).map((name) => relations.get(name))
  const own = held[0]
    ? null
    : await environment.sql.beginBatch({ batchTimestampMs, salt: '', ignoresSinkLogs: conf.text(ignoreMetadataKey) === 'true' })
  const sql: SqlBatch = held[0]?.sql ?? own!
  try {
    const evaluation = new Evaluation(root, {
      sql,
      stepSql: sql,
      watermarks: () => ({ lateUs: null, evictionUs: null }),
      batchTimestampMs,
      table: (scan, columns) => readTable(scan, columns, sql, environment),
      source: () => Promise.reject(new Error('a batch plan has no stream source')),
      relation: (name) => relations.get(name).relation,
      store: () => {
        throw new Error('a batch plan has no state')
      },
      storeIfThere: () => null,
      isDeleted: () => false,
      checkMemory: () => {},
      checkStop: () => {},
      salt: '',
      query: { queryId: '', runId: '', batchId: 0 },
      ...letters,
      skipsInitialKeys: conf.text('spark.sql.streaming.flatMapGroupsWithState.skipEmittingInitialStateKeys') === 'true',
    })
    const result = await use(await evaluation.relationOf(root), sql, evaluation.record, origin)
    for (const { metrics, observed } of evaluation.record.observed.values()) observed?.report(metrics)
    return result
  } finally {
    await own?.close()
  }
}

function relationNames(plan: LogicalPlan): string[] {
  return plan.kind === 'local' && plan.relation !== undefined ? [plan.relation] : inputsOf(plan).flatMap(relationNames)
}
