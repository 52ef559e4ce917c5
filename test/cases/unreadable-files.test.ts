// Files that can't be read: the error names the file, or ignoreCorruptFiles leaves it out and counts it.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { t, UnavailableError } from 'millrace'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { useInputFolders } from './input-folder.ts'

const engine = useEngine()
const newFolder = useInputFolders()

async function run(format: 'json' | 'parquet', path: string, checkpoint: string, ignoreCorruptFiles: boolean) {
  const values: unknown[] = []
  const query = await engine()
    .readStream.schema({ n: t.int().nullable() })
    .option('ignoreCorruptFiles', ignoreCorruptFiles)
    [format](path)
    .writeStream.option('checkpointLocation', checkpoint)
    .trigger({ availableNow: true })
    .foreachBatch(async (rows) => void values.push(...(await rows.collect()).map(({ n }) => n)))
    .start()
  await query.awaitTermination()
  return { values: values.sort(), metrics: query.recentProgress[0]!.sources[0]!.metrics, input: query.recentProgress[0]!.numInputRows }
}

for (const format of ['parquet', 'json'] as const) {
  test(`a ${format === 'json' ? 'gzip' : format} file that was cut`, async () => {
    const folder = await newFolder()
    const name = format === 'json' ? 'cut.json.gz' : 'cut.parquet'
    let whole: Uint8Array = gzipSync(Buffer.from(Array.from({ length: 50_000 }, (_, i) => `{"n":${i % 7}}\n`).join('')))
    if (format === 'parquet') {
      const out = folder.beside('one')
      await engine()
        .createDataFrame([{ n: 7 }], { n: t.int() })
        .write.parquet(out)
      const [part] = (await engine()
        .read.format('binaryFile')
        .load(out)
        .then((frame) => frame.collect())) as { content: Uint8Array }[]
      whole = part!.content
    }
    if (format === 'json') await folder.add('{"n":100}\n', 'good.json')
    else {
      await engine()
        .createDataFrame([{ n: 100 }], { n: t.int() })
        .write.mode('append')
        .parquet(folder.path)
    }
    const cut = join(folder.path, name)
    await writeFile(cut, whole.subarray(0, whole.length >> 1))
    const error = await run(format, folder.path, folder.beside('cp'), false).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UnavailableError)
    expect(String(error)).toContain(name)
    const ignored = await run(format, folder.path, folder.beside('ignoring'), true)
    expect([ignored.values, ignored.input, ignored.metrics['numCorruptFilesIgnored']]).toEqual([[100], 1, '1'])
  })
}
