// The streaming queries of cases.ts give what real Spark 4.2.0 gave for them (expected.json, by `npm run spark:streams`): the rows of every batch, batches without
// data among them, the counts of every step with state, and the watermark. MILLRACE_SPARK_STREAMS=all runs all of them, otherwise every sixth.
import { readFileSync } from 'node:fs'
import { col, type Engine, MemoryStream, millrace, type QueryProgress, struct, t, to_json } from 'millrace'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { type Relation, type StreamCase, streamCases } from './cases.ts'

interface Step {
  readonly batches: readonly (readonly string[])[]
  /** Of each step with state, the outermost first: rows in all, updated, dropped as late, removed. */
  readonly operators: readonly (readonly number[])[]
  readonly watermark: string | null
}
const expected = JSON.parse(readFileSync(new URL('./expected.json', import.meta.url), 'utf8')) as Record<string, readonly Step[]>
const every = process.env['MILLRACE_SPARK_STREAMS'] === 'all' ? 1 : 6

let engine: Engine
beforeAll(async () => {
  engine = await millrace.local({ threads: 1 })
})
afterAll(() => engine.close())

test('every case has its results', () => {
  expect(Object.keys(expected)).toEqual(streamCases.map(({ name }) => name))
})

test.each(streamCases.filter((_, i) => i % every === 0))('$name', async (streamCase) => {
  expect(await stepsOf(streamCase)).toEqual(expected[streamCase.name])
})

async function stepsOf({ outputMode, relations, steps }: StreamCase): Promise<Step[]> {
  await using folder = await tempFolder()
  const input = new MemoryStream(engine, {
    k: t.int().nullable(),
    t: t.int().nullable(),
    v: t.int().nullable(),
    src: t.string(),
  })
  input.toDF().createOrReplaceTempView('input')
  for (const relation of relations) frameOf(relation).createOrReplaceTempView(relation.view)
  const out = engine.table('out') as any
  const texts = out.select(to_json(struct(...out.columns.map((name: string) => col(name))) as never, { ignoreNullFields: false }).as('row'))
  const batches: string[][] = []
  const start = () =>
    texts.writeStream
      .outputMode(outputMode)
      .option('checkpointLocation', folder.path)
      .foreachBatch(async (batch: any) => {
        batches.push((await batch.collect()).map(({ row }: { row: string }) => row).sort())
      })
      .start()
  let query = await start()
  let last = -1
  const found: Step[] = []
  for (const step of steps) {
    if (step === 'restart') {
      await query.stop()
      query = await start()
    } else input.addData(...step.map(([k, time, v, src]) => ({ k, t: time, v, src })))
    await query.processAllAvailable()
    const run = (query.recentProgress as readonly QueryProgress[]).filter(({ batchId, isIdle }) => batchId > last && !isIdle)
    last = run.at(-1)?.batchId ?? last
    found.push({ batches: batches.splice(0), operators: operatorsOf(run), watermark: run.at(-1)?.eventTime['watermark'] ?? null })
  }
  await query.stop()
  return found
}

function frameOf(relation: Relation): any {
  if ('sql' in relation) return engine.sql(relation.sql)
  const frame = engine.table(relation.of) as any
  if ('watermark' in relation) return frame.withWatermark(...relation.watermark)
  if ('dropDuplicates' in relation) return frame.dropDuplicates(relation.dropDuplicates)
  return frame.dropDuplicatesWithinWatermark(relation.dropDuplicatesWithinWatermark)
}

function operatorsOf(run: readonly QueryProgress[]): number[][] {
  const sum = (i: number, name: 'numRowsUpdated' | 'numRowsDroppedByWatermark' | 'numRowsRemoved') =>
    run.reduce((total, { stateOperators }) => total + stateOperators[i]![name], 0)
  return (run.at(-1)?.stateOperators ?? []).map(({ numRowsTotal }, i) => [
    numRowsTotal,
    sum(i, 'numRowsUpdated'),
    sum(i, 'numRowsDroppedByWatermark'),
    sum(i, 'numRowsRemoved'),
  ])
}
