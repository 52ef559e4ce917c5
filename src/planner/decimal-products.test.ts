import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DuckDb } from '../../test/planner/duckdb.ts'
import { type DecimalType, decimal } from '../data/types.ts'
import type { Expression, LiteralValue } from '../plan/expression.ts'
import { literal, resolveCall } from '../plan/functions.ts'
import { expressionSql } from './expression-sql.ts'

let duckdb: DuckDb
beforeAll(async () => {
  duckdb = await DuckDb.open()
})
afterAll(() => duckdb.close())

const column = (index: number, type: DecimalType): Expression => ({ kind: 'column', name: `c${index}`, index, type, nullable: true })
const castTo = (input: Expression, type: DecimalType): Expression => ({ kind: 'cast', input, type, mode: 'ansi', nullable: true })
/** The same value, of which nothing is known while planning. */
const opaque = (e: Expression): Expression => resolveCall('coalesce', [e, literal(null, e.type)])

const decimals = fc.integer({ min: 1, max: 20 }).chain((precision) =>
  fc
    .record({
      scale: fc.nat(Math.min(6, precision)),
      unscaled: fc.bigInt({ min: 1n - 10n ** BigInt(precision), max: 10n ** BigInt(precision) - 1n }),
      most: fc.boolean(),
    })
    .map(({ scale, unscaled, most }) => ({
      type: decimal(precision, scale),
      value: { unscaled: most ? 10n ** BigInt(precision) - 1n : unscaled, scale },
    })),
)

test('a cast of a product of decimals is that of any other value', async () => {
  const outcome = async (e: Expression, columns: { value: LiteralValue; type: DecimalType }[]) => {
    const [result] = await Promise.allSettled([duckdb.evaluate(e, columns)])
    return result.status === 'fulfilled' ? result.value : /\[[A-Z_.]+\]/.exec(String(result.reason))?.[0]
  }
  const check = async (a: { value: LiteralValue; type: DecimalType }, b: typeof a, [fewer, scale]: [number, number]) => {
    const product = resolveCall('*', [column(0, a.type), column(1, b.type)])
    const { precision } = product.type as DecimalType
    const to = decimal(Math.max(1, precision - fewer), Math.min(scale, (product.type as DecimalType).scale))
    if (to.scale > to.precision) return
    expect(await outcome(castTo(product, to), [a, b])).toBe(await outcome(castTo(opaque(product), to), [a, b]))
  }
  await fc.assert(fc.asyncProperty(decimals, decimals, fc.tuple(fc.nat(4), fc.constantFrom(99, 99, 99, 2)), check), {
    numRuns: Number(process.env['MILLRACE_PRODUCT_RUNS'] ?? 150),
  })
})

test('one that holds every product is no step of its own', () => {
  const product = resolveCall('*', [column(0, decimal(3, 3)), column(1, decimal(20, 0))])
  expect(expressionSql(castTo(product, decimal(23, 3)), { column: (i) => `c${i}` })).toBe('CAST(c0 * c1 AS DECIMAL(23,3))')
  expect(expressionSql(castTo(product, decimal(22, 3)), { column: (i) => `c${i}` })).toContain('NUMERIC_VALUE_OUT_OF_RANGE')
})
