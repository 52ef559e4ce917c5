// The streams and joins of Spark's StreamingJoinSuite.
import { type Engine, expr, MemoryStream, t } from 'millrace'
import { seconds } from './harness.ts'

/** DataFrames made from SQL texts, whose columns the compiler does not know. */
type Untyped = any
type How = 'inner' | 'left' | 'right' | 'full' | 'semi'

/** A stream of integers as key, time in seconds and a multiple, under a watermark of 10 seconds. */
export function keyedStream(input: ReturnType<typeof seconds>, prefix: string, by: number, delay: string | null = '10 seconds'): Untyped {
  const frame = input
    .toDF()
    .selectExpr('value AS key', `timestamp_seconds(value) AS ${prefix}Time`, `value * ${by} AS ${prefix}Value`) as Untyped
  return delay === null ? frame : frame.withWatermark(`${prefix}Time`, delay)
}

/** Its rows with the window of 10 seconds in place of the time. */
export function windowedStream(
  input: ReturnType<typeof seconds>,
  prefix: string,
  by: number,
  delay?: string | null,
  value = `${prefix}Value`,
): Untyped {
  return keyedStream(input, prefix, by, delay).selectExpr('key', `window(${prefix}Time, '10 seconds') AS window`, value)
}

export interface TwoStreams {
  readonly left: ReturnType<typeof seconds>
  readonly right: ReturnType<typeof seconds>
  readonly joined: Untyped
}

/** On key and window; rows (key, window end, left value, right value). */
export function windowedJoin(engine: Engine, how: How): TwoStreams {
  const [left, right] = [seconds(engine), seconds(engine)]
  const columns = ['key', 'CAST(window.end AS LONG) AS end', 'leftValue', ...(how === 'semi' ? [] : ['rightValue'])]
  const joined = windowedStream(left, 'left', 2)
    .join(windowedStream(right, 'right', 3), ['key', 'window'], how)
    .selectExpr(...columns)
  return { left, right, joined }
}

/** The same with a further condition; the right value is text, so that a null row shows which side it is of. */
export function windowedJoinWith(engine: Engine, how: How, condition: string): TwoStreams {
  const [left, right] = [seconds(engine), seconds(engine)]
  const l = windowedStream(left, 'left', 2).alias('l')
  const r = windowedStream(right, 'right', 3, undefined, 'CAST(rightValue AS STRING) AS rightValue').alias('r')
  const of = (side: string) => [`${side}.key AS ${side}Key`, `CAST(${side}.window.end AS LONG) AS ${side}End`]
  const columns =
    how === 'semi'
      ? ['key', 'CAST(window.end AS LONG) AS end', 'leftValue']
      : how === 'full'
        ? [...of('l'), 'leftValue', ...of('r'), 'rightValue']
        : [...of(how === 'right' ? 'r' : 'l'), 'leftValue', 'rightValue']
  const joined = l.join(r, () => expr(`l.key = r.key AND l.window = r.window AND ${condition}`), how).selectExpr(...columns)
  return { left, right, joined }
}

export function pairStream(engine: Engine) {
  return new MemoryStream(engine, { k: t.int(), at: t.int() })
}
export const at = (...list: readonly (readonly [number, number])[]) => list.map(([k, at]) => ({ k, at }))

/** A stream of (key, time). */
export function timedStream(input: ReturnType<typeof pairStream>, prefix: string, delay = '10 seconds'): Untyped {
  return (input.toDF().selectExpr(`k AS ${prefix}Key`, `timestamp_seconds(at) AS ${prefix}Time`) as Untyped).withWatermark(
    `${prefix}Time`,
    delay,
  )
}
export interface TwoTimedStreams {
  readonly left: ReturnType<typeof pairStream>
  readonly right: ReturnType<typeof pairStream>
  readonly joined: Untyped
}
interface RangeOptions {
  readonly delay?: string
  readonly lower?: string
  readonly upper?: string
}

/** On the key, with the left time around the right one; rows (left key, right key, left time, right time). */
export function rangeJoin(engine: Engine, how: How, options: RangeOptions = {}): TwoTimedStreams {
  const { delay = '10 seconds', lower = 'INTERVAL 5 SECONDS', upper = 'INTERVAL 5 SECONDS' } = options
  const [left, right] = [pairStream(engine), pairStream(engine)]
  const condition = `leftKey = rightKey AND leftTime BETWEEN rightTime - ${lower} AND rightTime + ${upper}`
  const times = ['CAST(leftTime AS LONG) AS l', ...(how === 'semi' ? [] : ['CAST(rightTime AS LONG) AS r'])]
  const joined = timedStream(left, 'left', delay)
    .join(timedStream(right, 'right', delay), () => expr(condition), how)
    .selectExpr('leftKey', ...(how === 'semi' ? [] : ['rightKey']), ...times)
  return { left, right, joined }
}

/** A stream with the even ones among its own rows. */
export function selfJoin(engine: Engine, how: How): { readonly input: ReturnType<typeof pairStream>; readonly joined: Untyped } {
  const input = pairStream(engine)
  const frame = input.toDF().selectExpr('k', 'timestamp_seconds(at) AS at') as Untyped
  const l = frame.selectExpr('k AS leftId', 'at AS leftTime').withWatermark('leftTime', '5 seconds')
  const r = frame
    .where(() => expr('k % 2 = 0'))
    .selectExpr('k AS rightId', 'at AS rightTime')
    .withWatermark('rightTime', '5 seconds')
  const condition = 'leftId = rightId AND rightTime >= leftTime AND rightTime <= leftTime + INTERVAL 5 SECONDS'
  const columns = ['leftId', 'CAST(leftTime AS LONG) AS l', ...(how === 'semi' ? [] : ['rightId', 'CAST(rightTime AS LONG) AS r'])]
  return { input, joined: l.join(r, () => expr(condition), how).selectExpr(...columns) }
}
