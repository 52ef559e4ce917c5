import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DuckDb, fillIn, salt } from '../../test/planner/duckdb.ts'
import type { LiteralValue } from '../plan/expression.ts'
import { type KeyColumnSql, keyEncodingSql, keyIdSql } from '../planner/key-encoding-sql.ts'
import { literalSql, quoteIdentifier, sqlType } from '../planner/sql-text.ts'
import { encodeKey, type KeyValue, keyGroupOf, keyIdOf } from './key-encoding.ts'
import { type DataType, decimal, struct } from './types.ts'

const pair = struct([
  { name: 'a', type: 'int', nullable: true },
  { name: 'it"s', type: 'string', nullable: true },
])
const list: DataType = { kind: 'array', element: 'double', containsNull: true }

/** These never change: state on disk is found by them. The identities were computed by another program (Python's hashlib). */
const golden: readonly (readonly [types: readonly DataType[], values: readonly KeyValue[], encoding: string, id: string, group: number])[] =
  [
    [[], [], '', 'eeab370e6bb25ec740d2c9e07207b2ce', 14],
    [['string'], ['abc'], '3:abc', 'fd70ebac1b002e860f9976d8f992f9e4', 44],
    [['string'], [''], '0:', 'fa90cb4185b1e13d2ce91ea6e3223a42', 65],
    [['string'], [null], '~', '9dfda82203a8dfe145dd9b14fb7533cf', 34],
    [['string', 'string'], ['é😀', '~'], '6:é😀1:~', 'b60b0642ed3c9a609cf50aadf02511d0', 66],
    [['long', 'int', 'byte'], [-12n, 7, null], '-12;7;~', 'ed8b27d95020cfe6aa6be7b08f07af01', 89],
    [['double', 'double', 'double'], [-0, NaN, 1.5], '0;9221120237041090560;4609434218613702656;', '27cf0b7907dbbbd3aa7925b9a329fd41', 121],
    [['float'], [Math.fround(0.1)], '4591870180174331904;', '93a4c745ba908b8a0078c1b3bf3ee782', 69],
    [
      [decimal(10, 2), decimal(2, 2), decimal(5, 0), decimal(38, 3)],
      [
        { unscaled: 150n, scale: 2 },
        { unscaled: -50n, scale: 2 },
        { unscaled: 0n, scale: 0 },
        { unscaled: 1000n, scale: 3 },
      ],
      '1.5;-0.5;0;1;',
      '3db7461747f6bbb29098dc1f26e250cd',
      23,
    ],
    [
      ['boolean', 'date', 'timestamp', 'timestamp_ntz'],
      [true, -1, 1_500_000n, -1n],
      't-1;1500000;-1;',
      '26c269925c9b487479b4b08c2664fa25',
      18,
    ],
    [['binary', 'binary'], [Uint8Array.of(0, 255), new Uint8Array(0)], '2:00FF0:', '8d3297c2dd2ef6563af5c3d58caca701', 66],
    [
      [list, pair],
      [
        [1, null],
        [5, 'x'],
      ],
      '2[4607182418800017408;~(5;1:x',
      '5e0fbfa97a794c41ba524a25404c2408',
      41,
    ],
    [
      ['timestamp', 'timestamp', 'string'],
      [600_000_000n, 1_200_000_000n, 'campaign-17'],
      '600000000;1200000000;11:campaign-17',
      'e8d9101d466c389ecdae3e15905be63b',
      29,
    ],
  ]
const hex = (words: Uint32Array) => [...words].map((word) => word.toString(16).padStart(8, '0')).join('')

describe('golden vectors', () => {
  test.each(golden.map((row) => [row[2], ...row] as const))('%s', (_, types, values, encoding, id, group) => {
    expect(encodeKey(types, values)).toBe(encoding)
    expect(hex(keyIdOf('salt', encoding))).toBe(id)
    expect(keyGroupOf(keyIdOf('salt', encoding), 128)).toBe(group)
  })
})

test('a map is no key', () => {
  expect(() => encodeKey([{ kind: 'map', key: 'int', value: 'int', valueContainsNull: true }], [[]])).toThrow(
    'GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE',
  )
})

test('widening a key column keeps its identity', () => {
  expect(encodeKey(['int'], [7])).toBe(encodeKey(['long'], [7n]))
  expect(encodeKey(['float'], [1.5])).toBe(encodeKey(['double'], [1.5]))
  expect(encodeKey([decimal(5, 1)], [{ unscaled: 15n, scale: 1 }])).toBe(encodeKey([decimal(10, 3)], [{ unscaled: 1500n, scale: 3 }]))
})

describe('SQL and TypeScript agree', () => {
  let duckdb: DuckDb
  beforeAll(async () => {
    duckdb = await DuckDb.open()
  })
  afterAll(() => duckdb.close())

  const scalars: readonly (readonly [DataType, fc.Arbitrary<KeyValue>])[] = [
    ['boolean', fc.boolean()],
    ['byte', fc.integer({ min: -128, max: 127 })],
    ['short', fc.integer({ min: -32768, max: 32767 })],
    ['int', fc.integer()],
    ['long', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
    ['float', fc.float()],
    ['double', fc.double()],
    ['string', fc.string({ unit: 'binary' })],
    ['binary', fc.uint8Array({ maxLength: 20 })],
    ['date', fc.integer({ min: -700_000, max: 2_000_000 })],
    ['timestamp', fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n })],
    ['timestamp_ntz', fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n })],
    ...[
      [5, 0],
      [5, 2],
      [3, 3],
      [18, 4],
      [30, 10],
      [38, 38],
    ].map(
      ([p, s]) =>
        [
          decimal(p!, s!),
          fc.bigInt({ min: 1n - 10n ** BigInt(p!), max: 10n ** BigInt(p!) - 1n }).map((unscaled) => ({ unscaled, scale: s! })),
        ] as const,
    ),
  ]
  type TypedValue = { readonly type: DataType; readonly value: KeyValue }
  const scalar = fc
    .constantFrom(...scalars)
    .chain(([type, values]) => fc.option(values, { freq: 6 }).map((value): TypedValue => ({ type, value })))
  const nested = fc.oneof(
    fc
      .constantFrom(...scalars)
      .chain(([element, values]) =>
        fc
          .option(fc.array(fc.option(values, { freq: 4 }), { maxLength: 4 }))
          .map((value): TypedValue => ({ type: { kind: 'array', element, containsNull: true }, value })),
      ),
    fc.array(scalar, { minLength: 1, maxLength: 3 }).chain((parts) =>
      fc.boolean().map(
        (isNull): TypedValue => ({
          type: struct(parts.map(({ type }, i) => ({ name: `f ${i}"'`, type, nullable: true }))),
          value: isNull ? null : parts.map(({ value }) => value),
        }),
      ),
    ),
  )
  const keys = fc.array(fc.oneof({ weight: 4, arbitrary: scalar }, { weight: 1, arbitrary: nested }), { minLength: 1, maxLength: 4 })

  test('on encoding and identity of any key', async () => {
    await fc.assert(
      fc.asyncProperty(keys, async (columns) => {
        const list = columns.map(({ type, value }, i) => `CAST(${valueSql(type, value)} AS ${sqlType(type)}) AS c${i}`)
        await duckdb.run(`CREATE OR REPLACE TEMP TABLE keys AS SELECT ${list.join(', ')}`)
        const inSql: KeyColumnSql[] = columns.map(({ type }, i) => ({ sql: `t.c${i}`, type }))
        const [row] = await duckdb.rows(fillIn(`SELECT ${keyEncodingSql(inSql)}, CAST(${keyIdSql(inSql)} AS VARCHAR) FROM keys AS t`))
        const encoded = encodeKey(
          columns.map(({ type }) => type),
          columns.map(({ value }) => value),
        )
        expect(row![0]).toBe(encoded)
        expect(BigInt(row![1] as string)).toBe(BigInt(`0x${hex(keyIdOf(salt, encoded))}`))
      }),
      { numRuns: 300 },
    )
  })

  test('no two different keys of the same types have one encoding', () => {
    const unequal = fc
      .array(fc.constantFrom<DataType>('string', 'int', 'binary', decimal(5, 2)), { minLength: 1, maxLength: 3 })
      .chain((types) => {
        const values = fc.tuple(
          ...types.map((type) => fc.option(scalars.find(([t]) => JSON.stringify(t) === JSON.stringify(type))![1], { freq: 3 })),
        )
        return fc.tuple(fc.constant(types), values, values)
      })
    const text = (values: readonly KeyValue[]) =>
      values
        .map((v) =>
          v === null
            ? 'null'
            : v instanceof Uint8Array
              ? `b${Buffer.from(v).toString('hex')}`
              : typeof v === 'object' && 'unscaled' in v
                ? `d${v.unscaled}`
                : `${typeof v}${JSON.stringify(v)}`,
        )
        .join('|')
    fc.assert(
      fc.property(unequal, ([types, a, b]) => (text(a) === text(b)) === (encodeKey(types, a) === encodeKey(types, b))),
      { numRuns: 2000 },
    )
  })

  function valueSql(type: DataType, value: KeyValue): string {
    if (value === null) return 'NULL'
    if (typeof type === 'string' || type.kind === 'decimal') return literalSql(value as LiteralValue, type)
    if (type.kind === 'array')
      return `CAST([${(value as KeyValue[]).map((element) => valueSql(type.element, element)).join(', ')}] AS ${sqlType(type)})`
    if (type.kind === 'struct')
      return `struct_pack(${type.fields.map((field, i) => `${quoteIdentifier(field.name)} := ${valueSql(field.type, (value as KeyValue[])[i]!)}`).join(', ')})`
    throw new TypeError('no maps')
  }
})
