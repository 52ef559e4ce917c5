/** Intervals of their fields. As constants they are `lit(Temporal.Duration.from('PT1H'))`. */
import type { Expr, IntervalCol, NumberInput } from '../column-types.ts'
import type { Numeric } from '../types.ts'
import { call, given, type Whole } from './call.ts'

type Seconds = Expr<Numeric | null> | NumberInput
/** A day-time interval of its fields; each is 0 where it is left out. Null where one is null. */
export function make_dt_interval(days?: Whole, hours?: Whole, mins?: Whole, secs?: Seconds): IntervalCol<'interval day to second' | null> {
  return call('make_dt_interval', ...given(days ?? 0, hours ?? 0, mins ?? 0, secs))
}
/** A year-month interval of its fields; each is 0 where it is left out. Null where one is null. */
export function make_ym_interval(years: Whole = 0, months: Whole = 0): IntervalCol<'interval year to month' | null> {
  return call('make_ym_interval', years, months)
}
