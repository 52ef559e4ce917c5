import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DuckDb, literal } from '../../test/planner/duckdb.ts'
import { type DataType, decimal, struct, typeText } from '../data/types.ts'
import { castTo } from '../plan/coercion.ts'
import type { Expression, LiteralValue } from '../plan/expression.ts'
import { castSql } from './cast-sql.ts'
import { literalSql } from './sql-text.ts'

let duckdb: DuckDb
beforeAll(async () => {
  duckdb = await DuckDb.open()
})
afterAll(() => duckdb.close())

const us = (iso: string) => BigInt(Date.parse(iso)) * 1000n
type Case = readonly [value: LiteralValue, from: DataType, to: DataType, expected: string | null]
const cases: readonly Case[] = [
  // numbers
  [1, 'int', 'long', '1'],
  [null, 'int', 'string', null],
  [2.9, 'double', 'int', '2'],
  [-2.9, 'double', 'int', '-2'],
  [{ unscaled: -259n, scale: 2 }, decimal(5, 2), 'int', '-2'],
  [300n, 'long', 'short', '300'],
  [0.35, 'double', decimal(3, 1), '0.4'],
  [-0.25, 'double', decimal(3, 1), '-0.3'],
  [1e20, 'double', decimal(25, 2), '100000000000000000000.00'],
  [{ unscaled: 1255n, scale: 3 }, decimal(5, 3), decimal(5, 2), '1.26'],
  [{ unscaled: 150n, scale: 2 }, decimal(5, 2), 'double', '1.5'],
  [true, 'boolean', 'int', '1'],
  [false, 'boolean', decimal(3, 1), '0.0'],
  [0, 'int', 'boolean', 'false'],
  [0.5, 'double', 'boolean', 'true'],
  [258, 'int', 'binary', '\\x00\\x00\\x01\\x02'],
  [-1n, 'long', 'binary', '\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF'],
  // times
  [-500_000n, 'timestamp', 'long', '-1'],
  [1_500_000n, 'timestamp', 'double', '1.5'],
  [1_500_000n, 'timestamp', decimal(10, 1), '1.5'],
  [2n, 'long', 'timestamp', '1970-01-01 00:00:02'],
  [-1.5, 'double', 'timestamp', '1969-12-31 23:59:58.5'],
  [us('2001-02-03T04:05:06Z'), 'timestamp', 'date', '2001-02-03'],
  [us('1969-12-31T23:00:00Z'), 'timestamp', 'date', '1969-12-31'],
  [1, 'date', 'timestamp', '1970-01-02 00:00:00'],
  [5n, 'timestamp_ntz', 'timestamp', '1970-01-01 00:00:00.000005'],
  // text to values
  [' +12 ', 'string', 'int', '12'],
  ['1.5', 'string', 'double', '1.5'],
  [' -1e3d ', 'string', 'double', '-1000.0'],
  ['nAn', 'string', 'double', 'nan'],
  ['-Infinity', 'string', 'double', '-inf'],
  ['.5', 'string', 'float', '0.5'],
  ['1.255', 'string', decimal(5, 2), '1.26'],
  ['1e2', 'string', decimal(5, 2), '100.00'],
  ['Yes', 'string', 'boolean', 'true'],
  [' F ', 'string', 'boolean', 'false'],
  ['2001', 'string', 'date', '2001-01-01'],
  ['2001-2', 'string', 'date', '2001-02-01'],
  ['2001-2-3', 'string', 'date', '2001-02-03'],
  [' 2001-02-03 junk', 'string', 'date', '2001-02-03'],
  ['2001-02-03T10', 'string', 'date', '2001-02-03'],
  ['2001-02-03', 'string', 'timestamp', '2001-02-03 00:00:00'],
  ['2001-02-03 4:5:6', 'string', 'timestamp', '2001-02-03 04:05:06'],
  ['2001-02-03T04:05:06.5Z', 'string', 'timestamp', '2001-02-03 04:05:06.5'],
  ['2001-02-03T04:05:06.123456789', 'string', 'timestamp', '2001-02-03 04:05:06.123456'],
  ['2001-02-03 04:05:06+02:00', 'string', 'timestamp', '2001-02-03 02:05:06'],
  ['2001-02-03 04:05:06 -8', 'string', 'timestamp', '2001-02-03 12:05:06'],
  ['2001-02-03 04:05:06UTC+1', 'string', 'timestamp', '2001-02-03 03:05:06'],
  ['2001-07-03 04:05:06 Europe/Paris', 'string', 'timestamp', '2001-07-03 02:05:06'],
  ['2001-02-03 04:05:06+02:00', 'string', 'timestamp_ntz', '2001-02-03 04:05:06'],
  ['é', 'string', 'binary', '\\xC3\\xA9'],
  // values to text
  [true, 'boolean', 'string', 'true'],
  [1, 'double', 'string', '1.0'],
  [-0, 'double', 'string', '-0.0'],
  [1e7, 'double', 'string', '1.0E7'],
  [9999999, 'double', 'string', '9999999.0'],
  [123456789.125, 'double', 'string', '1.23456789125E8'],
  [0.001, 'double', 'string', '0.001'],
  [0.00012, 'double', 'string', '1.2E-4'],
  [1.5e-7, 'double', 'string', '1.5E-7'],
  [-1e300, 'double', 'string', '-1.0E300'],
  [5e-324, 'double', 'string', '5.0E-324'],
  [1.7976931348623157e308, 'double', 'string', '1.7976931348623157E308'],
  [Infinity, 'double', 'string', 'Infinity'],
  [-Infinity, 'double', 'string', '-Infinity'],
  [NaN, 'double', 'string', 'NaN'],
  [Math.fround(0.1), 'float', 'string', '0.1'],
  [16777216, 'float', 'string', '1.6777216E7'],
  [{ unscaled: 50n, scale: 2 }, decimal(2, 2), 'string', '0.50'],
  [{ unscaled: -5n, scale: 2 }, decimal(3, 2), 'string', '-0.05'],
  [us('2001-02-03T04:05:06.500Z'), 'timestamp', 'string', '2001-02-03 04:05:06.5'],
  [us('2001-02-03T04:05:00Z'), 'timestamp', 'string', '2001-02-03 04:05:00'],
  [11356, 'date', 'string', '2001-02-03'],
  [Uint8Array.of(0xc3, 0xa9), 'binary', 'string', 'é'],
]
const label = (value: LiteralValue) =>
  typeof value === 'object' && value !== null && 'unscaled' in value
    ? `${value.unscaled}e-${value.scale}`
    : Object.is(value, -0)
      ? '-0'
      : String(value)
const labelled = <T extends readonly [LiteralValue, DataType, DataType, ...unknown[]]>(rows: readonly T[]) =>
  rows.map((row) => [`${label(row[0])} as ${typeText(row[1])} to ${typeText(row[2])}`, ...row] as const)

function run(value: LiteralValue, from: DataType, to: DataType, mode: 'ansi' | 'try') {
  const column: Expression = { kind: 'column', name: 'c0', index: 0, type: from, nullable: true }
  return duckdb.evaluate(castTo(column, to, mode), [{ value, type: from }])
}

describe('casts give what Spark gives', () => {
  test.each(labelled(cases))('%s', async (_, value, from, to, expected) => {
    expect(await run(value, from, to, 'ansi')).toBe(expected)
    expect(await run(value, from, to, 'try'), 'try_cast').toBe(expected)
    expect(await run(null, from, to, 'ansi'), 'of null').toBe(null)
  })
})

describe('what does not fit fails, and is null with try_cast', () => {
  test.each(
    labelled<readonly [LiteralValue, DataType, DataType, RegExp]>([
      ['1.5', 'string', 'int', /\[CAST_INVALID_INPUT\] The value '1.5'/],
      ['99999999999', 'string', 'int', /CAST_INVALID_INPUT/],
      ['', 'string', 'long', /CAST_INVALID_INPUT/],
      ['1_000', 'string', 'int', /CAST_INVALID_INPUT/],
      ['0x10', 'string', 'int', /CAST_INVALID_INPUT/],
      ['x', 'string', 'double', /CAST_INVALID_INPUT/],
      ['maybe', 'string', 'boolean', /CAST_INVALID_INPUT/],
      ['2001-02-30', 'string', 'date', /CAST_INVALID_INPUT/],
      ['2001-1-1x', 'string', 'date', /CAST_INVALID_INPUT/],
      ['2001-02-03 25:00:00', 'string', 'timestamp', /CAST_INVALID_INPUT/],
      ['epoch', 'string', 'timestamp', /CAST_INVALID_INPUT/],
      ['2001-02-03 04:05:06 Nowhere/City', 'string', 'timestamp', /CAST_INVALID_INPUT/],
      ['x', 'string', decimal(3, 1), /CAST_INVALID_INPUT/],
      ['1000', 'string', decimal(3, 1), /NUMERIC_VALUE_OUT_OF_RANGE/],
      [1e30, 'double', 'long', /CAST_OVERFLOW/],
      [NaN, 'double', 'int', /CAST_OVERFLOW/],
      [1e30, 'double', decimal(10, 2), /NUMERIC_VALUE_OUT_OF_RANGE/],
      [{ unscaled: 99999n, scale: 0 }, decimal(5, 0), 'byte', /CAST_OVERFLOW/],
      [300, 'int', 'byte', /CAST_OVERFLOW/],
      [Number.NaN, 'double', 'timestamp', /CAST_INVALID_INPUT/],
      [1e19, 'double', 'timestamp', /CAST_OVERFLOW/],
      [{ unscaled: 99999n, scale: 0 }, decimal(5, 0), decimal(3, 0), /NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION/],
    ]),
  )('%s', async (_, value, from, to, message) => {
    await expect(run(value, from, to, 'ansi')).rejects.toThrow(message)
    expect(await run(value, from, to, 'try')).toBe(null)
  })
})

describe('nested values', () => {
  const fields = struct([
    { name: 'a', type: 'double', nullable: true },
    { name: 'b', type: { kind: 'array', element: 'int', containsNull: true }, nullable: true },
  ])
  const text = async (sql: string) => (await duckdb.texts(`SELECT CAST(${sql} AS VARCHAR)`))[0]![0]
  test('to text', async () => {
    expect(await text(castSql("{'a': 1e0, 'b': [1, NULL]}", fields, 'string', 'ansi'))).toBe('{1.0, [1, null]}')
    expect(await text(castSql('CAST(NULL AS STRUCT(a DOUBLE, b INTEGER[]))', fields, 'string', 'ansi'))).toBe(null)
    expect(
      await text(castSql("MAP {'k': 1e10}", { kind: 'map', key: 'string', value: 'double', valueContainsNull: true }, 'string', 'ansi')),
    ).toBe('{k -> 1.0E10}')
  })
  test('element by element', async () => {
    const to = struct([
      { name: 'x', type: 'int', nullable: true },
      { name: 'y', type: { kind: 'array', element: 'string', containsNull: true }, nullable: true },
    ])
    expect(await text(castSql("{'a': 2.9e0, 'b': [1, NULL]}", fields, to, 'ansi'))).toBe("{'x': 2, 'y': [1, NULL]}")
    expect(
      await text(
        castSql(
          "MAP {'1': 2}",
          { kind: 'map', key: 'string', value: 'int', valueContainsNull: true },
          { kind: 'map', key: 'int', value: 'double', valueContainsNull: true },
          'ansi',
        ),
      ),
    ).toBe('{1=2.0}')
  })
  test('what has no cast is refused', () => {
    expect(() => castSql('x', 'date', 'int', 'ansi')).toThrow('CAST_WITHOUT_SUGGESTION')
    expect(() => castSql('x', fields, 'int', 'ansi')).toThrow('CAST_WITHOUT_SUGGESTION')
    expect(() => castSql('x', 'int', { kind: 'array', element: 'int', containsNull: true }, 'ansi')).toThrow('CAST_WITHOUT_SUGGESTION')
  })
})

describe('literals come back as they are', () => {
  test.each(
    (
      [
        ['it\'s "⟦0⟧"', 'string', 'it\'s "⟦0⟧"'],
        ['a\0b', 'string', 'a\0b'],
        ['😀\n\\', 'string', '😀\n\\'],
        ['', 'string', ''],
        [-2147483648, 'int', '-2147483648'],
        [-(2n ** 63n), 'long', '-9223372036854775808'],
        [-128, 'byte', '-128'],
        [NaN, 'double', 'nan'],
        [-Infinity, 'double', '-inf'],
        [1e21, 'double', '1e+21'],
        [-0, 'double', '-0.0'],
        [0.1, 'double', '0.1'],
        [Uint8Array.of(0, 255), 'binary', '\\x00\\xFF'],
        [{ unscaled: -5n, scale: 3 }, decimal(10, 3), '-0.005'],
        [{ unscaled: 5n, scale: -2 }, decimal(10, 0), '500'],
        [-1n, 'timestamp', '1969-12-31 23:59:59.999999'],
        [us('2001-01-01T00:00:00Z') + 5n, 'timestamp', '2001-01-01 00:00:00.000005'],
        [-719162, 'date', '0001-01-01'],
        [0, 'date', '1970-01-01'],
      ] satisfies (readonly [LiteralValue, DataType, string])[]
    ).map((row) => [label(row[0]), ...row] as const),
  )('%s', async (_, value, type, expected) => {
    const sql = literalSql(value, type)
    expect(sql).not.toContain('⟦')
    expect(await duckdb.evaluate(literal(value, type))).toBe(expected)
  })
})
