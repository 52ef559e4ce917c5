import { resolve } from 'node:path'
import { pinnedConf } from '../checkpoint/pinned-conf.ts'
import { readQueryId } from '../checkpoint/query-metadata.ts'
import { shapeOf } from '../checkpoint/query-shape.ts'
import { compareShapes, findingOf, type RestartFinding, type RestartRule, restartRules, type Verdict } from '../checkpoint/restart-rules.ts'
import type { StartQuery } from '../query/engine-port.ts'
import { noCheckpoint } from '../query/no-checkpoint.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import { endedQuery } from './explained-query.ts'
import { planForCheckpoint, requestedPins } from './query-change.ts'
import { queryShape } from './query-shape.ts'
import { prepareQuery, type QueryEnvironment } from './start-query.ts'

/** What a start on a checkpoint would do with a part of a query. `new`: the checkpoint has no batch yet. */
export type PlanVerdict = 'new' | 'same' | 'migrated' | 'rebuilt' | 'refused'
export interface PlannedPart {
  readonly part: 'source' | 'sink' | 'operator'
  /** The source's name, the sink's format, or the operator with its keys. */
  readonly name: string
  readonly verdict: PlanVerdict
  readonly changes: readonly PlannedChange[]
}
export interface PlannedChange {
  /** Its row in docs/restart.md. */
  readonly rule: string
  readonly verdict: Verdict
  readonly what: string
  readonly because: string
  /** Of what is refused: the error's code, what to do, and how to deploy it (docs/state-changes.md). */
  readonly code?: string
  readonly todo?: string
  readonly pattern?: string
}
export interface PlannedQuery {
  readonly name: string | null
  readonly checkpoint: string | null
  /** The worst of its parts. */
  readonly verdict: PlanVerdict
  readonly parts: readonly PlannedPart[]
}

const planned: PlannedQuery[] = []
/** The queries that were started while `MILLRACE_PLAN` is `true` in the environment: compared with their checkpoints, not run. For `millrace plan`. */
export function plannedQueries(): readonly PlannedQuery[] {
  return planned
}

/** Compares a query with its checkpoint, or with the one that `MILLRACE_PLAN_CHECKPOINT` names, writes nothing, and gives a query that has ended already. */
export async function planQuery(spec: StartQuery, engine: QueryEnvironment): Promise<StreamingQuery> {
  const { options, environment } = prepareQuery(spec, engine)
  const { conf, files } = environment
  const parent = conf.text('spark.sql.streaming.checkpointLocation')
  const named = parent && spec.queryName ? resolve(parent, spec.queryName) : undefined
  const folder = process.env['MILLRACE_PLAN_CHECKPOINT'] ?? options.checkpointLocation ?? named
  const change = folder === undefined ? undefined : await planForCheckpoint(spec, resolve(folder), conf, files)
  // what a start would refuse before it compares anything
  pinnedConf(change?.found?.planned.entry.conf, requestedPins(conf))
  if (change?.found === undefined) {
    if (process.env['MILLRACE_PLAN_CHECKPOINT'] !== undefined && (await readQueryId(files, resolve(folder!))) === undefined)
      throw noCheckpoint(folder!)
    planned.push({ name: spec.queryName, checkpoint: folder ?? null, verdict: 'new', parts: [] })
    return endedQuery(environment.random, spec.queryName, '')
  }
  const { found, plan, operators } = change
  const now = queryShape({ ...spec, options: options.sink }, plan)
  const before = shapeOf(found.previousRun?.shape)
  const others = before ? compareShapes(before, now) : []
  const isOf = (kind: RegExp) => others.filter(({ rule }) => kind.test(rule))
  const aboutSources = isOf(/^(source|watermark)-/)
  const sources = now.sources.map((source) =>
    part(
      'source',
      source.name,
      aboutSources.filter(({ what }) => now.sources.length === 1 || what.includes(` ${source.name} `) || what.includes(`${source.name} (`)),
    ),
  )
  const lost = aboutSources.filter((finding) => !sources.some(({ changes }) => changes.some(({ what }) => what === finding.what)))
  const parts: PlannedPart[] = [
    ...sources,
    ...(lost.length > 0 ? [part('source', '(all)', lost)] : []),
    ...operators.map(({ label, changes }) => {
      const modes = isOf(/^state-function-/).filter(({ what }) => what.startsWith(label.split(' by ')[0]!))
      // the state tells of another timeout too, with fewer words
      const own = changes.filter(({ rule }) => rule !== 'state-function-changed' || modes.length === 0)
      return part('operator', label, [...own.map(findingOf), ...modes])
    }),
    part('sink', now.sink.format, isOf(/^(sink|columns|mode)-/)),
  ]
  planned.push({ name: spec.queryName, checkpoint: resolve(folder!), verdict: worst(parts.map(({ verdict }) => verdict)), parts })
  return endedQuery(environment.random, spec.queryName, '')
}

function part(kind: PlannedPart['part'], name: string, findings: readonly RestartFinding[]): PlannedPart {
  const changes = findings.map(({ rule, verdict, what }): PlannedChange => {
    const { because, code, todo, pattern }: RestartRule = restartRules[rule]
    return { rule, verdict, what, because, ...(code && { code }), ...(todo && { todo }), ...(pattern && { pattern }) }
  })
  return { part: kind, name, verdict: worst(changes.map(({ verdict }) => verdictOf(verdict))), changes }
}
function verdictOf(verdict: Verdict): PlanVerdict {
  return verdict === 'allowed' || verdict === 'told' ? 'same' : verdict
}
function worst(verdicts: readonly PlanVerdict[]): PlanVerdict {
  return (['refused', 'rebuilt', 'migrated'] as const).find((verdict) => verdicts.includes(verdict)) ?? 'same'
}
