import type { Random } from '../base/random.ts'
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
  return endedQuery(environment.random, spec.queryName, physical, `== Logical Plan ==\n${logical}\n\n${physical}`)
}

/** A query that was only looked at. */
export function endedQuery(random: Random, name: string | null, plan: string, extendedPlan = plan): StreamingQuery {
  return {
    id: random.uuid(),
    runId: random.uuid(),
    name: name,
    isActive: false,
    exception: null,
    status: { message: 'Stopped', isDataAvailable: false, isTriggerActive: false },
    recentProgress: [],
    lastProgress: null,
    awaitTermination: async () => true,
    processAllAvailable: async () => {},
    stop: async () => {},
    explain: (extended = false) => (extended ? extendedPlan : plan),
  }
}
