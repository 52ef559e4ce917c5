import { col, count, from_json, millrace, t } from 'millrace'
import 'millrace/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { planOf } from '../api/data-frame.ts'
import { optimize } from '../plan/rules.ts'
import { noAbilities } from './source-abilities.ts'
import { planStreaming } from './streaming.ts'
import { inputsOfNode, type PhysicalNode, type SourceRows } from './streaming-plan.ts'

let engine: Awaited<ReturnType<typeof millrace.local>>
beforeAll(async () => {
  engine = await millrace.local({ threads: 1, print: () => {} })
})
afterAll(() => engine.close())

const fields = t.struct({
  a: t.long().nullable(),
  b: t.string().nullable(),
  at: t.timestamp().nullable(),
  m: t.map(t.string(), t.int()).nullable(),
})
const kafka = (): any => engine.readStream.format('kafka').options({ 'kafka.bootstrap.servers': 'a:1', subscribe: 'x' }).load()
const parsed = (options?: object) => from_json(col('value').cast('string') as never, fields, options as never).as('e')

/** The fields that the source is asked for, and its own columns that are read; null where it gives the texts. */
function asked(frame: any, timeZone = 'UTC'): { fields: readonly string[]; columns: number[] } | null {
  const plan = planStreaming(optimize(planOf(frame)), 'append', timeZone, {
    abilities: { ...noAbilities, parsesJson: () => ['value'] },
  })
  const sources: SourceRows[] = []
  const visit = (node: PhysicalNode) => (node.kind === 'source' ? sources.push(node) : inputsOfNode(node).forEach(visit))
  visit(plan.root)
  expect(plan.sources[0]!.scan.schema.fields).toHaveLength(7)
  const { json, columns } = sources[0]!
  return json ? { fields: json.fields.names, columns: [...columns].filter((at) => at < 7).sort() } : null
}

test('fields that are read of one from_json are read by the source, others are not', () => {
  expect(asked(kafka().select(parsed()).selectExpr('e.a', 'e.b'))).toEqual({ fields: ['a', 'b'], columns: [] })
  expect(asked(kafka().select(parsed(), col('offset')).where('e.b = "x"').selectExpr('e.a', 'offset'))).toEqual({
    fields: ['a', 'b'],
    columns: [4],
  })
  const twice = kafka().select(parsed()).selectExpr('e.a + 1 AS a1', 'e.at').withWatermark('at', '1 minute').select('a1')
  expect(asked(twice)).toEqual({ fields: ['a', 'at'], columns: [] })
})

const others: [string, () => any][] = [
  ['the whole object', () => kafka().select(parsed())],
  ['the text beside it', () => kafka().select(parsed(), col('value')).selectExpr('e.a', 'value')],
  [
    'two schemas',
    () =>
      kafka()
        .select(parsed(), from_json(col('value').cast('string') as never, 'a INT').as('f'))
        .selectExpr('e.a', 'f.a AS a2'),
  ],
  ['a type that files read otherwise', () => kafka().select(parsed()).selectExpr('e.m')],
  [
    'options of the function',
    () =>
      kafka()
        .select(parsed({ mode: 'FAILFAST' }))
        .selectExpr('e.a'),
  ],
  [
    'patterns of times',
    () =>
      kafka()
        .select(parsed({ timestampFormat: 'yyyy' }))
        .selectExpr('e.at'),
  ],
  [
    'a source that is read twice',
    () => {
      const frame = kafka()
      const half = frame.select(parsed()).selectExpr('e.a')
      return half.union(frame.selectExpr('offset AS a'))
    },
  ],
]
test.each(others)('%s: the texts are read', (_name, frame) => {
  expect(asked(frame())).toBeNull()
})
test('a time without a zone is read by the source in UTC only', () => {
  const frame = kafka().select(parsed()).selectExpr('e.at')
  expect(asked(frame)).toEqual({ fields: ['at'], columns: [] })
  expect(asked(frame, 'Europe/Berlin')).toBeNull()
})
test('only of sources that parse', () => {
  const plan = planStreaming(
    optimize(
      planOf(
        kafka()
          .select(parsed())
          .selectExpr('e.a', 'e.b')
          .groupBy('b')
          .agg(() => ({ n: count() })),
      ),
    ),
    'complete',
  )
  expect(JSON.stringify(plan.sources[0]!.scan.schema.names)).toContain('value')
})
