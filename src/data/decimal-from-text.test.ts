import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decimalFromTextSql } from './decimal-from-text.ts'
import { decimal } from './types.ts'

const types = [decimal(12, 2), decimal(19, 0), decimal(20, 2), decimal(38, 10), decimal(38, 18), decimal(38, 20)]
const digits = (max: number) => fc.stringMatching(new RegExp(`^[0-9]{0,${max}}$`))
const numberLike = fc
  .tuple(
    fc.constantFrom('', '', '-', '+', ' '),
    digits(24),
    fc.oneof(
      fc.constant(''),
      digits(24).map((part) => `.${part}`),
    ),
    fc.constantFrom('', '', '', 'e3', 'E-5', 'e18', 'e-20', ' ', '5', '49999', '_1', 'x'),
  )
  .map((parts) => parts.join(''))

test('is what the cast gives to all of its digits', async () => {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  await fc.assert(
    fc.asyncProperty(fc.array(numberLike, { minLength: 1, maxLength: 40 }), async (texts) => {
      const list = texts.map((text) => `('${text}')`).join(', ')
      const columns = types.flatMap((type) => [
        `CAST(${decimalFromTextSql('t', type)} AS VARCHAR)`,
        `CAST(TRY_CAST(t AS DECIMAL(${type.precision},${type.scale})) AS VARCHAR)`,
      ])
      const rows = (await connection.runAndReadAll(`SELECT t, ${columns.join(', ')} FROM (VALUES ${list}) AS v(t)`)).getRows()
      for (const [text, ...found] of rows)
        types.forEach((type, i) => expect([text, type, found[2 * i]]).toEqual([text, type, found[2 * i + 1]]))
    }),
    { numRuns: 25 },
  )
  connection.closeSync()
})
