/** Conditions, nulls and NaN. */
import { hasInnerNulls, sortedSql } from '../ordering-sql.ts'
import { raise } from '../sql-text.ts'
import { plain, suffix, type Template, type Templates } from './template.ts'

export const conditional: Templates = {
  isnull: suffix('IS NULL'),
  isnotnull: suffix('IS NOT NULL'),
  isnan: ([x]) => (x!.nullable ? `coalesce(isnan(${x!.sql}), false)` : `isnan(${x!.sql})`),
  coalesce: plain('coalesce'),
  nvl: plain('coalesce'),
  ifnull: plain('coalesce'),
  nullif: plain('nullif'),
  greatest: extreme('greatest', 'DESC'),
  least: extreme('least', 'ASC'),
  if: ([c, a, b]) => `CASE WHEN ${c!.sql} THEN ${a!.sql} ELSE ${b!.sql} END`,
  nanvl: ([a, b]) => `CASE WHEN isnan(${a!.sql}) THEN ${b!.sql} ELSE ${a!.sql} END`,
  assert_true: ([condition, message]) => `CASE WHEN ${condition!.sql} THEN NULL ELSE ${raised(message!.sql)} END`,
  raise_error: ([message]) => raised(message!.sql),
  // what a scalar subquery of several rows gives
  too_many_rows: () => raise('SCALAR_SUBQUERY_TOO_MANY_ROWS', 'more than one row returned by a subquery used as an expression'),
}

/** SQL's own passes over nulls; of nested values it takes those with nulls in them for the greatest. */
function extreme(name: string, order: 'ASC' | 'DESC'): Template {
  return (args, type) =>
    hasInnerNulls(type)
      ? `(${sortedSql(`[${args.map((arg) => arg.sql).join(', ')}]`, type, order, 'LAST')})[1]`
      : plain(name)(args, type, name)
}
function raised(message: string): string {
  return `error('[USER_RAISED_EXCEPTION] ' || coalesce(${message}, 'null'))`
}
