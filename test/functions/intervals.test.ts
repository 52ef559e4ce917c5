/** Intervals from end to end: schemas, rows, files, state. What their functions and operators give is compared with Spark in examples/. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { col, lit, millrace, t } from 'millrace'
import { Temporal } from 'temporal-polyfill'
import { afterAll, beforeAll, expect, test } from 'vitest'

let engine: Awaited<ReturnType<typeof millrace.local>>
const folder = mkdtempSync(join(tmpdir(), 'millrace-intervals-'))
beforeAll(async () => {
  engine = await millrace.local()
})
afterAll(async () => {
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})
const duration = (text: string) => Temporal.Duration.from(text)
const rows = [
  { id: 1, took: duration('P1DT2H3M4.5S'), age: duration('P1Y2M'), steps: [duration('PT1M')] },
  { id: 2, took: '-PT0.000001S', age: '-P3M', steps: [] },
  { id: 3, took: null, age: null, steps: [] },
]
const frame = () =>
  engine.createDataFrame(rows, {
    id: t.int(),
    took: t.interval('day to second').nullable(),
    age: t.interval('year to month').nullable(),
    steps: t.array(t.interval('minute')),
  })

test('rows go in and come out as durations, and nothing is lost', async () => {
  const out = await frame().collect()
  expect(out.map((row) => [String(row.took), String(row.age), row.steps.map(String)])).toEqual([
    ['P1DT2H3M4.5S', 'P1Y2M', ['PT1M']],
    ['-PT0.000001S', '-P3M', []],
    ['null', 'null', []],
  ])
  const bad = (row: object) => () => engine.createDataFrame([row as any], { took: t.interval('day'), age: t.interval('year to month') })
  expect(bad({ took: 'PT1H', age: 'P1M' })).toThrow('INVALID_EXTERNAL_TYPE')
  expect(bad({ took: 'P1D', age: 'P1D' })).toThrow('INVALID_EXTERNAL_TYPE')
  expect(bad({ took: 'P106751992D', age: 'P1M' })).toThrow('NUMERIC_VALUE_OUT_OF_RANGE')
})

test('schemas as DDL and as JSON', () => {
  const schema = engine.createDataFrame([], 'a interval day to second, b INTERVAL YEAR TO MONTH NOT NULL, c array<interval hour>').schema
  expect(schema.fields.map((field) => field.type)).toEqual([
    'interval day to second',
    'interval year to month',
    { kind: 'array', element: 'interval hour', containsNull: true },
  ])
  expect(() => engine.createDataFrame([], 'a interval second to day')).toThrow('PARSE_SYNTAX_ERROR')
  expect(() => engine.createDataFrame([], 'a interval')).toThrow('PARSE_SYNTAX_ERROR')
})

test('arithmetic, comparison and casts', async () => {
  const at = lit(Temporal.Instant.from('2024-01-31T10:00:00Z'))
  const [row] = await frame()
    .limit(1)
    .select(({ took, age }) => ({
      twice: took.mul(2).cast('string'),
      third: age.div(3).cast('string'),
      later: at.plus(took),
      nextMonth: at.plus(duration('P1M')),
      longer: took.gt(duration('P1D')),
      seconds: took.cast('long'),
      negative: took.neg().cast('string'),
      back: took.cast('string').cast('interval day to second').eq(took),
      between: at.sub(lit(Temporal.Instant.from('2024-01-31T09:00:00Z'))),
    }))
    .collect()
  expect(Object.values(row!).map(String)).toEqual([
    "INTERVAL '2 04:06:09' DAY TO SECOND",
    "INTERVAL '0-5' YEAR TO MONTH",
    '2024-02-01T12:03:04.5Z',
    '2024-02-29T10:00:00Z',
    'true',
    '93784',
    "INTERVAL '-1 02:03:04.5' DAY TO SECOND",
    'true',
    'PT1H',
  ])
  await expect(frame().select(col('took').div(0).as('x')).collect()).rejects.toThrow('INTERVAL_DIVIDED_BY_ZERO')
  await expect(frame().select(lit('x').cast('interval day').as('x')).collect()).rejects.toThrow('INVALID_INTERVAL_FORMAT')
  expect(() => lit(duration('P1M1D'))).toThrow('INVALID_LITERAL')
})

test.each(['parquet', 'json', 'csv'] as const)('%s files', async (format) => {
  const path = join(folder, format)
  const schema = 'id int, took interval day to second, age interval year to month'
  await frame().select('id', 'took', 'age').write.format(format).save(path)
  if (format === 'json') {
    const file = readdirSync(path).find((name) => name.endsWith('.json'))!
    expect(readFileSync(join(path, file), 'utf8').split('\n')[0]).toBe(
      `{"id":1,"took":"INTERVAL '1 02:03:04.5' DAY TO SECOND","age":"INTERVAL '1-2' YEAR TO MONTH"}`,
    )
  }
  const back = await engine.read.format(format).schema(schema).load(path).orderBy(col('id')).collect()
  expect(back.map((row) => `${row.took} ${row.age}`)).toEqual(['P1DT2H3M4.5S P1Y2M', '-PT0.000001S -P3M', 'null null'])
})
