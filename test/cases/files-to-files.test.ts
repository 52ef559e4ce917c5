// File source to file sink with everything between them: each row once, whatever restarts lie between.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'millrace'
import { expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { useEngine } from './harness.ts'

const engine = useEngine()

for (const format of ['parquet', 'json', 'csv'] as const) {
  test(`json files to partitioned ${format}: AvailableNow runs, the last commit deleted in between`, async () => {
    await using folder = await tempFolder()
    const [input, output, checkpoint] = ['in', 'out', 'checkpoint'].map((name) => join(folder.path, name)) as [string, string, string]
    await mkdir(input)
    const run = async (): Promise<number[]> => {
      const rows = engine().readStream.schema({ n: t.long(), day: t.string() }).option('maxFilesPerTrigger', 2).json(input)
      const query = await rows.writeStream
        .option('checkpointLocation', checkpoint)
        .partitionBy('day')
        .trigger({ availableNow: true })
        .format(format)
        .start(output)
      await query.awaitTermination()
      return query.recentProgress.filter((progress) => !progress.isIdle).map((progress) => progress.numInputRows)
    }
    const expected: { n: bigint; day: string }[] = []
    let n = 0
    for (const [round, files] of [3, 1, 4].entries()) {
      for (let i = 0; i < files; i++) {
        const rows = Array.from({ length: 3 }, () => ({ n: n++, day: `d ${n % 2}` }))
        expected.push(...rows.map((row) => ({ n: BigInt(row.n), day: row.day })))
        await writeFile(join(input, `${round}-${i}.json`), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
      }
      if (round > 0) await rm(join(checkpoint, 'commits', String((await readdir(join(checkpoint, 'commits'))).length - 1)))
      await run()
    }
    const found = await engine().read.schema({ n: t.long(), day: t.string() }).format(format).load(output).collect()
    expect(found.map((row) => `${row.n} ${row.day}`).sort()).toEqual(expected.map((row) => `${row.n} ${row.day}`).sort())
    expect((await readdir(join(output, '_spark_metadata'))).sort()).toEqual(['.millrace-query', '0', '1', '2', '3', '4'])
    expect((await readdir(output)).sort()).toEqual(['_spark_metadata', 'day=d 0', 'day=d 1'])
    expect(await run()).toEqual([])
  })
}

test('a stream over an output of a stream, with its partitions as columns', async () => {
  await using folder = await tempFolder()
  const path = (name: string) => join(folder.path, name)
  await mkdir(path('in'))
  await writeFile(path('in/a.json'), '{"n":1,"day":"x"}\n{"n":2,"day":"y"}\n')
  const schema = { n: t.long(), day: t.string() }
  const copy = async (from: string, to: string, format: 'json' | 'parquet') => {
    const rows = engine()
      .readStream.schema(schema)
      .format(from === 'in' ? 'json' : 'parquet')
      .load(path(from))
    const query = await rows.writeStream
      .option('checkpointLocation', path(`checkpoint-${to}`))
      .partitionBy('day')
      .trigger({ availableNow: true })
      .format(format)
      .start(path(to))
    await query.awaitTermination()
  }
  await copy('in', 'middle', 'parquet')
  await writeFile(path('middle/day=x/part-00009-b0-e9-00000000.parquet'), 'litter that no entry names')
  await copy('middle', 'end', 'json')
  const found = await engine().read.schema(schema).json(path('end')).collect()
  expect(found.map((row) => `${row.n} ${row.day}`).sort()).toEqual(['1 x', '2 y'])
})
