import type { ColumnBatch } from '../data/column-batch.ts'
import type { Condition } from '../data/condition.ts'
import type { Observed } from '../data/observed.ts'
import type { Schema } from '../data/schema.ts'
import type { FieldRead } from '../data/source-batch.ts'
import type { StateFunction } from '../data/state-function.ts'
import type { Expression, NamedExpression, SortOrder, UserCall, WindowCall } from './expression.ts'
import type { GeneratorName } from './generators.ts'

/** An analysed plan: names are looked up, types known, the schema of every node right. Plain frozen data (but for the columns of a LocalRelation). */
export type LogicalPlan =
  | StreamScan
  | BatchScan
  | LocalRelation
  | Project
  | Filter
  | Watermark
  | Aggregate
  | Join
  | Union
  | SubqueryAlias
  | Sort
  | Limit
  | Offset
  | Distinct
  | Deduplicate
  | SetOperation
  | Sample
  | Generate
  | Expand
  | UserCalls
  | Observe
  | WindowFunctions
  | Groups

interface Node {
  readonly schema: Schema
}

/** Rows of an unbounded table. */
export interface StreamScan extends Node {
  readonly kind: 'stream-scan'
  readonly format: string
  /** The user's options as strings under the spelling they were given in; `path` among them. */
  readonly options: Readonly<Record<string, string>>
  /** The source's name in the checkpoint: the user's (`readStream.name`) or undefined, then numbered in plan order. */
  readonly name?: string
  /** Two scans with one token are one source, read once (a self-union). */
  readonly token: string
  /** A source object that lives in this process (memory); absent for formats found by name. */
  readonly instance?: unknown
  /** Fields of the JSON objects in one of the source's columns; they stand in `schema` behind the source's own columns. */
  readonly json?: { readonly column: number; readonly fields: Schema }
  /** Fields of its structs, as columns that stand in `schema` behind the source's own. */
  readonly fields?: readonly FieldRead[]
}
/** Files or another bounded table. */
export interface BatchScan extends Node {
  readonly kind: 'scan'
  readonly format: string
  readonly options: Readonly<Record<string, string>>
  readonly paths: readonly string[]
  /** A table that lives in this process, in place of one that is found by its format. */
  readonly instance?: unknown
  /** What is asked of its rows anyway, above: its source may leave out those for which one of these is not true. */
  readonly conditions?: readonly Condition[]
}
/** Rows that the program gave. `batch` may also be a relation that the engine made for this batch (foreachBatch), named in `relation`. */
export interface LocalRelation extends Node {
  readonly kind: 'local'
  readonly batch?: ColumnBatch
  readonly relation?: string
}
export interface Project extends Node {
  readonly kind: 'project'
  readonly input: LogicalPlan
  readonly columns: readonly NamedExpression[]
}
/**
 * Output: the input's columns, then those of the generator; an input row is there once for each row that the generator makes of it, and with
 * `outer` once with nulls where it makes none.
 */
export interface Generate extends Node {
  readonly kind: 'generate'
  readonly input: LogicalPlan
  readonly generator: GeneratorName
  readonly args: readonly Expression[]
  readonly outer: boolean
}
export interface Filter extends Node {
  readonly kind: 'filter'
  readonly input: LogicalPlan
  readonly condition: Expression
}
/** Lets the engine forget rows of `input` whose `column` is over `delayMs` behind the newest one seen. */
export interface Watermark extends Node {
  readonly kind: 'watermark'
  readonly input: LogicalPlan
  readonly column: string
  readonly delayMs: number
  /** Which call of withWatermark it came from: a relation that stands in the query twice, under different filters, still has one watermark. */
  readonly callId: number
  /** Position of the column, which after a join may not be the only one of its name; by default the first of that name. */
  readonly index?: number
  /** How long the stream may give no rows before it holds no other back, and event time goes on with the clock. */
  readonly idleTimeoutMs?: number
  /** Rows whose time is further ahead of the batch's timestamp are set aside. */
  readonly maxFutureSkewMs?: number
  /** Columns that tell the partitions of the rows apart: each has a watermark of its own, and the least of them counts. */
  readonly partitionColumns?: readonly number[]
}
/** Output: the keys, then the aggregates, under their names. `aggregates` are expressions over AggregateCalls (and keys). */
export interface Aggregate extends Node {
  readonly kind: 'aggregate'
  readonly input: LogicalPlan
  readonly keys: readonly NamedExpression[]
  /** Which key is a session window, if one is: rows that are equal in the other keys are one group where their sessions overlap or touch. */
  readonly session?: number
  readonly aggregates: readonly NamedExpression[]
}
export type JoinType = 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti' | 'cross'
/** Output: left columns then right columns (semi, anti: left only); with `using`, the key columns once and first, as Spark has it. */
export interface Join extends Node {
  readonly kind: 'join'
  readonly left: LogicalPlan
  readonly right: LogicalPlan
  readonly how: JoinType
  /** Over the left columns followed by the right; null only for cross. With `using` it is the equality of the pairs. */
  readonly condition: Expression | null
  readonly using?: readonly string[]
  /** A semi or anti join that a filter was made of (IN, EXISTS): it goes below a watermark, as filters do, and joins do not. */
  readonly isFilter?: boolean
}
export interface Union extends Node {
  readonly kind: 'union'
  readonly inputs: readonly LogicalPlan[]
}
export interface SubqueryAlias extends Node {
  readonly kind: 'alias'
  readonly input: LogicalPlan
  readonly alias: string
}
export interface Sort extends Node {
  readonly kind: 'sort'
  readonly input: LogicalPlan
  readonly order: readonly SortOrder[]
}
export interface Limit extends Node {
  readonly kind: 'limit'
  readonly input: LogicalPlan
  readonly count: number
}
/** All rows but the first `count`. */
export interface Offset extends Node {
  readonly kind: 'offset'
  readonly input: LogicalPlan
  readonly count: number
}
export interface Distinct extends Node {
  readonly kind: 'distinct'
  readonly input: LogicalPlan
  /** EXCEPT of a stream was written so: no aggregation of the query, to the rules of output modes. */
  readonly isExcept?: true
}
/** Of the rows that are equal in the columns `keys` the first one; nulls are equal to each other. */
export interface Deduplicate extends Node {
  readonly kind: 'deduplicate'
  readonly input: LogicalPlan
  readonly keys: readonly number[]
  /** dropDuplicatesWithinWatermark: of a stream; a key is forgotten when the watermark has passed its first row's event time by the delay. */
  readonly withinWatermark: boolean
}
/** Rows of the left side that are (intersect) or are not (except) among the right side's; nulls are equal here. `all` counts how often a row is there. */
export interface SetOperation extends Node {
  readonly kind: 'set-operation'
  readonly operation: 'intersect' | 'except'
  readonly all: boolean
  readonly left: LogicalPlan
  readonly right: LogicalPlan
}
/**
 * Rows by chance: each row has a number from 0 to 1 that follows from the seed and its place, and is kept where lower <= number < upper.
 * With replacement a row is there as often as a Poisson distribution of the mean `upper` says (lower is 0).
 */
export interface Sample extends Node {
  readonly kind: 'sample'
  readonly input: LogicalPlan
  readonly lower: number
  readonly upper: number
  readonly withReplacement: boolean
  readonly seed: bigint
}
/** Gives each row `copies` times; copy number i has `expressions[i]` in a column (or the only one, which is the same in all copies). */
export interface Expand extends Node {
  readonly kind: 'expand'
  readonly input: LogicalPlan
  readonly copies: number
  readonly columns: readonly ExpandColumn[]
  /** What the user wrote: grouping sets can't run on a stream, unpivot can. */
  readonly of: 'grouping sets' | 'unpivot'
}
export interface ExpandColumn {
  readonly name: string
  readonly expressions: readonly Expression[]
  readonly watermarkDelayMs?: number
}

/** The input's columns, then the result of each call. Made by the rules out of expressions that hold calls. */
export interface UserCalls extends Node {
  readonly kind: 'user-calls'
  readonly input: LogicalPlan
  readonly calls: readonly UserCall[]
}
/** Passes the rows on; the metrics, expressions over AggregateCalls, are computed of all of them in each batch. */
export interface Observe extends Node {
  readonly kind: 'observe'
  readonly input: LogicalPlan
  readonly name: string
  readonly metrics: readonly NamedExpression[]
  /** Who is told, for a batch. */
  readonly observed?: Observed
}

/** The input's columns, then a column for each call. */
export interface WindowFunctions extends Node {
  readonly kind: 'window-functions'
  readonly input: LogicalPlan
  readonly calls: readonly WindowCall[]
}
/**
 * (flat)mapGroupsWithState and transformWithState: the function gets, a key at a time, the key, the first `rowColumns` columns of its rows and its state, and gives
 * rows of the schema.
 */
export interface Groups extends Node {
  readonly kind: 'groups'
  readonly input: LogicalPlan
  /** Columns of the input. */
  readonly keys: readonly NamedKey[]
  readonly rowColumns: number
  readonly function: StateFunction
  /** What the rows that it gives mean. */
  readonly outputMode: 'append' | 'update'
  /** A table with states to begin with. */
  readonly initialState: InitialState | null
}
export interface NamedKey {
  readonly name: string
  readonly column: number
}
export interface InitialState {
  readonly plan: LogicalPlan
  /** Columns of the plan, in the order of the keys. */
  readonly keys: readonly number[]
  /** The columns that are the state (of transformWithState: the row that the processor gets). */
  readonly columns: readonly number[]
}

export type OutputMode = 'append' | 'update' | 'complete'

/** The inputs of a node, left to right. */
export function inputsOf(plan: LogicalPlan): readonly LogicalPlan[] {
  switch (plan.kind) {
    case 'stream-scan':
    case 'scan':
    case 'local':
      return []
    case 'join':
    case 'set-operation':
      return [plan.left, plan.right]
    case 'union':
      return plan.inputs
    case 'groups':
      return plan.initialState === null ? [plan.input] : [plan.input, plan.initialState.plan]
    default:
      return [plan.input]
  }
}
/** Whether any leaf is a relation that the engine made for a batch (foreachBatch, outputs). */
export function readsBatch(plan: LogicalPlan): boolean {
  return (plan.kind === 'local' && plan.relation !== undefined) || inputsOf(plan).some(readsBatch)
}
/** Whether any leaf is a stream. */
export function isStreaming(plan: LogicalPlan): boolean {
  return plan.kind === 'stream-scan' || inputsOf(plan).some(isStreaming)
}
