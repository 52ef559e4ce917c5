/** Functions that hang on the session's time zone, as Spark 4.2.0 computes them under spark.sql.session.timeZone = America/New_York. */
import { expr, millrace } from 'millrace'
import { expect, test } from 'vitest'

const cases: readonly (readonly [sql: string, text: string])[] = [
  ["hour(timestamp'2024-07-01 12:00:00Z')", '8'],
  ["cast(timestamp'2024-03-10 07:30:00Z' as string)", '2024-03-10 03:30:00'],
  ["cast('2024-03-10 02:30:00' as timestamp) = timestamp'2024-03-10 07:30:00Z'", 'true'],
  ["unix_seconds(cast('2024-11-03 01:30:00' as timestamp))", '1730611800'],
  ["unix_seconds(cast(date'2024-07-01' as timestamp))", '1719806400'],
  ["cast(timestamp'2024-07-01 02:00:00Z' as date)", '2024-06-30'],
  ["cast(timestamp'2024-07-01 02:00:00Z' as timestamp_ntz)", '2024-06-30 22:00:00'],
  ["unix_seconds(cast(timestamp_ntz'2024-07-01 00:00:00' as timestamp))", '1719806400'],
  ["unix_seconds(date_trunc('day', timestamp'2024-07-01 02:00:00Z'))", '1719720000'],
  ["unix_seconds(date_trunc('hour', timestamp'2024-11-03 06:30:00Z'))", '1730613600'],
  ["unix_seconds(timestamp'2024-03-09 12:00:00' + interval '1' day)", '1710086400'],
  ["unix_seconds(timestamp'2024-03-09 12:00:00' + interval '24' hour)", '1710086400'],
  ["unix_seconds(timestamp'2024-02-10 12:00:00' + interval '1' month)", '1710086400'],
  ["timestamp'2024-03-11 12:00:00' - timestamp'2024-03-09 12:00:00'", "INTERVAL '2 00:00:00' DAY TO SECOND"],
  ["timestampdiff(HOUR, timestamp'2024-03-09 12:00:00', timestamp'2024-03-10 12:00:00')", '24'],
  ["unix_seconds(timestampadd(HOUR, 24, timestamp'2024-03-09 12:00:00'))", '1710090000'],
  ["unix_seconds(timestampadd(HOUR, 23, timestamp'2024-03-09 12:00:00'))", '1710086400'],
  [
    "date_format(timestamp'2024-07-01 12:00:00Z', 'yyyy-MM-dd HH:mm XXX xx Z ZZZZ O VV')",
    '2024-07-01 08:00 -04:00 -0400 -0400 GMT-04:00 GMT-4 America/New_York',
  ],
  ["unix_seconds(to_timestamp('2024-07-01 12:00', 'yyyy-MM-dd HH:mm'))", '1719849600'],
  ["unix_seconds(to_timestamp('2024-07-01 12:00 +02:00', 'yyyy-MM-dd HH:mm XXX'))", '1719828000'],
  ["to_date('2024-07-01', 'yyyy-MM-dd')", '2024-07-01'],
  ["unix_timestamp('2024-01-01', 'yyyy-MM-dd')", '1704085200'],
  ['from_unixtime(0)', '1969-12-31 19:00:00'],
  ['unix_seconds(make_timestamp(2024, 7, 1, 0, 0, 0))', '1719806400'],
  ['current_timezone()', 'America/New_York'],
  ["convert_timezone('UTC', timestamp_ntz'2024-07-01 00:00:00')", '2024-07-01 04:00:00'],
  ["months_between(timestamp'2024-03-01 04:30:00Z', timestamp'2024-01-31 04:30:00Z')", '0.96774194'],
  ["unix_seconds(timestamp'2024-07-01 00:00:00')", '1719806400'],
  [
    "transform(sequence(timestamp'2024-03-09 00:00:00', timestamp'2024-03-12 00:00:00', interval '1' day), x -> unix_seconds(x))",
    '[1709960400, 1710046800, 1710129600, 1710216000]',
  ],
  ["date_part('hour', timestamp'2024-07-01 12:00:00Z')", '8'],
  ["unix_seconds(from_utc_timestamp(timestamp'2024-07-01 12:00:00Z', 'Asia/Tokyo'))", '1719867600'],
  ["datediff(timestamp'2024-07-02 03:00:00Z', timestamp'2024-07-01 05:00:00Z')", '0'],
  ["cast(array(timestamp'2024-07-01 12:00:00Z') as string)", '[2024-07-01 08:00:00]'],
  ["unix_seconds(date'2024-07-01' + interval '1' hour)", '1719810000'],
  ["minute(timestamp'1850-01-01 00:00:00Z')", '3'],
]

test('in New York', async () => {
  const engine = await millrace.local({ conf: { 'spark.sql.session.timeZone': 'America/New_York' } })
  const frame = engine.createDataFrame([{ one: 1 }], 'one int')
  const [row] = await frame.select(...cases.map(([sql], i) => expr(`cast(${sql} as string)`).as(`c${i}`))).collect()
  expect(cases.map(([sql], i) => [sql, (row as Record<string, unknown>)[`c${i}`]])).toEqual(cases)
  await engine.close()
})

// the clock goes back by half an hour on Lord Howe, and UTC+5:30 has no whole hours
test('offsets, and zones that there are not', async () => {
  const at = async (zone: string, sql: string) => {
    const engine = await millrace.local({ conf: { 'spark.sql.session.timeZone': zone } })
    const [row] = await engine
      .createDataFrame([{ one: 1 }], 'one int')
      .select(expr(`cast(${sql} as string)`).as('x'))
      .collect()
    await engine.close()
    return (row as { x: unknown }).x
  }
  expect(await at('+05:30', "hour(timestamp'2024-01-01 00:00:00Z') * 100 + minute(timestamp'2024-01-01 00:00:00Z')")).toBe('530')
  expect(
    await at(
      'Asia/Kolkata',
      "unix_seconds(date_trunc('hour', timestamp'2024-01-01 00:10:00Z')) - unix_seconds(timestamp'2024-01-01 00:00:00Z')",
    ),
  ).toBe('-1800')
  expect(await at('Australia/Lord_Howe', "unix_seconds(timestamp'2024-04-07 01:45:00')")).toBe('1712414700')
  await expect(at('Mars/Olympus', '1')).rejects.toThrow('INVALID_CONF_VALUE.TIME_ZONE')
})
