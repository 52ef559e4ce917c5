import type { NamedExpression, SortOrder } from './expression.ts'
import { expressionText } from './expression-tree.ts'
import { intervalText } from './intervals.ts'
import { inputsOf, type LogicalPlan } from './logical-plan.ts'

/** The plan as a tree of text in Spark's form, one node a line, inputs below. Ends with a newline. */
export function explainLogical(plan: LogicalPlan): string {
  return `${lines(plan).join('\n')}\n`
}

function lines(plan: LogicalPlan): string[] {
  const inputs = inputsOf(plan).map(lines)
  const below = inputs.flatMap((input, i) => {
    const last = i === inputs.length - 1
    return input.map((line, row) => (row === 0 ? '+- ' : last ? '   ' : '|  ').replace('+-', last ? '+-' : ':-').replace('|', ':') + line)
  })
  return [describe(plan), ...below]
}

function describe(plan: LogicalPlan): string {
  switch (plan.kind) {
    case 'stream-scan':
      return `StreamingRelation ${plan.name === undefined ? plan.format : `${plan.name} (${plan.format})`}${place(plan.options.path)}${list(plan.schema.names)}`
    case 'scan':
      return `Relation ${plan.format}${place(plan.paths.join(', '))}${list(plan.schema.names)}`
    case 'local':
      return `LocalRelation${list(plan.schema.names)}`
    case 'project':
      return `Project${list(plan.columns.map(namedText))}`
    case 'filter':
      return `Filter ${expressionText(plan.condition)}`
    case 'watermark':
      return `EventTimeWatermark ${plan.column}, ${intervalText(BigInt(plan.delayMs) * 1000n)}${watermarkExtrasText(plan)}`
    case 'aggregate':
      return `Aggregate${list(plan.keys.map((key) => expressionText(key.expression)))},${list([...plan.keys, ...plan.aggregates].map(namedText))}`
    case 'join':
      return `Join ${joinNames[plan.how]}${plan.condition === null ? '' : `, ${expressionText(plan.condition)}`}`
    case 'union':
      return 'Union'
    case 'alias':
      return `SubqueryAlias ${plan.alias}`
    case 'sort':
      return `Sort${list(plan.order.map(orderText))}`
    case 'limit':
      return `Limit ${plan.count}`
    case 'offset':
      return `Offset ${plan.count}`
    case 'distinct':
      return 'Distinct'
    case 'deduplicate':
      return `Deduplicate${plan.withinWatermark ? 'WithinWatermark' : ''}${list(plan.keys.map((key) => plan.schema.names[key]!))}`
    case 'set-operation':
      return `${plan.operation === 'intersect' ? 'Intersect' : 'Except'}${plan.all ? ' All' : ''}`
    case 'generate':
      return `Generate ${generatorText(plan)}${list(plan.schema.names.slice(plan.input.schema.fields.length))}`
    case 'sample':
      return `Sample ${plan.lower}, ${plan.upper}, ${plan.withReplacement}, ${plan.seed}`
    case 'observe':
      return `CollectMetrics ${plan.name},${list(plan.metrics.map(namedText))}`
    case 'window-functions':
      return `Window${list(plan.calls.map((call) => call.name))}`
    case 'groups':
      return `${groupsNames[plan.function.kind === 'processor' ? 'processor' : plan.function.isMap ? 'map' : 'flatMap']}${list(plan.keys.map(({ name }) => name))}, ${plan.function.name}, ${plan.outputMode}, ${plan.function.kind === 'processor' ? plan.function.timeMode : plan.function.timeout}${plan.initialState === null ? '' : ', with initial state'}`
    case 'user-calls':
      return `UserCalls${list(plan.calls.map(expressionText))}`
    case 'expand':
      return `Expand${list(plan.columns.map(({ name, expressions }) => `${expressions.map(expressionText).join(' | ')} AS ${name}`))}`
  }
}

const groupsNames = { processor: 'TransformWithState', map: 'MapGroupsWithState', flatMap: 'FlatMapGroupsWithState' } as const

function generatorText({ generator, outer, args }: Extract<LogicalPlan, { kind: 'generate' }>): string {
  return `${generator}${outer ? '_outer' : ''}(${args.map(expressionText).join(', ')})`
}

const joinNames = {
  inner: 'Inner',
  left: 'LeftOuter',
  right: 'RightOuter',
  full: 'FullOuter',
  semi: 'LeftSemi',
  anti: 'LeftAnti',
  cross: 'Cross',
} as const

function list(items: readonly string[]): string {
  return ` [${items.join(', ')}]`
}
function place(path: string | undefined): string {
  return path ? ` ${path}` : ''
}
function namedText({ name, expression }: NamedExpression): string {
  const text = expressionText(expression)
  return text === name ? text : `${text} AS ${name}`
}
function orderText({ expression, descending, nullsFirst }: SortOrder): string {
  return `${expressionText(expression)} ${descending ? 'DESC' : 'ASC'} NULLS ${nullsFirst ? 'FIRST' : 'LAST'}`
}

function watermarkExtrasText({
  idleTimeoutMs,
  maxFutureSkewMs,
  partitionColumns,
  schema,
}: Extract<LogicalPlan, { kind: 'watermark' }>): string {
  const span = (ms: number) => intervalText(BigInt(ms) * 1000n)
  const parts = [
    ...(idleTimeoutMs === undefined ? [] : [`idle after ${span(idleTimeoutMs)}`]),
    ...(maxFutureSkewMs === undefined ? [] : [`at most ${span(maxFutureSkewMs)} ahead`]),
    ...(partitionColumns === undefined ? [] : [`per ${partitionColumns.map((at) => schema.names[at]!).join(', ')}`]),
  ]
  return parts.map((part) => `, ${part}`).join('')
}
