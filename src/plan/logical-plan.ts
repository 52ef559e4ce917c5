import type { ColumnBatch } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import type { Expression, NamedExpression, SortOrder } from './expression.ts'

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
  | Distinct

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
}
/** Files or another bounded table. */
export interface BatchScan extends Node {
  readonly kind: 'scan'
  readonly format: string
  readonly options: Readonly<Record<string, string>>
  readonly paths: readonly string[]
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
  /** Position of the column, which after a join may not be the only one of its name; by default the first of that name. */
  readonly index?: number
}
/** Output: the keys, then the aggregates, under their names. `aggregates` are expressions over AggregateCalls (and keys). */
export interface Aggregate extends Node {
  readonly kind: 'aggregate'
  readonly input: LogicalPlan
  readonly keys: readonly NamedExpression[]
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
export interface Distinct extends Node {
  readonly kind: 'distinct'
  readonly input: LogicalPlan
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
      return [plan.left, plan.right]
    case 'union':
      return plan.inputs
    default:
      return [plan.input]
  }
}
/** Whether any leaf is a stream. */
export function isStreaming(plan: LogicalPlan): boolean {
  return plan.kind === 'stream-scan' || inputsOf(plan).some(isStreaming)
}
