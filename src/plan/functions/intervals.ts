/** Intervals of their fields. Arithmetic with intervals is the operators'. */
import { decimal } from '../../data/types.ts'
import { type FunctionRow, int, literal, scalar } from './row.ts'

const seconds = literal({ unscaled: 0n, scale: 6 }, decimal(18, 6))

export const intervals: readonly FunctionRow[] = [
  scalar('make_dt_interval', {
    takes: ['int', 'int', 'int', decimal(18, 6)],
    min: 0,
    defaults: [int(0), int(0), int(0), seconds],
    gives: 'interval day to second',
  }),
  scalar('make_ym_interval', { takes: ['int', 'int'], min: 0, defaults: [int(0), int(0)], gives: 'interval year to month' }),
]
