// Spark's StreamingJoinHelperSuite: from when on a stored row of the left side has nothing left to wait for, as the conditions say it.
import { expr, MemoryStream, t } from 'millrace'
import { expect, test } from 'vitest'
import { planOf } from '../../src/api/data-frame.ts'
import type { Join, LogicalPlan } from '../../src/plan/logical-plan.ts'
import { optimize } from '../../src/plan/rules.ts'
import { rangeBound } from '../../src/plan/state-watermark.ts'
import { useEngine } from './harness.ts'

const engine = useEngine()
const rightWatermarkMs = 10_000

/** The watermark of the left side's rows where that of the right input is 10 s; null: none. */
function watermarkFrom(condition: string): number | null {
  const left = new MemoryStream(engine(), { leftKey: t.int(), leftTime: t.timestamp(), leftOther: t.int() }).toDF()
  const right = new MemoryStream(engine(), { rightKey: t.int(), rightTime: t.timestamp(), rightOther: t.int() })
    .toDF()
    .withWatermark('rightTime', '1 second')
  const joined = left.join(right, () => expr(`leftKey = rightKey AND (${condition})`) as never)
  const bound = rangeBound(joinIn(optimize(planOf(joined))), 'left')
  return bound ? rightWatermarkMs + bound.offsetMs : null
}
function joinIn(plan: LogicalPlan): Join {
  if (plan.kind === 'join') return plan
  if ('input' in plan) return joinIn(plan.input)
  throw new Error(`no join in ${plan.kind}`)
}

const groups: Readonly<Record<string, readonly (readonly [condition: string, watermarkMs: number | null])[]>> = {
  'comparisons in both directions': [
    ['leftTime > rightTime', 10_000],
    ['leftTime >= rightTime', 9999],
    ['leftTime < rightTime', null],
    ['leftTime <= rightTime', null],
    ['rightTime > leftTime', null],
    ['rightTime >= leftTime', null],
    ['rightTime < leftTime', 10_000],
    ['rightTime <= leftTime', 9999],
    ['NOT (leftTime <= rightTime)', 10_000],
    ['NOT (leftTime < rightTime)', 9999],
    ['NOT (leftTime > rightTime)', null],
    ["leftTime BETWEEN rightTime - interval 3 seconds AND rightTime + interval '1' hour", 6999],
  ],
  'times cast to numbers': [
    ['CAST(leftTime AS LONG) > CAST(rightTime AS LONG)', 10_000],
    ['CAST(leftTime AS LONG) < CAST(rightTime AS LONG)', null],
    ['CAST(leftTime AS DOUBLE) > CAST(rightTime AS DOUBLE)', 10_000],
    ['CAST(leftTime AS LONG) > CAST(rightTime AS DOUBLE)', 10_000],
    ['CAST(leftTime AS LONG) > CAST(rightTime AS FLOAT)', 10_000],
    ['CAST(leftTime AS STRING) > CAST(rightTime AS STRING)', null],
  ],
  'times moved by intervals, on either side': [
    ['leftTime > rightTime + interval 1 second', 11_000],
    ['leftTime + interval 2 seconds > rightTime', 8000],
    ['leftTime > rightTime - interval 3 second', 7000],
    ['rightTime < leftTime - interval 3 second', 13_000],
    ['rightTime - interval 1 second < leftTime - interval 3 second', 12_000],
    ["leftTime > rightTime + interval '0 00:00:01' day to second", 11_000],
    ["leftTime > rightTime - interval '00:03' minute to second", 7000],
    ["rightTime < leftTime - interval '1 20:30:40' day to second", 160_250_000],
    ["rightTime - interval 1 second < leftTime - interval '20:15:32' hour to second", 72_941_000],
    ['leftTime > rightTime + interval 1 month', null],
  ],
  'numbers moved by constants, on either side': [
    ['CAST(leftTime AS LONG) > CAST(rightTime AS LONG) + 1', 11_000],
    ['CAST(leftTime AS LONG) > CAST((rightTime + interval 1 second) AS LONG)', 11_000],
    ['CAST(leftTime AS LONG) > 2 + CAST(rightTime AS LONG)', 12_000],
    ['CAST(leftTime AS LONG) > -0.5 + CAST(rightTime AS LONG)', 9500],
    ['CAST(leftTime AS LONG) - CAST(rightTime AS LONG) > 2', 12_000],
    ['-CAST(rightTime AS DOUBLE) + CAST(leftTime AS LONG) > 0.1', 10_100],
    ['0 > CAST(rightTime AS LONG) - CAST(leftTime AS LONG) + 0.2', 10_200],
    ['CAST((leftTime + interval 3 second) AS LONG) > CAST(rightTime AS LONG)', 7000],
    ['CAST(leftTime AS LONG) + 0.5 > CAST(rightTime AS LONG)', 9500],
    ['CAST(leftTime AS LONG) - CAST(rightTime AS LONG) - 2 > 0', 12_000],
    ['CAST(leftTime AS LONG) - 2.0 > CAST(rightTime AS LONG) + 1', 13_000],
    ['CAST(leftTime AS LONG) > CAST(rightTime AS LONG) - 10', 0],
    ['CAST(leftTime AS LONG) > CAST(rightTime AS LONG) - 100', -90_000],
  ],
  'several conditions: the one that keeps rows longest': [
    ['leftTime > rightTime - interval 3 second AND rightTime < leftTime + interval 2 seconds', 7000],
    ['leftTime > rightTime - interval 3 second AND rightTime < leftTime + interval 4 seconds', 6000],
    ['leftOther > rightOther AND leftTime > rightTime', 10_000],
  ],
  'comparisons of something else': [
    ['cast(leftTime AS LONG) > leftOther', null],
    ['leftOther > rightOther', null],
    ['cast(rightTime AS DOUBLE) < rightOther', null],
  ],
}
for (const [name, cases] of Object.entries(groups)) {
  test(`extract watermark from time condition: ${name}`, () => {
    for (const [condition, expected] of cases) expect(watermarkFrom(condition), condition).toBe(expected)
  })
}
