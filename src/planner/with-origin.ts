import { Schema } from '../data/schema.ts'
import type { LogicalPlan, Project, StreamScan } from '../plan/logical-plan.ts'
import { columnRef } from '../plan/resolve.ts'

/** Where rows of a plan come from: the source, and the columns of the plan, by the source's names, that say so. */
export interface PlanOrigin {
  readonly plan: LogicalPlan
  readonly source: string
  readonly columns: ReadonlyMap<string, number>
}
/** Which source a scan is, and which of its columns say where a row comes from (Source.originColumns); null where that is none. */
export type OriginOf = (scan: StreamScan) => { readonly source: string; readonly columns: readonly string[] } | null

/**
 * The plan with those columns behind its own, without names, where its rows are rows of one source that were only filtered and computed from. Null elsewhere: a step in between keeps
 * rows of its own.
 */
export function withOrigin(plan: LogicalPlan, originOf: OriginOf): PlanOrigin | null {
  switch (plan.kind) {
    case 'stream-scan': {
      const found = originOf(plan)
      if (found === null) return null
      const columns = found.columns.flatMap((name): [string, number][] =>
        plan.schema.indexOf(name) < 0 ? [] : [[name, plan.schema.indexOf(name)]],
      )
      return columns.length === 0 ? null : { plan, source: found.source, columns: new Map(columns) }
    }
    case 'filter': {
      const inner = withOrigin(plan.input, originOf)
      return inner && { ...inner, plan: { ...plan, input: inner.plan, schema: inner.plan.schema } }
    }
    case 'project': {
      const inner = withOrigin(plan.input, originOf)
      if (inner === null) return null
      const added = [...inner.columns].map(([name, index]) => ({ name, index, field: inner.plan.schema.fields[index]! }))
      const project: Project = {
        ...plan,
        input: inner.plan,
        columns: [...plan.columns, ...added.map(({ field, index }) => ({ name: '', expression: columnRef(field, index) }))],
        schema: new Schema([...plan.schema.fields, ...added.map(({ field: { type, nullable } }) => ({ name: '', type, nullable }))]),
      }
      return { plan: project, source: inner.source, columns: new Map(added.map(({ name }, i) => [name, plan.columns.length + i])) }
    }
    default:
      return null
  }
}
