import { expect, test } from 'vitest'
import { tryExpression } from './try-select.ts'

test('the list and the condition of a SELECT over one relation become one expression', () => {
  expect(tryExpression('SELECT CAST(t0.c0 AS INTEGER) AS c0, t0.c1 AS c1 FROM ⟦0⟧ AS t0')).toBe(
    'TRY(row(CAST(t0.c0 AS INTEGER), t0.c1) IS NULL)',
  )
  expect(tryExpression('SELECT 1 AS c0 FROM ⟦0⟧ AS t0 WHERE t0.c0 > 1 AND f(t0.c1)')).toBe(
    'TRY(CASE WHEN t0.c0 > 1 AND f(t0.c1) THEN row(1) IS NULL ELSE false END)',
  )
})

test('a SELECT over a SELECT', () => {
  expect(
    tryExpression('SELECT t1.c0 AS c0 FROM (SELECT f(t0.c3) AS c0, t0.c1 AS c1 FROM ⟦0⟧ AS t0 WHERE t0.c2) AS t1 WHERE t1.c1 > 0'),
  ).toBe(
    'TRY(CASE WHEN t0.c2 THEN list_transform([struct_pack(c0 := f(t0.c3), c1 := t0.c1)], lambda t1: CASE WHEN t1.c1 > 0 THEN row(t1.c0) IS NULL ELSE false END)[1] ELSE false END)',
  )
})

test('quotes and brackets are seen through; numbers of rows are left out', () => {
  expect(tryExpression(`SELECT f(', FROM ', [1, 2]) AS c0, 'it''s, FROM ' AS c1 FROM ⟦0⟧ AS t0 WHERE t0.c0 = ' LIMIT '`)).toBe(
    `TRY(CASE WHEN t0.c0 = ' LIMIT ' THEN row(f(', FROM ', [1, 2]), 'it''s, FROM ') IS NULL ELSE false END)`,
  )
  expect(tryExpression('SELECT t0.c0 AS c0, CAST(row_number() OVER () AS INTEGER) AS c1 FROM ⟦0⟧ AS t0')).toBe('TRY(row(t0.c0) IS NULL)')
})

test('error() fails in another way, wherever it stands, and texts that look like it stay', () => {
  const failing = (text: string) => `([NULL])[CAST(('[' || ${text}) AS INTEGER)]`
  expect(
    tryExpression(
      `SELECT CASE WHEN t0.c0 = 0 THEN error('[A] (' || t0.c0) ELSE my_error(t0.c1) END AS c0 FROM ⟦0⟧ AS t0 WHERE t0.c1 <> 'error(1)'`,
    ),
  ).toBe(
    `TRY(CASE WHEN t0.c1 <> 'error(1)' THEN row(CASE WHEN t0.c0 = 0 THEN ${failing("'[A] (' || t0.c0")} ELSE my_error(t0.c1) END) IS NULL ELSE false END)`,
  )
})

test('what is not one row for one row is left to others', () => {
  for (const text of [
    'SELECT DISTINCT t0.c0 AS c0 FROM ⟦0⟧ AS t0',
    'SELECT t0.c0 AS c0 FROM ⟦0⟧ AS t0 JOIN ⟦1⟧ AS t1 ON true',
    'SELECT t0.c0 AS c0 FROM (SELECT 1) AS t0',
    'SELECT t2.c0 AS c0 FROM (SELECT t1.c0 AS c0 FROM (SELECT t0.c0 AS c0 FROM ⟦0⟧ AS t0) AS t1) AS t2',
    'SELECT t0.c0 AS c0 FROM ⟦0⟧ AS t0 LIMIT 3',
    'SELECT t0.c0 AS c0 FROM ⟦0⟧ AS t0 WHERE t0.c0 GROUP BY t0.c0',
    'SELECT t0.c0 IN (SELECT c0 FROM ⟦1⟧) AS c0 FROM ⟦0⟧ AS t0',
  ])
    expect(tryExpression(text)).toBeNull()
})
