import { InvalidQueryError } from '../base/errors.ts'
import type { Field } from '../data/types.ts'
import { unresolvedColumn } from './analysis-errors.ts'
import { groupBy } from './analyze.ts'
import { expand } from './analyze-unpivot.ts'
import { isNumeric } from './coercion.ts'
import type { Expression, UnresolvedExpression } from './expression.ts'
import { literal } from './functions.ts'
import type { Expand, LogicalPlan } from './logical-plan.ts'
import { columnRef, sameName } from './resolve.ts'
import { quoteName } from './schema-text.ts'

/** What describe() shows. */
export const describedStatistics: readonly string[] = ['count', 'mean', 'stddev', 'min', 'max']
/** What summary() shows. */
export const summaryStatistics: readonly string[] = ['count', 'mean', 'stddev', 'min', '25%', '50%', '75%', 'max']

/**
 * A row for each statistic with its name in `summary`, and a column of text for each numeric and string column (or each of `names`): null where
 * a statistic means nothing for the type. One aggregation over everything, whose one row is laid out as several.
 */
export function summary(input: LogicalPlan, statistics: readonly string[], names: readonly string[] | null): Expand {
  const { fields } = input.schema
  const chosen =
    names === null
      ? fields.filter((field) => isNumeric(field.type) || field.type === 'string')
      : names.map((name) => {
          const field = fields.find((candidate) => sameName(candidate.name, name))
          if (!field) throw unresolvedColumn(name, fields)
          return field
        })
  const items = chosen.flatMap((field, f) =>
    statistics.map((statistic, s) => ({ name: `${f}.${s}`, expression: statisticOf(statistic, field) })),
  )
  const one = groupBy(input, [], [...items, { name: 'rows', expression: { kind: 'call', name: 'count', args: [] } }])
  const columns = chosen.map((field, f) => ({
    name: field.name,
    expressions: statistics.map((_, s): Expression => {
      const index = f * statistics.length + s
      return columnRef({ ...one.schema.fields[index]!, nullable: true }, index)
    }),
  }))
  const labels = { name: 'summary', expressions: statistics.map((statistic) => literal(statistic, 'string')) }
  return expand(one, statistics.length, [labels, ...columns], 'unpivot')
}

function statisticOf(statistic: string, field: Field): UnresolvedExpression {
  const column: UnresolvedExpression = { kind: 'attribute', name: quoteName(field.name) }
  const call = (name: string, ...args: UnresolvedExpression[]): UnresolvedExpression => ({ kind: 'call', name, args })
  const text = (input: UnresolvedExpression): UnresolvedExpression => ({ kind: 'cast', input, type: 'string', mode: 'ansi' })
  const ofNumbers = (e: UnresolvedExpression): UnresolvedExpression =>
    isNumeric(field.type) ? text(e) : { kind: 'literal', value: null, type: 'string' }
  switch (statistic.toLowerCase()) {
    case 'count':
    case 'min':
    case 'max':
    case 'approx_count_distinct':
      return text(call(statistic.toLowerCase(), column))
    case 'count_distinct':
      return text({ kind: 'call', name: 'count', args: [column], distinct: true })
    case 'mean':
      return ofNumbers(call('avg', column))
    case 'stddev':
      return ofNumbers(call('stddev_samp', column))
  }
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(statistic)
  if (percent && Number(percent[1]) <= 100)
    return ofNumbers(call('percentile_approx', column, { kind: 'literal', value: Number(percent[1]) / 100, type: 'double' }))
  throw new InvalidQueryError('UNRECOGNIZED_STATISTIC', {
    what: `the statistic '${statistic}' is not recognized`,
    todo: "use 'count', 'count_distinct', 'approx_count_distinct', 'mean', 'stddev', 'min', 'max', or a percentile from '0%' to '100%'",
  })
}
