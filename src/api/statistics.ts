/** What `df.stat` computes: each an action or two of its own. Null counts as 0 in corr and cov, as in Spark. */
import { InvalidQueryError } from '../base/errors.ts'
import type { Column } from '../data/column-batch.ts'
import { unresolvedColumn } from '../plan/analysis-errors.ts'
import { filter, groupBy, project, sort } from '../plan/analyze.ts'
import { isNumeric } from '../plan/coercion.ts'
import type { UnresolvedExpression } from '../plan/expression.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import { sameName } from '../plan/resolve.ts'
import { quoteName } from '../plan/schema-text.ts'
import type { EnginePort } from '../query/engine-port.ts'

const call = (name: string, ...args: UnresolvedExpression[]): UnresolvedExpression => ({ kind: 'call', name, args })
const named = (name: string): UnresolvedExpression => ({ kind: 'attribute', name: quoteName(name) })
const number = (value: number): UnresolvedExpression => ({ kind: 'literal', value, type: 'double' })
const asDouble = (input: UnresolvedExpression): UnresolvedExpression => ({ kind: 'cast', input, type: 'double', mode: 'ansi' })
const as = (input: UnresolvedExpression, name: string): UnresolvedExpression => ({ kind: 'alias', input, name })

function checkNumeric(plan: LogicalPlan, method: string, column: string): void {
  const field = plan.schema.fields.find((candidate) => sameName(candidate.name, column))
  if (!field) throw unresolvedColumn(column, plan.schema.fields)
  if (!isNumeric(field.type))
    throw new InvalidQueryError('DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE', {
      what: `${method} needs a numeric column, and \`${column}\` is none`,
      todo: 'cast it first, or choose another column',
    })
}

interface Moments {
  readonly n: number
  readonly xx: number
  readonly yy: number
  readonly xy: number
}
/** Sums of the products of what the columns differ from their means by: means first, so that no digits are lost. */
async function moments(engine: EnginePort, plan: LogicalPlan, method: string, a: string, b: string): Promise<Moments> {
  checkNumeric(plan, method, a)
  checkNumeric(plan, method, b)
  const value = (column: string) => call('coalesce', asDouble(named(column)), number(0))
  const pairs = project(plan, [as(value(a), 'x'), as(value(b), 'y')])
  const means = await row(
    engine,
    groupBy(
      pairs,
      [],
      [
        { name: 'n', expression: call('count') },
        { name: 'x', expression: call('avg', named('x')) },
        { name: 'y', expression: call('avg', named('y')) },
      ],
    ),
  )
  const [dx, dy] = (['x', 'y'] as const).map((name) => call('-', named(name), number(Number(means[name] ?? 0)))) as [
    UnresolvedExpression,
    UnresolvedExpression,
  ]
  const sumOf = (name: string, p: UnresolvedExpression, q: UnresolvedExpression) => ({ name, expression: call('sum', call('*', p, q)) })
  const sums = await row(engine, groupBy(pairs, [], [sumOf('xx', dx, dx), sumOf('yy', dy, dy), sumOf('xy', dx, dy)]))
  return { n: Number(means['n']), xx: Number(sums['xx'] ?? 0), yy: Number(sums['yy'] ?? 0), xy: Number(sums['xy'] ?? 0) }
}
function row(engine: EnginePort, plan: LogicalPlan): Promise<Record<string, unknown>> {
  return engine.runBatch(plan, async (rows) => (await rows.toObjects())[0] ?? {})
}

/** Pearson's coefficient of correlation; NaN where a column does not vary. */
export async function corr(engine: EnginePort, plan: LogicalPlan, a: string, b: string, method: string): Promise<number> {
  if (method !== 'pearson')
    throw new InvalidQueryError('VALUE_NOT_PEARSON', {
      what: `corr only supports the method 'pearson', and was given '${method}'`,
      todo: 'leave the method out',
    })
  const { xx, yy, xy } = await moments(engine, plan, 'corr', a, b)
  return xy / Math.sqrt(xx * yy)
}
/** The covariance of a sample. */
export async function cov(engine: EnginePort, plan: LogicalPlan, a: string, b: string): Promise<number> {
  const { n, xy } = await moments(engine, plan, 'cov', a, b)
  return n > 1 ? xy / (n - 1) : Number.NaN
}

/** For each probability the smallest value that at least that share of the values do not exceed; exact. Nulls and NaN are left out. */
export async function quantiles(
  engine: EnginePort,
  plan: LogicalPlan,
  column: string,
  probabilities: readonly number[],
): Promise<number[]> {
  checkNumeric(plan, 'approxQuantile', column)
  const wrong = probabilities.find((p) => !(p >= 0 && p <= 1))
  if (wrong !== undefined)
    throw new InvalidQueryError('INVALID_PARAMETER_VALUE.PROBABILITY', {
      what: `approxQuantile was given the probability ${wrong}`,
      todo: 'give numbers from 0 to 1',
    })
  const values = project(plan, [as(asDouble(named(column)), 'x')])
  const present = filter(values, call('and', call('isnotnull', named('x')), call('not', call('isnan', named('x')))))
  const sorted = await engine.runBatch(sort(present, [named('x')]), (rows) => rows.toColumns())
  const { data } = sorted.columns[0] as Extract<Column, { kind: 'fixed' }>
  if (sorted.length === 0) return []
  return probabilities.map((p) => Number(data[Math.max(1, Math.ceil(p * sorted.length)) - 1]))
}

/** The values of each column that more than `support` of the rows have. */
export async function frequentItems(engine: EnginePort, plan: LogicalPlan, columns: readonly string[], support: number) {
  if (!(support >= 1e-4 && support <= 1))
    throw new InvalidQueryError('INVALID_PARAMETER_VALUE.SUPPORT', {
      what: `freqItems was given the support ${support}`,
      todo: 'give a number from 0.0001 to 1',
    })
  const total = await engine.runBatch(plan, (rows) => rows.count())
  const found: unknown[][] = []
  for (const column of columns) {
    const counted = groupBy(plan, [{ expression: named(column) }], [{ name: 'rows of it', expression: call('count') }])
    const often = filter(counted, call('>', asDouble(named('rows of it')), number(support * total)))
    const rows = await engine.runBatch(often, (result) => result.toObjects())
    found.push(rows.map((each) => each[often.schema.names[0]!]))
  }
  return found
}

/** A value as crosstab shows it: as text, null as 'null'. */
export function crosstabText(name: string): UnresolvedExpression {
  const text: UnresolvedExpression = { kind: 'cast', input: { kind: 'attribute', name }, type: 'string', mode: 'ansi' }
  return call('coalesce', text, { kind: 'literal', value: 'null', type: 'string' })
}
