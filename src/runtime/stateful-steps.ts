import { runAggregate } from '../operators/aggregate.ts'
import { runDedupe } from '../operators/dedupe.ts'
import { closeGroups, runGroups } from '../operators/groups.ts'
import { runJoin } from '../operators/join.ts'
import { runLimit } from '../operators/limit.ts'
import { runSession } from '../operators/session.ts'
import type { StepContext, StepResult } from '../operators/step.ts'
import type { StatefulKind, StatefulNode } from '../planner/streaming-plan.ts'

type Steps = { readonly [K in StatefulKind]: (node: Extract<StatefulNode, { kind: K }>, context: StepContext) => Promise<StepResult> }

/** Who does the work of each kind of step. */
const steps: Steps = { aggregate: runAggregate, session: runSession, dedupe: runDedupe, limit: runLimit, join: runJoin, groups: runGroups }

/** One batch of a step with state. */
export function runStep(node: StatefulNode, context: StepContext): Promise<StepResult> {
  return (steps[node.kind] as (node: StatefulNode, context: StepContext) => Promise<StepResult>)(node, context)
}

/** Ends what steps have begun with their first batch: the processors of the program hear of it. */
export async function closeSteps(nodes: readonly StatefulNode[]): Promise<void> {
  for (const node of nodes) if (node.kind === 'groups') await closeGroups(node)
}
