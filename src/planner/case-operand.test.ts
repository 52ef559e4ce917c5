import { afterAll, beforeAll, expect, test } from 'vitest'
import { DuckDb } from '../../test/planner/duckdb.ts'
import type { Expression } from '../plan/expression.ts'
import { literal, resolveCall } from '../plan/functions.ts'
import { expressionSql } from './expression-sql.ts'

let duckdb: DuckDb
beforeAll(async () => {
  duckdb = await DuckDb.open()
})
afterAll(() => duckdb.close())

const text = (index: number): Expression => ({ kind: 'column', name: `c${index}`, index, type: 'string', nullable: true })
const string = (value: string | null) => literal(value, 'string')
const scope = { column: (index: number) => `c${index}` }
const found = (e: Expression) => resolveCall('regexp_extract', [e, string('id=([^&]*)'), literal(1, 'int')])
const nullIf = (e: Expression, other: Expression) => resolveCall('nullif', [e, other])

test.each([
  ['a=1&id=7&b', '7'],
  ['id=', null],
  ['none', null],
  [null, null],
] as const)('a costly operand of nullif is computed once: %s', async (value, expected) => {
  const e = nullIf(found(text(0)), string(''))
  expect(expressionSql(e, scope).match(/regexp_extract/g)).toHaveLength(1)
  expect(await duckdb.evaluate(e, [{ value, type: 'string' }])).toBe(expected)
})

test('one in another, each bound by itself', async () => {
  const inner = nullIf(found(text(0)), string(''))
  const e = nullIf(resolveCall('regexp_replace', [inner, string('[0-9]'), string('n')]), string('n'))
  expect(expressionSql(e, scope).match(/regexp_/g)).toHaveLength(2)
  const of = (value: string) => duckdb.evaluate(e, [{ value, type: 'string' }])
  expect([await of('id=7'), await of('id=78'), await of('id='), await of('')]).toEqual([null, 'nn', null, null])
})

test('what costs little, may differ each time or stands beside columns is written as it is', () => {
  const plain = (e: Expression) => expect(expressionSql(e, scope)).not.toContain('lambda')
  plain(nullIf(resolveCall('lower', [text(0)]), string('')))
  plain(nullIf(found(text(0)), text(1)))
  plain(nullIf(found(resolveCall('concat', [text(0), resolveCall('uuid', [])])), string('')))
})
