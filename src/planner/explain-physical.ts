import type { StateSchema } from '../data/state-schema.ts'
import { typeText } from '../data/types.ts'
import type { PhysicalNode, StreamingPlan } from './streaming-plan.ts'

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
  const inputs =
    node.kind === 'fragment' ? node.inputs : node.kind === 'observe' ? [node.input, node.metrics] : 'input' in node ? [node.input] : []
  return [
    titleOf(node),
    ...detailLines(node).map((line) => `  ${line}`),
    ...inputs.flatMap((input, i) => nodeLines(input, seen).map((line, k) => (k === 0 ? `  ⟦${i}⟧ ${line}` : `      ${line}`))),
  ]
}

function titleOf(node: PhysicalNode): string {
  switch (node.kind) {
    case 'source':
      return `Source ${node.source}`
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
      return `Watermark ${node.index}: ${node.columnName} (c${node.column}), ${node.delayMs} ms behind`
    case 'aggregate':
      return `Aggregate ${node.operatorId}, ${node.outputMode}${node.global ? ', one group' : ''}`
  }
}

function detailLines(node: PhysicalNode): string[] {
  const columns = `columns: ${node.schema.fields.map((field, i) => `c${i} ${field.name} ${typeText(field.type)}`).join(', ')}`
  if (node.kind === 'fragment') return [node.sql, columns]
  if (node.kind === 'aggregate') return [node.partialSql, ...stateLines(node.stateSchema)]
  return [columns]
}

function stateLines({ keys, values, eventTime }: StateSchema): string[] {
  const key = keys.map(({ name, type }, i) => `${name} ${typeText(type)}${eventTime?.key === i ? ' (event time)' : ''}`)
  return [
    `state keys: ${key.join(', ') || 'none'}`,
    `state values: ${values.map(({ name, type, merge }) => `${name} ${typeText(type)} by ${merge}`).join(', ') || 'none'}`,
  ]
}
