/** FROM: views, subqueries, table functions, joins, LATERAL, PIVOT, UNPIVOT and samples. */
import { InvalidQueryError } from '../../base/errors.ts'
import { Schema } from '../../data/schema.ts'
import { noStreamingTable, unresolvedRoutine } from '../analysis-errors.ts'
import { alias, filter, generate, join, limit, localRelation, pivot, project, renameAll, sample, unpivot, watermark } from '../analyze.ts'
import { bindUserFunctions } from '../bind-user-functions.ts'
import type { UnresolvedExpression } from '../expression.ts'
import { isGeneratorName } from '../generators.ts'
import { isStreaming, type LogicalPlan } from '../logical-plan.ts'
import { namedColumn, projectNamed } from '../named-columns.ts'
import { nameOf, resolveExpression, sameName, unresolvedText } from '../resolve.ts'
import type { JoinRelation, LateralView, PivotRelation, Relation, UnpivotRelation, WatermarkRelation } from '../sql/query-ast.ts'
import { someUnresolved } from '../unresolved-tree.ts'
import { oneRow } from './build-query.ts'
import type { QueryContext, QueryParts } from './catalog.ts'
import { correlatedRows, joinedByKeys, rowsOfQuery } from './correlated.ts'
import { allOf, hasSubquery, integerOf, onSides, readsInner } from './names.ts'
import { tooCorrelated } from './subqueries.ts'

type E = UnresolvedExpression
type NamedRelation = Extract<Relation, { readonly kind: 'named' }>

export function buildRelation(relation: Relation, context: QueryContext, parts: QueryParts): LogicalPlan {
  switch (relation.kind) {
    case 'named':
      return namedAs(tableOf(relation, context), relation.alias ?? relation.name.at(-1)!, relation.columns)
    case 'query':
      return aliased(parts.query(relation.query, context), relation)
    case 'nested':
      return aliased(buildRelation(relation.input, context, parts), relation)
    case 'function':
      return tableFunction(relation, context)
    case 'join':
      return joined(relation, context, parts)
    case 'lateral-view':
      return lateralView(relation, context, parts)
    case 'pivot':
      return aliased(pivoted(relation, context, parts), relation)
    case 'unpivot':
      return aliased(unpivoted(relation, context, parts), relation)
    case 'watermark':
      return aliased(marked(relation, buildRelation(relation.input, context, parts), context), relation)
    case 'sample': {
      const input = buildRelation(relation.input, context, parts)
      if ('rows' in relation.size) return aliased(limit(input, relation.size.rows), relation)
      return aliased(sample(input, relation.size.fraction, false, relation.seed ?? 0n), relation)
    }
  }
}

function tableOf({ name, isStream }: NamedRelation, { tables, catalog }: QueryContext): LogicalPlan {
  const own = name.length === 1 ? tables.get(name[0]!.toLowerCase()) : undefined
  const plan = own ?? catalog.relation(name)
  if (isStream && !isStreaming(plan)) throw noStreamingTable(name.join('.'), 'leave out STREAM')
  return plan
}
function aliased(
  plan: LogicalPlan,
  { alias: name, columns }: { readonly alias?: string; readonly columns?: readonly string[] },
): LogicalPlan {
  return name === undefined ? plan : namedAs(plan, name, columns)
}
function namedAs(plan: LogicalPlan, name: string, columns: readonly string[] | undefined): LogicalPlan {
  return alias(columns === undefined ? plan : renameAll(plan, columns), name)
}

/** A column of the input gets the mark; another expression becomes a column in front of those of the input, as in Spark. */
function marked({ column, delay }: WatermarkRelation, input: LogicalPlan, { catalog }: QueryContext): LogicalPlan {
  const { fields } = input.schema
  const delayText = `interval ${delay}`
  const isColumn = column.kind === 'attribute' && resolveExpression(column, { fields }).kind === 'column'
  if (isColumn) return watermark(input, column.name, delayText)
  const made = project(input, [bindUserFunctions(column, catalog.userFunctions), { kind: 'star' }])
  return watermark(made, `\`${made.schema.names[0]!.replaceAll('`', '``')}\``, delayText)
}

// ---- joins

function joined(relation: JoinRelation, context: QueryContext, parts: QueryParts): LogicalPlan {
  const { how, on, using, natural } = relation
  const left = buildRelation(relation.left, context, parts)
  if (isLateral(relation.right)) return lateralJoin(left, relation, relation.right, context, parts)
  const right = buildRelation(relation.right, context, parts)
  const names = natural ? left.schema.names.filter((name) => right.schema.names.some((other) => sameName(other, name))) : using
  if (names !== undefined && names.length > 0) return join(left, right, { using: names }, how)
  if (on === undefined) return join(left, right, null, how === 'inner' || how === 'cross' ? 'cross' : how)
  if (hasSubquery(on))
    throw new InvalidQueryError('UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.UNSUPPORTED_IN_EXISTS_SUBQUERY', {
      what: `the condition "${unresolvedText(on)}" of a join has a subquery`,
      todo: 'filter by the subquery in WHERE, or join with it',
    })
  return join(left, right, { condition: bindUserFunctions(on, context.catalog.userFunctions) }, how)
}

type Lateral = Extract<Relation, { readonly lateral: boolean }>
function isLateral(relation: Relation): relation is Lateral {
  return (
    'lateral' in relation &&
    (relation.lateral || (relation.kind === 'function' && isGeneratorName(relation.name) && readsColumns(relation.args)))
  )
}
function readsColumns(args: readonly E[]): boolean {
  return args.some((arg) => someUnresolved(arg, (e) => e.kind === 'attribute'))
}

function lateralJoin(left: LogicalPlan, { how, on }: JoinRelation, right: Lateral, context: QueryContext, parts: QueryParts): LogicalPlan {
  if (how !== 'inner' && how !== 'cross' && how !== 'left')
    throw new InvalidQueryError('UNSUPPORTED_FEATURE.LATERAL_JOIN_TYPE', {
      what: `a ${how} join with LATERAL is not supported`,
      todo: 'use INNER, LEFT or CROSS',
    })
  const made =
    right.kind === 'function' ? generated(left, right, how === 'left', context) : correlatedJoin(left, right, how, context, parts)
  return on === undefined ? made : filter(made, bindUserFunctions(on, context.catalog.userFunctions))
}

function generated(
  left: LogicalPlan,
  right: Extract<Relation, { kind: 'function' }>,
  outer: boolean,
  { catalog }: QueryContext,
): LogicalPlan {
  if (!isGeneratorName(right.name)) throw unresolvedRoutine(right.name, ['explode', 'posexplode', 'inline', 'stack', 'range'])
  const args = right.args.map((arg) => bindUserFunctions(arg, catalog.userFunctions))
  return generate(
    left,
    { kind: 'call', name: right.name, args },
    { outer, ...(right.alias !== undefined && { qualifier: right.alias }), ...(right.columns && { names: right.columns }) },
  )
}

/** The rows of a subquery that go with each row of the left side. */
function correlatedJoin(
  left: LogicalPlan,
  right: Extract<Relation, { kind: 'query' }>,
  how: 'inner' | 'cross' | 'left',
  context: QueryContext,
  parts: QueryParts,
): LogicalPlan {
  const found = rowsOfQuery(right.query, left, context, parts)
  const width = left.schema.fields.length
  if (found.kind === 'plan') {
    const rows = aliased(found.plan, right)
    return how === 'left'
      ? join(left, rows, { condition: { kind: 'literal', value: true, type: 'boolean' } }, 'left')
      : join(left, rows, null, 'cross')
  }
  const names = right.columns ?? found.select.items.map(nameOf)
  const shown = (plan: LogicalPlan, values: readonly E[]): LogicalPlan => {
    const own = left.schema.fields.map(
      (field, i): E => ({ kind: 'resolved', expression: namedColumn(field, i).expression, text: field.name }),
    )
    const made = project(plan, [...own, ...values.map((input, i): E => ({ kind: 'alias', input, name: names[i] ?? nameOf(input) }))])
    const fields = made.schema.fields.map((field, i) => {
      if (i < width) return left.schema.fields[i]!
      const { qualifier: _, ...bare } = field
      return right.alias === undefined ? bare : { ...bare, qualifier: right.alias }
    })
    return { ...made, schema: new Schema(fields) }
  }
  if (found.isAggregated) {
    // an aggregation without keys has a row for each row of the left side
    const keyed = joinedByKeys(left, left, correlatedRows(found, left, right.query, context))
    return shown(keyed.input, keyed.values)
  }
  if (found.select.distinct) throw tooCorrelated(right.query, 'a LATERAL subquery with DISTINCT')
  const inner = found.rows.schema.fields
  const condition = allOf(found.conditions.map((e) => onSides(e, left.schema.fields, inner)))
  const pairs = join(left, found.rows, { condition }, how === 'left' ? 'left' : 'inner')
  const stars = found.select.items.some((e) => e.kind === 'star')
  if (stars && found.select.items.length > 1) throw tooCorrelated(right.query, 'a LATERAL subquery with a star among other columns')
  const items = stars
    ? inner.map(
        (field, i): E => ({
          kind: 'resolved',
          expression: namedColumn(pairs.schema.fields[width + i]!, width + i).expression,
          text: field.name,
        }),
      )
    : found.select.items
  if (
    how === 'left' &&
    items.some((e) => !(e.kind === 'resolved' || e.kind === 'attribute' || (e.kind === 'alias' && e.input.kind === 'attribute')))
  )
    throw tooCorrelated(right.query, 'a LEFT JOIN LATERAL that computes columns')
  const placed = items.map((e) => (e.kind === 'resolved' ? e : overPairs(e, inner, pairs, width)))
  return shown(pairs, placed)
}
/** Names of the inner rows mean their columns behind the left side's, even where the left side has the name too. */
function overPairs(e: E, inner: LogicalPlan['schema']['fields'], pairs: LogicalPlan, width: number): E {
  if (e.kind === 'alias') return overPairs(e.input, inner, pairs, width)
  if (e.kind !== 'attribute' || !readsInner(e, inner))
    return e.kind === 'call' ? { ...e, args: e.args.map((arg) => overPairs(arg, inner, pairs, width)) } : e
  const index = inner.findIndex((field) => sameName(field.name, nameOf(e)))
  return index < 0
    ? e
    : { kind: 'resolved', expression: namedColumn(pairs.schema.fields[width + index]!, width + index).expression, text: nameOf(e) }
}

// ---- rows made of nothing

function tableFunction(relation: Extract<Relation, { kind: 'function' }>, context: QueryContext): LogicalPlan {
  if (relation.name === 'range') return aliased(rangeOf(relation.args), relation)
  const plan = generated(oneRow(), relation, false, context)
  // the row that the generator is over has a column
  return projectNamed(
    plan,
    plan.schema.fields.flatMap((field, i) => (i === 0 ? [] : [namedColumn(field, i)])),
  )
}

function rangeOf(args: readonly E[]): LogicalPlan {
  const numbers = args.map((arg) => integerOf(arg.kind === 'named-argument' ? arg.value : arg))
  if (numbers.length === 0 || numbers.length > 4 || numbers.includes(undefined))
    throw new InvalidQueryError('WRONG_NUM_ARGS.WITHOUT_SUGGESTION', {
      what: `range was given (${args.map(unresolvedText).join(', ')})`,
      todo: 'write range(end), range(start, end) or range(start, end, step) with whole numbers',
    })
  const [a, b, step = 1] = numbers as number[]
  return b === undefined ? range(0, a!) : range(a!, b, step)
}

const idSchema = new Schema([{ name: 'id', type: 'long', nullable: false }])
/** The numbers from `start` to before `end`, as a column `id`. */
export function range(start: number | bigint, end: number | bigint, step: number | bigint = 1): LogicalPlan {
  const [from, to, by] = [BigInt(start), BigInt(end), BigInt(step)]
  if (by === 0n)
    throw new InvalidQueryError('INVALID_PARAMETER_VALUE.STEP', { what: 'range was given the step 0', todo: 'give another step' })
  const count = (to - from + (by > 0n ? by - 1n : by + 1n)) / by
  if (count <= 0n)
    return localRelation({
      schema: idSchema,
      length: 0,
      columns: [{ kind: 'fixed', type: 'long', data: new BigInt64Array(0), valid: null }],
    })
  const long = (value: bigint): E => ({ kind: 'literal', value, type: 'long' })
  const args = [long(from), long(from + (count - 1n) * by), long(by)]
  const made = generate(oneRow(), { kind: 'call', name: 'explode', args: [{ kind: 'call', name: 'sequence', args }] })
  return projectNamed(made, [{ ...namedColumn(made.schema.fields[1]!, 1), name: 'id' }])
}

function lateralView(view: LateralView, context: QueryContext, parts: QueryParts): LogicalPlan {
  const input = buildRelation(view.input, context, parts)
  const relation = { kind: 'function', name: view.name, args: view.args, lateral: true } as const
  return generated(input, { ...relation, alias: view.alias, ...(view.columns && { columns: view.columns }) }, view.outer, context)
}

// ---- pivots

/** Grouped by every column that neither the aggregates nor FOR read. */
function pivoted(relation: PivotRelation, context: QueryContext, parts: QueryParts): LogicalPlan {
  const input = buildRelation(relation.input, context, parts)
  const { fields } = input.schema
  const read = [...relation.aggregates, relation.column]
  const isRead = (name: string) => read.some((e) => someUnresolved(e, (x) => x.kind === 'attribute' && sameName(nameOf(x), name)))
  const keys = fields.flatMap((field, i): { name: string; expression: E }[] =>
    isRead(field.name)
      ? []
      : [{ name: field.name, expression: { kind: 'resolved', expression: namedColumn(field, i).expression, text: field.name } }],
  )
  const values = relation.values.map((e) => ({ name: e.kind === 'alias' ? e.name : pivotText(e), value: e.kind === 'alias' ? e.input : e }))
  return pivot(
    input,
    keys,
    relation.column,
    values,
    relation.aggregates.map((expression) => ({ name: nameOf(expression), expression })),
  )
}
function pivotText(e: E): string {
  if (e.kind === 'call' && e.name === 'struct') return e.args.map(pivotText).join('_')
  return unresolvedText(e)
}

function unpivoted(relation: UnpivotRelation, context: QueryContext, parts: QueryParts): LogicalPlan {
  const input = buildRelation(relation.input, context, parts)
  const made = unpivot(input, null, relation.values, relation.nameColumn, relation.valueColumn)
  if (relation.includeNulls) return made
  return filter(made, {
    kind: 'call',
    name: 'isnotnull',
    args: [
      {
        kind: 'resolved',
        expression: namedColumn(made.schema.fields.at(-1)!, made.schema.fields.length - 1).expression,
        text: relation.valueColumn,
      },
    ],
  })
}
