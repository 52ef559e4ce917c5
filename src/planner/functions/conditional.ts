/** Conditions, nulls and NaN. */
import { raise } from '../sql-text.ts'
import { plain, suffix, type Templates } from './template.ts'

export const conditional: Templates = {
  isnull: suffix('IS NULL'),
  isnotnull: suffix('IS NOT NULL'),
  isnan: ([x]) => (x!.nullable ? `coalesce(isnan(${x!.sql}), false)` : `isnan(${x!.sql})`),
  coalesce: plain('coalesce'),
  nvl: plain('coalesce'),
  ifnull: plain('coalesce'),
  nullif: plain('nullif'),
  greatest: plain('greatest'),
  least: plain('least'),
  if: ([c, a, b]) => `CASE WHEN ${c!.sql} THEN ${a!.sql} ELSE ${b!.sql} END`,
  nanvl: ([a, b]) => `CASE WHEN isnan(${a!.sql}) THEN ${b!.sql} ELSE ${a!.sql} END`,
  assert_true: ([condition, message]) => `CASE WHEN ${condition!.sql} THEN NULL ELSE ${raised(message!.sql)} END`,
  raise_error: ([message]) => raised(message!.sql),
  // what a scalar subquery of several rows gives
  too_many_rows: () => raise('SCALAR_SUBQUERY_TOO_MANY_ROWS', 'more than one row returned by a subquery used as an expression'),
}

function raised(message: string): string {
  return `error('[USER_RAISED_EXCEPTION] ' || coalesce(${message}, 'null'))`
}
