import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Schema } from './schema.ts'
import { type DataType, decimal, struct } from './types.ts'
import { columnsToRows, Decimal, fromPhysical, rowsToColumns, Temporal, toPhysical } from './values.ts'

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
/** Micros that Temporal and DuckDB can both hold. */
const micros = fc.bigInt({ min: -62135596800000000n, max: 253402300799999999n })
const instant = micros.map((us) => Temporal.Instant.fromEpochNanoseconds(us * 1000n))
const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }))

/** A value of the public form for each type. */
const publicValue: Record<string, [DataType, fc.Arbitrary<unknown>]> = {
  boolean: ['boolean', fc.boolean()],
  byte: ['byte', fc.integer({ min: -128, max: 127 })],
  short: ['short', fc.integer({ min: -32768, max: 32767 })],
  int: ['int', fc.integer()],
  long: ['long', int64],
  float: ['float', fc.float()],
  double: ['double', fc.double()],
  string: ['string', text],
  binary: ['binary', fc.uint8Array()],
  date: [
    'date',
    micros.map((us) =>
      Temporal.Instant.fromEpochNanoseconds(us * 1000n)
        .toZonedDateTimeISO('UTC')
        .toPlainDate(),
    ),
  ],
  timestamp: ['timestamp', instant],
  timestamp_ntz: ['timestamp_ntz', instant.map((t) => t.toZonedDateTimeISO('UTC').toPlainDateTime())],
  'decimal(10,2)': [decimal(10, 2), fc.bigInt({ min: -9999999999n, max: 9999999999n }).map((n) => new Decimal(n, 2))],
  'decimal(38,6)': [decimal(38, 6), fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }).map((n) => new Decimal(n, 6))],
  'array<string>': [{ kind: 'array', element: 'string', containsNull: true }, fc.array(fc.option(text))],
  'map<string,long>': [
    { kind: 'map', key: 'string', value: 'long', valueContainsNull: true },
    fc.array(fc.tuple(text, fc.option(int64))).map((e) => new Map(e)),
  ],
  struct: [
    struct([
      { name: 'at', type: 'timestamp', nullable: true },
      { name: 'n', type: decimal(5, 1), nullable: false },
    ]),
    fc.record({ at: fc.option(instant), n: fc.integer({ min: -99999, max: 99999 }).map((n) => new Decimal(BigInt(n), 1)) }),
  ],
}

/** Temporal values compare by what they print; -0 and NaN are kept apart by Object.is. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) return [...value].map(([k, v]) => [plain(k), plain(v)])
  if (value instanceof Uint8Array) return `bytes ${[...value]}`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return value
  const name = value.constructor?.name
  return name === undefined || name === 'Object'
    ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]))
    : `${name} ${value}`
}

describe('rows to columns and back', () => {
  for (const [name, [type, arbitrary]] of Object.entries(publicValue)) {
    test(`${name} comes back as it went in`, () => {
      const schema = new Schema([{ name: 'x', type, nullable: true }])
      fc.assert(
        fc.property(fc.array(fc.option(arbitrary, { freq: 5 })), (values) => {
          const back = columnsToRows(
            rowsToColumns(
              schema,
              values.map((x) => ({ x })),
            ),
          )
          expect(back.map((row) => plain(row.x))).toEqual(values.map((x) => plain(typeof x === 'string' ? x.toWellFormed() : x)))
        }),
      )
    })
    test(`${name} comes back through its physical form`, () => {
      fc.assert(
        fc.property(arbitrary, (x) => {
          expect(plain(fromPhysical(type, toPhysical(type, x)))).toEqual(plain(x))
        }),
      )
    })
  }

  test('several columns, in the order of the schema', () => {
    const schema = new Schema([
      { name: 'b', type: 'string', nullable: false },
      { name: 'a', type: 'long', nullable: true },
    ])
    const batch = rowsToColumns(schema, [{ a: 1n, b: 'x', extra: 1 }, { b: 'yä' }])
    expect(batch.length).toBe(2)
    expect(columnsToRows(batch)).toEqual([
      { b: 'x', a: 1n },
      { b: 'yä', a: null },
    ])
    expect(batch.columns[0]).toMatchObject({ valid: null, offsets: Uint32Array.of(0, 1, 4) })
    expect(batch.columns[1]).toMatchObject({ valid: Uint8Array.of(1, 0) })
  })

  test('no rows', () => {
    expect(columnsToRows(rowsToColumns(new Schema([{ name: 'x', type: 'string', nullable: false }]), []))).toEqual([])
  })

  test('a slice of a larger heap decodes from its own offsets', () => {
    const heap = new TextEncoder().encode('zzabçd')
    const schema = new Schema([{ name: 'x', type: 'string', nullable: false }])
    for (const [offsets, want] of [
      [
        [2, 3, 4],
        ['a', 'b'],
      ],
      [
        [3, 6, 7],
        ['bç', 'd'],
      ],
    ] as const) {
      const batch = {
        schema,
        length: 2,
        columns: [{ kind: 'bytes', type: 'string', valid: null, heap, offsets: Uint32Array.from(offsets) }] as const,
      }
      expect(columnsToRows(batch).map((row) => row.x)).toEqual(want)
    }
  })

  test('surrogates at the ends of neighbouring strings stay apart, a byte order mark stays', () => {
    const schema = new Schema([{ name: 'x', type: 'string', nullable: false }])
    const back = columnsToRows(rowsToColumns(schema, [{ x: 'a\ud83d' }, { x: '\ude00b' }, { x: '\ufeffc' }]))
    expect(back.map((row) => row.x)).toEqual(['a\ufffd', '\ufffdb', '\ufeffc'])
  })
})

describe('accepted input forms', () => {
  const cases: [DataType, unknown, unknown][] = [
    ['long', 5, 5n],
    ['long', -(2 ** 40) - 3, -(2n ** 40n) - 3n],
    ['long', Number.MIN_SAFE_INTEGER, -9007199254740991n],
    ['timestamp', new Date('2026-01-31T10:00:00.123Z'), 'Instant 2026-01-31T10:00:00.123Z'],
    ['timestamp', new Date(-1), 'Instant 1969-12-31T23:59:59.999Z'],
    ['timestamp', new Date(8.64e15), 'Instant +275760-09-13T00:00:00Z'],
    ['timestamp', '2026-01-31T10:00:00.1234567+01:30', 'Instant 2026-01-31T08:30:00.123456Z'],
    ['timestamp', '2026-01-31 10:00', 'Instant 2026-01-31T10:00:00Z'],
    ['timestamp', '0001-01-01', 'Instant 0001-01-01T00:00:00Z'],
    ['timestamp', '1969-12-31T23:59:59.999999Z', 'Instant 1969-12-31T23:59:59.999999Z'],
    ['timestamp', Temporal.Instant.from('1969-12-31T23:59:59.999999001Z'), 'Instant 1969-12-31T23:59:59.999999Z'],
    ['timestamp_ntz', new Date('2026-01-31T10:00:00Z'), 'PlainDateTime 2026-01-31T10:00:00'],
    ['timestamp_ntz', '2026-01-31T10:00:00.5', 'PlainDateTime 2026-01-31T10:00:00.5'],
    ['date', new Date('1969-12-31T23:00:00Z'), 'PlainDate 1969-12-31'],
    ['date', '0044-03-15', 'PlainDate 0044-03-15'],
    [decimal(6, 2), '12.345', 'Decimal 12.35'],
    [decimal(6, 2), -12.345, 'Decimal -12.35'],
    [decimal(6, 2), 7n, 'Decimal 7.00'],
    [decimal(6, 2), '1e3', 'Decimal 1000.00'],
    [{ kind: 'map', key: 'string', value: 'int', valueContainsNull: false }, { a: 1 }, [['a', 1]]],
    [{ kind: 'map', key: 'long', value: 'int', valueContainsNull: false }, { 7: 1 }, [['7n', 1]]],
    [{ kind: 'array', element: 'date', containsNull: false }, ['2026-01-31'], ['PlainDate 2026-01-31']],
  ]
  for (const [type, input, want] of cases) {
    test(`${JSON.stringify(type)} from ${plain(input)}`, () => {
      const schema = new Schema([{ name: 'x', type, nullable: false }])
      const expected = plain(want)
      expect(plain(columnsToRows(rowsToColumns(schema, [{ x: input }]))[0]!.x)).toEqual(expected)
      expect(plain(fromPhysical(type, toPhysical(type, input)))).toEqual(expected)
    })
  }
})

describe('wrong values', () => {
  const cases: [DataType, unknown, string, RegExp][] = [
    ['int', '5', 'INVALID_EXTERNAL_TYPE', /rows\[1\]\.x is "5", which is no int/],
    ['int', 1.5, 'INVALID_EXTERNAL_TYPE', /1\.5/],
    ['int', 2 ** 31, 'NUMERIC_VALUE_OUT_OF_RANGE', /2147483648/],
    ['int', Number.NaN, 'INVALID_EXTERNAL_TYPE', /NaN/],
    ['byte', -129, 'NUMERIC_VALUE_OUT_OF_RANGE', /-129.*tinyint/],
    ['short', 32768, 'NUMERIC_VALUE_OUT_OF_RANGE', /32768/],
    ['long', 2 ** 53, 'INVALID_EXTERNAL_TYPE', /9007199254740992/],
    ['long', 2n ** 63n, 'NUMERIC_VALUE_OUT_OF_RANGE', /9223372036854775808n/],
    ['long', 0.5, 'INVALID_EXTERNAL_TYPE', /0\.5/],
    ['double', 1n, 'INVALID_EXTERNAL_TYPE', /1n/],
    ['boolean', 1, 'INVALID_EXTERNAL_TYPE', /boolean/],
    ['string', 1, 'INVALID_EXTERNAL_TYPE', /string/],
    ['binary', 'a', 'INVALID_EXTERNAL_TYPE', /binary/],
    ['timestamp', 0, 'INVALID_EXTERNAL_TYPE', /timestamp/],
    ['timestamp', '2026-02-30', 'INVALID_EXTERNAL_TYPE', /2026-02-30/],
    ['timestamp', new Date(Number.NaN), 'INVALID_EXTERNAL_TYPE', /invalid Date/],
    ['timestamp', '2026-01-01T25:00:00Z', 'INVALID_EXTERNAL_TYPE', /25:00/],
    ['timestamp_ntz', '2026-01-31T10:00:00Z', 'INVALID_EXTERNAL_TYPE', /without an offset/],
    ['date', '2026-01-31T10:00', 'INVALID_EXTERNAL_TYPE', /date/],
    [decimal(4, 2), '100', 'NUMERIC_VALUE_OUT_OF_RANGE', /"100".*decimal\(4,2\)/],
    [decimal(4, 2), '99.995', 'NUMERIC_VALUE_OUT_OF_RANGE', /99\.995/],
    [decimal(4, 2), 'x', 'INVALID_EXTERNAL_TYPE', /"x"/],
    [decimal(20, 2), Number.NaN, 'INVALID_EXTERNAL_TYPE', /NaN/],
    [{ kind: 'array', element: 'int', containsNull: false }, [1, null], 'NOT_NULL_ASSERT_VIOLATION', /rows\[1\]\.x\[1\] is null/],
    [
      struct([{ name: 'tags', type: { kind: 'array', element: 'int', containsNull: true }, nullable: false }]),
      { tags: [1, 'a'] },
      'INVALID_EXTERNAL_TYPE',
      /rows\[1\]\.x\.tags\[1\] is "a"/,
    ],
    [{ kind: 'map', key: 'int', value: 'int', valueContainsNull: true }, new Map([[null, 1]]), 'NULL_MAP_KEY', /null/],
    [
      { kind: 'map', key: 'long', value: 'int', valueContainsNull: true },
      new Map<unknown, number>([
        [1, 1],
        [1n, 2],
      ]),
      'DUPLICATED_MAP_KEY',
      /twice/,
    ],
    ['int', null, 'NOT_NULL_ASSERT_VIOLATION', /rows\[1\]\.x is null/],
    ['string', undefined, 'NOT_NULL_ASSERT_VIOLATION', /rows\[1\]\.x/],
    ['timestamp', null, 'NOT_NULL_ASSERT_VIOLATION', /x/],
  ]
  for (const [type, value, code, message] of cases) {
    test(`${JSON.stringify(type)} from ${plain(value)}`, () => {
      const good = sample(type)
      const schema = new Schema([{ name: 'x', type, nullable: false }])
      const failure = errorOf(() => rowsToColumns(schema, [{ x: good }, { x: value }]))
      expect(failure).toMatchObject({ name: 'InvalidQueryError', code })
      expect(failure.message).toMatch(message)
    })
  }
  test('something that is no row', () => {
    const schema = new Schema([{ name: 'x', type: 'int', nullable: true }])
    for (const bad of [null, 5, [1]]) {
      expect(errorOf(() => rowsToColumns(schema, [{ x: 1 }, bad as never]))).toMatchObject({
        code: 'INVALID_EXTERNAL_TYPE',
        what: expect.stringContaining('rows[1]'),
      })
    }
  })
})

/** Any value of the type, so that the wrong one is not in the first row. */
function sample(type: DataType): unknown {
  if (typeof type === 'string') return fc.sample(publicValue[type]![1], 1)[0]
  return type.kind === 'decimal' ? 1n : type.kind === 'array' ? [] : type.kind === 'map' ? new Map() : { tags: [] }
}
function errorOf(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

describe('Decimal', () => {
  test('prints what it was read from, plain', () => {
    for (const [input, want] of [
      ['-0.50', '-0.50'],
      ['.5', '0.5'],
      ['5.', '5'],
      ['+12', '12'],
      ['-1.5e-3', '-0.0015'],
      ['00', '0'],
      [1e21, '1000000000000000000000'],
      [0.1, '0.1'],
      [12n, '12'],
    ] as const) {
      expect(Decimal.from(input).toString()).toBe(want)
    }
  })
  test('refuses what is no decimal', () => {
    for (const bad of ['', '.', '1,5', 'abc', '1e99999', Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => Decimal.from(bad)).toThrow(RangeError)
  })
  test('compares by value and rounds half away from zero', () => {
    expect(Decimal.from('1.0').equals(Decimal.from('1.00'))).toBe(true)
    expect(Decimal.from('-2').compare(Decimal.from('1.5'))).toBeLessThan(0)
    expect(['0.5', '1.5', '-0.5', '-1.49'].map((d) => Decimal.from(d).toScale(0).toString())).toEqual(['1', '2', '-1', '-1'])
  })
})

test('times beyond what Temporal holds have a code of their own, up to the last one that it holds', () => {
  const day = 86_400_000_000n
  for (const type of ['timestamp', 'timestamp_ntz'] as const) {
    for (const sign of [1n, -1n]) {
      const last = sign * 100_000_000n * day
      expect(() => fromPhysical(type, last)).not.toThrow()
      expect(() => fromPhysical(type, last + sign)).toThrow(expect.objectContaining({ code: 'TIME_BEYOND_TEMPORAL' }))
    }
  }
  expect(() => fromPhysical('date', 100_000_001)).toThrow(expect.objectContaining({ code: 'TIME_BEYOND_TEMPORAL' }))
})
