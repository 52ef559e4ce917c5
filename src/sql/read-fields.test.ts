import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LocalFiles } from '../base/local-files.ts'
import { Schema } from '../data/schema.ts'
import type { FieldRead, SourceBatch } from '../data/source-batch.ts'
import { type DataType, decimal, type Field, struct } from '../data/types.ts'
import { SqlEngine } from './sql-engine.ts'

let engine: SqlEngine
let folder: string
beforeAll(async () => {
  engine = await SqlEngine.open({ files: new LocalFiles(), threads: 2 })
  folder = mkdtempSync(join(tmpdir(), 'millrace-fields-'))
})
afterAll(async () => {
  await engine.close()
  rmSync(folder, { recursive: true })
})

const field = (name: string, type: DataType): Field => ({ name, type, nullable: true })
const inner = struct([field('n', 'long'), field('at', 'timestamp'), field("it's", 'string')])
const outer = struct([
  field('n', 'int'),
  field('at', 'timestamp'),
  field('day', 'date'),
  field('cost', decimal(9, 2)),
  field('text', 'string'),
  field('inner', inner),
  field('times', { kind: 'array', element: 'timestamp', containsNull: true }),
])
const schema = new Schema([field('kind', 'int'), field('a', outer), field('b', outer), field('at', 'timestamp')])
const paths = ['n', 'at', 'day', 'cost', 'text', 'inner', 'times', 'inner.n', 'inner.at', "inner.it's"].map((path) => path.split('.'))
const reads: readonly FieldRead[] = [1, 2].flatMap((column) => paths.map((path) => ({ column, path })))
function typeOf({ column, path }: FieldRead): DataType {
  let { type } = schema.fields[column]!
  for (const name of path) ({ type } = (type as typeof outer).fields.find((each) => each.name === name)!)
  return type
}

// values of the types, among them a few that are not
const maybe = <T>(good: fc.Arbitrary<T>, ...bad: unknown[]) =>
  fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: fc.constantFrom(null, ...bad) })
const time = maybe(
  fc.constantFrom('2024-05-06 07:08:09.123', '2024-05-06T07:08:09+02:00', '2024-05', '1-1-1 1:1-01', '2024-05-06 07:08Z'),
  'no time',
  'infinity',
  {},
)
const record = (values: Record<string, fc.Arbitrary<unknown>>) => maybe(fc.record(values, { requiredKeys: [] }), 3, 'x')
const innerValue = record({ n: maybe(fc.integer(), 1.5, 'one'), at: time, "it's": maybe(fc.constantFrom('', 'ü'), 7) })
const outerValue = record({
  n: maybe(fc.integer({ min: -9, max: 9 }), 2 ** 40, 'two'),
  at: time,
  day: maybe(fc.constant('2024-02-29'), '2023-02-29'),
  cost: maybe(fc.constantFrom(1.25, '3.10'), 'dear'),
  text: maybe(fc.string(), [1]),
  inner: innerValue,
  times: maybe(fc.array(fc.constantFrom('2024-05-06 07:08:09', '2024-05-06 07:08:09+02:00'), { maxLength: 2 }), ['later']),
})
const line = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({ kind: maybe(fc.nat(3), 'k'), a: outerValue, b: outerValue, at: time }).map((r) => JSON.stringify(r)),
  },
  { weight: 1, arbitrary: fc.constantFrom('{"kind":1,', 'no json', '[]', '') },
)
const asked = fc.record({
  lines: fc.array(line, { maxLength: 12 }),
  fields: fc.uniqueArray(fc.nat(reads.length - 1), { minLength: 1, maxLength: 6 }),
  whole: fc.uniqueArray(fc.nat(3), { maxLength: 2 }),
})

let files = 0
function batchOf(lines: readonly string[], needed?: Extract<SourceBatch, { kind: 'files' }>['needed']): SourceBatch {
  const path = join(folder, `${files++}.json`)
  const content = `${lines.join('\n')}\n`
  writeFileSync(path, content)
  const file = { path, sizeBytes: Buffer.byteLength(content), modifiedMs: 0 }
  return { kind: 'files', format: 'json', files: [file], options: {}, ...(needed && { needed }) }
}

test('fields that are read by themselves are those of the whole structs, in good files and in bad ones', async () => {
  const check = async ({ lines, fields, whole }: { lines: string[]; fields: number[]; whole: number[] }) => {
    const sql = await engine.beginBatch({ batchTimestampMs: 0, salt: 'salt' })
    try {
      const some = fields.map((at) => reads[at]!)
      const columns = [...whole.map((at) => schema.fields[at]!), ...some.map((read, i) => field(`f${i}`, typeOf(read)))]
      const value = ({ column, path }: FieldRead) => `t0.c${column}${path.map((name) => `['${name.replaceAll("'", "''")}']`).join('')}`
      const list = [...whole.map((at) => `t0.c${at}`), ...some.map(value)].map((text, i) => `${text} AS c${i}`)
      const wide = await sql.source('wide', batchOf(lines), schema)
      const expected = sql.fragment(`SELECT ${list.join(', ')} FROM ⟦0⟧ AS t0`, [wide], new Schema(columns))
      const needed = { columns: new Set([...whole, ...some.map((_, i) => 4 + i)]), fields: some }
      const extended = new Schema([...schema.fields, ...some.map((read, i) => field(`⟦field ${i}⟧`, typeOf(read)))])
      const narrow = await sql.source('narrow', batchOf(lines, needed), extended)
      const ownList = [...whole.map((at) => `t0.c${at}`), ...some.map((_, i) => `t0.c${4 + i}`)].map((text, i) => `${text} AS c${i}`)
      const got = sql.fragment(`SELECT ${ownList.join(', ')} FROM ⟦0⟧ AS t0`, [narrow], new Schema(columns))
      expect(await sql.rowSet(got).toObjects()).toEqual(await sql.rowSet(expected).toObjects())
      const rows = await sql.inputRows()
      expect(rows.get('narrow')).toBe(rows.get('wide'))
    } finally {
      await sql.close()
    }
  }
  await fc.assert(fc.asyncProperty(asked, check), { numRuns: Number(process.env['MILLRACE_FIELD_RUNS'] ?? 30) })
})

test('a value that nobody reads is not looked at, one that is read is', async () => {
  const lines = ['{"a":{"n":1,"at":"no time","text":"ü"}}']
  const read = async (path: 'n' | 'at', lines: string[]) => {
    const sql = await engine.beginBatch({ batchTimestampMs: 0, salt: 'salt' })
    try {
      const fields = [{ column: 1, path: [path] }]
      const extended = new Schema([...schema.fields, field('⟦field 0⟧', path === 'n' ? 'int' : 'timestamp')])
      const rows = await sql.source('s', batchOf(lines, { columns: new Set([4]), fields }), extended)
      const found = sql.fragment('SELECT t0.c4 AS c0 FROM ⟦0⟧ AS t0', [rows], new Schema([extended.fields[4]!]))
      const objects = await sql.rowSet(found).toObjects()
      return { objects, corrupt: sql.readCounts().get('s')!.corruptRecords }
    } finally {
      await sql.close()
    }
  }
  expect(await read('n', lines)).toEqual({ objects: [{ '⟦field 0⟧': 1 }], corrupt: 0 })
  expect(await read('n', ['{"a":{"n":1,"inner":{"n":"two"}}}'])).toEqual({ objects: [{ '⟦field 0⟧': 1 }], corrupt: 0 })
  expect(await read('n', ['{"a":{"n":"two"}}'])).toEqual({ objects: [{ '⟦field 0⟧': null }], corrupt: 1 })
  expect(await read('at', lines)).toEqual({ objects: [{ '⟦field 0⟧': null }], corrupt: 1 })
})
