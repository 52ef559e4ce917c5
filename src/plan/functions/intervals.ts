/** Intervals of their fields. Arithmetic with intervals is the operators'. */
import { type DataType, decimal } from '../../data/types.ts'
import { type FunctionRow, int, literal, scalar } from './row.ts'

const seconds = literal({ unscaled: 0n, scale: 6 }, decimal(18, 6))

/** What sums of intervals go through: written by the analyser only. */
const number = (name: string, gives: DataType): FunctionRow => ({ ...scalar(name, { takes: ['any'], gives }), internal: true })

export const intervals: readonly FunctionRow[] = [
  number('interval_number', 'long'),
  // the gap of a session, where it is text
  { ...scalar('interval_us', { takes: ['string'], gives: 'long', nullable: true }), internal: true },
  number('interval_of_number', 'interval day to second'),
  scalar('make_dt_interval', {
    takes: ['int', 'int', 'int', decimal(18, 6)],
    min: 0,
    defaults: [int(0), int(0), int(0), seconds],
    gives: 'interval day to second',
  }),
  scalar('make_ym_interval', { takes: ['int', 'int'], min: 0, defaults: [int(0), int(0)], gives: 'interval year to month' }),
]
