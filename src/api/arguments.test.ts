import { col, collect_list, count, expr, MemoryStream, max, millrace, session_window, sum, t, window } from 'millrace'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// What plain JavaScript may give where the compiler asks for text or for a column.
type Untyped = any
let engine: Untyped
beforeAll(async () => {
  engine = await millrace.local({ threads: 1, print: () => {} })
})
afterAll(() => engine.close())
const stream = (): Untyped => new MemoryStream(engine, { k: t.string(), at: t.timestamp(), v: t.int() }).toDF()

const bad = [null, undefined, 5, 10n, true, {}, ['k', null], Symbol('k'), () => 'k'] as Untyped[]
const takesText: Readonly<Record<string, (value: Untyped) => unknown>> = {
  drop: (value) => stream().drop(value),
  'a name in dropDuplicates': (value) => stream().dropDuplicates([value]),
  withWatermark: (value) => stream().withWatermark(value, '1 second'),
  col: (value) => col(value),
  expr: (value) => expr(value),
  as: (value) => col('v').as(value),
  cast: (value) => (col('v') as Untyped).cast(value),
  'format of a reader': (value) => engine.readStream.format(value),
  'format of a writer': (value) => stream().writeStream.format(value),
  partitionBy: (value) => stream().writeStream.partitionBy(value),
  'conf.set': (value) => engine.conf.set(value, 'x'),
  'the gap of a session': (value) => session_window(col('at') as Untyped, value),
  eventTimeColumnName: (value) =>
    value === undefined
      ? col(value)
      : stream()
          .groupBy('k')
          .transformWithState(() => ({ init() {}, handleInputRows: () => [] }), { output: { k: t.string() }, eventTimeColumnName: value }),
}
test.each(Object.entries(takesText))('%s says that it takes text', (_, call) => {
  for (const value of bad) expect(() => call(value), String(value)).toThrow(expect.objectContaining({ code: 'NOT_A_TEXT' }))
})
test.each(['dropDuplicates', 'dropDuplicatesWithinWatermark'])('%s takes a list of names, or nothing', (method) => {
  const frame = stream().withWatermark('at', '1 second')
  for (const value of ['k', 5, true, {}, () => 'k']) {
    expect(() => frame[method](value), String(value)).toThrow(
      expect.objectContaining({ code: 'NOT_A_TEXT', todo: expect.stringContaining(method) }),
    )
  }
  for (const value of [undefined, null, ['k']]) expect(frame[method](value).columns).toEqual(['k', 'at', 'v'])
})
test('the name of a query is text, or none', () => {
  for (const value of [5, {}, []])
    expect(() => stream().writeStream.queryName(value)).toThrow(expect.objectContaining({ code: 'NOT_A_TEXT' }))
  expect(() => stream().writeStream.queryName(null)).not.toThrow()
})
test('settings come as an object', async () => {
  const calls: Readonly<Record<string, (value: Untyped) => unknown>> = {
    'options of a writer': (value) => stream().writeStream.options(value),
    'options of a reader': (value) => engine.readStream.options(value),
    listener: (value) => engine.streams.addListener(value),
  }
  for (const [name, call] of Object.entries(calls)) {
    for (const value of [null, undefined, 5, 'x', ['a']]) {
      expect(() => call(value), `${name} ${value}`).toThrow(expect.objectContaining({ code: 'NOT_AN_OBJECT' }))
    }
  }
  for (const value of [null, 5, 'x']) {
    expect(() => stream().withWatermark('at', '1 second', value)).toThrow(expect.objectContaining({ code: 'NOT_AN_OBJECT' }))
    expect(() => new MemoryStream(value as Untyped, { k: t.string() })).toThrow(expect.objectContaining({ code: 'NOT_AN_OBJECT' }))
    await expect(millrace.local(value as Untyped)).rejects.toMatchObject({ code: 'NOT_AN_OBJECT' })
    await expect(millrace.local({ conf: value as Untyped })).rejects.toMatchObject({ code: 'NOT_AN_OBJECT' })
  }
  await expect(millrace.local({ thread: 1 } as Untyped)).rejects.toMatchObject({ code: 'UNKNOWN_OPTION', todo: 'did you mean "threads"?' })
  await expect(millrace.local({ 'spark.sql.shuffle.partitions': 4 } as Untyped)).rejects.toMatchObject({
    code: 'UNKNOWN_OPTION',
    todo: expect.stringContaining('conf: {'),
  })
})
test('addData takes rows one by one', () => {
  const rows = [{ k: 'a' }]
  const refused = { code: 'INVALID_EXTERNAL_TYPE', todo: expect.stringContaining('addData(...rows)') }
  expect(() => new MemoryStream(engine, { k: t.string() }).addData(rows as Untyped)).toThrow(expect.objectContaining(refused))
})
describe('a text in the place of a column', () => {
  test.each(Object.entries({ max, sum, count, collect_list }) as [string, (value: Untyped) => unknown][])(
    '%s refuses it, where it would be a constant',
    (_, aggregate) => {
      const refused = { code: 'NOT_A_COLUMN', todo: expect.stringContaining('col("v")') }
      expect(() => aggregate('v')).toThrow(expect.objectContaining(refused))
    },
  )
  test('and so do windows', () => {
    const refused = expect.objectContaining({ code: 'NOT_A_COLUMN' })
    expect(() => window('at' as Untyped, '1 minute')).toThrow(refused)
    expect(() => session_window('at' as Untyped, '1 minute')).toThrow(refused)
  })
})
