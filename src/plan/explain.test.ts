import { expect, test } from 'vitest'
import { batchScan, distinct, filter, groupBy, join, limit, localRelation, sort, streamScan, union, watermark } from './analyze.ts'
import { explainLogical } from './explain.ts'
import type { UnresolvedExpression } from './expression.ts'
import { expressionText, literalText, timestampText } from './expression-tree.ts'
import { resolveExpression } from './resolve.ts'
import { parseDdl } from './schema-text.ts'

const a = (name: string): UnresolvedExpression => ({ kind: 'attribute', name })
const lit = (value: number | string): UnresolvedExpression => ({
  kind: 'literal',
  value,
  type: typeof value === 'string' ? 'string' : 'int',
})
const c = (name: string, ...args: UnresolvedExpression[]): UnresolvedExpression => ({ kind: 'call', name, args })

test('a plan is a tree, in Spark’s form', () => {
  const clicks = streamScan({
    format: 'json',
    options: { path: '/in' },
    schema: parseDdl('ad string, at timestamp, price double'),
    name: 'clicks',
  })
  const ads = batchScan({ format: 'parquet', options: {}, paths: ['/ads'], schema: parseDdl('ad string, campaign string') })
  const joined = join(watermark(filter(clicks, c('>', a('price'), lit(1))), 'at', '30 minutes'), ads, { using: ['ad'] }, 'left')
  const plan = groupBy(
    joined,
    [{ expression: c('window', a('at'), lit('10 minutes'), lit('5 minutes')) }, { expression: a('campaign') }],
    [{ name: 'revenue', expression: c('sum', a('price')) }],
  )
  expect(
    explainLogical(plan),
  ).toBe(`Aggregate [window(at, 10 minutes, 5 minutes), campaign], [window(at, 10 minutes, 5 minutes) AS window, campaign, sum(price) AS revenue]
+- Join LeftOuter, (ad = ad)
   :- EventTimeWatermark at, 30 minutes
   :  +- Filter (price > 1.0)
   :     +- StreamingRelation clicks (json) /in [ad, at, price]
   +- Relation parquet /ads [ad, campaign]
`)
})

test('the other nodes', () => {
  const local = localRelation({ schema: parseDdl('a int'), length: 0, columns: [] })
  const plan = limit(
    sort(distinct(union([local, local])), [a('a'), { kind: 'sort', input: a('a'), descending: true, nullsFirst: false }]),
    3,
  )
  expect(explainLogical(plan)).toBe(`Limit 3
+- Sort [a ASC NULLS FIRST, a DESC NULLS LAST]
   +- Distinct
      +- Union
         :- LocalRelation [a]
         +- LocalRelation [a]
`)
})

test('expressions', () => {
  const { fields } = parseDdl('a int, b boolean, s struct<x: int>')
  const text = (e: UnresolvedExpression) => expressionText(resolveExpression(e, { fields }))
  expect(text({ kind: 'case', branches: [{ condition: a('b'), value: a('a') }], otherwise: lit(0) })).toBe('CASE WHEN b THEN a ELSE 0 END')
  expect(text(c('not', c('in', a('s.x'), lit(1), lit(2))))).toBe('(NOT (s.x IN (1, 2)))')
  expect(text({ kind: 'cast', input: a('a'), type: 'byte', mode: 'try' })).toBe('try_cast(a as tinyint)')
})

test('literals', () => {
  expect(literalText(1_600_000_000_500_000n, 'timestamp')).toBe('2020-09-13 12:26:40.5')
  expect(timestampText(-1n)).toBe('1969-12-31 23:59:59.999999')
  expect(timestampText(0n)).toBe('1970-01-01 00:00:00')
  expect(literalText(18262, 'date')).toBe('2020-01-01')
  expect(literalText(new Uint8Array([1, 255]), 'binary')).toBe("X'01FF'")
  expect(literalText({ unscaled: -150n, scale: 2 }, { kind: 'decimal', precision: 3, scale: 2 })).toBe('-1.50')
})
