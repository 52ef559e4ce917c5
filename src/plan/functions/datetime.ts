/** Dates, times and time windows. */
import type { DataType } from '../../data/types.ts'
import { quoteType, typeMismatch } from '../analysis-errors.ts'
import { castTo, isIntegral, isTimestamp } from '../coercion.ts'
import type { Expression } from '../expression.ts'
import { expressionText } from '../expression-tree.ts'
import { argumentAs, call } from '../signatures.ts'
import { type FunctionRow, type Resolve, scalar, special, text } from './row.ts'

const resolveToDate: Resolve = ([arg, format]) => {
  if (format === undefined || arg!.type !== 'string') return castImplicit('to_date', arg!, 'date')
  return call('to_date', [arg!, argumentAs('to_date', format, 1, 'string')], 'date', arg!.nullable || format.nullable)
}
const resolveToTimestamp: Resolve = ([arg, format]) => {
  if (format === undefined || arg!.type !== 'string') return castImplicit('to_timestamp', arg!, 'timestamp')
  return call('to_timestamp', [arg!, argumentAs('to_timestamp', format, 1, 'string')], 'timestamp', arg!.nullable || format.nullable)
}
function castImplicit(name: string, arg: Expression, type: DataType): Expression {
  return argumentAs(name, arg, 0, type)
}
const resolveUnixTimestamp: Resolve = ([arg, format]) => {
  if (arg === undefined) return call('unix_seconds', [call('current_timestamp', [], 'timestamp', false, false)], 'long', false)
  if (arg.type !== 'string') {
    const time = argumentAs('unix_timestamp', arg, 0, 'timestamp')
    return call('unix_seconds', [time], 'long', time.nullable)
  }
  const pattern = argumentAs('unix_timestamp', format ?? text('yyyy-MM-dd HH:mm:ss'), 1, 'string')
  return call('unix_timestamp', [arg, pattern], 'long', arg.nullable || pattern.nullable)
}
const resolveTimestampSeconds: Resolve = ([given]) => {
  const arg = argumentAs('timestamp_seconds', given!, 0, 'numeric')
  const seconds = isIntegral(arg.type) ? castTo(arg, 'long') : arg.type === 'float' ? castTo(arg, 'double') : arg
  return call('timestamp_seconds', [seconds], 'timestamp', seconds.type === 'double' || seconds.nullable) // NaN and infinities give null
}
const truncUnits = new Set([
  'year',
  'yyyy',
  'yy',
  'quarter',
  'month',
  'mon',
  'mm',
  'week',
  'day',
  'dd',
  'hour',
  'minute',
  'second',
  'millisecond',
  'microsecond',
])
const resolveDateTrunc: Resolve = ([givenUnit, given]) => {
  const unit = argumentAs('date_trunc', givenUnit!, 0, 'string')
  const arg = argumentAs('date_trunc', given!, 1, 'instant')
  const known = unit.kind === 'literal' && truncUnits.has(String(unit.value).toLowerCase())
  return call('date_trunc', [unit, arg], arg.type, !known || arg.nullable) // an unknown unit gives null
}
const resolveWindowTime: Resolve = ([arg]) => {
  const fields = typeof arg!.type !== 'string' && arg!.type.kind === 'struct' ? arg!.type.fields : []
  if (fields.length === 2 && fields[0]!.name === 'start' && fields[1]!.name === 'end' && isTimestamp(fields[1]!.type)) {
    return call('window_time', [arg!], fields[1]!.type, arg!.nullable)
  }
  throw typeMismatch(
    'UNEXPECTED_INPUT_TYPE',
    `window_time needs a column that window(…) made, not "${expressionText(arg!)}" of type ${quoteType(arg!.type)}`,
    'give it the window column of an aggregation',
  )
}

export const datetime: readonly FunctionRow[] = [
  scalar('year', { takes: ['date'], gives: 'int' }),
  scalar('month', { takes: ['date'], gives: 'int' }),
  scalar('day', { takes: ['date'], gives: 'int', aliases: ['dayofmonth'] }),
  scalar('quarter', { takes: ['date'], gives: 'int' }),
  scalar('dayofweek', { takes: ['date'], gives: 'int' }),
  scalar('dayofyear', { takes: ['date'], gives: 'int' }),
  scalar('weekofyear', { takes: ['date'], gives: 'int' }),
  scalar('hour', { takes: ['instant'], gives: 'int' }),
  scalar('minute', { takes: ['instant'], gives: 'int' }),
  scalar('second', { takes: ['instant'], gives: 'int' }),
  special('date_trunc', [2, 2], resolveDateTrunc),
  special('to_date', [1, 2], resolveToDate),
  special('to_timestamp', [1, 2], resolveToTimestamp),
  special('unix_timestamp', [0, 2], resolveUnixTimestamp, ['to_unix_timestamp']),
  scalar('unix_seconds', { takes: ['timestamp'], gives: 'long' }),
  scalar('unix_millis', { takes: ['timestamp'], gives: 'long' }),
  scalar('unix_micros', { takes: ['timestamp'], gives: 'long' }),
  special('timestamp_seconds', [1, 1], resolveTimestampSeconds),
  scalar('timestamp_millis', { takes: ['long'], gives: 'timestamp' }),
  scalar('timestamp_micros', { takes: ['long'], gives: 'timestamp' }),
  scalar('date_add', { takes: ['date', 'int'], gives: 'date', aliases: ['dateadd'] }),
  scalar('date_sub', { takes: ['date', 'int'], gives: 'date' }),
  scalar('datediff', { takes: ['date', 'date'], gives: 'int', aliases: ['date_diff'] }),
  scalar('current_timestamp', { takes: [], gives: 'timestamp', nullable: false, deterministic: false, aliases: ['now'] }),
  scalar('current_date', { takes: [], gives: 'date', nullable: false, deterministic: false, aliases: ['curdate'] }),
  special('window_time', [1, 1], resolveWindowTime),
]
