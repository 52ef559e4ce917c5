import { join } from 'node:path'
import { CorruptCheckpointError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { readOnlyFiles } from '../base/read-only-files.ts'
import { type CheckpointInspection, inspectCheckpoint } from '../checkpoint/inspect-checkpoint.ts'
import { keyGroupsKey, providerClassKey, shufflePartitionsKey, timeZoneKey, watermarkPolicyKey } from '../checkpoint/pinned-conf.ts'
import { optimize } from '../plan/rules.ts'
import { noAbilities, type SourceAbilities } from '../planner/source-abilities.ts'
import type { Lineages } from '../planner/stateful-planning.ts'
import { type PlanningOptions, planStreaming } from '../planner/streaming.ts'
import type { StreamingPlan } from '../planner/streaming-plan.ts'
import type { ForeachBatchInstance, OutputsInstance, SinkInstance, StartQuery } from '../query/engine-port.ts'
import type { SinkProvider } from '../sinks/sink.ts'
import type { StateDefaults } from '../state/match-columns.ts'
import { matchState, type OperatorMatch } from '../state/match-state.ts'
import { defaultValue } from '../state/migrate-store.ts'
import type { StateOperator } from '../state/state-options.ts'
import { readStoredStores } from '../state/stored-stores.ts'
import type { Conf } from './conf.ts'
import { operatorKind } from './query-shape.ts'

/** A query against the checkpoint that it is going to run on. */
export interface QueryChange {
  /** As it will run: in the time zone of the checkpoint, with accumulators apart that have counted from different starts. */
  readonly plan: StreamingPlan
  /** Undefined where no batch was planned yet. */
  readonly found: CheckpointInspection | undefined
  readonly operators: readonly OperatorMatch[]
}

/** Plans a query for a checkpoint. Reads only. `planning`: as for planStreaming. InvalidQueryError of the planner; CorruptCheckpointError as from a start. */
export async function planForCheckpoint(
  spec: StartQuery,
  folder: string,
  conf: Conf,
  files: Files,
  planning: Planning = planningOf(spec, noAbilities, []),
): Promise<QueryChange> {
  const looks = readOnlyFiles(files)
  const found = await inspectCheckpoint(looks, folder)
  const pinned = found?.planned.entry.conf
  const timeZone = pinned?.[timeZoneKey] ?? conf.text(timeZoneKey)
  const logical = optimize(spec.plan)
  const plan = planStreaming(logical, spec.outputMode, timeZone, planning)
  if (!found || found.nextBatchId === 0) return { plan, found, operators: [] }
  const keyGroups = Number(pinned?.[keyGroupsKey] ?? conf.text(keyGroupsKey))
  const stored = await readStoredStores({
    files: looks,
    folder: join(folder, 'state'),
    queryId: found.queryId,
    version: found.nextBatchId,
    keyGroups,
    epochOf: found.epochOf,
  })
  const operators = matchState(stateOperators(plan), stored, { version: found.nextBatchId, keyGroups, defaults: stateDefaults(conf) })
  checkDefaults(operators)
  const lineages = new Map(
    operators.flatMap(({ operatorId, lineages: each }): [number, readonly (string | undefined)[]][] =>
      operatorId !== null && each?.some((lineage) => lineage !== undefined) ? [[operatorId, each]] : [],
    ),
  ) satisfies Lineages
  return {
    plan: lineages.size === 0 ? plan : planStreaming(logical, spec.outputMode, timeZone, { ...planning, lineages }),
    found,
    operators,
  }
}

/** What this start asks for of that which a checkpoint pins; all but the salt. */
export function requestedPins(conf: Conf): Record<string, string> {
  const keys = [providerClassKey, watermarkPolicyKey, timeZoneKey, shufflePartitionsKey, keyGroupsKey]
  return Object.fromEntries(keys.map((key) => [key, conf.text(key)]))
}

/** InvalidQueryError INVALID_STATE_DEFAULT, before anything is written. */
function checkDefaults(operators: readonly OperatorMatch[]): void {
  for (const { schema, newSchema } of operators.flatMap(({ stores }) => stores)) {
    newSchema?.migration?.sources.forEach(({ fill }, i) => {
      if (fill !== null) defaultValue([...schema.keys, ...schema.values][i]!, fill)
    })
  }
}

/** What a query's plan is made for, whatever its checkpoint holds. */
export type Planning = Omit<PlanningOptions, 'lineages'>
export function planningOf(
  { lateRows, instance, format }: StartQuery,
  abilities: SourceAbilities,
  sinks: readonly SinkProvider[],
): Planning {
  const kind = (instance as OutputsInstance | SinkInstance | ForeachBatchInstance | undefined)?.kind
  // what a function of foreachBatch names is its own, not one of the rows that it was given
  const mayRefuse =
    kind === 'outputs' ||
    kind === 'sink' ||
    (kind !== 'foreach-batch' && sinks.some((sink) => sink.refusesRows && sink.formats.includes(format.toLowerCase())))
  return { lateColumns: lateRows?.columns ?? null, abilities, carriesOrigin: mayRefuse && abilities.keepsDeadLetters }
}

/** As planForCheckpoint, where a start is going to open the checkpoint and to tell, in its order, what is wrong with it. */
export async function planForStart(
  spec: StartQuery,
  folder: string,
  conf: Conf,
  files: Files,
  planned: StreamingPlan,
  planning: Planning,
): Promise<QueryChange> {
  try {
    return await planForCheckpoint(spec, folder, conf, files, planning)
  } catch (error) {
    if (!(error instanceof CorruptCheckpointError)) throw error
    return { plan: planned, found: undefined, operators: [] }
  }
}

/** The stores of a plan as the state knows them. */
export function stateOperators(plan: StreamingPlan): StateOperator[] {
  return plan.stateful.flatMap((operator) =>
    operator.stores.map(({ name, schema }) => ({
      operatorId: operator.operatorId,
      name: operator.operatorName,
      kind: operatorKind(operator),
      storeName: name,
      schema,
      ...(operator.kind === 'groups' && operator.function.kind === 'processor' && { deletes: operator.function.deleted }),
    })),
  )
}

export function stateDefaults(conf: Conf): StateDefaults {
  const text = conf.text('millrace.stateDefaults')
  return text === '' ? {} : (JSON.parse(text) as StateDefaults)
}
