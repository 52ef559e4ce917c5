/** `window(time, duration[, slide[, start]])` and `session_window(time, gap)`. */
import type { InvalidQueryError } from '../base/errors.ts'
import { isDayTime } from '../data/intervals.ts'
import { type DataType, struct, typeText } from '../data/types.ts'
import { typeMismatch, wrongArgumentCount } from './analysis-errors.ts'
import { isTimestamp } from './coercion.ts'
import type { Expression, SessionWindow, TimeWindow, UnresolvedExpression } from './expression.ts'
import { resolveCall } from './functions.ts'
import { parseIntervalUs } from './intervals.ts'
import { argumentAs } from './signatures.ts'

/** Types a window; its struct and its bounds are never null, since rows without a time are left out. */
export function resolveWindow(args: readonly UnresolvedExpression[], resolve: (e: UnresolvedExpression) => Expression): TimeWindow {
  if (args.length < 2 || args.length > 4) throw wrongArgumentCount('window', '2 to 4', args.length)
  const [timeArg, duration, slide, start] = args
  const time = timeOf(resolve(timeArg!))
  const durationUs = intervalOf('window duration', duration!)
  const slideUs = slide ? intervalOf('slide duration', slide) : durationUs
  const startUs = start ? intervalOf('start time', start) : 0n
  if (durationUs <= 0n) throw outOfRange(`the window duration must be greater than 0, but is ${durationUs} µs`)
  if (slideUs <= 0n) throw outOfRange(`the slide duration must be greater than 0, but is ${slideUs} µs`)
  if (slideUs > durationUs) throw outOfRange(`the slide duration (${slideUs} µs) must be at most the window duration (${durationUs} µs)`)
  if ((startUs < 0n ? -startUs : startUs) >= slideUs)
    throw outOfRange(`the start time (${startUs} µs) must be nearer to 0 than the slide duration (${slideUs} µs)`)
  return { kind: 'window', time, durationUs, slideUs, startUs, type: windowType(time.type), nullable: false }
}

/**
 * Types a session window. A gap that is the same for all rows is an interval's text; else any expression that gives such texts or intervals. A text of a row that is no interval,
 * or one of months, counts as no gap, as in Spark.
 */
export function resolveSessionWindow(
  args: readonly UnresolvedExpression[],
  resolve: (e: UnresolvedExpression) => Expression,
): SessionWindow {
  if (args.length !== 2) throw wrongArgumentCount('session_window', '2', args.length)
  const [timeArg, gapArg] = args
  const time = timeOf(resolve(timeArg!))
  const isText = gapArg!.kind === 'literal' && typeof gapArg!.value === 'string'
  const gap = isText ? microseconds(parseIntervalUs(gapArg!.value as string)) : gapUs(resolve(gapArg!))
  return { kind: 'window', time, gap, type: windowType(time.type), nullable: false }
}

/** The gap in microseconds. Constants are read here, where they stand by themselves or as a value of CASE: rows then have nothing to read. */
function gapUs(e: Expression): Expression {
  if (e.kind === 'literal' && (e.value === null || typeof e.value === 'string')) return microseconds(tryInterval(e.value))
  if (e.kind === 'case') {
    const branches = e.branches.map(({ condition, value }) => ({ condition, value: gapUs(value) }))
    return { ...e, branches, otherwise: e.otherwise && gapUs(e.otherwise), type: 'long', nullable: true }
  }
  if (isDayTime(e.type)) return resolveCall('interval_number', [e])
  if (e.type === 'string') return resolveCall('interval_us', [e])
  throw typeMismatch(
    'UNEXPECTED_INPUT_TYPE',
    `the gap of session_window must be an interval, not a ${typeText(e.type)}`,
    "write it as '10 minutes', or give a column of such texts or of a day-time interval type",
  )
}
function microseconds(value: bigint | null): Expression {
  return { kind: 'literal', value, type: 'long', nullable: value === null }
}
function tryInterval(text: string | null): bigint | null {
  try {
    return text === null ? null : parseIntervalUs(text)
  } catch {
    return null
  }
}

function windowType(time: DataType): DataType {
  return struct([
    { name: 'start', type: time, nullable: false },
    { name: 'end', type: time, nullable: false },
  ])
}

/** A window of windows goes by window_time. */
function timeOf(time: Expression): Expression {
  if (time.kind === 'window')
    throw typeMismatch(
      'UNEXPECTED_INPUT_TYPE',
      'a window was made from a window',
      'aggregate by the inner one first, then by window(window, …)',
    )
  if (typeof time.type !== 'string' && time.type.kind === 'struct') return resolveCall('window_time', [time])
  return isTimestamp(time.type) ? time : argumentAs('window', time, 0, 'timestamp')
}

/** An interval's text, or a whole number of microseconds. */
function intervalOf(what: string, e: UnresolvedExpression): bigint {
  if (e.kind === 'literal' && typeof e.value === 'string') return parseIntervalUs(e.value)
  if (e.kind === 'literal' && typeof e.type === 'string' && wholeNumbers.has(e.type) && e.value !== null) return BigInt(e.value as bigint)
  if (e.kind === 'call' && e.name === 'negative') return -intervalOf(what, e.args[0]!)
  throw typeMismatch(
    'UNEXPECTED_INPUT_TYPE',
    `the ${what} of window must be an interval as text, or microseconds`,
    "write it as '10 minutes'",
  )
}
const wholeNumbers: ReadonlySet<string> = new Set(['int', 'long'])

function outOfRange(what: string): InvalidQueryError {
  return typeMismatch(
    'VALUE_OUT_OF_RANGE',
    what,
    'give a duration, then a slide of at most that duration, then an offset shorter than the slide',
  )
}
