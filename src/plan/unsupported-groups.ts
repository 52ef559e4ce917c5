/** What a streaming query may be made of, as far as functions with state are concerned (Spark's UnsupportedOperationChecker). */
import { InvalidQueryError } from '../base/errors.ts'
import { type Groups, inputsOf, isStreaming, type LogicalPlan, type OutputMode } from './logical-plan.ts'

function nodesOf(plan: LogicalPlan): LogicalPlan[] {
  return [plan, ...inputsOf(plan).flatMap(nodesOf)]
}
function isStreamingAggregate(node: LogicalPlan): boolean {
  return (node.kind === 'aggregate' || node.kind === 'distinct') && isStreaming(node)
}
function isMap({ function: f }: Groups): boolean {
  return f.kind === 'group-function' && f.isMap
}
function isFlatMap({ function: f }: Groups): boolean {
  return f.kind === 'group-function' && !f.isMap
}

/** How many there may be in one query. */
export function checkGroupFunctions(plan: LogicalPlan, mode: OutputMode): void {
  const found = nodesOf(plan).filter((node): node is Groups => node.kind === 'groups' && isStreaming(node))
  const maps = found.filter(isMap)
  const flatMaps = found.filter(isFlatMap)
  if (maps.length > 1) throw refused('mapGroupsWithState several times in a streaming query', 'split it into several queries')
  if (maps.length > 0 && flatMaps.length > 0)
    throw refused(
      'mapGroupsWithState beside flatMapGroupsWithState in a streaming query',
      'use flatMapGroupsWithState for both, or split the query',
    )
  if (flatMaps.length > 1 && (mode !== 'append' || flatMaps.some(({ outputMode }) => outputMode !== 'append')))
    throw refused(
      'flatMapGroupsWithState several times in a streaming query, unless all of them and the query are in append mode,',
      "give each outputMode: 'append', or split the query",
    )
  const aggregated = nodesOf(plan).some(isStreamingAggregate)
  for (const node of found) checkMode(node, mode, aggregated)
}

function checkMode(node: Groups, mode: OutputMode, aggregated: boolean): void {
  // whoever aggregates rows that are told again and again would count a key several times
  if (isMap(node) && aggregated)
    throw refused(
      'mapGroupsWithState in a streaming query with an aggregation',
      "use flatMapGroupsWithState with outputMode: 'append', or split the query",
    )
  if (isMap(node) && mode !== 'update')
    throw refused(
      `mapGroupsWithState in ${mode} output mode`,
      "use outputMode('update'), or flatMapGroupsWithState with outputMode: 'append'",
    )
  if (!isFlatMap(node)) return
  if (aggregated && node.outputMode === 'update')
    throw refused('flatMapGroupsWithState in update mode in a query with an aggregation', "give it outputMode: 'append'")
  if (!aggregated && node.outputMode !== mode)
    throw refused(
      `flatMapGroupsWithState in ${node.outputMode} mode in a query with ${mode} output mode`,
      `use outputMode('${node.outputMode}') for the query, or give the function outputMode: '${mode}'`,
    )
}

/** One of them over what it reads. */
export function checkGroups(node: Groups): void {
  const { function: f } = node
  const byEventTime = f.kind === 'processor' ? f.timeMode === 'EventTime' : f.timeout === 'EventTimeTimeout'
  if (!byEventTime || node.input.schema.fields.some(({ watermarkDelayMs }) => watermarkDelayMs !== undefined)) return
  throw refused(
    f.kind === 'processor'
      ? 'transformWithState in EventTime mode without watermark'
      : '(flat)mapGroupsWithState with EventTimeTimeout without watermark',
    'call withWatermark(column, delay) on its input: timers and timeouts go by it',
  )
}

/** Rows of any age come out of a function with timeouts in event time: a step with state above it would drop them as late. */
export function checkAboveEventTimeTimeout(node: LogicalPlan): void {
  if (!isStateful(node)) return
  const below = inputsOf(node)
    .flatMap(nodesOf)
    .some(
      (each) =>
        each.kind === 'groups' &&
        isStreaming(each) &&
        each.function.kind === 'group-function' &&
        each.function.timeout === 'EventTimeTimeout',
    )
  if (below)
    throw refused(
      'a step with state over (flat)mapGroupsWithState with EventTimeTimeout, whose rows may be older than the watermark and would be dropped as late,',
      'split the query, or use transformWithState with eventTimeColumnName',
    )
}
function isStateful(node: LogicalPlan): boolean {
  switch (node.kind) {
    case 'aggregate':
    case 'distinct':
    case 'groups':
      return isStreaming(node)
    case 'join':
      return isStreaming(node.left) && isStreaming(node.right)
    case 'deduplicate':
      return isStreaming(node) && (node.withinWatermark || node.keys.some((key) => node.schema.fields[key]!.watermarkDelayMs !== undefined))
    default:
      return false
  }
}

function refused(operation: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('UNSUPPORTED_STREAMING_OPERATION', { what: `${operation} is not supported`, todo })
}
