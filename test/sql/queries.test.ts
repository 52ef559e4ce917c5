/** Every query of queries.ts on the local engine, held against what real Spark 4.2.0 gave. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DataFrame, type Engine, InvalidQueryError, millrace } from 'millrace'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { typeText } from '../../src/data/types.ts'
import { type Encoded, encode, sameEncoded } from '../functions/encode.ts'
import { queries, views } from './queries.ts'

interface Answer {
  readonly sql: string
  readonly columns?: readonly (readonly [name: string, type: string])[]
  readonly rows?: readonly (readonly Encoded[])[]
  readonly error?: string
}
const file = JSON.parse(readFileSync(join(import.meta.dirname, 'expected.json'), 'utf8')) as { readonly queries: readonly Answer[] }
const expected = new Map(file.queries.map((answer) => [answer.sql, answer]))

/** Where the answer is another on purpose, and why. */
const differs: Readonly<Record<string, string>> = {
  // words are not reserved in Spark, which tries every reading: docs/sql.md
  'SELECT FROM t': 'a column called from',
  'SELECT id FROM t WHERE': 'an alias called where',
}

let engine: Engine
beforeAll(async () => {
  engine = await millrace.local({ threads: 2, print: () => {} })
  for (const view of views) engine.sql(view)
})
afterAll(() => engine.close())

test.each(queries.map((sql) => [sql]))('%s', async (sql) => {
  const answer = expected.get(sql)
  expect(answer, 'no expected result yet: npm run spark:examples -- sql').toBeDefined()
  const ours = await run(sql)
  if (sql in differs) return expect(isSame(ours, answer!)).toBe(false)
  if (!isSame(ours, answer!)) expect(ours).toEqual(answer)
})

async function run(sql: string): Promise<Answer> {
  try {
    const frame = engine.sql<DataFrame<any>>(sql)
    const { fields } = frame.schema
    const rows = await frame.toDF(...fields.map((_, i) => `c${i}`)).collect()
    return {
      sql,
      columns: fields.map(({ name, type }) => [name, typeText(type)]),
      rows: rows.map((row) => fields.map(({ type }, i) => encode(type, (row as Record<string, unknown>)[`c${i}`]))),
    }
  } catch (error) {
    if (error instanceof InvalidQueryError) return { sql, error: error.code }
    throw error
  }
}

/** Rows have an order only where the query gives them one. */
function isSame(ours: Answer, theirs: Answer): boolean {
  if (ours.error !== undefined || theirs.error !== undefined) return ours.error === theirs.error
  if (JSON.stringify(ours.columns) !== JSON.stringify(theirs.columns)) return false
  const isOrdered = /\bORDER BY (?!.*\))/.test(ours.sql)
  const inOrder = (rows: Answer['rows']) =>
    isOrdered
      ? rows!
      : rows!
          .map((row) => [JSON.stringify(row), row] as const)
          .sort(byText)
          .map(([, row]) => row)
  const [a, b] = [inOrder(ours.rows), inOrder(theirs.rows)]
  return a.length === b.length && a.every((row, i) => row.every((value, c) => sameEncoded(ours.columns![c]![1] as never, value, b[i]![c]!)))
}
function byText([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
