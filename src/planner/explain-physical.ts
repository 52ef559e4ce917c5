import { eventTimeIndex, type StateSchema } from '../data/state-schema.ts'
import { typeText } from '../data/types.ts'
import {
  type EventTime,
  inputsOfNode,
  isStateful,
  type PhysicalNode,
  type PlannedStore,
  type SourceRows,
  type StatefulGroups,
  type StatefulNode,
  type StreamingPlan,
} from './streaming-plan.ts'

/** A plan as indented text, the last step first: what reads what, the SQL of each fragment, the columns of each state. */
export function explainStreamingPlan(plan: StreamingPlan): string {
  const sources = plan.sources.map(
    ({ name, scan }) => `  ${name}: ${scan.format}${scan.options['path'] === undefined ? '' : ` ${scan.options['path']}`}`,
  )
  return [
    `Output mode: ${plan.outputMode}`,
    'Sources:',
    ...sources,
    'Steps:',
    ...nodeLines(plan.root, newSeen()).map((line) => `  ${line}`),
  ].join('\n')
}

/** The same of a relation that is run once. */
export function explainBatchPlan(root: PhysicalNode): string {
  return nodeLines(root, newSeen()).join('\n')
}

const newSeen = () => new Map<PhysicalNode, number>()

function nodeLines(node: PhysicalNode, seen: Map<PhysicalNode, number>): string[] {
  if (seen.has(node)) return [`${titleOf(node)} (as above)`]
  seen.set(node, seen.size)
  const inputs = inputsOfNode(node)
  return [
    titleOf(node),
    ...detailLines(node).map((line) => `  ${line}`),
    ...inputs.flatMap((input, i) => nodeLines(input, seen).map((line, k) => (k === 0 ? `  ⟦${i}⟧ ${line}` : `      ${line}`))),
  ]
}

function fieldsText({ fields, columns, schema }: SourceRows): string {
  if (!fields) return ''
  const read = fields.filter((_, i) => columns.has(schema.fields.length - fields.length + i))
  return `, single fields: ${read.map(({ column, path }) => [schema.names[column], ...path].join('.')).join(', ')}`
}

function titleOf(node: PhysicalNode): string {
  switch (node.kind) {
    case 'source':
      return `Source ${node.source}${node.json ? `, which parses JSON: ${node.json.fields.names.join(', ')}` : ''}${fieldsText(node)}`
    case 'scan':
      return `Scan ${node.scan.format} ${node.scan.paths.join(', ')}`
    case 'local':
      return node.local.relation === undefined ? `Local rows (${node.local.batch?.length ?? 0})` : `Relation ${node.local.relation}`
    case 'fragment':
      return 'SQL'
    case 'user-calls':
      return `User functions ${node.calls.map((call) => `${call.function.name}(${call.texts.join(', ')})`).join(', ')}`
    case 'observe':
      return `Observe ${node.name}`
    case 'event-time':
      return `Watermark ${node.index}: ${node.columnName} (c${node.column}), ${node.delayMs} ms behind${watermarkExtras(node)}`
    case 'aggregate':
      return `Aggregate ${node.operatorId}, ${node.outputMode}${node.global ? ', one group' : ''}`
    case 'session':
      return `Sessions ${node.operatorId}, ${node.outputMode}`
    case 'dedupe':
      return `Drop duplicates ${node.operatorId}${node.operatorName === 'dedupe' ? '' : ', within the watermark'}`
    case 'join':
      return `Join of streams ${node.operatorId}, ${node.how}${(['left', 'right'] as const).map((side) => `; ${side} rows ${keptText(node[side].evictionOffsetMs)}`).join('')}`
    case 'groups':
      return groupsTitle(node)
    case 'batch-groups':
      return groupsTitle(node.step)
    case 'limit':
      return `Limit ${node.operatorId}: ${node.count} rows`
  }
}

function watermarkExtras({ idleTimeoutMs, future, partitions }: EventTime): string {
  const idle = idleTimeoutMs === undefined ? '' : `, idle after ${idleTimeoutMs} ms`
  const ahead = future === undefined ? '' : `, at most ${future.maxSkewMs} ms ahead`
  return `${idle}${ahead}${partitions === undefined ? '' : `, per ${partitions.names.join(', ')}`}`
}

function groupsTitle({ operatorId, function: f, functionMode }: StatefulGroups): string {
  const title = f.kind === 'processor' ? 'Transform with state' : `${f.isMap ? 'Map' : 'Flat map'} groups with state`
  return `${title} ${operatorId}: ${f.name}, ${functionMode}, ${f.kind === 'processor' ? f.timeMode : f.timeout}`
}

function keptText(offsetMs: number | null): string {
  if (offsetMs === null) return 'for ever'
  return `until the watermark${offsetMs === 0 ? '' : ` ${offsetMs < 0 ? '-' : '+'} ${Math.abs(offsetMs)} ms`}`
}

function detailLines(node: PhysicalNode): string[] {
  const columns = `columns: ${node.schema.fields.map((field, i) => `c${i} ${field.name} ${typeText(field.type)}`).join(', ')}`
  if (node.kind === 'fragment') return [node.sql, columns]
  if (isStateful(node)) return [...statements(node), ...node.stores.flatMap((store) => storeLines(store, node.stores.length > 1))]
  return [columns]
}

/** The SQL of a step with state. */
function statements(node: StatefulNode): string[] {
  switch (node.kind) {
    case 'aggregate':
      return [node.partialSql]
    case 'session':
      return [node.piecesSql]
    case 'dedupe':
      return [node.keysSql]
    case 'join':
      return [`left: ${node.left.rowsSql}`, `right: ${node.right.rowsSql}`, `pairs: ${node.pairsSql}`]
    case 'groups':
      return [node.rowsSql]
    case 'limit':
      return []
  }
}

function storeLines({ name, schema }: PlannedStore, isOneOfSeveral: boolean): string[] {
  return stateLines(schema).map((line) => (isOneOfSeveral ? `${name} ${line}` : line))
}

function stateLines(schema: StateSchema): string[] {
  const { keys, values } = schema
  const eventTime = eventTimeIndex(schema)
  const key = keys.map(({ name, type }, i) => `${name} ${typeText(type)}${eventTime === i ? ' (event time)' : ''}`)
  const value = values.map(
    ({ name, type, merge }, i) => `${name} ${typeText(type)} by ${merge}${eventTime === keys.length + i ? ' (event time)' : ''}`,
  )
  return [`state keys: ${key.join(', ') || 'none'}`, `state values: ${value.join(', ') || 'none'}`]
}
