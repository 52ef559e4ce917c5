import type { Field } from '../data/types.ts'
import type { LogicalPlan, OutputMode } from '../plan/logical-plan.ts'
import type { Boundary, Compilation, CompiledRows, Needed } from './plan-sql.ts'
import type { Select } from './select-sql.ts'

/** What the planning of a step with state may ask of the planner around it. */
export interface StatefulPlanning {
  readonly boundary: Boundary
  /** The rows below a step as one relation of their own. */
  inputRows(plan: LogicalPlan, needed: Needed, c: Compilation): Select
  /**
   * The same as a node; `positions[i]` is where column i of the plan lies in it. Where dead letters are kept it has columns besides that say where its rows come from, unless the step passes each column on
   * to somebody (`carriesOrigin`).
   */
  input(plan: LogicalPlan, needed: Needed, carriesOrigin?: boolean): CompiledRows
  /** Numbers go up from the sources: ask after the inputs are planned. */
  nextOperatorId(): number
  outputMode(): OutputMode
  /** The columns that lateRows wants; null where nobody asked for late rows. A step with an event time plans them with late-rows.ts. */
  readonly lateColumns: readonly Field[] | null
  /** The lineage of an aggregate's accumulators, by its place among those of the operator: those of two are never shared. */
  lineageOf(operatorId: number, aggregate: number): string | undefined
}

/** By operator id, and by the place of the aggregate in it. */
export type Lineages = ReadonlyMap<number, readonly (string | undefined)[]>
