import { explainLogical } from '../plan/explain.ts'
import { explainStreamingPlan } from '../planner/explain-physical.ts'
import type { StartQuery } from '../query/engine-port.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import { prepareQuery, type QueryEnvironment } from './start-query.ts'

/** What a query would do. */
export interface ExplainedQuery {
  readonly name: string | null
  readonly format: string
  readonly outputMode: string
  readonly logical: string
  readonly physical: string
}

const explained: ExplainedQuery[] = []
/** The queries that were started while `MILLRACE_EXPLAIN` is `true` in the environment: checked and planned, not run. For `millrace explain`. */
export function explainedQueries(): readonly ExplainedQuery[] {
  return explained
}

/** Checks and plans a query, opens nothing, and gives one that has ended already. InvalidQueryError as from a start. */
export function explainQuery(spec: StartQuery, environment: QueryEnvironment): StreamingQuery {
  const { plan } = prepareQuery(spec, environment)
  const [logical, physical] = [explainLogical(spec.plan), explainStreamingPlan(plan)]
  explained.push({ name: spec.queryName, format: spec.format, outputMode: spec.outputMode, logical, physical })
  return {
    id: environment.random.uuid(),
    runId: environment.random.uuid(),
    name: spec.queryName,
    isActive: false,
    exception: null,
    status: { message: 'Stopped', isDataAvailable: false, isTriggerActive: false },
    recentProgress: [],
    lastProgress: null,
    awaitTermination: async () => true,
    processAllAvailable: async () => {},
    stop: async () => {},
    explain: (extended = false) => (extended ? `== Logical Plan ==\n${logical}\n\n${physical}` : physical),
  }
}
