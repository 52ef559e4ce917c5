/** Dates, times and time windows. */
import { InvalidQueryError } from '../../base/errors.ts'
import { fieldsOf, type IntervalField, isDayTime, isInterval, yearMonthFields } from '../../data/intervals.ts'
import { type DataType, decimal } from '../../data/types.ts'
import { quoteType, typeMismatch } from '../analysis-errors.ts'
import { castTo, isDecimal, isIntegral, isNumeric, isTimestamp } from '../coercion.ts'
import type { Expression } from '../expression.ts'
import { expressionText } from '../expression-tree.ts'
import { resolveWithIntervals } from '../interval-arithmetic.ts'
import { argumentAs, call } from '../signatures.ts'
import { type FunctionRow, literal, type Resolve, scalar, special, text } from './row.ts'

// ---- text to times

/** By a pattern where one is given and the argument is text; else a cast. */
function parsing(name: string, type: DataType, mode: 'ansi' | 'try' = 'ansi', aliases: readonly string[] = []): FunctionRow {
  const resolve: Resolve = ([arg, format]) => {
    const isText = arg!.type === 'string' || arg!.type === 'void'
    if (format !== undefined && isText) {
      const args = [castTo(arg!, 'string'), argumentAs(name, format, 1, 'string')]
      return call(name, args, type, mode === 'try' || arg!.nullable || format.nullable)
    }
    if (mode === 'try' && isText) return castTo(castTo(arg!, 'string'), type, 'try')
    return type === 'timestamp' && isNumeric(arg!.type) ? castTo(arg!, type, mode) : argumentAs(name, arg!, 0, type)
  }
  return special(name, [1, 2], resolve, aliases)
}
function unixTime(name: string, min: number): FunctionRow {
  return special(name, [min, 2], ([arg, format]) => {
    if (arg === undefined) return call(name, [call('current_timestamp', [], 'timestamp', false, false)], 'long', false)
    if (arg.type !== 'string') {
      const time = argumentAs(name, arg, 0, 'timestamp')
      return call(name, [time], 'long', time.nullable)
    }
    const pattern = argumentAs(name, format ?? text('yyyy-MM-dd HH:mm:ss'), 1, 'string')
    return call(name, [arg, pattern], 'long', arg.nullable || pattern.nullable)
  })
}
const resolveTimestampSeconds: Resolve = ([given]) => {
  const arg = argumentAs('timestamp_seconds', given!, 0, 'numeric')
  const seconds = isIntegral(arg.type) ? castTo(arg, 'long') : arg.type === 'float' ? castTo(arg, 'double') : arg
  return call('timestamp_seconds', [seconds], 'timestamp', seconds.type === 'double' || seconds.nullable) // NaN and infinities give null
}

// ---- units and fields

const truncUnits = new Set('year yyyy yy quarter month mon mm week day dd hour minute second millisecond microsecond'.split(' '))
const resolveDateTrunc: Resolve = ([givenUnit, given]) => {
  const unit = argumentAs('date_trunc', givenUnit!, 0, 'string')
  const arg = argumentAs('date_trunc', given!, 1, 'timestamp')
  const known = unit.kind === 'literal' && truncUnits.has(String(unit.value).toLowerCase())
  return call('date_trunc', [unit, arg], 'timestamp', !known || arg.nullable) // an unknown unit gives null
}

/** What date_part calls a field, and the function that gives it. */
const timeFields: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ['year', 'year y years yr yrs'],
    ['year_of_week', 'yearofweek'],
    ['quarter', 'quarter qtr'],
    ['month', 'month mon mons months'],
    ['weekofyear', 'week w weeks'],
    ['day', 'day d days'],
    ['dayofweek', 'dayofweek dow'],
    ['iso_day_of_week', 'dayofweek_iso dow_iso'],
    ['dayofyear', 'doy'],
    ['hour', 'hour h hours hr hrs'],
    ['minute', 'minute m min mins minutes'],
    ['second_with_fraction', 'second s sec seconds secs'],
  ].flatMap(([name, spellings]) => spellings!.split(' ').map((spelling) => [spelling, name!])),
)

function fieldOfTime(name: string): FunctionRow['resolve'] {
  return ([givenField, source]) => {
    const field = argumentAs(name, givenField!, 0, 'string')
    if (field.kind !== 'literal') {
      throw typeMismatch(
        'NON_FOLDABLE_INPUT',
        `the first parameter of ${name} must be a constant, but is "${expressionText(field)}"`,
        'name the field as text',
      )
    }
    if (field.value === null) return literal(null, 'double')
    const spelling = String(field.value).toLowerCase()
    const part = isInterval(source!.type) ? ofInterval(spelling, source!) : ofTime(name, spelling, source!)
    if (part) return part
    throw new InvalidQueryError('INVALID_EXTRACT_FIELD', {
      what: `cannot extract \`${field.value}\` from "${expressionText(source!)}" of type ${quoteType(source!.type)}`,
      todo: 'use year, quarter, month, week, day, dayofweek, doy, hour, minute or second; of an interval, one of its fields',
    })
  }
}
function ofTime(name: string, spelling: string, source: Expression): Expression | undefined {
  const part = Object.hasOwn(timeFields, spelling) ? timeFields[spelling]! : undefined
  if (part === undefined) return undefined
  if (part === 'second_with_fraction') {
    const time = argumentAs(name, source, 1, 'instant')
    return call(part, [time], decimal(8, 6), time.nullable)
  }
  const time = argumentAs(name, source, 1, part === 'hour' || part === 'minute' ? 'instant' : 'date')
  return call(part, [time], 'int', time.nullable)
}
function ofInterval(spelling: string, source: Expression): Expression | undefined {
  const field = (Object.hasOwn(timeFields, spelling) ? timeFields[spelling]! : '').replace('second_with_fraction', 'second')
  const type = source.type
  if (!isInterval(type)) return undefined
  const [start, end] = fieldsOf(type)
  const order: readonly string[] = isDayTime(type) ? ['day', 'hour', 'minute', 'second'] : yearMonthFields
  const at = order.indexOf(field as IntervalField)
  if (at < order.indexOf(start) || at > order.indexOf(end) || at < 0) return undefined
  const gives = field === 'second' ? decimal(8, 6) : field === 'year' || field === 'day' ? 'int' : 'byte'
  return call('interval_part', [text(field), source], gives, source.nullable)
}

// ---- times of their fields

const secondsType = decimal(16, 6)
/** From year to second, then a zone where `zoned`. */
function makeTimestamp(name: string, type: 'timestamp' | 'timestamp_ntz', mode: 'ansi' | 'try'): FunctionRow {
  const zoned = type === 'timestamp'
  return special(name, [6, zoned ? 7 : 6], (given) => {
    const takes: readonly DataType[] = ['int', 'int', 'int', 'int', 'int', secondsType, 'string']
    const args = given.map((arg, i) => argumentAs(name, i === 5 && isDecimal(arg.type) ? castTo(arg, secondsType) : arg, i, takes[i]!))
    return call(name, args, type, mode === 'try' || args.some((arg) => arg.nullable))
  })
}

// ---- moving by units

const movedUnits = new Set('year quarter month week day dayofyear hour minute second millisecond microsecond'.split(' '))
function unitOf(name: string, given: Expression): string {
  const unit = given.kind === 'literal' && typeof given.value === 'string' ? given.value.toLowerCase() : undefined
  if (unit !== undefined && movedUnits.has(unit)) return unit
  throw new InvalidQueryError('INVALID_PARAMETER_VALUE.DATETIME_UNIT', {
    what: `the value of parameter \`unit\` of ${name} is invalid: it expects one of the units without quotes, but got "${expressionText(given)}"`,
    todo: `use one of ${[...movedUnits].join(', ')}`,
  })
}
const resolveTimestampAdd: Resolve = ([unit, count, given]) => {
  const time = argumentAs('timestampadd', given!, 2, 'instant')
  const n = castTo(argumentAs('timestampadd', count!, 1, 'long'), 'long')
  return call('timestampadd', [text(unitOf('timestampadd', unit!)), n, time], time.type, n.nullable || time.nullable)
}
const resolveTimestampDiff: Resolve = ([unit, start, end]) => {
  const args = [start!, end!].map((arg, i) => argumentAs('timestampdiff', arg, i + 1, 'instant'))
  const type = args.every((arg) => arg.type === 'timestamp_ntz') ? 'timestamp_ntz' : 'timestamp'
  const times = args.map((arg) => castTo(arg, type))
  return call(
    'timestampdiff',
    [text(unitOf('timestampdiff', unit!)), ...times],
    'long',
    times.some((arg) => arg.nullable),
  )
}
/** months: `date + interval` in months, which is the same. */
const resolveAddMonths: Resolve = ([given, months]) => {
  const date = argumentAs('add_months', given!, 0, 'date')
  const by = castTo(argumentAs('add_months', months!, 1, 'int'), 'interval month')
  return resolveWithIntervals('+', date, by)!
}

// ---- zones

const resolveConvertTimezone: Resolve = (given) => {
  const zones = given.slice(0, -1).map((arg, i) => argumentAs('convert_timezone', arg, i, 'string'))
  const time = argumentAs('convert_timezone', given.at(-1)!, given.length - 1, 'timestamp_ntz')
  const [from, to] = zones.length === 2 ? zones : [call('current_timezone', [], 'string', false), zones[0]!]
  return call('convert_timezone', [from!, to!, time], 'timestamp_ntz', from!.nullable || to!.nullable || time.nullable)
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

const ofDate = (name: string, gives: DataType, aliases: readonly string[] = []) => scalar(name, { takes: ['date'], gives, aliases })
const clock = { takes: [], nullable: false, deterministic: false } as const
/** What date_part becomes: no names of Spark's. */
const internal = (row: FunctionRow): FunctionRow => ({ ...row, internal: true })

export const datetime: readonly FunctionRow[] = [
  scalar('current_timestamp', { ...clock, gives: 'timestamp', aliases: ['now'] }),
  scalar('current_date', { ...clock, gives: 'date', aliases: ['curdate'] }),
  scalar('localtimestamp', { ...clock, gives: 'timestamp_ntz' }),
  scalar('current_timezone', { takes: [], gives: 'string', nullable: false }),

  ofDate('year', 'int'),
  ofDate('quarter', 'int'),
  ofDate('month', 'int'),
  ofDate('day', 'int', ['dayofmonth']),
  ofDate('dayofweek', 'int'),
  ofDate('dayofyear', 'int'),
  ofDate('weekday', 'int'),
  ofDate('weekofyear', 'int'),
  internal(ofDate('year_of_week', 'int')),
  internal(ofDate('iso_day_of_week', 'int')),
  internal(scalar('second_with_fraction', { takes: ['instant'], gives: decimal(8, 6) })),
  internal(scalar('interval_part', { takes: ['string', 'any'], gives: 'int' })),
  ofDate('dayname', 'string'),
  ofDate('monthname', 'string'),
  scalar('hour', { takes: ['instant'], gives: 'int' }),
  scalar('minute', { takes: ['instant'], gives: 'int' }),
  scalar('second', { takes: ['instant'], gives: 'int' }),
  special('date_part', [2, 2], fieldOfTime('date_part'), ['datepart']),
  special('extract', [2, 2], fieldOfTime('extract')),

  scalar('date_add', { takes: ['date', 'int'], gives: 'date', aliases: ['dateadd'] }),
  scalar('date_sub', { takes: ['date', 'int'], gives: 'date' }),
  scalar('datediff', { takes: ['date', 'date'], gives: 'int', aliases: ['date_diff'] }),
  special('add_months', [2, 2], resolveAddMonths),
  scalar('months_between', {
    takes: ['timestamp', 'timestamp', 'boolean'],
    min: 2,
    defaults: [undefined, undefined, literal(true, 'boolean')],
    gives: 'double',
  }),
  ofDate('last_day', 'date'),
  scalar('next_day', { takes: ['date', 'string'], gives: 'date' }),
  scalar('trunc', { takes: ['date', 'string'], gives: 'date', nullable: true }),
  special('date_trunc', [2, 2], resolveDateTrunc),
  special('timestampadd', [3, 3], resolveTimestampAdd),
  special('timestampdiff', [3, 3], resolveTimestampDiff),

  parsing('to_date', 'date'),
  parsing('to_timestamp', 'timestamp'),
  parsing('to_timestamp_ltz', 'timestamp'),
  parsing('to_timestamp_ntz', 'timestamp_ntz'),
  parsing('try_to_timestamp', 'timestamp', 'try'),
  parsing('try_to_date', 'date', 'try'),
  scalar('date_format', { takes: ['timestamp', 'string'], gives: 'string' }),
  unixTime('unix_timestamp', 0),
  unixTime('to_unix_timestamp', 1),
  scalar('from_unixtime', { takes: ['long', 'string'], min: 1, defaults: [undefined, text('yyyy-MM-dd HH:mm:ss')], gives: 'string' }),
  scalar('unix_date', { takes: ['date'], gives: 'int' }),
  scalar('unix_seconds', { takes: ['timestamp'], gives: 'long' }),
  scalar('unix_millis', { takes: ['timestamp'], gives: 'long' }),
  scalar('unix_micros', { takes: ['timestamp'], gives: 'long' }),
  special('timestamp_seconds', [1, 1], resolveTimestampSeconds),
  scalar('timestamp_millis', { takes: ['long'], gives: 'timestamp' }),
  scalar('timestamp_micros', { takes: ['long'], gives: 'timestamp' }),
  scalar('date_from_unix_date', { takes: ['int'], gives: 'date' }),
  scalar('make_date', { takes: ['int', 'int', 'int'], gives: 'date' }),
  makeTimestamp('make_timestamp', 'timestamp', 'ansi'),
  makeTimestamp('make_timestamp_ltz', 'timestamp', 'ansi'),
  makeTimestamp('make_timestamp_ntz', 'timestamp_ntz', 'ansi'),
  makeTimestamp('try_make_timestamp', 'timestamp', 'try'),
  makeTimestamp('try_make_timestamp_ltz', 'timestamp', 'try'),
  makeTimestamp('try_make_timestamp_ntz', 'timestamp_ntz', 'try'),
  scalar('from_utc_timestamp', { takes: ['timestamp', 'string'], gives: 'timestamp' }),
  scalar('to_utc_timestamp', { takes: ['timestamp', 'string'], gives: 'timestamp' }),
  special('convert_timezone', [2, 3], resolveConvertTimezone),
  special('window_time', [1, 1], resolveWindowTime),
]
