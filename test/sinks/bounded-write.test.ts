import { type Engine, millrace, t } from 'millrace'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { project } from '../../src/plan/analyze.ts'
import type { BoundedWrite, SinkProvider } from '../../src/sinks/sink.ts'

let engine: Engine
let written: (Pick<BoundedWrite, 'mode' | 'options' | 'partitionBy'> & { readonly rows: unknown })[]
const shelf: SinkProvider = {
  formats: ['shelf'],
  outputModes: ['append'],
  allowsTemporaryCheckpoint: true,
  bounded: {
    modes: ['append', 'overwrite'],
    async write({ mode, options, partitionBy, withRows, engine, plan }) {
      const rows = await withRows((given) => given.toObjects())
      // a plan of the sink's own, over rows that were computed once
      const names = await engine.holdRows(plan, (held) =>
        engine.runBatch(project(held, [{ kind: 'attribute', name: 'name' }]), (given) => given.toObjects()),
      )
      written.push({ mode, options, partitionBy, rows: [rows, names] })
    },
  },
  open: () => Promise.reject(new Error('no stream')),
}
const onlyStreams: SinkProvider = { formats: ['brook'], outputModes: ['append'], allowsTemporaryCheckpoint: true, open: shelf.open }
beforeEach(async () => {
  engine = await millrace.local({ sinks: [shelf, onlyStreams] })
  written = []
})
afterEach(() => engine.close())
const frame = () => engine.createDataFrame([{ id: 1, name: 'ann' }], { id: t.int(), name: t.string() })

test('a sink that is no files gets the rows, the mode and the options, with a path or without', async () => {
  await frame().write.format('Shelf').mode('append').option('colour', 'red').save()
  await frame().write.format('shelf').mode('overwrite').option('colour', 'blue').save('there')
  const rows = [[{ id: 1, name: 'ann' }], [{ name: 'ann' }]]
  expect(written).toEqual([
    { mode: 'append', options: { colour: 'red' }, partitionBy: [], rows },
    { mode: 'overwrite', options: { colour: 'blue', path: 'there' }, partitionBy: [], rows },
  ])
})

test('what the sink does not have is refused before it is called', async () => {
  await expect(frame().write.format('shelf').save()).rejects.toMatchObject({ code: 'UNSUPPORTED_SAVE_MODE' })
  await expect(frame().write.format('shelf').mode('append').partitionBy('id').save()).rejects.toMatchObject({
    code: 'PARTITION_BY_NOT_SUPPORTED',
  })
  await expect(frame().write.format('brook').mode('append').save()).rejects.toMatchObject({ code: 'DATA_SOURCE_NOT_FOUND' })
  await expect(frame().write.format('jar').save()).rejects.toThrow(/parquet, json, csv, text, shelf/)
  await expect(frame().write.format('delta').save()).rejects.toThrow(/import 'millrace\/delta'/)
  await expect(frame().write.mode('append').save()).rejects.toMatchObject({ code: 'MISSING_PATH' })
  expect(written).toEqual([])
})
