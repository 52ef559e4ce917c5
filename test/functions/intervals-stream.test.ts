/** Intervals in the state of a query: as keys and as accumulators, through snapshots, changelogs and a restart; and lambdas over its rows. */
import { avg, count, exists, MemoryStream, max, min, sum, t, transform } from 'millrace'
import { addData, checkAnswer, processAllAvailable, startStream, stopStream, testStream } from 'millrace/testing'
import { Temporal } from 'temporal-polyfill'
import { expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'

const engine = useEngine()
const duration = (text: string) => Temporal.Duration.from(text)
const fields = {
  took: t.interval('minute').nullable(),
  age: t.interval('year to month').nullable(),
  laps: t.array(t.interval('day to second')),
}

test('intervals are keys and values of state', async () => {
  const input = new MemoryStream(engine(), fields)
  const totals = input
    .toDF()
    .groupBy('took')
    .agg(({ age, laps }) => ({ n: count(), oldest: max(age), youngest: min(age), most: max(laps) }))
    .select(({ took, n, oldest, youngest, most }) => ({
      took: took.cast('string'),
      n,
      oldest: oldest.cast('string'),
      youngest: youngest.cast('string'),
      most: most.cast('string'),
    }))
  await testStream(totals, { outputMode: 'complete' }, [
    addData(input, { took: 'PT5M', age: 'P1Y', laps: ['PT1S'] }, { took: null, age: null, laps: [] }),
    startStream(),
    processAllAvailable(),
    stopStream(),
    addData(input, { took: duration('PT5M'), age: 'P14M', laps: [duration('PT0.5S')] }, { took: '-PT5M', age: '-P1M', laps: ['P1D'] }),
    startStream(),
    processAllAvailable(),
    checkAnswer(
      {
        took: "INTERVAL '05' MINUTE",
        n: 2n,
        oldest: "INTERVAL '1-2' YEAR TO MONTH",
        youngest: "INTERVAL '1-0' YEAR TO MONTH",
        most: "[INTERVAL '0 00:00:01' DAY TO SECOND]",
      },
      { took: null, n: 1n, oldest: null, youngest: null, most: '[]' },
      {
        took: "INTERVAL '-05' MINUTE",
        n: 1n,
        oldest: "INTERVAL '-0-1' YEAR TO MONTH",
        youngest: "INTERVAL '-0-1' YEAR TO MONTH",
        most: "[INTERVAL '1 00:00:00' DAY TO SECOND]",
      },
    ),
  ])
})

test('sums and means of intervals, in a batch and over a stream', async () => {
  const rows = [
    { k: 'a', took: duration('PT1H'), age: 'P1Y' },
    { k: 'a', took: duration('PT30M'), age: 'P2M' },
    { k: 'b', took: null, age: null },
  ]
  const columns = { k: t.string(), took: t.interval('minute').nullable(), age: t.interval('year to month').nullable() }
  const expected = [
    { k: 'a', total: "INTERVAL '90' MINUTE", mean: "INTERVAL '0 00:45:00' DAY TO SECOND", months: "INTERVAL '0-7' YEAR TO MONTH" },
    { k: 'b', total: null, mean: null, months: null },
  ]
  const input = new MemoryStream(engine(), columns)
  const texts = ({ k, total, mean, months }: any) => ({
    k,
    total: total.cast('string'),
    mean: mean.cast('string'),
    months: months.cast('string'),
  })
  const batch = engine()
    .createDataFrame(rows, columns)
    .groupBy('k')
    .agg(({ took, age }) => ({ total: sum(took), mean: avg(took), months: avg(age) }))
  expect(await batch.select(texts).orderBy('k').collect()).toEqual(expected)
  const stream = input
    .toDF()
    .groupBy('k')
    .agg(({ took, age }) => ({ total: sum(took), mean: avg(took), months: avg(age) }))
    .select(texts)
  await testStream(stream, { outputMode: 'complete' }, [
    addData(input, rows[0]!),
    startStream(),
    processAllAvailable(),
    addData(input, rows[1]!, rows[2]!),
    processAllAvailable(),
    checkAnswer(...expected),
  ])
})

test('lambdas over the rows of a stream, and over what is grouped', async () => {
  const input = new MemoryStream(engine(), { k: t.string(), xs: t.array(t.int().nullable()), n: t.int() })
  const rows = input
    .toDF()
    .where(({ xs, n }) => exists(xs, (x) => x.gt(n)))
    .select(({ k, xs, n }) => ({ k, ys: transform(xs, (x, i) => x.mul(n).add(i)) }))
  await testStream(rows, [
    addData(input, { k: 'a', xs: [1, null, 3], n: 2 }, { k: 'b', xs: [1], n: 2 }, { k: 'c', xs: [], n: 0 }),
    startStream(),
    processAllAvailable(),
    checkAnswer({ k: 'a', ys: [2, null, 8] }),
  ])
})
