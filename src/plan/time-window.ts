/** `window(time, duration[, slide[, start]])`. */
import type { InvalidQueryError } from '../base/errors.ts'
import { type DataType, struct } from '../data/types.ts'
import { typeMismatch, wrongArgumentCount } from './analysis-errors.ts'
import { isTimestamp } from './coercion.ts'
import type { Expression, TimeWindow, UnresolvedExpression } from './expression.ts'
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

function intervalOf(what: string, e: UnresolvedExpression): bigint {
  if (e.kind === 'literal' && typeof e.value === 'string') return parseIntervalUs(e.value)
  throw typeMismatch('UNEXPECTED_INPUT_TYPE', `the ${what} of window must be an interval as text`, "write it as '10 minutes'")
}

function outOfRange(what: string): InvalidQueryError {
  return typeMismatch(
    'VALUE_OUT_OF_RANGE',
    what,
    'give a duration, then a slide of at most that duration, then an offset shorter than the slide',
  )
}
