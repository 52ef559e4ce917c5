import { type Example, type FunctionExamples, of } from './example.ts'

// Every pair of types, with values that fit and values that don't.
const values: readonly string[] = [
  'true',
  'CAST(-128 AS TINYINT)',
  'CAST(300 AS SMALLINT)',
  '2147483647',
  '9223372036854775807L',
  "CAST('1.5' AS FLOAT)",
  "CAST('NaN' AS FLOAT)",
  '-2.75D',
  "CAST('Infinity' AS DOUBLE)",
  '1e19D',
  'CAST(12345678.95 AS DECIMAL(10, 2))',
  'CAST(-0.50 AS DECIMAL(10, 2))',
  "CAST('0.12345678901234567890123456789012345678' AS DECIMAL(38, 38))",
  "'abc'",
  "' 12 '",
  "'1.5'",
  "'2020-02-29 12:34:56.789012'",
  "'true'",
  "'99999999999999999999'",
  "x'3132'",
  "DATE '1969-07-20'",
  "TIMESTAMP '1969-12-31 23:59:59.999999'",
  "TIMESTAMP_NTZ '1969-12-31 23:59:59.999999'",
  'array(1, NULL)',
  "array('1', 'x')",
  "map('a', 1)",
  "named_struct('a', 1, 'b', 'x')",
  'NULL',
]
const types: readonly string[] = [
  'BOOLEAN',
  'TINYINT',
  'SMALLINT',
  'INT',
  'BIGINT',
  'FLOAT',
  'DOUBLE',
  'DECIMAL(5, 1)',
  'DECIMAL(38, 18)',
  'STRING',
  'BINARY',
  'DATE',
  'TIMESTAMP',
  'TIMESTAMP_NTZ',
  'ARRAY<BIGINT>',
  'MAP<STRING, BIGINT>',
  'STRUCT<x: BIGINT, y: STRING>',
]

/** Spark keeps the greatest timestamp for it. */
const isTooFar = (value: string, type: string) => type === 'TIMESTAMP' && value === '9223372036854775807L'

/** What fits into few types, tried without an error. */
const misfits = values.filter((value) => /Infinity|NaN|922337|'abc'|99999999999999999999|12345678\.95|^array\(|^TIMESTAMP '/.test(value))

function pairs(name: 'CAST' | 'TRY_CAST', of: readonly string[]): Example[] {
  return types.flatMap((type) =>
    of.map(
      (value): Example => ({
        sql: `${name}(${value} AS ${type})`,
        ...(isTooFar(value, type) && { differs: 'seconds beyond the range of a timestamp' }),
      }),
    ),
  )
}

export const casts: readonly FunctionExamples[] = [
  of('cast', ['cast(value AS type)', 'The value as another type; an error where it does not fit.'], ...pairs('CAST', values)),
  of('try_cast', ['try_cast(value AS type)', 'The value as another type; null where it does not fit.'], ...pairs('TRY_CAST', misfits)),
]
