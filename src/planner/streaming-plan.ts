import type { Observed } from '../data/observed.ts'
import type { Schema } from '../data/schema.ts'
import type { FieldRead } from '../data/source-batch.ts'
import type { StateFunction } from '../data/state-function.ts'
import type { StateSchema } from '../data/state-schema.ts'
import type { UserFunction } from '../data/user-function.ts'
import type { BatchScan, LocalRelation, NamedKey, OutputMode, StreamScan } from '../plan/logical-plan.ts'

/**
 * What a micro-batch does: SQL fragments, and between them the steps that only the engine can do.
 * Every node gives a relation; MicroBatchExecution evaluates them inputs first.
 *
 * SQL text holds placeholders that are filled in for each batch: `⟦0⟧`, `⟦1⟧` … the relation of that input;
 * `⟦batch_timestamp⟧` the batch's timestamp as a SQL literal (current_timestamp); `⟦salt⟧` the checkpoint's key salt as a SQL string literal.
 */
export interface StreamingPlan {
  readonly root: PhysicalNode
  /** Columns of the root behind those of the schema, where that was asked for and is known. */
  readonly origin?: RowsOrigin
  /** Distinct sources in plan order. */
  readonly sources: readonly PlannedSource[]
  readonly watermarks: readonly EventTime[]
  /** The steps with state, outermost first (each before those below it, left before right): the order of progress. */
  readonly stateful: readonly StatefulNode[]
  readonly outputMode: OutputMode
  readonly schema: Schema
}
export interface PlannedSource {
  /** The name in the checkpoint: the user's, or '0', '1', … */
  readonly name: string
  readonly scan: StreamScan
}

export type PhysicalNode =
  | SourceRows
  | StaticScan
  | StaticLocal
  | Fragment
  | EventTime
  | UserCallsStep
  | ObserveStep
  | BatchGroups
  | StatefulNode
/** Every kind of step with state. A new kind: its node here, its planning in planner/, its work in operators/<kind>.ts, its line in runtime/stateful-steps.ts. */
export type StatefulNode = StatefulAggregate | StatefulSession | StatefulDedupe | StatefulLimit | StatefulJoin | StatefulGroups
export type StatefulKind = StatefulNode['kind']

/** The rows that a source has in this batch. */
export interface SourceRows {
  readonly kind: 'source'
  readonly source: string
  readonly schema: Schema
  /** The columns that the plan reads. */
  readonly columns: ReadonlySet<number>
  /** Fields of the JSON objects in one of the source's columns: those columns of `schema` that stand behind the source's own. */
  readonly json?: { readonly column: number; readonly fields: Schema }
  /** Fields of the source's structs: those columns of `schema` that stand behind the source's own. */
  readonly fields?: readonly FieldRead[]
  /** Whether the number of each row in the batch is read too: a column behind those of the schema. */
  readonly isNumbered?: boolean
}

/** The rows of a bounded table, read anew in each batch. */
export interface StaticScan {
  readonly kind: 'scan'
  readonly scan: BatchScan
  readonly schema: Schema
  /** The columns that the plan reads. */
  readonly columns: ReadonlySet<number>
}
/** Rows that the program gave. */
export interface StaticLocal {
  readonly kind: 'local'
  readonly local: LocalRelation
  readonly schema: Schema
}

/** Where the rows of a relation come from, where dead letters are kept. */
export interface RowsOrigin {
  readonly sources: readonly string[]
  /** The column with the number of each row in the batch; undefined where nothing is known but the source. */
  readonly column: number | undefined
}

/** One SELECT over its inputs. The columns of its result are called c0, c1, … in the order of `schema` (names may repeat or clash; positions can't). */
export interface Fragment {
  readonly kind: 'fragment'
  readonly inputs: readonly PhysicalNode[]
  readonly sql: string
  readonly schema: Schema
  /** The inputs of which every row is computed by itself. */
  readonly rowWise?: readonly number[]
  /** A SELECT over ⟦0⟧, which is the first input, that computes what the fragment computes of a row of it by itself. */
  readonly rowCheck?: string
  /** Where its rows are a table's, and none of a stream or of a batch: which step has made them. */
  readonly tableBehind?: string
  readonly origin?: RowsOrigin
}

/** Calls functions of the program: the first `kept` columns of the input, then a column for each call. */
export interface UserCallsStep {
  readonly kind: 'user-calls'
  readonly input: PhysicalNode
  readonly schema: Schema
  readonly kept: number
  /** Columns that are kept. */
  readonly origin?: RowsOrigin
  /** Whether its rows are a table's, and none of a stream or of a batch. */
  readonly ofTable?: boolean
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
  /** Each of them for itself, by its name: for a batch in which one has no value. */
  readonly each: readonly { readonly name: string; readonly metric: PhysicalNode }[]
  readonly observed: Observed | null
  readonly origin?: RowsOrigin
}

/** Passes its input on unchanged and measures the event times in it: min, max, avg, count. */
export interface EventTime {
  readonly kind: 'event-time'
  readonly input: PhysicalNode
  readonly schema: Schema
  /** Which of plan.watermarks this is: the number under which the tracker knows it. */
  readonly index: number
  /** The call of withWatermark: those of one call are one watermark, which the newest row of them all moves. */
  readonly callId: number
  readonly column: number
  readonly columnName: string
  readonly delayMs: number
  readonly idleTimeoutMs?: number
  /** Rows that are stamped too far ahead are set aside first. */
  readonly future?: FutureRows
  /** The columns that tell partitions apart: where they lie, and what they are called. */
  readonly partitions?: { readonly columns: readonly number[]; readonly names: readonly string[] }
  readonly origin?: RowsOrigin
}
/** Rows stamped after ⟦bound⟧, a TIMESTAMP literal. */
export interface FutureRows {
  readonly maxSkewMs: number
  /** SELECT over ⟦0⟧ giving the columns of the side output of those rows, and their event time. */
  readonly rowsSql: string
  readonly rowsSchema: Schema
  /** SELECT over ⟦0⟧ giving all other rows. */
  readonly keptSql: string
}

/** What all steps with state have in common, and all that the engine around them knows of them. */
export interface StatefulStep {
  readonly inputs: readonly PhysicalNode[]
  /** Unique in the query, counted up from the sources; the name of the operator's folder in the checkpoint. */
  readonly operatorId: number
  /** Spark's name of the operator, for progress and the state's metadata: stateStoreSave, dedupe, … */
  readonly operatorName: string
  /** At least one. An operator with one calls it `default`. */
  readonly stores: readonly PlannedStore[]
  readonly outputMode: OutputMode
  /** Physical columns of the result. */
  readonly schema: Schema
  /** The watermark that the operators above may count on, by the one of the inputs (operators/watermark-propagation.ts). */
  readonly outputWatermark: OutputWatermark
  /** Whether a trigger without new data has to run a batch for the operator: where its watermark has moved since the last batch, where a time that
   *  its stores have has come (timeouts, timers and TTL in processing time), or never. */
  readonly noDataBatches: 'when-watermark-moves' | 'when-due' | 'never'
  /** Spark's custom metrics, which are there (as 0) in every progress. */
  readonly customMetrics?: readonly string[]
  /** How the input rows that are late are found, for those who want them (lateRows) or count them; absent where none can be late. */
  readonly late?: readonly LateInput[]
  /** For each input: SELECT over ⟦0⟧ that computes what the step computes of a row by itself (keys, arguments of aggregates, conditions); null where that is nothing. */
  readonly rowChecks?: readonly (string | null)[]
  /** Of a step that passes on rows of its input. */
  readonly origin?: RowsOrigin
}
/** The late rows of one input. ⟦late⟧ stands for the late watermark as a TIMESTAMP literal. */
export interface LateInput {
  /** Which of the step's inputs. */
  readonly input: number
  readonly side: 'left' | 'right' | null
  /** SELECT over ⟦0⟧ (that input) giving, for each row of which a window is late: the columns of the side output, the event time, how many of its windows are
   *  late, and whether others are in time. */
  readonly rowsSql: string
  readonly rowsSchema: Schema
  /** SELECT over ⟦0⟧ giving how many rows are not late altogether. */
  readonly inTimeSql: string
}
export interface PlannedStore {
  /** `default`, or what tells the operator's stores apart: `left`, `right`, a state variable's name. */
  readonly name: string
  readonly schema: StateSchema
}
/** `same`: that of the inputs; `behind`: as much behind it; `none`: rows of any age may come out. */
export type OutputWatermark = { readonly kind: 'same' } | { readonly kind: 'behind'; readonly lagMs: number } | { readonly kind: 'none' }

/**
 * Grouped aggregation with state. Per batch: run `partialSql` over the input (one row a group: key identity, key columns, partial accumulators),
 * drop groups that are late, merge into the state, and give the rows that the output mode asks for, in the physical columns
 * [...keyColumns, ...accumulator columns] called c0, c1, …; a Fragment above turns them into the user's columns.
 */
export interface StatefulAggregate extends StatefulStep {
  readonly kind: 'aggregate'
  /** SELECT over ⟦0⟧ giving columns: key_id (UHUGEINT; see docs/formats.md), k0…, a0… in the order of the state's schema. */
  readonly partialSql: string
  readonly partialSchema: Schema
  /** Columns of lists of which nothing but the size is asked: the step gives that, as an int. */
  readonly sizes: readonly number[]
  /** Whether this is an aggregation without keys, which has a row even where no input came. */
  readonly global: boolean
  /** How rows are found that take a sum out of its type; null where no sum can leave it. */
  readonly sums: SumRows | null
}
/** Of sessions: rowsSql gives key_id, the keys, when the row's own session begins and ends, what the row adds to each of the sums, its number from 0, and whether it is late. */
export interface SessionSumRows {
  readonly rowsSql: string
  readonly rowsSchema: Schema
  readonly columns: readonly number[]
  readonly names: readonly string[]
  /** As piecesSql, with null for a sum that has left its type. */
  readonly piecesSql: string
}
export interface SumRows {
  /** SELECT over ⟦0⟧ giving, for each row and each group that it belongs to: key_id, the number of the row from 0, whether the group is late (⟦late⟧), and what the row
   *  adds to each of the sums. */
  readonly rowsSql: string
  readonly rowsSchema: Schema
  /** Where those sums stand among the columns of the state, and what they are called. */
  readonly columns: readonly number[]
  readonly names: readonly string[]
  /** As partialSql, with null for a sum that has left its type. */
  readonly partialSql: string
}

/**
 * Aggregation by session windows. Per batch: group the rows into pieces of sessions, drop what is late, put the pieces together with each other and with the stored sessions of
 * their keys that they overlap or touch, and give the rows that the output mode asks for, in the columns of the state (keys; start, end, accumulators).
 */
export interface StatefulSession extends StatefulStep {
  readonly kind: 'session'
  /** SELECT over ⟦0⟧ giving a row a piece: key_id, the columns of the state, and how many of its rows are late (all or none). ⟦late⟧ stands for the late watermark as a
   *  TIMESTAMP literal. */
  readonly piecesSql: string
  readonly piecesSchema: Schema
  /** How rows are found that take a sum out of its type; null where no sum can leave it. */
  readonly sums: SessionSumRows | null
}

/**
 * dropDuplicates and dropDuplicatesWithinWatermark. Per batch: number the rows, run `keysSql` over them (one row a key), drop rows that are late, enter the keys
 * that the state doesn't have, and give the first row of each of those.
 */
export interface StatefulDedupe extends StatefulStep {
  readonly kind: 'dedupe'
  /** SELECT over ⟦0⟧ (the input) giving its columns c0, c1, … and behind them the number of the row in the batch. */
  readonly numberedSql: string
  readonly numberedSchema: Schema
  /**
   * SELECT over ⟦0⟧ (numbered rows) giving: key_id, the columns of the state (keys; within a watermark also when the entry expires), and three
   * numbers: the key's first row that is not late (null: all are), its rows that are not late, its late rows. ⟦late⟧ stands for the late
   * watermark as a TIMESTAMP literal.
   */
  readonly keysSql: string
  readonly keysSchema: Schema
  /** SELECT over ⟦0⟧ (numbered rows) and ⟦1⟧ (numbers) giving the rows with those numbers. */
  readonly pickedSql: string
}

/** At most `count` rows, over all batches. The state is one row: how many there were. */
export interface StatefulLimit extends StatefulStep {
  readonly kind: 'limit'
  readonly count: number
  /** SELECT over ⟦0⟧ giving key_id and the number of rows. */
  readonly countSql: string
}

/**
 * A join of two streams. Both sides' rows are stored under the columns that are equal; inputs[0] is the left side, inputs[1] the right.
 * Rows that new ones are joined with, be they new or stored, have the stored columns of their side as c0, c1, … and, unless the join is inner, a number behind them.
 */
export interface StatefulJoin extends StatefulStep {
  readonly kind: 'join'
  readonly how: 'inner' | 'left' | 'right' | 'full' | 'semi'
  readonly left: StatefulJoinSide
  readonly right: StatefulJoinSide
  /** SELECT over ⟦0⟧ (left rows) and ⟦1⟧ (right rows) giving the step's columns for each pair (semi: for each left row with a match), then the numbers of the
   *  left and the right row (semi: of the left row; inner: none). */
  readonly pairsSql: string
  readonly pairsSchema: Schema
  /**
   * The same as two SELECTs, where the condition reads both sides of a pair and may have no value for one. `allSql`: all that belong together by the keys and by what can't
   * fail, with the stored columns of both sides and, unnamed, their numbers; `restSql` over ⟦0⟧ (those pairs): what pairsSql gives.
   */
  readonly pairsApart: RowsApart | null
}
/** The first form whose `allSql` does not fail counts. */
export interface RowsApart {
  /** What the books call the pairs. */
  readonly place: string
  readonly schema: Schema
  readonly forms: readonly { readonly allSql: string; readonly restSql: string }[]
}
export interface StatefulJoinSide {
  /** SELECT over ⟦0⟧ (the input) giving the stored columns; unless the join is inner the number of the row in the batch; and with `hasFlag` a byte: 0 the row
   *  is late, 1 it fails the part of the condition that reads this side only, 2 neither. ⟦late⟧ stands for the late watermark as a TIMESTAMP literal. */
  readonly rowsSql: string
  readonly rowsSchema: Schema
  /** SELECT over ⟦0⟧ (those rows) giving key_id, the columns of the state, and the flag. */
  readonly storedSql: string
  readonly storedSchema: Schema
  /** Where rows of this side are given out without a match: SELECT over ⟦0⟧ (stored columns) giving the step's columns, with nulls for the other side. */
  readonly unmatchedSql: string | null
  /** A stored row goes when its event time is at or below the watermark moved by this; null: rows are kept for ever. */
  readonly evictionOffsetMs: number | null
  /** How many columns are stored, `matched` aside. */
  readonly columns: number
  readonly hasFlag: boolean
}

/** A function of the program that gets the rows of each key with the key's state, and gives rows of the schema. inputs[0] are the rows. */
export interface StatefulGroups extends StatefulStep {
  readonly kind: 'groups'
  readonly function: StateFunction
  /** What the rows that it gives mean. */
  readonly functionMode: 'append' | 'update'
  /** SELECT over ⟦0⟧ (the input) giving key_id, the input's columns, and with `judgesLateness` whether the row is late. ⟦late⟧ stands for the late watermark. */
  readonly rowsSql: string
  readonly rowsSchema: Schema
  readonly judgesLateness: boolean
  /** Columns of the input. */
  readonly keys: readonly NamedKey[]
  /** So many columns at the front are what the function sees as a row. */
  readonly rowColumns: number
  /** Whether the input has an event time. */
  readonly hasWatermark: boolean
  /** Read in the first batch only. The SELECT over ⟦0⟧ (the table) gives key_id, the key's columns, the state's. */
  readonly initialState: { readonly node: PhysicalNode; readonly sql: string; readonly schema: Schema } | null
}

/** The same over a table: run once, with a state of its own. The table of initial states is its second input. */
export interface BatchGroups {
  readonly kind: 'batch-groups'
  readonly inputs: readonly PhysicalNode[]
  readonly step: StatefulGroups
  readonly schema: Schema
  /** Whether its rows are a table's, and none of a batch. */
  readonly ofTable?: boolean
}

export type { EventTimeColumn, MergeOp, StateColumn, StateSchema, StateValue } from '../data/state-schema.ts'

const statefulKinds: Readonly<Record<StatefulKind, true>> = {
  aggregate: true,
  session: true,
  dedupe: true,
  limit: true,
  join: true,
  groups: true,
}
export function isStateful(node: PhysicalNode): node is StatefulNode {
  return node.kind in statefulKinds
}

/** The nodes that a node reads, in order. */
export function inputsOfNode(node: PhysicalNode): readonly PhysicalNode[] {
  if (node.kind === 'observe') return [node.input, node.metrics]
  if (node.kind === 'groups' && node.initialState !== null) return [...node.inputs, node.initialState.node]
  if ('input' in node) return [node.input]
  return 'inputs' in node ? node.inputs : []
}
