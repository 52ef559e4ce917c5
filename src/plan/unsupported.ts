/**
 * What a streaming query may be made of, by output mode. Refused as STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION, Spark's class,
 * or as UNSUPPORTED_STREAMING_OPERATION, for which Spark has only temporary classes, where Spark refuses it too, and as NOT_SUPPORTED_YET where Spark can do it and this version can't.
 */
import { InvalidQueryError } from '../base/errors.ts'
import { checkMetricNames } from './analyze.ts'
import type { Expression } from './expression.ts'
import { childrenOf, expressionText } from './expression-tree.ts'
import {
  type Aggregate,
  type Deduplicate,
  type Distinct,
  inputsOf,
  isStreaming,
  type Join,
  type LogicalPlan,
  type OutputMode,
  type Union,
} from './logical-plan.ts'
import { hasStateWatermark } from './state-watermark.ts'
import { checkAboveEventTimeTimeout, checkGroupFunctions, checkGroups } from './unsupported-groups.ts'
import { isRowId, rowIdName } from './window-names.ts'

/** Throws InvalidQueryError unless the plan can run as a streaming query in that mode. */
export function checkStreaming(plan: LogicalPlan, outputMode: OutputMode): void {
  if (!['append', 'update', 'complete'].includes(outputMode)) {
    throw new InvalidQueryError('STREAMING_OUTPUT_MODE.INVALID', {
      what: `invalid streaming output mode: ${outputMode}`,
      todo: "use 'append', 'update' or 'complete'",
    })
  }
  if (!isStreaming(plan)) {
    throw new InvalidQueryError('WRITE_STREAM_NOT_ALLOWED', {
      what: 'writeStream can be called only on a streaming DataFrame',
      todo: 'read with readStream, or use write for a batch',
    })
  }
  checkMetricNames(plan)
  checkOutputMode(plan, outputMode)
  checkGroupFunctions(plan, outputMode)
  // of several reasons the one that Spark names: from the sources up, and only then what stands above an aggregation
  const nodes = nodesUpwards(plan).filter(isStreaming)
  const errors = [checkNode, checkAboveAggregate].flatMap((check) => nodes.flatMap((node) => errorsOf(() => check(node, outputMode))))
  // what no version will do comes first: it has to be rewritten anyway
  const first = errors.find((error) => error.code !== 'NOT_SUPPORTED_YET') ?? errors[0]
  if (first) throw first
}

function errorsOf(check: () => void): InvalidQueryError[] {
  try {
    check()
    return []
  } catch (error) {
    if (error instanceof InvalidQueryError) return [error]
    throw error
  }
}

function nodesOf(plan: LogicalPlan): LogicalPlan[] {
  return [plan, ...inputsOf(plan).flatMap(nodesOf)]
}
function nodesUpwards(plan: LogicalPlan): LogicalPlan[] {
  return [...inputsOf(plan).flatMap(nodesUpwards), plan]
}
function streamingBelow(plan: LogicalPlan, kind: LogicalPlan['kind']): LogicalPlan[] {
  return inputsOf(plan)
    .flatMap(nodesOf)
    .filter((node) => node.kind === kind && isStreaming(node))
}

function checkNode(node: LogicalPlan, mode: OutputMode): void {
  if (node.kind === 'aggregate') checkAggregate(node, mode)
  if (node.kind === 'join') checkJoin(node, mode)
  if (node.kind === 'union') checkUnion(node)
  if (node.kind === 'watermark') checkWatermark(node)
  if (node.kind === 'sort') checkSort(node, mode)
  if (node.kind === 'limit') checkLimit(mode)
  if (node.kind === 'deduplicate') checkDeduplicate(node)
  if (node.kind === 'groups') checkGroups(node)
  checkAboveEventTimeTimeout(node)
  checkBatchOnly(node)
}

/** What the mode as a whole asks of the query. */
function checkOutputMode(plan: LogicalPlan, mode: OutputMode): void {
  const aggregates = nodesOf(plan).filter(isStreamingAggregate)
  if (mode === 'complete' && !aggregates.some((node) => !isExcept(node))) {
    throw wrongMode(mode, 'there are no streaming aggregations', "use outputMode('append'), or aggregate with groupBy(…).agg(…)")
  }
  if (mode !== 'append') return
  const unmarked = aggregates.filter((aggregate) => !hasEventTimeKey(aggregate))
  const first = unmarked.find((node) => !isExcept(node))
  if (first) {
    throw wrongMode(
      mode,
      `streaming aggregation${keysText(first)} without a watermark on a grouping key`,
      "call withWatermark(column, delay) and group by that column or by window(column, …), or use outputMode('update') or 'complete'",
    )
  }
  if (unmarked.length > 0)
    throw new InvalidQueryError('UNSUPPORTED_STREAMING_OPERATOR_WITHOUT_WATERMARK', {
      what: 'append output mode is not supported for except of a stream without a watermark on one of its columns: it keeps every row once',
      todo: "call withWatermark(column, delay) on the stream, or use outputMode('update')",
    })
}
function isExcept(node: Aggregate | Distinct): boolean {
  return node.kind === 'distinct' && node.isExcept === true
}

/** DISTINCT in SQL is a grouping by all columns. (The API's distinct() is a deduplication, as in Spark.) */
function isStreamingAggregate(node: LogicalPlan): node is Aggregate | Distinct {
  return (node.kind === 'aggregate' || node.kind === 'distinct') && isStreaming(node)
}
function hasEventTimeKey(node: Aggregate | Distinct): boolean {
  return (node.kind === 'aggregate' ? node.keys : node.schema.fields).some((key) => key.watermarkDelayMs !== undefined)
}
function keysText(node: Aggregate | Distinct): string {
  if (node.kind === 'distinct') return ' (DISTINCT)'
  const { keys } = node
  return keys.length === 0 ? ' without grouping keys' : ` by ${keys.map((key) => key.name).join(', ')}`
}

function checkAggregate(node: Aggregate, mode: OutputMode): void {
  const found = distinctAggregate(node)
  if (found)
    throw refused(
      `the distinct aggregate ${expressionText(found)} of a stream`,
      'distinct values would have to be kept for ever; group by the value first',
    )
  const marked = node.keys.filter((key) => key.watermarkDelayMs !== undefined)
  if (marked.length > 1) {
    throw new InvalidQueryError('MULTIPLE_EVENT_TIME_COLUMNS', {
      what: `More than one event time columns are available: the keys ${marked.map((key) => key.name).join(' and ')} both carry a watermark`,
      todo: 'group by one of them only',
    })
  }
  if (node.session === undefined) return
  if (mode === 'update')
    throw wrongMode(
      mode,
      'for session window on a streaming DataFrame',
      "a session that grows into another would have to be taken back: use outputMode('append') or 'complete'",
    )
  if (node.keys.length === 1)
    throw refused(
      'Global aggregation with session window in streaming query',
      'group by a further column beside the session window, a constant one if there is none',
    )
}

/** What an aggregation gives in update and complete mode may be older than the watermark: a step with state above it would take it for late. */
function checkAboveAggregate(node: LogicalPlan, mode: OutputMode): void {
  const what = stepByTime(node)
  if (mode === 'append' || what === undefined || !inputsOf(node).flatMap(nodesOf).some(isStreamingAggregate)) return
  throw wrongMode(mode, `${what} over a streaming aggregation`, "several stateful operators in one query need outputMode('append')")
}
/** The name of a step that may take rows for late. */
function stepByTime(node: LogicalPlan): string | undefined {
  switch (node.kind) {
    case 'aggregate':
      return 'a streaming aggregation'
    case 'distinct':
      return 'DISTINCT'
    case 'groups':
      return node.function.kind === 'processor' ? 'transformWithState' : '(flat)mapGroupsWithState'
    case 'deduplicate':
      if (node.withinWatermark) return 'dropDuplicatesWithinWatermark'
      // without an event time among its columns it takes no row for late
      return node.keys.some((key) => node.schema.fields[key]!.watermarkDelayMs !== undefined) ? 'dropDuplicates' : undefined
    case 'join':
      return isStreaming(node.left) && isStreaming(node.right) ? 'a join of streams' : undefined
    default:
      return undefined
  }
}

function checkDeduplicate(node: Deduplicate): void {
  if (node.withinWatermark && node.schema.fields.every((field) => field.watermarkDelayMs === undefined))
    throw refused(
      'dropDuplicatesWithinWatermark on a streaming DataFrame without watermark',
      'call withWatermark(column, delay) on its input: the delay says how long a key is remembered',
    )
}

function distinctAggregate({ aggregates }: Aggregate): Expression | undefined {
  const find = (e: Expression): Expression | undefined =>
    e.kind === 'aggregate' && e.distinct
      ? e
      : childrenOf(e)
          .map(find)
          .find((found) => found)
  return aggregates.map(({ expression }) => find(expression)).find((found) => found)
}

const sparkNames = {
  inner: 'Inner',
  cross: 'Cross',
  left: 'LeftOuter',
  right: 'RightOuter',
  full: 'FullOuter',
  semi: 'LeftSemi',
  anti: 'LeftAnti',
} as const

function checkJoin(node: Join, mode: OutputMode): void {
  const left = isStreaming(node.left)
  const right = isStreaming(node.right)
  if (left && right) return checkStreamJoin(node, mode)
  const name = sparkNames[node.how]
  const staticKept = 'rows of the static side without a match are never known'
  if (left && (node.how === 'right' || node.how === 'full'))
    throw refused(
      `${name} join with a streaming DataFrame on the left and a static DataFrame on the right`,
      `${staticKept}; use inner, left, semi or anti`,
    )
  if (right && node.how !== 'inner' && node.how !== 'cross' && node.how !== 'right')
    throw refused(
      `${name} join with a streaming DataFrame on the right and a static DataFrame on the left`,
      `${staticKept}; use inner or right, or swap the sides`,
    )
}

/** An outer join can give out a row that was not matched only when no later row can match it; a semi join would have to keep rows for ever. */
function checkStreamJoin(node: Join, mode: OutputMode): void {
  const { how } = node
  const name = sparkNames[how]
  const isInner = how === 'inner' || how === 'cross'
  if (how === 'anti')
    throw refused(
      'LeftAnti joins with a streaming DataFrame on the right',
      'use a left join and keep the rows whose right columns are null',
    )
  if (mode === 'complete' || (mode === 'update' && !isInner && how !== 'semi')) {
    const modes = isInner || how === 'semi' ? "outputMode('append') or 'update'" : "outputMode('append')"
    throw refused(`${name} join between two streaming DataFrames in ${modeName(mode)} output mode`, `use ${modes}`)
  }
  if (isInner || hasStateWatermark(node)) return
  throw refused(
    `Stream-stream ${name} join between two streaming DataFrames without a watermark in the join keys, or a watermark on the nullable side and an appropriate range condition,`,
    'call withWatermark on both inputs, and join by a window of the event time, or by event times within a range: ' +
      'l.at.between(r.at.minus("1 hour"), r.at.plus("1 hour"))',
  )
}

function checkUnion(node: Union): void {
  if (node.inputs.every(isStreaming)) return
  throw refused('a union of streaming and batch DataFrames', 'read both as streams')
}

function checkWatermark(node: Extract<LogicalPlan, { kind: 'watermark' }>): void {
  const inner = streamingBelow(node, 'watermark')[0]
  if (inner?.kind === 'watermark') {
    throw new InvalidQueryError('WATERMARK_REDEFINED', {
      what: `Redefining watermark is disallowed. The input of withWatermark('${node.column}') has one already, on \`${inner.column}\``,
      todo: 'call withWatermark once on each input',
    })
  }
}

function checkSort(node: LogicalPlan, mode: OutputMode): void {
  if (mode === 'complete' && inputsOf(node).flatMap(nodesOf).some(isStreamingAggregate)) return
  throw refused(
    `sorting a stream${mode === 'complete' ? '' : ` in ${mode} mode`}`,
    "only an aggregated stream in outputMode('complete') has an order",
  )
}

function checkLimit(mode: OutputMode): void {
  if (mode === 'update') throw wrongMode(mode, 'limit on a stream', "use outputMode('append') or 'complete'")
}

/** What needs all rows at once, or a row's place among all. */
function checkBatchOnly(node: LogicalPlan): void {
  switch (node.kind) {
    case 'sample':
      throw refused(
        'sampling a stream',
        "rows of a stream have no fixed place: filter by a hash of a key, for example where(col('user_hash').mod(10).eq(0))",
      )
    case 'window-functions':
      if (node.calls.some(({ function: { name } }) => isRowId(name)))
        throw refused(
          `Expression(s): ${rowIdName}() with streaming DataFrames/Datasets`,
          'tell the rows apart by what is in them: xxhash64(…) of a key',
        )
      throw new InvalidQueryError('NON_TIME_WINDOW_NOT_SUPPORTED_IN_STREAMING', {
        what: `window function is not supported in ${node.calls.map((call) => `"${call.name}"`).join(', ')} on a streaming DataFrame: its window is over rows and not over time`,
        todo: 'group by window(time, …) for windows of time, or use it in foreachBatch',
      })
    case 'offset':
      throw refused('offset on a stream', 'skip rows by a condition, or in foreachBatch')
    case 'set-operation':
      throw node.operation === 'intersect'
        ? refused(
            'an intersection of streaming DataFrames',
            "a left semi join says the same of a static right side: join(other, on, 'semi')",
          )
        : refused(
            isStreaming(node.right) ? 'except with the stream on the right' : 'exceptAll of a stream',
            "rows that the right side may still bring are never known; for a static right side use except, or join(other, on, 'anti')",
          )
  }
}

function modeName(mode: OutputMode): string {
  return `${mode[0]!.toUpperCase()}${mode.slice(1)}`
}
function wrongMode(mode: OutputMode, operation: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION', {
    what: `invalid streaming output mode: ${modeName(mode)}. This output mode is not supported: ${operation}`,
    todo,
  })
}
function refused(operation: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('UNSUPPORTED_STREAMING_OPERATION', { what: `${operation} is not supported`, todo })
}
