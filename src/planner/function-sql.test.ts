import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DuckDb, literal } from '../../test/planner/duckdb.ts'
import type { DataType } from '../data/types.ts'
import { decimal } from '../data/types.ts'
import type { Expression, LiteralValue } from '../plan/expression.ts'
import { resolveCall } from '../plan/functions.ts'
import { functionNames, functionSql } from './function-sql.ts'

let duckdb: DuckDb
beforeAll(async () => {
  duckdb = await DuckDb.open()
})
afterAll(() => duckdb.close())

interface Arg {
  readonly value: LiteralValue
  readonly type: DataType
  readonly constant?: boolean
}
const v = (value: LiteralValue, type: DataType): Arg => ({ value, type })
const int = (value: number | null) => v(value, 'int')
const long = (value: bigint | null) => v(value, 'long')
const double = (value: number | null) => v(value, 'double')
const text = (value: string | null) => v(value, 'string')
const bool = (value: boolean | null) => v(value, 'boolean')
const dec = (unscaled: bigint, precision: number, scale: number) => v({ unscaled, scale }, decimal(precision, scale))
const time = (iso: string | null) =>
  v(iso === null ? null : BigInt(Date.parse(`${iso.slice(0, 19)}Z`)) * 1000n + BigInt((iso.slice(20) || '0').padEnd(6, '0')), 'timestamp')
const date = (iso: string | null) => v(iso === null ? null : Date.parse(iso) / 86_400_000, 'date')
/** Stays a literal where the function asks for one. */
const constant = (arg: Arg): Arg => ({ ...arg, constant: true })

/** The call with its arguments as literals, and as columns: both must mean the same. */
async function evaluate(name: string, args: readonly Arg[]): Promise<string | null> {
  const asLiterals = resolveCall(
    name,
    args.map((arg) => literal(arg.value, arg.type)),
  )
  const asColumns = resolveCall(
    name,
    args.map(
      (arg, index): Expression =>
        arg.constant ? literal(arg.value, arg.type) : { kind: 'column', name: `c${index}`, index, type: arg.type, nullable: true },
    ),
  )
  const [first] = await Promise.allSettled([duckdb.evaluate(asLiterals)])
  const [second] = await Promise.allSettled([duckdb.evaluate(asColumns, args)])
  if (first.status === 'fulfilled' && second.status === 'fulfilled') {
    expect(first.value, `${name} of literals and of columns`).toBe(second.value)
    return second.value
  }
  if (first.status === 'fulfilled') throw new Error(`fails for columns only: ${(second as PromiseRejectedResult).reason}`)
  if (second.status === 'fulfilled') throw new Error(`fails for literals only: ${first.reason}`)
  throw second.reason
}

const infinity = Infinity
const labelled = <T extends readonly [string, readonly Arg[], ...unknown[]]>(rows: readonly T[]) =>
  rows.map(
    (row) =>
      [
        `${row[0]}(${row[1].map((arg) => (typeof arg.value === 'object' && arg.value !== null && 'unscaled' in arg.value ? `${arg.value.unscaled}e-${arg.value.scale}` : String(arg.value))).join(', ')})`,
        ...row,
      ] as const,
  )
type Case = readonly [name: string, args: readonly Arg[], expected: string | null]
const cases: readonly Case[] = [
  ['+', [int(1), int(2)], '3'],
  ['+', [int(1), int(null)], null],
  ['-', [long(5n), int(7)], '-2'],
  ['*', [double(1.5), int(2)], '3.0'],
  ['+', [dec(150n, 10, 2), dec(5n, 3, 1)], '2.00'],
  ['*', [dec(150n, 10, 2), dec(5n, 3, 1)], '0.750'],
  ['/', [int(7), int(2)], '3.5'],
  ['/', [int(null), int(0)], null],
  ['/', [double(1), double(-2)], '-0.5'],
  ['/', [double(infinity), double(2)], 'inf'],
  ['/', [dec(100n, 10, 2), dec(300n, 10, 2)], '0.3333333333333'],
  ['/', [dec(-200n, 10, 2), dec(300n, 10, 2)], '-0.6666666666667'],
  ['/', [dec(500n, 10, 2), dec(-250n, 10, 2)], '-2.0000000000000'],
  ['/', [dec(10n ** 27n, 28, 0), dec(7n, 20, 0)], '142857142857142857142857142.8571428571'],
  ['/', [dec(10n ** 20n, 38, 18), dec(3n * 10n ** 10n, 30, 10)], '33.33333333'],
  ['%', [int(-7), int(3)], '-1'],
  ['%', [int(-2147483648), int(-1)], '0'],
  ['%', [int(null), int(0)], null],
  ['%', [double(5.5), double(2)], '1.5'],
  ['%', [dec(550n, 10, 2), dec(200n, 10, 2)], '1.50'],
  ['negative', [int(5)], '-5'],
  ['negative', [int(null)], null],
  ['==', [double(NaN), double(NaN)], 'true'],
  ['==', [double(-0), double(0)], 'true'],
  ['==', [int(null), int(1)], null],
  ['!=', [text('a'), text('A')], 'true'],
  ['<=>', [int(null), int(null)], 'true'],
  ['<=>', [int(null), int(1)], 'false'],
  ['<', [double(infinity), double(NaN)], 'true'],
  ['<=', [int(1), int(1)], 'true'],
  ['>', [text('b'), text('a')], 'true'],
  ['>=', [time('2001-01-01T00:00:00'), time('2001-01-01T00:00:00.000001')], 'false'],
  ['and', [bool(false), bool(null)], 'false'],
  ['and', [bool(true), bool(null)], null],
  ['or', [bool(true), bool(null)], 'true'],
  ['not', [bool(null)], null],
  ['not', [bool(true)], 'false'],
  ['isnull', [int(null)], 'true'],
  ['isnotnull', [int(null)], 'false'],
  ['isnan', [double(null)], 'false'],
  ['isnan', [double(NaN)], 'true'],
  ['in', [int(1), int(2), int(1)], 'true'],
  ['in', [int(1), int(2), int(null)], null],
  ['like', [text('abc'), text('a%')], 'true'],
  ['like', [text('a%c'), text('a\\%c')], 'true'],
  ['like', [text('abc'), text('a\\%c')], 'false'],
  ['like', [text(null), text('a')], null],
  ['ilike', [text('ABC'), text('a_c')], 'true'],
  ['rlike', [text('foobar'), text('o+b')], 'true'],
  ['rlike', [text(null), text('o')], null],
  ['startswith', [text('abc'), text('ab')], 'true'],
  ['endswith', [text('abc'), text('bc')], 'true'],
  ['contains', [text('abc'), text('')], 'true'],
  ['contains', [text(null), text('a')], null],
  ['coalesce', [int(null), int(2)], '2'],
  ['nvl', [int(null), int(3)], '3'],
  ['ifnull', [int(4), int(3)], '4'],
  ['nullif', [int(4), int(4)], null],
  ['nullif', [int(4), int(null)], '4'],
  ['greatest', [double(1), double(NaN), double(null)], 'nan'],
  ['least', [int(3), int(null), int(2)], '2'],
  ['if', [bool(null), int(1), int(2)], '2'],
  ['upper', [text('é')], 'É'],
  ['lower', [text('ABC')], 'abc'],
  ['length', [text('a😀é')], '3'],
  ['length', [text(null)], null],
  ['length', [v(Uint8Array.of(1, 2), 'binary')], '2'],
  ['trim', [text('  a ')], 'a'],
  ['trim', [text('\u00a0a')], '\u00a0a'],
  ['ltrim', [text('x'), text('xxa')], 'a'],
  ['rtrim', [text('a ')], 'a'],
  ['concat', [text('a'), text('b')], 'ab'],
  ['concat', [text('a'), text(null)], null],
  ['concat_ws', [text('-'), text('a'), text(null), text('b')], 'a-b'],
  ['concat_ws', [text(null), text('a')], null],
  ['substring', [text('Spark SQL'), int(5)], 'k SQL'],
  ['substring', [text('Spark SQL'), int(-3)], 'SQL'],
  ['substring', [text('Spark SQL'), int(5), int(1)], 'k'],
  ['substring', [text('abc'), int(0), int(2)], 'ab'],
  ['substring', [text('abc'), int(-5), int(3)], 'a'],
  ['substring', [text('abc'), int(-5), int(1)], ''],
  ['substring', [text('abc'), int(2), int(-1)], ''],
  ['substring', [text('abc'), int(5), int(2)], ''],
  ['substring', [text('abc'), int(null), int(2)], null],
  ['substring', [text('a😀b'), int(2), int(1)], '😀'],
  ['substring', [v(Uint8Array.of(1, 2, 255), 'binary'), int(2), int(2)], '\\x02\\xFF'],
  ['replace', [text('aXbX'), text('X'), text('y')], 'ayby'],
  ['replace', [text('aXb'), text('X')], 'ab'],
  ['regexp_replace', [text('100-200'), text('(\\d+)'), text('<$1>')], '<100>-<200>'],
  ['regexp_replace', [text('a.b'), text('\\.'), text('\\$')], 'a$b'],
  ['regexp_replace', [text(null), text('a'), text('b')], null],
  ['regexp_extract', [text('100-200'), text('(\\d+)-(\\d+)'), constant(int(2))], '200'],
  ['regexp_extract', [text('foo'), text('(\\d+)')], ''],
  ['regexp_extract', [text(null), text('(\\d+)')], null],
  ['split', [text('oneAtwoBthree'), text('[AB]')], '[one, two, three]'],
  ['split', [text('a,b,,'), text(',')], "[a, b, '', '']"],
  ['split', [text('a,b,c'), text(','), int(2)], "[a, 'b,c']"],
  ['split', [text(null), text(',')], null],
  ['lpad', [text('hi'), int(5), text('ab')], 'abahi'],
  ['lpad', [text('hi'), int(1), text('?')], 'h'],
  ['lpad', [text('hi'), int(5), text('')], 'hi'],
  ['rpad', [text('hi'), int(4)], 'hi  '],
  ['rpad', [text('hi'), int(-1), text('x')], ''],
  ['instr', [text('SparkSQL'), text('SQL')], '6'],
  ['instr', [text('a'), text('b')], '0'],
  ['instr', [text('a'), text('')], '1'],
  ['instr', [text(null), text('')], null],
  ['reverse', [text('a😀b')], 'b😀a'],
  ['repeat', [text('ab'), int(2)], 'abab'],
  ['repeat', [text('ab'), int(-1)], ''],
  ['md5', [text('Spark')], '8cde774d6f7333752ed72cacddb05126'],
  ['sha2', [text('Spark'), constant(int(256))], '529bc3b07127ecb7e53a4dcf1991d9152c24537d919178022b2c42657f79a26b'],
  ['abs', [int(-3)], '3'],
  ['abs', [double(-0.5)], '0.5'],
  ['ceil', [double(-0.1)], '0'],
  ['ceil', [double(1e300)], '9223372036854775807'],
  ['ceil', [dec(15n, 3, 1)], '2'],
  ['floor', [double(-0.1)], '-1'],
  ['floor', [double(NaN)], '0'],
  ['floor', [int(5)], '5'],
  ['round', [double(2.5), constant(int(0))], '3.0'],
  ['round', [double(-2.5)], '-3.0'],
  ['round', [double(1.005), constant(int(2))], '1.01'],
  ['round', [double(2.675), constant(int(2))], '2.68'],
  ['round', [double(infinity), constant(int(2))], 'inf'],
  ['round', [double(NaN), constant(int(2))], 'nan'],
  ['round', [double(null)], null],
  ['round', [double(12345.6), constant(int(-2))], '12300.0'],
  ['round', [dec(1255n, 5, 3), constant(int(2))], '1.26'],
  ['round', [dec(-1255n, 5, 3), constant(int(2))], '-1.26'],
  ['round', [int(25), constant(int(-1))], '30'],
  ['round', [double(1e300), constant(int(2))], '1e+300'],
  ['sqrt', [double(4)], '2.0'],
  ['sqrt', [double(-1)], 'nan'],
  ['exp', [double(0)], '1.0'],
  ['ln', [double(1)], '0.0'],
  ['ln', [double(0)], null],
  ['log10', [double(1000)], '3.0'],
  ['log10', [double(-1)], null],
  ['pow', [double(2), double(3)], '8.0'],
  ['sign', [double(-2)], '-1.0'],
  ['sign', [double(NaN)], 'nan'],
  ['year', [date('2016-07-30')], '2016'],
  ['month', [date('2016-07-30')], '7'],
  ['day', [date('2016-07-30')], '30'],
  ['dayofmonth', [time('2016-07-30T01:02:03')], '30'],
  ['quarter', [date('2016-08-31')], '3'],
  ['dayofweek', [date('2009-07-30')], '5'],
  ['dayofweek', [date('2026-02-01')], '1'],
  ['dayofyear', [date('2016-04-09')], '100'],
  ['weekofyear', [date('2008-02-20')], '8'],
  ['year', [date(null)], null],
  ['hour', [time('2018-02-14T12:58:59.5')], '12'],
  ['minute', [time('2018-02-14T12:58:59.5')], '58'],
  ['second', [time('2018-02-14T12:58:59.5')], '59'],
  ['second', [time('1969-12-31T23:59:59.5')], '59'],
  ['date_trunc', [text('WEEK'), time('2026-02-01T10:00:00')], '2026-01-26 00:00:00'],
  ['date_trunc', [text('MM'), time('1960-05-03T01:02:03.456789')], '1960-05-01 00:00:00'],
  ['date_trunc', [text('millisecond'), time('2001-01-01T00:00:00.123456')], '2001-01-01 00:00:00.123'],
  ['date_trunc', [text('microsecond'), time('2001-01-01T00:00:00.123456')], '2001-01-01 00:00:00.123456'],
  ['date_trunc', [text('fortnight'), time('2001-01-01T00:00:00')], null],
  ['date_trunc', [text('quarter'), time('2001-05-01T00:00:00')], '2001-04-01 00:00:00'],
  ['to_date', [text('2016-12-31')], '2016-12-31'],
  ['to_date', [text('31/12/2016'), constant(text('dd/MM/yyyy'))], '2016-12-31'],
  ['to_timestamp', [text('2016-12-31 00:12:00')], '2016-12-31 00:12:00'],
  ['to_timestamp', [text('2016-12-31T05'), constant(text("yyyy-MM-dd'T'HH"))], '2016-12-31 05:00:00'],
  ['to_timestamp', [text(null), constant(text('yyyy'))], null],
  ['unix_timestamp', [text('2016-04-08'), constant(text('yyyy-MM-dd'))], '1460073600'],
  ['unix_timestamp', [time('1969-12-31T23:59:59.5')], '0'],
  ['unix_timestamp', [], '1769860800'],
  ['unix_seconds', [time('1969-12-31T23:59:59.5')], '-1'],
  ['unix_millis', [time('1969-12-31T23:59:59.999900')], '-1'],
  ['unix_micros', [time('1970-01-01T00:00:01')], '1000000'],
  ['unix_seconds', [time(null)], null],
  ['timestamp_seconds', [long(1230219000n)], '2008-12-25 15:30:00'],
  ['timestamp_seconds', [double(1.5)], '1970-01-01 00:00:01.5'],
  ['timestamp_seconds', [double(NaN)], null],
  ['timestamp_seconds', [double(-0.5)], '1969-12-31 23:59:59.5'],
  ['timestamp_seconds', [dec(1250000n, 10, 6)], '1970-01-01 00:00:01.25'],
  ['timestamp_millis', [long(-1n)], '1969-12-31 23:59:59.999'],
  ['timestamp_micros', [long(1n)], '1970-01-01 00:00:00.000001'],
  ['timestamp_seconds', [int(null)], null],
  ['date_add', [date('2016-07-30'), int(1)], '2016-07-31'],
  ['date_sub', [date('2016-07-30'), int(-1)], '2016-07-31'],
  ['datediff', [date('2009-07-31'), date('2009-07-30')], '1'],
  ['datediff', [date(null), date('2009-07-30')], null],
  ['current_timestamp', [], '2026-01-31 12:00:00.5'],
  ['current_date', [], '2026-01-31'],
  ['named_struct', [constant(text('a b')), int(1), constant(text("q'")), text('x')], "{'a b': 1, 'q\\'': x}"],
  ['array', [int(1), int(null)], '[1, NULL]'],
]

describe('functions mean what Spark means by them, of literals and of columns', () => {
  test.each(labelled(cases))('%s', async (_, name, args, expected) => {
    expect(await evaluate(name, args)).toBe(expected)
  })
})

describe('errors of the rows', () => {
  test.each(
    labelled<[string, readonly Arg[], RegExp]>([
      ['/', [int(1), int(0)], /\[DIVIDE_BY_ZERO\]/],
      ['/', [double(1), double(-0)], /\[DIVIDE_BY_ZERO\]/],
      ['/', [dec(1n, 3, 0), dec(0n, 3, 0)], /\[DIVIDE_BY_ZERO\]/],
      ['%', [int(1), int(0)], /\[REMAINDER_BY_ZERO\]/],
      ['%', [double(1), double(0)], /\[REMAINDER_BY_ZERO\]/],
      ['+', [int(2147483647), int(1)], /Overflow in addition/],
      ['+', [v(127, 'byte'), v(1, 'byte')], /Overflow in addition/],
      ['-', [long(-(2n ** 63n)), long(1n)], /Overflow in subtraction/],
      ['*', [v(-32768, 'short'), v(-1, 'short')], /Overflow in multiplication/],
      ['*', [long(2n ** 62n), long(2n)], /Overflow in multiplication/],
      ['negative', [int(-2147483648)], /Overflow in negation/],
      ['abs', [long(-(2n ** 63n))], /Overflow on abs/],
      ['to_date', [text('31/13/2016'), constant(text('dd/MM/yyyy'))], /\[CANNOT_PARSE_TIMESTAMP\]/],
      ['to_date', [text('nonsense')], /\[CAST_INVALID_INPUT\]/],
    ]),
  )('%s', async (_, name, args, message) => {
    await expect(evaluate(name, args)).rejects.toThrow(message)
  })
})

describe('nested values', () => {
  const numbers = resolveCall('array', [literal(1, 'int'), literal(2, 'int')])
  const holey = resolveCall('array', [literal(1, 'int'), literal(null, 'int')])
  const at = (index: number) => duckdb.evaluate(resolveCall('element_at', [numbers, literal(index, 'int')]))
  const contains = (array: Expression, value: number | null) =>
    duckdb.evaluate(resolveCall('array_contains', [array, literal(value, 'int')]))

  test('element_at counts from 1, or from the end, and fails outside', async () => {
    expect([await at(1), await at(-1)]).toEqual(['1', '2'])
    await expect(at(3)).rejects.toThrow('[INVALID_ARRAY_INDEX_IN_ELEMENT_AT]')
    await expect(at(-3)).rejects.toThrow('[INVALID_ARRAY_INDEX_IN_ELEMENT_AT]')
    await expect(at(0)).rejects.toThrow('[INVALID_INDEX_OF_ZERO]')
  })
  test('array_contains is null where a null might be the value', async () => {
    expect([
      await contains(numbers, 2),
      await contains(numbers, 3),
      await contains(holey, 1),
      await contains(holey, 2),
      await contains(numbers, null),
    ]).toEqual(['true', 'false', 'true', null, null])
  })
  test('size, reverse and concat of arrays', async () => {
    expect(await duckdb.evaluate(resolveCall('size', [holey]))).toBe('2')
    expect(await duckdb.evaluate(resolveCall('reverse', [holey]))).toBe('[NULL, 1]')
    expect(await duckdb.evaluate(resolveCall('concat', [numbers, holey]))).toBe('[1, 2, 1, NULL]')
  })
  test('maps', async () => {
    const map: DataType = { kind: 'map', key: 'int', value: 'string', valueContainsNull: true }
    const arg = { sql: "MAP {1: 'a', 2: NULL}", type: map, nullable: true }
    const run = async (name: string, type: DataType, ...rest: { sql: string; type: DataType; nullable: boolean }[]) =>
      (await duckdb.texts(`SELECT CAST(${functionSql(name, [arg, ...rest], type)} AS VARCHAR)`))[0]![0]
    expect(await run('map_keys', { kind: 'array', element: 'int', containsNull: false })).toBe('[1, 2]')
    expect(await run('map_values', { kind: 'array', element: 'string', containsNull: true })).toBe('[a, NULL]')
    expect(await run('size', 'int')).toBe('2')
    expect(await run('element_at', 'string', { sql: '1', type: 'int', nullable: false })).toBe('a')
    expect(await run('element_at', 'string', { sql: '3', type: 'int', nullable: false })).toBe(null)
  })
  test('window_time, and timestamp + interval', async () => {
    const window: Expression = {
      kind: 'call',
      name: 'named_struct',
      deterministic: true,
      nullable: false,
      args: [literal('start', 'string'), literal(0n, 'timestamp'), literal('end', 'string'), literal(5n, 'timestamp')],
      type: {
        kind: 'struct',
        fields: [
          { name: 'start', type: 'timestamp', nullable: false },
          { name: 'end', type: 'timestamp', nullable: false },
        ],
      },
    }
    expect(await duckdb.evaluate(resolveCall('window_time', [window]))).toBe('1970-01-01 00:00:00.000004')
    expect(
      (
        await duckdb.texts(
          `SELECT CAST(${functionSql(
            '+',
            [
              { sql: "TIMESTAMP '1970-01-01'", type: 'timestamp', nullable: false },
              { sql: '-1', type: 'interval day to second', nullable: false },
            ],
            'timestamp',
          )} AS VARCHAR)`,
        )
      )[0]![0],
    ).toBe('1969-12-31 23:59:59.999999')
  })
})

describe('what the engine can not run is refused by name', () => {
  test('an unknown function', () => {
    expect(() => functionSql('frobnicate', [], 'int')).toThrow('frobnicate')
    expect(() => functionSql('constructor', [], 'int')).toThrow('constructor')
  })
  test('a date pattern with letters that nobody knows', async () => {
    const call = resolveCall('to_date', [literal('2001', 'string'), literal('QQQQ', 'string')])
    await expect(duckdb.evaluate(call)).rejects.toThrow('QQQQ')
  })
  test('a literal divisor other than 0 is not looked at', () => {
    const a = { sql: 'a', type: 'double' as const, nullable: true }
    expect(functionSql('/', [a, { sql: '2e0', type: 'double', nullable: false, literal: 2 }], 'double')).toBe('(a / 2e0)')
    expect(functionNames().length).toBeGreaterThan(90)
  })
})
