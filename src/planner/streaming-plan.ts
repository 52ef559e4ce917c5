import type { Observed } from '../data/observed.ts'
import type { Schema } from '../data/schema.ts'
import type { StateSchema } from '../data/state-schema.ts'
import type { UserFunction } from '../data/user-function.ts'
import type { BatchScan, LocalRelation, OutputMode, StreamScan } from '../plan/logical-plan.ts'

/**
 * What a micro-batch does: SQL fragments, and between them the steps that only the engine can do.
 * Every node gives a relation; MicroBatchExecution evaluates them inputs first.
 *
 * SQL text holds placeholders that are filled in for each batch: `⟦0⟧`, `⟦1⟧` … the relation of that input;
 * `⟦batch_timestamp⟧` the batch's timestamp as a SQL literal (current_timestamp); `⟦salt⟧` the checkpoint's key salt as a SQL string literal.
 */
export interface StreamingPlan {
  readonly root: PhysicalNode
  /** Distinct sources in plan order. */
  readonly sources: readonly PlannedSource[]
  readonly watermarks: readonly EventTime[]
  readonly stateful: readonly StatefulAggregate[]
  readonly outputMode: OutputMode
  readonly schema: Schema
}
export interface PlannedSource {
  /** The name in the checkpoint: the user's, or '0', '1', … */
  readonly name: string
  readonly scan: StreamScan
}

export type PhysicalNode = SourceRows | StaticScan | StaticLocal | Fragment | EventTime | UserCallsStep | ObserveStep | StatefulAggregate

/** The rows that a source has in this batch. */
export interface SourceRows {
  readonly kind: 'source'
  readonly source: string
  readonly schema: Schema
}

/** The rows of a bounded table, read anew in each batch. */
export interface StaticScan {
  readonly kind: 'scan'
  readonly scan: BatchScan
  readonly schema: Schema
}
/** Rows that the program gave. */
export interface StaticLocal {
  readonly kind: 'local'
  readonly local: LocalRelation
  readonly schema: Schema
}

/** One SELECT over its inputs. The columns of its result are called c0, c1, … in the order of `schema` (names may repeat or clash; positions can't). */
export interface Fragment {
  readonly kind: 'fragment'
  readonly inputs: readonly PhysicalNode[]
  readonly sql: string
  readonly schema: Schema
}

/** Calls functions of the program: the first `kept` columns of the input, then a column for each call. */
export interface UserCallsStep {
  readonly kind: 'user-calls'
  readonly input: PhysicalNode
  readonly schema: Schema
  readonly kept: number
  readonly calls: readonly {
    readonly function: UserFunction
    /** Where the arguments lie in the input. */
    readonly args: readonly number[]
    /** The arguments as the user wrote them, for errors. */
    readonly texts: readonly string[]
  }[]
}

/** Passes its input on unchanged; the one row of `metrics`, which reads it too, is what the batch has observed. */
export interface ObserveStep {
  readonly kind: 'observe'
  readonly input: PhysicalNode
  readonly schema: Schema
  readonly name: string
  readonly metrics: PhysicalNode
  readonly observed: Observed | null
}

/** Passes its input on unchanged and measures the event times in it: min, max, avg, count. */
export interface EventTime {
  readonly kind: 'event-time'
  readonly input: PhysicalNode
  readonly schema: Schema
  /** Which of plan.watermarks this is: the number under which the tracker knows it. */
  readonly index: number
  readonly column: number
  readonly columnName: string
  readonly delayMs: number
}

/**
 * Grouped aggregation with state. Per batch: run `partialSql` over the input (one row a group: key identity, key columns, partial accumulators),
 * drop groups that are late, merge into the state, and give the rows that the output mode asks for, in the physical columns
 * [...keyColumns, ...accumulator columns] called c0, c1, …; `finalSql` above (a Fragment) turns them into the user's columns.
 */
export interface StatefulAggregate {
  readonly kind: 'aggregate'
  readonly input: PhysicalNode
  readonly operatorId: number
  /** SELECT over ⟦0⟧ giving columns: key_id (UHUGEINT; see docs/formats.md), k0…, a0… in the order of stateSchema. */
  readonly partialSql: string
  readonly stateSchema: StateSchema
  readonly outputMode: OutputMode
  /** Physical columns of the result: keys, then accumulators. */
  readonly schema: Schema
  /** Whether this is an aggregation without keys, which has a row even where no input came. */
  readonly global: boolean
}

export type { MergeOp, StateColumn, StateSchema, StateValue } from '../data/state-schema.ts'
