/**
 * `npm run delta:spark`: tables written by Millrace are read and changed by Spark with delta-spark, and the other way round, with the same rows; both write to one table at the
 * same time. SPARK_PYTHON is a Python that has pyspark (default: python3), MILLRACE_DELTA_SPARK the connector's coordinates, which Spark fetches from Maven Central.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Engine, MemoryStream, millrace, t } from 'millrace'
import { DeltaTable } from 'millrace/delta'
import { feedOf, finish, Jobs, rowsOf, same } from './jobs.ts'
import { readByOther, writtenByOther } from './steps.ts'

async function changedBySpark(engine: Engine, jobs: Jobs, path: string): Promise<void> {
  await jobs.do('change', { path })
  same('Millrace reads its table after Spark changed it', await rowsOf(engine, path), await jobs.do('read', { path }))
  same('and its changes', await feedOf(engine, path), await jobs.do('feed', { path }))
}

/** A stream, Spark, and compactions write to one table; every row is there once. */
async function concurrent(engine: Engine, jobs: Jobs, folder: string): Promise<void> {
  const path = join(folder, 'shared')
  await jobs.do('makePlain', { path })
  const [batches, appends] = [60, 8]
  const stream = new MemoryStream(engine, { id: t.int().nullable(), city: t.string().nullable() })
  const query = await stream
    .toDF()
    .writeStream.option('checkpointLocation', join(folder, '.checkpoints', 'shared'))
    .format('delta')
    .start(path)
  let isDone = false
  let count = 0
  const ours = async () => {
    while (!isDone || count < batches) {
      stream.addData({ id: count++, city: 'stream' })
      await query.processAllAvailable()
      if (count % 20 === 0) await DeltaTable.forPath(engine, path).optimize().executeCompaction()
    }
  }
  const theirs = jobs.do('append', { path, start: 100_000, count: appends }).finally(() => {
    isDone = true
  })
  await Promise.all([ours(), theirs])
  await query.stop()
  const expected = [
    ...Array.from({ length: count }, (_, i) => `{"city":"s:stream","id":"i:${i}"}`),
    ...Array.from({ length: appends }, (_, i) => `{"city":"s:spark","id":"i:${100_000 + i}"}`),
  ].sort()
  same('two writers at once, as Millrace reads it', await rowsOf(engine, path), expected)
  same('two writers at once, as Spark reads it', await jobs.do('read', { path }), expected)
}

const folder = await mkdtemp(join(tmpdir(), 'millrace-spark-'))
const engine = await millrace.local()
const jobs = new Jobs(process.env['SPARK_PYTHON'] ?? 'python3', 'spark_jobs.py')
try {
  console.log(await jobs.answer('start'))
  await readByOther('Spark', engine, jobs, folder)
  await changedBySpark(engine, jobs, join(folder, 'changed'))
  await writtenByOther('Spark', engine, jobs, join(folder, 'spark'), { gone: 7, changed: 6, city: 'köln' })
  await concurrent(engine, jobs, folder)
} finally {
  jobs.end()
  await engine.close()
  await rm(folder, { recursive: true, force: true })
}
finish()
