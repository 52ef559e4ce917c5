import { InvalidQueryError } from '../base/errors.ts'
import type { DataType } from '../data/types.ts'
import { type AggregateItem, distinct, groupBy, groupingSets, limit, type PivotValue, pivot, project, sort } from '../plan/analyze.ts'
import { bindUserFunctions, type NamedUserFunctions } from '../plan/bind-user-functions.ts'
import type { UnresolvedExpression } from '../plan/expression.ts'
import { isStreaming, type LogicalPlan } from '../plan/logical-plan.ts'
import { nameOf } from '../plan/resolve.ts'
import { quoteName } from '../plan/schema-text.ts'
import type { EnginePort } from '../query/engine-port.ts'
import { Column, columnExpression, columnsOf, expressionOf, namedExpressions } from './column.ts'
import type { PlannedFrame } from './data-frame.ts'
import { literalOf } from './literal.ts'
import { groupFunctionPlan, processorPlan } from './state-functions.ts'

interface GroupingParts {
  readonly input: LogicalPlan
  readonly keys: readonly AggregateItem[]
  readonly engine: EnginePort
  readonly frameOf: (plan: LogicalPlan) => PlannedFrame
  /** rollup, cube, groupingSets: which keys each set has. */
  readonly sets?: readonly (readonly number[])[]
  readonly pivot?: { readonly column: UnresolvedExpression; readonly values: readonly PivotValue[] }
}

const defaultMaxPivotValues = 10_000

/** What groupBy gives: waits for the aggregates. */
export class Grouping {
  readonly #parts: GroupingParts
  constructor(parts: GroupingParts) {
    this.#parts = parts
  }
  agg(...given: unknown[]): PlannedFrame {
    return this.#aggregate(aggregateItems(this.#parts.input, given, this.#parts.engine.userFunctions))
  }
  count(): PlannedFrame {
    return this.#aggregate([{ name: 'count', expression: { kind: 'call', name: 'count', args: [] } }])
  }
  sum(...columns: string[]): PlannedFrame {
    return this.#each('sum', columns)
  }
  avg(...columns: string[]): PlannedFrame {
    return this.#each('avg', columns)
  }
  mean(...columns: string[]): PlannedFrame {
    return this.#each('avg', columns)
  }
  min(...columns: string[]): PlannedFrame {
    return this.#each('min', columns)
  }
  max(...columns: string[]): PlannedFrame {
    return this.#each('max', columns)
  }

  mapGroupsWithState(f: unknown, options: Parameters<typeof groupFunctionPlan>[3]): PlannedFrame {
    return this.#parts.frameOf(groupFunctionPlan(this.#plainGroups('mapGroupsWithState'), true, f, options))
  }
  flatMapGroupsWithState(f: unknown, options: Parameters<typeof groupFunctionPlan>[3]): PlannedFrame {
    return this.#parts.frameOf(groupFunctionPlan(this.#plainGroups('flatMapGroupsWithState'), false, f, options))
  }
  transformWithState(create: unknown, options: Parameters<typeof processorPlan>[2]): PlannedFrame {
    return this.#parts.frameOf(processorPlan(this.#plainGroups('transformWithState'), create, options))
  }
  #plainGroups(method: string) {
    const { input, keys, sets, pivot: pivoted } = this.#parts
    if (!sets && !pivoted) return { input, keys }
    throw new InvalidQueryError('UNSUPPORTED_FEATURE.STATE_FUNCTION_AFTER_GROUPING_SETS', {
      what: `${method} was called after rollup, cube, groupingSets or pivot`,
      todo: `write groupBy(…).${method}(…)`,
    })
  }

  /** With values a grouping; without, a promise of one: the values are read first. */
  pivot(column: unknown, values?: readonly unknown[]): Grouping | Promise<Grouping> {
    if (this.#parts.sets || this.#parts.pivot)
      throw new InvalidQueryError('UNSUPPORTED_FEATURE.PIVOT_AFTER_GROUP_BY', {
        what: this.#parts.pivot ? 'pivot was called twice' : 'pivot was called after rollup, cube or groupingSets',
        todo: 'write groupBy(…).pivot(…) once',
      })
    const expression: UnresolvedExpression =
      typeof column === 'string'
        ? { kind: 'attribute', name: column }
        : bindUserFunctions(columnExpression('the column of pivot', column), this.#parts.engine.userFunctions)
    const grouping = (found: readonly PivotValue[]) => new Grouping({ ...this.#parts, pivot: { column: expression, values: found } })
    if (values !== undefined) return grouping(values.map((value) => ({ name: pivotName(value), value: expressionOf(value) })))
    return this.#pivotValues(expression).then(grouping)
  }

  async #pivotValues(column: UnresolvedExpression): Promise<PivotValue[]> {
    const { input, engine } = this.#parts
    if (isStreaming(input))
      throw new InvalidQueryError('STREAMING_ACTION_NOT_SUPPORTED', {
        what: 'pivot without values was called on a streaming DataFrame, whose values are never all known',
        todo: "give the values: pivot('kind', ['view', 'click'])",
      })
    const max = Number(engine.conf('spark.sql.pivotMaxValues') ?? defaultMaxPivotValues)
    const named = project(input, [{ kind: 'alias', input: column, name: 'value' }])
    const text: UnresolvedExpression = { kind: 'cast', input: { kind: 'attribute', name: 'value' }, type: 'string', mode: 'ansi' }
    const values = sort(distinct(named), [{ kind: 'attribute', name: 'value' }])
    const shown = project(limit(values, max + 1), [
      { kind: 'attribute', name: 'value' },
      { kind: 'alias', input: text, name: 'text' },
    ])
    const type = named.schema.fields[0]!.type
    const rows = await engine.runBatch(shown, (found) => found.toObjects())
    if (rows.length > max)
      throw new InvalidQueryError('PIVOT_VALUES_LIMIT_EXCEEDED', {
        what: `the pivot column ${nameOf(column)} has more than ${max} distinct values, this could indicate an error`,
        todo: 'give the values that you need, or set spark.sql.pivotMaxValues to at least their number',
      })
    return rows.map((row) => ({ name: row['text'] === null ? 'null' : String(row['text']), value: valueExpression(row['value'], type) }))
  }

  #each(name: string, given: readonly string[]): PlannedFrame {
    const columns = given.length > 0 ? given : numericNames(this.#parts)
    if (columns.length === 0)
      throw new InvalidQueryError('WRONG_NUM_ARGS.WITHOUT_SUGGESTION', {
        what: `groupBy(…).${name}() was given no columns, and there is no numeric one besides the keys`,
        todo: `name the columns: groupBy(…).${name}('a', 'b')`,
      })
    const written = given.length > 0 ? (column: string) => column : quoteName
    const callOf = (column: string): UnresolvedExpression => ({ kind: 'call', name, args: [{ kind: 'attribute', name: written(column) }] })
    return this.#aggregate(columns.map((column) => ({ name: `${name}(${column})`, expression: callOf(column) })))
  }
  #aggregate(items: readonly AggregateItem[]): PlannedFrame {
    const { input, keys, frameOf, sets, pivot: pivoted } = this.#parts
    if (sets) return frameOf(groupingSets(input, { keys, sets, items }))
    if (pivoted) return frameOf(pivot(input, keys, pivoted.column, pivoted.values, items))
    return frameOf(groupBy(input, keys, items))
  }
}

/** The aggregates that are given as columns, that a function gives, or a map of functions by column: `{ price: 'sum', '*': 'count' }`. */
export function aggregateItems(input: LogicalPlan, all: readonly unknown[], functions: NamedUserFunctions): AggregateItem[] {
  const [f] = all
  if (f instanceof Column || all.length > 1)
    return all.map((column, i) => ({ expression: bindUserFunctions(columnExpression(`argument ${i + 1} of agg`, column), functions) }))
  const given = typeof f === 'function' ? f(columnsOf(input.schema)) : f
  const entries = typeof given === 'object' && given !== null ? Object.entries(given) : []
  if (entries.length === 0 || !entries.every(([, value]) => typeof value === 'string'))
    return namedExpressions('agg', given).map(({ name, expression }) => ({ name, expression: bindUserFunctions(expression, functions) }))
  return entries.map(([column, value]) => {
    const name = String(value).toLowerCase() === 'mean' ? 'avg' : String(value)
    const arg: UnresolvedExpression = column === '*' ? { kind: 'star' } : { kind: 'attribute', name: column }
    return { name: `${name}(${column === '*' ? '1' : column})`, expression: { kind: 'call', name, args: [arg] } }
  })
}

/** The numeric columns that are no keys: what sum() without names takes. */
function numericNames({ input, keys }: GroupingParts): string[] {
  const names = new Set(keys.map(({ expression }) => (expression.kind === 'attribute' ? expression.name : '')))
  return input.schema.fields.filter((field) => isNumeric(field.type) && !names.has(field.name)).map((field) => field.name)
}
const numeric = new Set<DataType>(['byte', 'short', 'int', 'long', 'float', 'double'])
function isNumeric(type: DataType): boolean {
  return numeric.has(type) || (typeof type !== 'string' && type.kind === 'decimal')
}

function pivotName(value: unknown): string {
  const e = expressionOf(value)
  if (e.kind === 'literal' && e.value === null) return 'null'
  return e.kind === 'literal' && typeof value !== 'object' ? String(value) : nameOf(e)
}
function valueExpression(value: unknown, type: DataType): UnresolvedExpression {
  return literalOf(value, type)
}
