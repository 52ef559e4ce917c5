import { resolve } from 'node:path'
import type { ColumnShape, OperatorShape, QueryShape, StateFunctionShape } from '../checkpoint/query-shape.ts'
import { type DataType, typeText } from '../data/types.ts'
import type { AggregateCall, Expression } from '../plan/expression.ts'
import { childrenOf, expressionText } from '../plan/expression-tree.ts'
import { type Aggregate, inputsOf, isStreaming, type LogicalPlan } from '../plan/logical-plan.ts'
import type { StatefulGroups, StatefulNode, StreamingPlan } from '../planner/streaming-plan.ts'
import type { StartQuery } from '../query/engine-port.ts'

/** What of a query the next start on its checkpoint is compared with. `spec.options` are the sink's. */
export function queryShape(spec: StartQuery, plan: StreamingPlan): QueryShape {
  const aggregates = streamingAggregates(spec.plan)
  let aggregate = 0
  return {
    sources: plan.sources.map(({ name, scan }) => ({
      name,
      format: scan.format.toLowerCase(),
      path: pathOf(scan.options),
      columns: columnsOf(scan.schema.fields),
    })),
    sink: { format: spec.instance === undefined ? spec.format.toLowerCase() : 'function', path: pathOf(spec.options) },
    outputMode: plan.outputMode,
    columns: columnsOf(plan.schema.fields),
    watermarks: plan.watermarks.map(({ columnName, delayMs }) => ({ column: columnName, delayMs })),
    operators: plan.stateful
      .toSorted((a, b) => a.operatorId - b.operatorId)
      .map((operator): OperatorShape => {
        const written = operator.kind === 'aggregate' || operator.kind === 'session' ? aggregates[aggregate++] : undefined
        return {
          operatorId: operator.operatorId,
          operator: operatorKind(operator),
          keys: operator.kind === 'groups' ? groupsKeys(operator) : columnsOf(operator.stores[0]!.schema.keys),
          values: operator.stores
            .filter(({ schema }) => schema.variable === undefined || schema.variable.kind === 'group')
            .flatMap((store) =>
              store.schema.values.map(({ name, type, merge }) => ({
                name: store.name === 'default' ? name : `${store.name}.${name}`,
                type: `${typeText(type)} by ${merge}`,
              })),
            ),
          ...(operator.kind === 'groups' && { stateFunction: stateFunctionShape(operator) }),
          ...(written && {
            groupedBy: written.keys.map(({ expression }) => expressionText(expression)),
            computes: written.aggregates.map(({ expression }) => expressionText(expression)),
            functions: written.aggregates.flatMap(({ expression }) => aggregateCalls(expression).map(({ name }) => name)),
          }),
        }
      }),
  }
}

/** What the state of an operator means: that of an inner and of a semi join has the same columns. */
export function operatorKind(operator: StatefulNode): string {
  return operator.kind === 'join' ? `${operator.how} join` : operator.kind === 'groups' ? groupsName(operator) : operator.kind
}

function columnsOf(columns: readonly { readonly name: string; readonly type: DataType }[]): ColumnShape[] {
  return columns.map(({ name, type }) => ({ name, type: typeText(type) }))
}
function pathOf(options: Readonly<Record<string, string>>): string | null {
  const path = Object.entries(options).find(([name]) => name.toLowerCase() === 'path')?.[1]
  return path === undefined ? null : /^[a-z][a-z0-9+.-]*:\/\//i.test(path) ? path : resolve(path)
}
/** Inputs first, which is the order of the stateful operators. */
function streamingAggregates(plan: LogicalPlan): Aggregate[] {
  const below = inputsOf(plan).flatMap(streamingAggregates)
  return plan.kind === 'aggregate' && isStreaming(plan) ? [...below, plan] : below
}
function aggregateCalls(expression: Expression): AggregateCall[] {
  return expression.kind === 'aggregate' ? [expression] : childrenOf(expression).flatMap(aggregateCalls)
}

function groupsName({ function: f }: StatefulGroups): string {
  return f.kind === 'processor' ? 'transformWithState' : f.isMap ? 'mapGroupsWithState' : 'flatMapGroupsWithState'
}
function groupsKeys({ keys, rowsSchema }: StatefulGroups): ColumnShape[] {
  return columnsOf(keys.map(({ name, column }) => ({ name, type: rowsSchema.fields[column]!.type })))
}
function stateFunctionShape({ function: f, functionMode, stores }: StatefulGroups): StateFunctionShape {
  return {
    outputMode: functionMode,
    timeMode: f.kind === 'processor' ? f.timeMode : f.timeout,
    variables: stores.flatMap(({ name, schema: { variable, values } }) =>
      variable === undefined || variable.kind === 'group' || variable.kind === 'timers'
        ? []
        : [{ name, kind: variable.kind, columns: columnsOf(values) }],
    ),
  }
}
