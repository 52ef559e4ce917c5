import fc from 'fast-check'
import { expr, millrace, t } from 'millrace'
import { Temporal } from 'temporal-polyfill'
import { afterAll, beforeAll, expect, test } from 'vitest'

let engine: Awaited<ReturnType<typeof millrace.local>>
beforeAll(async () => {
  engine = await millrace.local()
})
afterAll(() => engine.close())

/** Letters that DuckDB's strftime writes, text, and one in brackets. A pattern with a letter more (the quarter) is put together by pieces. */
const pattern = fc
  .array(
    fc.constantFrom(
      ...['yyyy', 'MM', 'MMM', 'MMMM', 'dd', 'EEE', 'EEEE', 'HH', 'hh', 'mm', 'ss', 'SSS', 'SSSSSS', 'a'],
      ...["'100%'", "''", '[.SSS]'],
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.join(' '))
const edges = ['0001-01-01T00:00:00Z', '0999-12-31T23:59:59.999999Z', '1000-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z']
const time = fc.oneof(
  fc.constantFrom(...edges, '+010000-01-01T00:00:00Z', '1969-12-31T23:59:59.999999Z', '2024-02-29T12:00:00.000001Z'),
  fc.integer({ min: -60_000_000_000, max: 400_000_000_000 }).map((s) => Temporal.Instant.fromEpochMilliseconds(s * 1000).toString()),
)

test('a time that DuckDB formats is formatted as by pieces, in every year', async () => {
  const seed = Number(process.env['MILLRACE_SEED'] ?? Date.now() % 1_000_000)
  await fc.assert(
    fc.asyncProperty(pattern, fc.array(time, { minLength: 5, maxLength: 20 }), async (source, times) => {
      const quoted = source.replaceAll("'", "\\'")
      const rows = engine
        .createDataFrame([...times.map((at) => ({ at: Temporal.Instant.from(at) })), { at: null }], { at: t.timestamp().nullable() })
        .select(() => ({ short: expr(`date_format(at, '${quoted}')`), long: expr(`date_format(at, '${quoted}q')`) }))
      for (const { short, long } of await rows.collect()) expect(short).toBe(long === null ? null : String(long).slice(0, -1))
    }),
    { seed, numRuns: Number(process.env['MILLRACE_PATTERN_RUNS'] ?? 40) },
  )
})
test('the usual patterns do run in DuckDB', () => {
  const rows = engine.createDataFrame([{ at: null }], { at: t.timestamp().nullable() })
  expect(rows.select(() => ({ day: expr("date_format(at, 'yyyy-MM-dd HH:mm')") })).explain('simple')).toContain(
    "strftime(t0.c0, '%Y-%m-%d %H:%M')",
  )
})
