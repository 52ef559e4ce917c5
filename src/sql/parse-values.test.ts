import { type DuckDBConnection, DuckDBInstance, listValue } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseTimestamp } from './parse-values.ts'

let duckdb: DuckDBConnection
beforeAll(async () => {
  duckdb = await (await DuckDBInstance.create(':memory:')).connect()
  await duckdb.run("SET TimeZone = 'UTC'")
})
afterAll(() => duckdb.closeSync())

const twoDigits = (max: number) =>
  fc.integer({ min: 0, max }).chain((n) => fc.constantFrom(String(n).padStart(2, '0'), String(n).padStart(2, '0'), String(n)))
const year = fc.oneof(
  fc.integer({ min: 1960, max: 2030 }).map(String),
  fc.integer({ min: 1, max: 20_500 }).map(String),
  fc.constantFrom('2', '20', '21', '197', '1970', '1971', '2261', '2262', '2263', '19710', '20000', '0001', '9999', '-0044'),
)
const day = fc.tuple(year, fc.constantFrom('-', '-', '-', '/'), twoDigits(13), twoDigits(32)).map(([y, dash, m, d]) => [y, m, d].join(dash))
const fraction = fc.oneof(fc.constantFrom('', '', '.123', '.999999999', '.0000005', '.'), fc.stringMatching(/^\.[0-9]{1,12}$/))
const clock = fc.oneof(
  fc.constantFrom('', ' 24:00:00', ' 23:59:59', ' 00:00:00', 'T00:00'),
  fc
    .tuple(fc.constantFrom(' ', 'T', '  '), twoDigits(24), twoDigits(60), twoDigits(60), fraction)
    .map(([t, h, m, s, f]) => `${t}${h}:${m}:${s}${f}`),
)
const offset = fc.oneof(
  fc.constantFrom('', '', '', 'Z', ' UTC', ' GMT', '+99:59', '-9999', ' ', 'x', ' (BC)'),
  fc
    .tuple(
      fc.constantFrom('+', '-', ' +', ' -'),
      twoDigits(18),
      fc.oneof(
        fc.constantFrom('', '00', ':30:15'),
        twoDigits(60).map((m) => `:${m}`),
      ),
    )
    .map((parts) => parts.join('')),
)
const edges = fc.constantFrom(
  '2262-01-01',
  '2261-12-31 23:59:59.999999999',
  '1971-01-01 00:00:00.0000005',
  '1970-12-31 23:59:59.0000005',
  '2262-04-11 23:47:16.854775807',
  '1677-09-21 00:12:43.145224193',
)
const text = fc.oneof(
  {
    weight: 20,
    arbitrary: fc
      .tuple(fc.oneof({ weight: 4, arbitrary: day }, { weight: 1, arbitrary: edges }), clock, offset)
      .map((parts) => parts.join('')),
  },
  { weight: 1, arbitrary: fc.constantFrom('', 'infinity', '-infinity', 'epoch', '20240101', '1-1-1 1:1+01', ' 2024-01-01', '2', '2000') },
)

/** Of each text: what we make of it, and what DuckDB's cast does, as microseconds. */
async function parsed(texts: readonly string[]): Promise<readonly (readonly [string, bigint | null, bigint | null])[]> {
  const rows = await duckdb.runAndReadAll(
    `SELECT t, epoch_us(${parseTimestamp('t', null)}), epoch_us(CASE WHEN isfinite(z) THEN z END)
     FROM (SELECT t, try_cast(t AS TIMESTAMPTZ) AS z FROM (SELECT unnest($1::VARCHAR[]) AS t))`,
    [listValue([...texts])],
  )
  return rows.getRows() as unknown as [string, bigint | null, bigint | null][]
}

test('a text that is a TIMESTAMPTZ to DuckDB is that time, whichever cast reads it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 200, maxLength: 400, size: 'max' }), async (texts) => {
      const rows = await parsed(texts)
      expect(rows.filter(([, ours, theirs]) => theirs !== null && ours !== theirs)).toEqual([])
    }),
    { numRuns: 20, endOnFailure: true },
  )
})

test('the zone that a text names is its own', async () => {
  const rows = await parsed([
    '2024-01-01 12:00:00 Europe/Berlin',
    '2024-01-01 12:00:00',
    '1950-01-01 12:00:00',
    '9999-12-31 12:00:00',
    '1950-01-01 12:00:00+01',
  ])
  const utc = (text: string) => BigInt(Date.parse(text)) * 1000n
  expect(rows.map(([, ours]) => ours)).toEqual(
    ['2024-01-01T11:00:00Z', '2024-01-01T12:00:00Z', '1950-01-01T12:00:00Z', '9999-12-31T12:00:00Z', '1950-01-01T11:00:00Z'].map(utc),
  )
})
