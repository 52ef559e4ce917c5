import { count, millrace, t } from 'millrace'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { planOf } from '../api/data-frame.ts'
import { optimize } from '../plan/rules.ts'
import { fileSourceProvider } from '../sources/file-source-provider.ts'
import { explainStreamingPlan } from './explain-physical.ts'
import { noAbilities, type SourceAbilities } from './source-abilities.ts'
import { planStreaming } from './streaming.ts'
import { inputsOfNode, type PhysicalNode, type SourceRows } from './streaming-plan.ts'

let engine: Awaited<ReturnType<typeof millrace.local>>
beforeAll(async () => {
  engine = await millrace.local({ threads: 1, print: () => {} })
})
afterAll(() => engine.close())

const abilities: SourceAbilities = {
  ...noAbilities,
  givesFields: ({ format, schema, options }) => fileSourceProvider.givesFields!(format, schema, options),
}
const eventSchema = {
  kind: t.int(),
  at: t.timestamp(),
  bid: t.struct({ price: t.long(), at: t.timestamp(), by: t.struct({ id: t.long(), name: t.string() }) }),
  ask: t.struct({ price: t.long() }),
}
const events = (options: Record<string, string> = {}, schema: object = eventSchema): any =>
  engine.readStream
    .schema(schema as typeof eventSchema)
    .options(options)
    .json('/in')

/** What each source is asked for: the fields, and the columns that are read as they are. */
function asked(frame: any): { fields: string[]; columns: string[] }[] {
  const plan = planStreaming(optimize(planOf(frame)), 'append', 'UTC', { abilities })
  const found = new Set<SourceRows>()
  const visit = (node: PhysicalNode) => (node.kind === 'source' ? found.add(node) : inputsOfNode(node).forEach(visit))
  visit(plan.root)
  for (const { scan } of plan.sources) expect(scan.schema.names.some((name) => name.startsWith('⟦'))).toBe(false)
  return [...found].map(({ fields = [], columns, schema }) => ({
    fields: fields
      .filter((_, i) => columns.has(schema.fields.length - fields.length + i))
      .map(({ column, path }) => [schema.names[column], ...path].join('.')),
    columns: [...columns].filter((at) => at < schema.fields.length - fields.length).map((at) => schema.names[at]!),
  }))
}

describe('single fields are asked for', () => {
  test('where all reads of a struct go to a field, those of filters and watermarks below among them', () => {
    expect(asked(events().where('kind = 2').selectExpr('bid.*').selectExpr('price', 'at'))).toEqual([
      { fields: ['bid.price', 'bid.at'], columns: ['kind'] },
    ])
    expect(asked(events().where('bid.price > 3').withWatermark('at', '1 minute').alias('e').selectExpr('e.bid.by.id', 'at'))).toEqual([
      { fields: ['bid.by.id', 'bid.price'], columns: ['at'] },
    ])
  })
  test('of the structs of which it is so, beside one that is read whole', () => {
    expect(asked(events().selectExpr('bid.price', 'ask', 'ask.price AS p'))).toEqual([{ fields: ['bid.price'], columns: ['ask'] }])
  })
  test('a struct in a struct, whole or not', () => {
    expect(asked(events().selectExpr('bid.by', 'bid.by.id'))).toEqual([{ fields: ['bid.by', 'bid.by.id'], columns: [] }])
  })
  test('of a source that is read twice, all that either reads', () => {
    const frame = events().where('kind = 1')
    expect(asked(frame.selectExpr('bid.price').union(frame.selectExpr('bid.by.id')))).toEqual([
      { fields: ['bid.price', 'bid.by.id'], columns: ['kind'] },
    ])
  })
})

describe('the columns are read as they are', () => {
  const others: [string, () => any][] = [
    ['whole', () => events().selectExpr('bid')],
    ['whole and in parts', () => events().where('bid.price > 1').selectExpr('bid', 'bid.at')],
    ['asked whether it is null', () => events().where('bid IS NOT NULL').selectExpr('bid.price')],
    ['without a projection', () => events().where('bid.price > 1')],
    [
      'by another step',
      () =>
        events()
          .groupBy('bid.price')
          .agg(() => ({ n: count() })),
    ],
    [
      'by another step beside',
      () => {
        const frame = events()
        return frame.selectExpr('bid.price').union(frame.dropDuplicates(['kind']).selectExpr('bid.price'))
      },
    ],
    ['mode FAILFAST', () => events({ mode: 'failfast' }).selectExpr('bid.price')],
    ['mode DROPMALFORMED', () => events({ MODE: 'DROPMALFORMED' }).selectExpr('bid.price')],
    ['a column of corrupt records', () => events({}, { ...eventSchema, _corrupt_record: t.string().nullable() }).selectExpr('bid.price')],
    [
      'such a column of another name',
      () => events({ columnNameOfCorruptRecord: 'wrong' }, { ...eventSchema, wrong: t.string().nullable() }).selectExpr('bid.price'),
    ],
    [
      'another format',
      () =>
        engine.readStream
          .schema(eventSchema)
          .parquet('/in')
          .selectExpr('bid.price' as never),
    ],
  ]
  test.each(others)('%s', (_name, frame) => {
    expect(asked(frame()).map(({ fields }) => fields)).toEqual([[]])
  })
})

test('explain names the fields', () => {
  const plan = planStreaming(optimize(planOf(events().selectExpr('bid.price', 'bid.by.id'))), 'append', 'UTC', { abilities })
  expect(explainStreamingPlan(plan)).toContain('Source 0, single fields: bid.price, bid.by.id')
})
