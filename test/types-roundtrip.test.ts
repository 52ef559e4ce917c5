// Every type, with the values that are easily lost, through every way that values take: rows of the program, literals, files, state.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { col, collect_list, Decimal, first, lit, MemoryStream, max, t } from 'millrace'
import { addData, processAllAvailable, startStream, stopStream, testStream } from 'millrace/testing'
import { Temporal } from 'temporal-polyfill'
import { afterAll, describe, expect, test } from 'vitest'
import { useEngine } from './cases/harness.ts'

const engine = useEngine()
const folder = mkdtempSync(join(tmpdir(), 'millrace-types-'))
afterAll(() => rmSync(folder, { recursive: true }))

const instant = (text: string) => Temporal.Instant.from(text)
const wide = new Decimal(-(10n ** 38n) + 1n, 38)
const cases: readonly (readonly [name: string, type: any, values: readonly unknown[]])[] = [
  ['boolean', t.boolean(), [true, false]],
  ['byte', t.byte(), [-128, 127, 0]],
  ['short', t.short(), [-32768, 32767]],
  ['int', t.int(), [-2147483648, 2147483647]],
  ['long', t.long(), [-(2n ** 63n), 2n ** 63n - 1n, 9007199254740993n, 0n]],
  ['float', t.float(), [1.5, Number.NaN, Number.POSITIVE_INFINITY, -0, Math.fround(0.1), Math.fround(1e-45)]],
  ['double', t.double(), [0.1, Number.NaN, Number.NEGATIVE_INFINITY, -0, 0, 5e-324, 1.7976931348623157e308, 2 ** 53 + 2]],
  ['decimal(4,2)', t.decimal(4, 2), [new Decimal(-9999n, 2), new Decimal(5n, 2)]],
  ['decimal(9,0)', t.decimal(9, 0), [new Decimal(-999999999n, 0)]],
  ['decimal(18,18)', t.decimal(18, 18), [new Decimal(1n, 18), new Decimal(-(10n ** 18n) + 1n, 18)]],
  ['decimal(38,38)', t.decimal(38, 38), [wide, new Decimal(1n, 38)]],
  ['decimal(38,0)', t.decimal(38, 0), [new Decimal(10n ** 38n - 1n, 0)]],
  ['string', t.string(), ['', ' ', 'ü😀', 'a\u0000b', '"quoted", \\ and\nlines', 'null', '\\N', 'long text of more than twelve bytes']],
  ['binary', t.binary(), [new Uint8Array(0), new Uint8Array([0, 255, 128, 10, 34])]],
  ['date', t.date(), ['1969-07-20', '0001-01-01', '9999-12-31', '1582-10-10'].map((text) => Temporal.PlainDate.from(text))],
  [
    'timestamp',
    t.timestamp(),
    ['1969-12-31T23:59:59.999999Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z', '2024-02-29T12:34:56.000001Z'].map(instant),
  ],
  [
    'timestamp_ntz',
    t.timestamp_ntz(),
    ['1969-12-31T23:59:59.999999', '0001-01-01T00:00:00'].map((text) => Temporal.PlainDateTime.from(text)),
  ],
  ['array', t.array(t.int().nullable()), [[], [null], [1, null, 2]]],
  ['array of binary', t.array(t.binary()), [[new Uint8Array([1]), new Uint8Array(0)]]],
  [
    'map',
    t.map(t.string(), t.long().nullable()),
    [
      new Map(),
      new Map([
        ['a', 1n],
        ['', null],
      ]),
    ],
  ],
  ['map by long', t.map(t.long(), t.string()), [new Map([[2n ** 60n + 1n, 'x']])]],
  [
    'map of structs',
    t.map(t.string(), t.struct({ p: t.double().nullable(), q: t.date() })),
    [new Map([['k', { p: null, q: Temporal.PlainDate.from('2020-01-01') }]])],
  ],
  [
    'struct',
    t.struct({ a: t.long(), b: t.string().nullable() }),
    [
      { a: 1n, b: null },
      { a: -1n, b: 'x' },
    ],
  ],
  [
    'three deep',
    t.array(t.map(t.string(), t.array(t.struct({ at: t.timestamp().nullable(), d: t.decimal(38, 2) })))),
    [
      [
        new Map([
          [
            'k',
            [
              { at: instant('1969-12-31T23:59:59.999999Z'), d: new Decimal(-(10n ** 37n), 2) },
              { at: null, d: new Decimal(0n, 2) },
            ],
          ],
        ]),
      ],
      [new Map([['e', []]])],
      [],
    ],
  ],
]

/** A value as text: equal texts are equal values, -0 and 0 apart. */
function text(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`
  if (Array.isArray(value)) return `[${value.map(text).join()}]`
  if (value instanceof Map) return `{${[...value].map(([k, v]) => `${text(k)} -> ${text(v)}`).join()}}`
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    return `(${Object.entries(value)
      .map(([k, v]) => `${k}: ${text(v)}`)
      .join()})`
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
const texts = (values: readonly unknown[]) => values.map(text)

describe.each(cases)('%s', (name, type, values) => {
  const given = [...values, null]
  const fields = { i: t.int(), v: type.nullable() }
  const rows = given.map((v, i) => ({ i, v }))
  const frame = () => engine().createDataFrame(rows as never, fields)
  const collected = async (one: { orderBy(name: string): { collect(): Promise<unknown[]> } }) =>
    texts(((await one.orderBy('i').collect()) as { v: unknown }[]).map(({ v }) => v))

  test('as rows of the program', async () => {
    expect(await collected(frame() as never)).toEqual(texts(given))
  })
  test('as literals', async () => {
    if (typeof type.type === 'object' && type.type.kind !== 'decimal') return // nested values are written with array(…), struct(…)
    const columns = Object.fromEntries(values.map((v, i) => [`c${i}`, lit(v as never, type)]))
    const [row] = (await engine()
      .createDataFrame([{}], {})
      .select(() => columns)
      .collect()) as Record<string, unknown>[]
    expect(texts(Object.values(row!))).toEqual(texts(values))
  })
  // text files hold times to the millisecond, as Spark's do by default
  const asText = (v: unknown) => {
    if (v instanceof Temporal.Instant) return Temporal.Instant.fromEpochMilliseconds(v.epochMilliseconds)
    return v instanceof Temporal.PlainDateTime ? v.with({ microsecond: 0 }) : v
  }

  test('through parquet', async () => {
    const path = join(folder, `${name}.parquet`)
    await frame().write.format('parquet').save(path)
    expect(await collected(engine().read.schema(fields).parquet(path) as never)).toEqual(texts(given))
  })
  // docs/differences.md, "Where we would rather be the same": JSON keeps 15 digits of a decimal; base64 inside an array is not read
  test.skipIf(/^decimal\((18|38)|^array of binary|^three deep/.test(name))('through json', async () => {
    const path = join(folder, `${name}.json`)
    await frame().write.format('json').save(path)
    expect(await collected(engine().read.schema(fields).json(path) as never)).toEqual(texts(given.map(asText)))
  })
  // CSV has no nested values, and a null and an empty text are one in it, as in Spark
  const inCsv = (typeof type.type === 'string' || type.type.kind === 'decimal') && name !== 'binary' && name !== 'string'
  test.skipIf(!inCsv)('through csv', async () => {
    const path = join(folder, `${name}.csv`)
    await frame().write.format('csv').save(path)
    expect(await collected(engine().read.schema(fields).csv(path) as never)).toEqual(texts(given.map(asText)))
  })
  test('through state, over a restart', async () => {
    const isMap = text(values[0]).startsWith('{') || name.startsWith('three')
    const input = new MemoryStream(engine(), { k: t.int(), v: type.nullable() } as never)
    const value = () => col('v') as never
    const grouped = input
      .toDF()
      .groupBy('k' as never)
      .agg(() => ({ one: first(value(), true), all: collect_list(value()), ...(!isMap && { most: max(value()) }) }) as never)
    const block = given.map((v, k) => ({ k, v }))
    await testStream(grouped as never, { outputMode: 'complete' }, [
      addData(input as never, ...(block as never[])),
      processAllAvailable(),
      stopStream(),
      startStream(),
      addData(input as never, { k: -1, v: null } as never),
      processAllAvailable(),
      {
        name: 'the values are what they were',
        run: async (one) => {
          await one.settle()
          const out = new Map(one.sink.lastBatch.map((row) => [row['k'], row]))
          expect(given.map((_, k) => text(out.get(k)!['one']))).toEqual(texts(given))
          expect(values.map((_, k) => text(out.get(k)!['all']))).toEqual(values.map((v) => text([v])))
          if (!isMap) expect(given.map((_, k) => text(out.get(k)!['most']))).toEqual(texts(given))
        },
      },
    ])
  })
  test('as a key of state', async () => {
    if (text(values[0]).startsWith('{') || name.startsWith('three')) return // maps are no keys
    const input = new MemoryStream(engine(), { v: type.nullable() } as never)
    const grouped = input
      .toDF()
      .groupBy('v' as never)
      .count()
    await testStream(grouped as never, { outputMode: 'complete' }, [
      addData(input as never, ...(given.map((v) => ({ v })) as never[])),
      processAllAvailable(),
      stopStream(),
      startStream(),
      addData(input as never, ...(given.map((v) => ({ v })) as never[])),
      processAllAvailable(),
      {
        name: 'each key twice',
        run: async (one) => {
          await one.settle()
          const zero = (v: string) => (v === '-0' ? '0' : v) // one group
          const keys = new Set(texts(given).map(zero))
          expect(new Set(one.sink.lastBatch.map((row) => text(row['v'])))).toEqual(keys)
          const twice = one.sink.lastBatch.filter((row) => Number(row['count']) === 2).length
          expect(twice).toBe(given.some((v) => Object.is(v, -0)) && given.some((v) => Object.is(v, 0)) ? keys.size - 1 : keys.size)
        },
      },
    ])
  })
})
