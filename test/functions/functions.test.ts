/** Every example on the local engine, held against what real Spark gave. How they are written: README.md. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { planOf } from '../../src/api/data-frame.ts'
import { typeText } from '../../src/data/types.ts'
import * as api from '../../src/index.ts'
import { functionFamilies } from '../../src/plan/functions.ts'
import { parseDdl } from '../../src/plan/schema-text.ts'
import { decode, type Encoded, encode, sameEncoded } from './encode.ts'
import type { Example } from './examples/example.ts'
import { families } from './examples/index.ts'

interface Expected {
  readonly sql: string
  readonly from?: string
  readonly by?: string
  readonly type?: string
  readonly value?: Encoded
  readonly types?: readonly string[]
  readonly rows?: readonly Encoded[]
  readonly error?: string
}
interface ExpectedFile {
  readonly examples: readonly Expected[]
  readonly tables: Readonly<Record<string, { readonly schema: string; readonly rows: readonly (readonly Encoded[])[] }>>
}

const differences = readFileSync(join(import.meta.dirname, '../../docs/differences.md'), 'utf8')
let engine: api.Engine
beforeAll(async () => {
  engine = await api.millrace.local({ conf: {} })
})
afterAll(() => engine.close())

for (const [family, functions] of Object.entries(families)) {
  const file = JSON.parse(readFileSync(join(import.meta.dirname, `expected/${family}.json`), 'utf8')) as ExpectedFile
  const expected = new Map(file.examples.map((each) => [identity(each), each]))

  describe.skipIf(!('expr' in api))(family, () => {
    for (const { name, examples } of functions) {
      test.each(examples.map((example) => [textOf(example), example] as const))(`${name}: %s`, async (_text, example) => {
        const answer = expected.get(identity(example))
        expect(answer, 'no expected value yet: npm run spark:examples').toBeDefined()
        const ours = await run(example, file, family)
        const same = isSame(ours, answer!)
        if (example.differs === undefined) {
          if (!same) expect(shown(ours)).toEqual(answer)
          return
        }
        expect(differences, 'the row of docs/differences.md').toContain(example.differs)
        expect(same, `differs as ${JSON.stringify(example.differs)}`).toBe(false)
      })
    }
  })

  // families of operators only have examples
  describe.skipIf(!(family in functionFamilies))(`${family} is complete`, () => {
    const rows = (functionFamilies[family] ?? []).filter((row) => !row.internal)
    test('every function has examples, one of them with a null', () => {
      const lacking = rows.filter((row) => {
        const examples = functions.find(({ name }) => name === row.name)?.examples ?? []
        return examples.length < 3 || (row.arity[1] > 0 && !examples.some((each) => /null/i.test(textOf(each))))
      })
      expect(lacking.map((row) => row.name)).toEqual([])
    })
    test('every function with examples is in the table', () => {
      const names = new Set(rows.map((row) => row.name))
      expect(functions.map(({ name }) => name).filter((name) => !names.has(name) && !syntax.has(name))).toEqual([])
    })
    test('every function has a wrapper', () => {
      const wrapped = (name: string) => /^\w+$/.test(name) === false || name in api || methods.has(name) || renamed.has(name)
      expect(rows.map((row) => row.name).filter((name) => !wrapped(name))).toEqual([])
    })
  })
}

/** What has a grammar of its own, or a step of the plan, and no row in the table. */
const syntax = new Set(['case', 'monotonically_increasing_id'])
/** Words of TypeScript: iff and typeOf. */
const renamed = new Set(['if', 'typeof'])
/** Words of SQL that the typed way has as methods of a column. */
const methods = new Set(['and', 'or', 'in', 'like', 'ilike', 'rlike', 'between'])

interface Ours {
  readonly schema: api.Schema
  readonly rows: readonly (readonly Encoded[])[]
  readonly error?: string
}

async function run(example: Example, file: ExpectedFile, family: string): Promise<Ours> {
  const expr = (api as unknown as { expr: (text: string) => never }).expr
  try {
    const source = example.from === undefined ? engine.createDataFrame([{}], {}) : tableOf(file, example.from)
    const value = expr(example.sql)
    const grouped = (keys: readonly string[]) => source.groupBy(...(keys as never[])).agg(() => ({ value }) as never)
    const frame =
      example.by !== undefined
        ? grouped([example.by]).orderBy(example.by as never)
        : family === 'aggregates'
          ? grouped([])
          : source.select(value)
    const { schema } = planOf(frame)
    const rows = (await frame.collect()) as Record<string, unknown>[]
    return { schema, rows: rows.map((row) => schema.fields.map((field) => encode(field.type, row[field.name]))) }
  } catch (error) {
    if (error instanceof api.MillraceError) return { schema: undefined as never, rows: [], error: error.code }
    throw error
  }
}
function tableOf(file: ExpectedFile, from: string) {
  const table = file.tables[from]
  expect(table, 'no rows yet: npm run spark:examples').toBeDefined()
  const schema = parseDdl(table!.schema)
  return engine.createDataFrame(
    table!.rows.map((row) => Object.fromEntries(schema.fields.map((field, i) => [field.name, decode(field.type, row[i]!)]))) as never,
    schema,
  )
}

function isSame(ours: Ours, answer: Expected): boolean {
  if (answer.error !== undefined || ours.error !== undefined) return ours.error === answer.error
  const types = answer.types ?? [answer.type!]
  const rows = answer.types !== undefined ? answer.rows! : (answer.rows ?? [answer.value!]).map((value) => [value])
  const { fields } = ours.schema
  return (
    fields.length === types.length &&
    fields.every((field, i) => typeText(field.type) === types[i]) &&
    ours.rows.length === rows.length &&
    ours.rows.every((row, r) => row.every((value, i) => sameEncoded(fields[i]!.type, value, (rows[r] as Encoded[])[i]!)))
  )
}
/** Ours in the form of an answer, for the message. */
function shown(ours: Ours): unknown {
  if (ours.error !== undefined) return { error: ours.error }
  const types = ours.schema.fields.map((field) => typeText(field.type))
  if (types.length > 1) return { types, rows: ours.rows }
  return ours.rows.length === 1 ? { type: types[0], value: ours.rows[0]![0] } : { type: types[0], rows: ours.rows.map((row) => row[0]) }
}
function identity({ sql, from, by }: { sql: string; from?: string; by?: string }): string {
  return JSON.stringify([sql, from ?? null, by ?? null])
}
function textOf({ sql, from, by }: Example): string {
  return `${sql}${from === undefined ? '' : ` FROM ${from}`}${by === undefined ? '' : ` GROUP BY ${by}`}`
}
