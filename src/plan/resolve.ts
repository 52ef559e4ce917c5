/** Unresolved expressions become typed ones: names are looked up in the input's columns, calls in the function table. */
import { InvalidQueryError } from '../base/errors.ts'
import { dayTimeFields, intervalType, yearMonthFields } from '../data/intervals.ts'
import { type DataType, type Field, type IntervalType, typeText } from '../data/types.ts'
import { ambiguousReference, notSupportedYet, quoteType, typeMismatch, unresolvedColumn } from './analysis-errors.ts'
import { canCast, castRefusal, castTo, commonTypeOf } from './coercion.ts'
import type { CaseWhen, ColumnRef, Expression, LambdaVariable, UnresolvedExpression } from './expression.ts'
import { callText, caseText, expressionText, hasAggregate, literalText, someExpression } from './expression-tree.ts'
import { fieldOf } from './field-of.ts'
import { filtered, type ListOrder, orderedListagg, percentileDisc } from './functions/aggregates.ts'
import { type LambdaArgument, literal, resolveCall } from './functions.ts'
import { isGeneratorName, nestedGenerator } from './generators.ts'
import { parseInterval, usPerDay } from './intervals.ts'
import { quoteName } from './schema-text.ts'
import { argumentAs, checkCount, unexpectedInput } from './signatures.ts'
import { dropField, withField } from './struct-fields.ts'
import { resolveSessionWindow, resolveWindow } from './time-window.ts'
import { frameText, isRanking, isRowId, rowIdName } from './window-names.ts'

/** The columns that names are looked up in. In a join's condition the first `leftCount` are the left input's. */
export interface Scope {
  readonly fields: readonly Field[]
  /** What names mean that are no columns: earlier columns of the same select list, by name in lower case. */
  readonly aliases?: ReadonlyMap<string, Expression>
  readonly leftCount?: number
  /** The parameters of the lambdas around the expression, the innermost first. */
  readonly variables?: readonly LambdaVariable[]
  /** Whether grouping() and grouping_id() mean something: in the aggregates of rollup, cube and grouping sets. */
  readonly grouping?: boolean
}
type Attribute = Extract<UnresolvedExpression, { kind: 'attribute' }>
type UnresolvedCall = Extract<UnresolvedExpression, { kind: 'call' }>

/** Looks up names and types one expression. Aliases inside are passed over; InvalidQueryError under Spark's error classes. */
export function resolveExpression(e: UnresolvedExpression, scope: Scope): Expression {
  switch (e.kind) {
    case 'attribute':
      return resolveAttribute(e, scope)
    case 'literal':
      return literal(e.value, e.type)
    case 'alias':
      return resolveExpression(e.input, scope)
    case 'field':
      return fieldOf(resolveExpression(e.input, scope), e.field)
    case 'cast':
      return resolveCast(e, scope)
    case 'case':
      return resolveCase(e, scope)
    case 'call':
      return resolveUnresolvedCall(e, scope)
    case 'user-call':
      return resolveUserCall(e, scope)
    case 'sort':
      throw new InvalidQueryError('UNSUPPORTED_EXPR_FOR_OPERATOR', {
        what: 'asc() and desc() only mean something in orderBy',
        todo: 'leave them out here',
      })
    case 'star':
      throw new InvalidQueryError('INVALID_USAGE_OF_STAR_OR_REGEX', {
        what: `'${unresolvedText(e)}' can only stand alone in select, or as an argument of a function`,
        todo: 'name the columns',
      })
    case 'multi-alias':
      throw new InvalidQueryError('MULTI_ALIAS_WITHOUT_GENERATOR', {
        what: `"${unresolvedText(e)}" gives several names, and only a generator such as explode makes several columns`,
        todo: 'give one name',
      })
    case 'lambda':
      throw new InvalidQueryError('INVALID_LAMBDA_FUNCTION_CALL.NON_HIGHER_ORDER_FUNCTION', {
        what: `the lambda function "${unresolvedText(e)}" stands where a value is needed`,
        todo: 'give it to a higher-order function: transform(items, x -> x + 1)',
      })
    case 'named-argument':
      throw new InvalidQueryError('NAMED_PARAMETERS_NOT_SUPPORTED', {
        what: `a function was given the argument "${unresolvedText(e)}" by name, and it takes its arguments by position`,
        todo: `leave out "${e.name} =>" and put the value in its place`,
      })
    case 'resolved':
      return e.expression
    case 'over':
      throw new InvalidQueryError('UNSUPPORTED_EXPR_FOR_OPERATOR', {
        what: `the window function "${unresolvedText(e)}" can only stand in a select list`,
        todo: 'make it a column first, and use that: withColumn(name, …), or a subquery in SQL',
      })
    case 'subquery':
      throw new InvalidQueryError('UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.UNSUPPORTED_IN_EXISTS_SUBQUERY', {
        what: `the subquery "${unresolvedText(e)}" can only stand in WHERE, HAVING and a select list`,
        todo: 'join with the other table, or make it a column first',
      })
  }
}

/** What an unnamed output column is called, as in Spark: the column's own name, else the expression's text. */
export function nameOf(e: UnresolvedExpression): string {
  switch (e.kind) {
    case 'alias':
      return e.name
    case 'attribute':
      return parseName(e.name).at(-1)!
    case 'field':
      return e.field
    case 'cast':
      return isNamed(e.input) ? nameOf(e.input) : unresolvedText(e)
    case 'call':
      return e.name === 'window' || e.name === 'session_window' ? e.name : unresolvedText(e)
    case 'resolved':
      return e.text
    default:
      return unresolvedText(e)
  }
}
function isNamed(e: UnresolvedExpression): boolean {
  return e.kind === 'alias' || e.kind === 'attribute' || e.kind === 'field'
}

/** An unresolved expression as Spark prints it in names and errors. */
export function unresolvedText(e: UnresolvedExpression): string {
  switch (e.kind) {
    case 'attribute':
      return e.name
    case 'star':
      return starText(e)
    case 'multi-alias':
      return `${unresolvedText(e.input)} AS (${e.names.map(quoteName).join(', ')})`
    case 'lambda':
      return `${e.params.length === 1 ? quoteName(e.params[0]!) : `(${e.params.map(quoteName).join(', ')})`} -> ${unresolvedText(e.body)}`
    case 'named-argument':
      return `${quoteName(e.name)} => ${unresolvedText(e.value)}`
    case 'literal':
      return literalText(e.value, e.type)
    case 'alias':
      return `${unresolvedText(e.input)} AS ${e.name}`
    case 'field':
      return `${unresolvedText(e.input)}.${e.field}`
    case 'cast':
      return `${e.mode === 'try' ? 'TRY_CAST' : 'CAST'}(${unresolvedText(e.input)} AS ${typeText(e.type).toUpperCase()})`
    case 'case':
      return caseText(
        e.branches.map(({ condition, value }) => [unresolvedText(condition), unresolvedText(value)]),
        e.otherwise && unresolvedText(e.otherwise),
      )
    case 'sort':
      return `${unresolvedText(e.input)} ${e.descending ? 'DESC' : 'ASC'} NULLS ${e.nullsFirst ? 'FIRST' : 'LAST'}`
    case 'user-call':
      return callText(e.function.name, e.args.map(unresolvedText))
    case 'call':
      return unresolvedCallText(e)
    case 'resolved':
      return e.text
    case 'over':
      return overText(e)
    case 'subquery':
      if (e.use === 'in') return `(${unresolvedText(e.value!)} IN (listquery()))`
      return e.use === 'exists' ? 'exists()' : 'scalarsubquery()'
  }
}
function overText(e: Extract<UnresolvedExpression, { kind: 'over' }>): string {
  const { call, partitionBy, orderBy, frame } = e
  const { name, args } = call.kind === 'call' ? call : { name: '', args: [] }
  const given = args.map(unresolvedText)
  const isNeighbour = name === 'lag' || name === 'lead'
  const isPick =
    args.length === 2 &&
    args[1]!.kind === 'literal' &&
    args[1]!.value === true &&
    ['first_value', 'last_value', 'first', 'last'].includes(name)
  if (isPick) return overText({ ...e, call: { kind: 'call', name: name.replace('_value', ''), args: args.slice(0, 1) } })
  const text = isNeighbour ? callText(name, [...given, ...['', '1', 'NULL'].slice(given.length)]) : unresolvedText(call)
  const parts = [
    ...(partitionBy.length === 0 ? [] : [`PARTITION BY ${partitionBy.map(unresolvedText).join(', ')}`]),
    ...(orderBy.length === 0 ? [] : [`ORDER BY ${orderBy.map(unresolvedText).join(', ')}`]),
    frameText(name.toLowerCase(), args, orderBy.length > 0, frame, unresolvedText),
  ]
  return `${text} OVER (${parts.join(' ')})`
}
function starText({ of, except, matching }: Extract<UnresolvedExpression, { kind: 'star' }>): string {
  if (matching !== undefined) return `\`${matching}\``
  return `${of === undefined ? '' : `${of}.`}*${except === undefined ? '' : ` EXCEPT (${except.join(', ')})`}`
}
function unresolvedCallText({ name, args, distinct, filter, withinGroup }: UnresolvedCall): string {
  if (name === 'get_item') return `${unresolvedText(args[0]!)}[${unresolvedText(args[1]!)}]`
  if (name === 'count' && args.length === 1 && args[0]!.kind === 'star' && args[0].of === undefined && !distinct)
    return `count(1)${filter ? ` FILTER (WHERE ${unresolvedText(filter)})` : ''}`
  const texts = args.map((arg, i) => (distinct && i === 0 ? `DISTINCT ${unresolvedText(arg)}` : unresolvedText(arg)))
  const order = withinGroup ? ` WITHIN GROUP (ORDER BY ${withinGroup.map(unresolvedText).join(', ')})` : ''
  return `${callText(name, texts)}${order}${filter ? ` FILTER (WHERE ${unresolvedText(filter)})` : ''}`
}

/** The parts of a name: `a.b` has two, "`a.b`" (in backticks) one. */
export function parseName(name: string): string[] {
  const parts: string[] = []
  const part = /(?:`((?:[^`]|``)*)`|([^`.]+))(\.|$)/y
  while (part.lastIndex < name.length) {
    const match = part.exec(name)
    if (!match)
      throw new InvalidQueryError('INVALID_ATTRIBUTE_NAME_SYNTAX', {
        what: `${JSON.stringify(name)} is no column name`,
        todo: 'put a name that holds dots or backticks between backticks, with backticks inside it doubled',
      })
    parts.push(match[1] === undefined ? match[2]! : match[1].replaceAll('``', '`'))
    if (match[3] === '.' && part.lastIndex === name.length)
      throw new InvalidQueryError('INVALID_ATTRIBUTE_NAME_SYNTAX', {
        what: `the column name ${JSON.stringify(name)} ends in a dot`,
        todo: 'name the field behind the dot',
      })
  }
  if (parts.length === 0)
    throw new InvalidQueryError('INVALID_ATTRIBUTE_NAME_SYNTAX', { what: 'a column name is empty', todo: 'name a column' })
  return parts
}

/** Functions that may be written like a column, where there is no such column. */
const callsWithoutBrackets = new Set(['current_date', 'current_timestamp', 'localtimestamp', 'current_user', 'user', 'session_user'])

export function sameName(a: string, b: string): boolean {
  return a === b || a.toLowerCase() === b.toLowerCase()
}

function resolveAttribute({ name, side }: Attribute, { fields, leftCount = 0, aliases, variables = [] }: Scope): Expression {
  const [from, to] = side === 'left' ? [0, leftCount] : side === 'right' ? [leftCount, fields.length] : [0, fields.length]
  const parts = parseName(name)
  const variable = variables.find((candidate) => sameName(candidate.name, parts[0]!))
  if (variable) return parts.slice(1).reduce<Expression>(fieldOf, variable)
  const visible = fields.map((field, index) => ({ field, index })).slice(from, to)
  const qualified =
    parts.length < 2
      ? []
      : visible.filter(
          ({ field }) => field.qualifier !== undefined && sameName(field.qualifier, parts[0]!) && sameName(field.name, parts[1]!),
        )
  const found = qualified.length > 0 ? qualified : visible.filter(({ field }) => sameName(field.name, parts[0]!))
  const alias = found.length === 0 ? aliases?.get(parts[0]!.toLowerCase()) : undefined
  if (alias) return parts.slice(1).reduce<Expression>(fieldOf, alias)
  if (found.length === 0 && parts.length === 1 && callsWithoutBrackets.has(parts[0]!.toLowerCase())) return resolveCall(parts[0]!, [])
  if (found.length === 0)
    throw unresolvedColumn(
      name,
      visible.map(({ field }) => field),
    )
  if (found.length > 1)
    throw ambiguousReference(
      name,
      found.map(({ field }) => field),
    )
  const column = columnRef(found[0]!.field, found[0]!.index)
  return parts.slice(qualified.length > 0 ? 2 : 1).reduce<Expression>(fieldOf, column)
}

export function columnRef({ name, type, nullable }: Field, index: number): ColumnRef {
  return { kind: 'column', name, index, type, nullable }
}

function resolveCast({ input, type, mode }: Extract<UnresolvedExpression, { kind: 'cast' }>, scope: Scope): Expression {
  const value = resolveExpression(input, scope)
  if (canCast(value.type, type)) return castTo(value, type, mode)
  const refusal = castRefusal(value.type, type, mode)
  throw typeMismatch(
    refusal === undefined ? 'CAST_WITHOUT_SUGGESTION' : `CAST_WITH_${refusal}_SUGGESTION`,
    `cannot cast ${quoteType(value.type)} to ${quoteType(type)} in "${expressionText(value)}"`,
    refusal === 'FUNC'
      ? `use ${type === 'date' ? 'date_from_unix_date' : 'unix_date'}, which counts days`
      : 'use a function that makes the one from the other, or cast in two steps',
  )
}

/** A bare NULL is no condition, as in Spark. */
function conditionOf(e: Expression, index: number): Expression {
  if (e.type !== 'void') return argumentAs('CASE WHEN', e, index, 'boolean')
  throw typeMismatch(
    'UNEXPECTED_INPUT_TYPE',
    'a condition of CASE WHEN is a bare NULL',
    'leave the branch out, or write CAST(NULL AS BOOLEAN)',
  )
}
function resolveCase({ branches, otherwise }: Extract<UnresolvedExpression, { kind: 'case' }>, scope: Scope): CaseWhen {
  const conditions = branches.map(({ condition }, i) => conditionOf(resolveExpression(condition, scope), i))
  const values = branches.map(({ value }) => resolveExpression(value, scope))
  const last = otherwise && resolveExpression(otherwise, scope)
  const all = last ? [...values, last] : values
  const type = commonTypeOf(all.map((value) => value.type))
  if (type === undefined) {
    throw typeMismatch(
      'DATA_DIFF_TYPES',
      `the branches of CASE WHEN should all have one type, but have [${all.map((value) => quoteType(value.type)).join(', ')}]`,
      'cast the values to one type',
    )
  }
  return {
    kind: 'case',
    type,
    nullable: last === null || all.some((value) => value.nullable),
    branches: conditions.map((condition, i) => ({ condition, value: castTo(values[i]!, type) })),
    otherwise: last && castTo(last, type),
  }
}

function resolveUserCall(e: Extract<UnresolvedExpression, { kind: 'user-call' }>, scope: Scope): Expression {
  const { name, argumentTypes, returnType, nullable, skipNulls, isOwn = false } = e.function
  const given = e.args.map((arg) => resolveExpression(arg, scope))
  if (argumentTypes !== null) checkCount(name, given.length, argumentTypes.length, argumentTypes.length)
  const args = argumentTypes === null ? given : given.map((arg, i) => userArgument(name, arg, i, argumentTypes[i]!, isOwn))
  const isNull = skipNulls && args.some((arg) => arg.nullable)
  return { kind: 'user-call', function: e.function, args, type: returnType, nullable: nullable || isNull }
}
function userArgument(name: string, arg: Expression, index: number, type: DataType, isOwn: boolean): Expression {
  // a text's bytes are no message of a format: Spark's from_avro and from_protobuf take no text either
  if (isOwn && type === 'binary' && arg.type === 'string') throw unexpectedInput(name, arg, index, type)
  return typeof type === 'string' || type.kind === 'decimal' ? argumentAs(name, arg, index, type) : castTo(arg, type)
}

function resolveUnresolvedCall(e: UnresolvedCall, scope: Scope): Expression {
  if (e.filter === undefined) return resolvePlainCall(e, scope)
  const filter = resolveExpression(e.filter, scope)
  if (hasAggregate(filter)) {
    throw new InvalidQueryError('INVALID_AGGREGATE_FILTER.CONTAINS_AGGREGATE', {
      what: `the FILTER expression "${expressionText(filter)}" of ${e.name} has an aggregate inside`,
      todo: 'filter by the rows’ own values',
    })
  }
  return filtered(resolvePlainCall(e, scope), filter, e.name)
}

function resolvePlainCall(e: UnresolvedCall, scope: Scope): Expression {
  const name = e.name.toLowerCase()
  if (isGeneratorName(name)) throw nestedGenerator(e)
  if (name === 'window') return resolveWindow(e.args, (arg) => resolveExpression(arg, scope))
  if (name === 'session_window') return resolveSessionWindow(e.args, (arg) => resolveExpression(arg, scope))
  if (name === 'interval') return intervalLiteral(e)
  if (isRanking(name) || e.ignoreNulls) throw withoutOver(e)
  if (isRowId(name))
    throw notSupportedYet(`${rowIdName} outside of a select list`, 'select it under a name first, and use that name in the next step')
  if ((name === '+' || name === '-') && e.args.some(isIntervalText)) return resolveIntervalSum(name, e.args, scope)
  if (name === 'count' && e.args.length === 1 && e.args[0]!.kind === 'star') return resolveCall('count', [], e.distinct)
  if (name === 'grouping' || name === 'grouping_id') return resolveGrouping(name, e.args, scope)
  if (name === 'get_item') return resolveGetItem(e.args, scope)
  if (name === 'with_field' || name === 'drop_field') return resolveStructUpdate(name, e.args, scope)
  if (e.withinGroup) return resolveWithinGroup(name, e, e.withinGroup, scope)
  const args = e.args.flatMap((arg) => (arg.kind === 'star' ? starColumns(arg, scope.fields) : [resolvedArg(arg, scope)]))
  if (name === 'struct')
    return resolveCall(
      'named_struct',
      args.flatMap((arg, i) => [literal(fieldName(arg, i), 'string'), arg.expression]),
    )
  const resolved = resolveCall(
    name,
    args.map((arg) => arg.expression),
    e.distinct,
  )
  return notNested(resolved)
}

function notNested(resolved: Expression): Expression {
  if (resolved.kind !== 'aggregate' || !resolved.args.some(hasAggregate)) return resolved
  throw new InvalidQueryError('NESTED_AGGREGATE_FUNCTION', {
    what: `"${expressionText(resolved)}" has an aggregate inside an aggregate`,
    todo: 'aggregate twice: groupBy(…).agg(…) and then again',
  })
}

function withoutOver(e: UnresolvedCall): InvalidQueryError {
  if (!isRanking(e.name))
    return new InvalidQueryError('INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX', {
      what: `the function ${e.name} does not support IGNORE NULLS`,
      todo: 'leave it out',
    })
  return new InvalidQueryError('WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE', {
    what: `window function ${e.name} requires an OVER clause`,
    todo: `say which rows it looks at: ${e.name}(…) OVER (PARTITION BY … ORDER BY …), or .over(Window.partitionBy(…).orderBy(…))`,
  })
}

/** What `name(…) WITHIN GROUP (ORDER BY x)` is without it: the ordered value becomes an argument. */
function resolveWithinGroup(
  name: string,
  { args, distinct }: UnresolvedCall,
  order: readonly UnresolvedExpression[],
  scope: Scope,
): Expression {
  if (name === 'listagg' || name === 'string_agg') {
    checkCount(name, args.length, 1, 2)
    const orders = order.map((item): ListOrder => {
      const { descending, nullsFirst } = item.kind === 'sort' ? item : { descending: false, nullsFirst: true }
      return { value: resolveExpression(item.kind === 'sort' ? item.input : item, scope), descending, nullsFirst }
    })
    const given = args.map((arg) => resolveExpression(arg, scope))
    return notNested(orderedListagg(given, orders, distinct === true))
  }
  const [by] = order
  const x = by?.kind === 'sort' ? by.input : by
  const descending = by?.kind === 'sort' && by.descending
  const known = name === 'mode' ? 0 : name === 'percentile_cont' || name === 'percentile_disc' ? 1 : undefined
  if (known === undefined || x === undefined)
    throw notSupportedYet(`WITHIN GROUP of ${name}`, 'use percentile_cont, percentile_disc, mode or listagg, or sort in a later step')
  checkCount(name, args.length, known, known)
  if (order.length !== 1) {
    throw new InvalidQueryError('INVALID_WITHIN_GROUP_EXPRESSION.WRONG_NUM_ORDERINGS', {
      what: `${name} takes one order in WITHIN GROUP, and was given ${order.length}`,
      todo: 'order by one value',
    })
  }
  if (distinct)
    throw new InvalidQueryError('INVALID_WITHIN_GROUP_EXPRESSION.DISTINCT_UNSUPPORTED', {
      what: `${name} with WITHIN GROUP takes no DISTINCT`,
      todo: 'leave DISTINCT out, or make the rows distinct in a step below',
    })
  if (name === 'mode') {
    const mode = resolvePlainCall({ kind: 'call', name, args: [x] }, scope)
    return descending && mode.kind === 'aggregate' ? { ...mode, args: [...mode.args, literal(true, 'boolean')] } : mode
  }
  const p = args[0]!
  if (name === 'percentile_disc') return notNested(percentileDisc(resolveExpression(x, scope), resolveExpression(p, scope), descending))
  const percentage: UnresolvedExpression = descending
    ? { kind: 'call', name: '-', args: [{ kind: 'literal', value: 1, type: 'int' }, p] }
    : p
  return resolvePlainCall({ kind: 'call', name: 'percentile', args: [x, percentage] }, scope)
}

/** grouping(key), grouping_id(): which keys are not in a row's grouping set. groupingSets makes values of them. */
function resolveGrouping(name: 'grouping' | 'grouping_id', args: readonly UnresolvedExpression[], scope: Scope): Expression {
  if (!scope.grouping) {
    throw new InvalidQueryError('UNSUPPORTED_GROUPING_EXPRESSION', {
      what: `${name}() can only be used with rollup, cube or grouping sets`,
      todo: 'leave it out: with groupBy every row has all keys',
    })
  }
  if (name === 'grouping') checkCount(name, args.length, 1, 1)
  const resolved = args.map((arg) => resolveExpression(arg, scope))
  return { kind: 'call', name, args: resolved, type: name === 'grouping' ? 'byte' : 'long', nullable: false, deterministic: true }
}

interface ResolvedArg {
  readonly name: string
  readonly expression: Expression | LambdaArgument
}
function resolvedArg(arg: UnresolvedExpression, scope: Scope): ResolvedArg {
  if (arg.kind === 'lambda') return { name: '', expression: lambdaArgument(arg, scope) }
  return { name: isNamed(arg) ? nameOf(arg) : '', expression: resolveExpression(arg, scope) }
}

/** A lambda whose body is looked at when its parameters have types: they come before columns of the same name, and before those of lambdas around it. */
function lambdaArgument(e: Extract<UnresolvedExpression, { kind: 'lambda' }>, scope: Scope): LambdaArgument {
  const level = (scope.variables?.[0]?.level ?? 0) + 1
  return {
    kind: 'unresolved-lambda',
    paramCount: e.params.length,
    text: unresolvedText(e),
    resolve: (types) => {
      const params = e.params.map((name, index) => ({ ...types[index]!, name }))
      const variables = params.map(
        ({ name, type, nullable }, index): LambdaVariable => ({ kind: 'variable', name, level, index, type, nullable }),
      )
      const body = resolveExpression(e.body, { ...scope, variables: [...variables, ...(scope.variables ?? [])] })
      if (someExpression(body, (inner) => inner.kind === 'user-call')) {
        throw new InvalidQueryError('UNSUPPORTED_FEATURE.LAMBDA_FUNCTION_WITH_USER_FUNCTION', {
          what: `the lambda function "${unresolvedText(e)}" calls a function of the user's own`,
          todo: 'explode the array and call the function on its rows, or give the whole array to the function',
        })
      }
      return { kind: 'lambda', level, params, body, type: body.type, nullable: body.nullable }
    },
  }
}

/** The input's columns that a star stands for. CANNOT_RESOLVE_STAR_EXPAND, UNRESOLVED_COLUMN. */
export function starColumns(
  { of, except = [], matching }: Extract<UnresolvedExpression, { kind: 'star' }>,
  fields: readonly Field[],
): { readonly name: string; readonly expression: Expression; readonly index?: number }[] {
  const pattern = matching === undefined ? undefined : namePattern(matching)
  const every = of === undefined ? fields.map(starColumn) : columnsOfRelation(of, fields)
  const all = pattern === undefined ? every : every.filter(({ name }) => pattern.test(name))
  const left = except.map(parseName).map((parts) => parts.at(-1)!)
  for (const name of left)
    if (!all.some((column) => sameName(column.name, name)))
      throw unresolvedColumn(
        name,
        all.map(({ name, expression }) => ({ name, type: expression.type, nullable: true })),
      )
  return all.filter((column) => !left.some((name) => sameName(name, column.name)))
}
function namePattern(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, 'i')
  } catch (cause) {
    throw new InvalidQueryError('INVALID_USAGE_OF_STAR_OR_REGEX', {
      what: `${JSON.stringify(pattern)} is no regular expression: ${cause instanceof Error ? cause.message : String(cause)}`,
      todo: 'write one, such as `(price|cost)_.*`',
      cause,
    })
  }
}
function starColumn(field: Field, index: number) {
  return { name: field.name, expression: columnRef(field, index), index }
}
/** `t.*`: the columns of the relation t, or the fields of the struct t. */
function columnsOfRelation(of: string, fields: readonly Field[]) {
  const parts = parseName(of)
  const columns = fields.flatMap((field, i) =>
    parts.length === 1 && field.qualifier !== undefined && sameName(field.qualifier, parts[0]!) ? [starColumn(field, i)] : [],
  )
  if (columns.length > 0) return columns
  const named = fields.some((field) => sameName(field.name, parts[0]!) || sameName(field.qualifier ?? '', parts[0]!))
  const input = named ? resolveAttribute({ kind: 'attribute', name: of }, { fields }) : undefined
  if (input && typeof input.type !== 'string' && input.type.kind === 'struct')
    return input.type.fields.map(({ name }) => ({ name, expression: fieldOf(input, name) }))
  throw new InvalidQueryError('CANNOT_RESOLVE_STAR_EXPAND', {
    what: `\`${of}.*\` can't be expanded: there is no relation and no struct of that name`,
    todo: `the columns are ${fields.map(({ name, qualifier }) => (qualifier === undefined ? name : `${qualifier}.${name}`)).join(', ')}`,
  })
}

/** A struct's field is called as the column that it is made of; anything computed by its number. */
function fieldName({ name }: { readonly name: string }, index: number): string {
  return name === '' ? `col${index + 1}` : name
}

/** `x.getItem(key)`: an array's element counted from 0, a map's value, a struct's field. */
function resolveGetItem([inputArg, keyArg]: readonly UnresolvedExpression[], scope: Scope): Expression {
  const input = resolveExpression(inputArg!, scope)
  const key = resolveExpression(keyArg!, scope)
  if (typeof input.type !== 'string' && input.type.kind === 'map') return resolveCall('element_at', [input, key])
  if (key.kind === 'literal' && typeof key.value === 'string') return fieldOf(input, key.value)
  return resolveCall('array_item', [input, key])
}

/** What Column.withField and Column.dropFields become; the path is text. */
function resolveStructUpdate(
  name: 'with_field' | 'drop_field',
  [input, path, value]: readonly UnresolvedExpression[],
  scope: Scope,
): Expression {
  const struct = resolveExpression(input!, scope)
  const names = parseName(path?.kind === 'literal' ? String(path.value) : '')
  return name === 'with_field' ? withField(struct, names, resolveExpression(value!, scope)) : dropField(struct, names)
}

function isIntervalText(e: UnresolvedExpression): boolean {
  return e.kind === 'call' && e.name === 'interval'
}

/** What `interval('1 day 2 hours')` holds: months, or days (as days where there is nothing else) and times. */
function intervalsOf(e: UnresolvedExpression): Expression[] {
  const written = e.kind === 'call' ? e.args[0] : undefined
  if (written?.kind !== 'literal' || typeof written.value !== 'string') {
    throw typeMismatch(
      'UNEXPECTED_INPUT_TYPE',
      `"${unresolvedText(e)}" needs an interval written as text`,
      "write it as '1 hour 30 minutes', or give a column of an interval type",
    )
  }
  const { months, days, microseconds } = parseInterval(written.value)
  if (months > 2147483647 || months < -2147483648) throw intervalOverflow(written.value)
  const us = BigInt(days) * usPerDay + microseconds
  if (us !== BigInt.asIntN(64, us)) throw intervalOverflow(written.value)
  const [yearMonth, dayTime] = writtenTypes(written.value)
  const time = literal(us, dayTime)
  if (months === 0 && (us !== 0n || yearMonth === undefined)) return [time]
  return [literal(months, yearMonth ?? 'interval year to month'), ...(us === 0n ? [] : [time])]
}
/** The types that the units named in an interval's text make: from the largest of them to the smallest. */
function writtenTypes(written: string): readonly [IntervalType | undefined, IntervalType] {
  const words = [...written.toLowerCase().matchAll(/(year|month|week|day|hour|minute|second|millisecond|microsecond)s?\b/g)].map(
    ([, unit]) => unit!,
  )
  const named = words.map((unit) => (unit === 'week' ? 'day' : unit.endsWith('second') ? 'second' : unit))
  const range = (fields: readonly string[]) => {
    const used = fields.filter((field) => named.includes(field))
    return used.length === 0 ? undefined : intervalType(used[0]!, used.at(-1))
  }
  return [range(yearMonthFields), range(dayTimeFields) ?? 'interval day to second']
}
function intervalOverflow(text: string): InvalidQueryError {
  return new InvalidQueryError('INTERVAL_ARITHMETIC_OVERFLOW', {
    what: `the interval ${JSON.stringify(text)} is too large`,
    todo: 'write a smaller one',
  })
}

function intervalLiteral(e: UnresolvedCall): Expression {
  const [interval, more] = intervalsOf(e)
  if (more === undefined) return interval!
  throw new InvalidQueryError('UNSUPPORTED_CALENDAR_INTERVAL', {
    what: `"${unresolvedText(e)}" mixes months with days or times, which no interval type holds`,
    todo: "add the two one after the other, or as text: col('at').plus('1 month 2 days')",
  })
}

/** A time moved by an interval that is written as text: its months first, then its days and times. */
function resolveIntervalSum(name: '+' | '-', [a, b]: readonly UnresolvedExpression[], scope: Scope): Expression {
  if (isIntervalText(b!)) return intervalsOf(b!).reduce((sum, by) => resolveCall(name, [sum, by]), resolveExpression(a!, scope))
  const right = resolveExpression(b!, scope)
  return name === '+'
    ? intervalsOf(a!).reduce((sum, by) => resolveCall('+', [sum, by]), right)
    : resolveCall('-', [intervalLiteral(a as UnresolvedCall), right])
}
