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
import { makeTables } from './tables.ts'

async function readBySpark(engine: Engine, jobs: Jobs, folder: string): Promise<void> {
  for (const { name, path, feed } of await makeTables(engine, folder)) {
    same(`Spark reads ${name}`, await jobs.do('read', { path }), await rowsOf(engine, path))
    if (feed) same(`Spark reads the changes of ${name}`, await jobs.do('feed', { path }), await feedOf(engine, path))
  }
  const path = join(folder, 'streamed')
  same('Spark reads an older version', await jobs.do('read', { path, version: 10 }), await rowsOf(engine, path, { versionAsOf: '10' }))
  const changed = join(folder, 'changed')
  await jobs.do('change', { path: changed })
  same('Millrace reads its table after Spark changed it', await rowsOf(engine, changed), await jobs.do('read', { path: changed }))
  same('and its changes', await feedOf(engine, changed), await jobs.do('feed', { path: changed }))
}

async function writtenBySpark(engine: Engine, jobs: Jobs, folder: string): Promise<void> {
  const path = join(folder, 'spark')
  await jobs.do('make', { path })
  same('Millrace reads what Spark wrote', await rowsOf(engine, path), await jobs.do('read', { path }))
  same('Millrace reads the changes that Spark kept', await feedOf(engine, path), await jobs.do('feed', { path }))
  const table = DeltaTable.forPath(engine, path)
  await table.delete('id = 7')
  const source = engine.createDataFrame(
    [
      { id: 6, city: 'köln' },
      { id: 20, city: null },
    ],
    { id: t.int(), city: t.string().nullable() },
  )
  await table.as('t').merge(source.alias('s'), 't.id = s.id').whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
  await table.optimize().executeCompaction()
  same('Spark reads its table after a delete, a merge and a compaction', await jobs.do('read', { path }), await rowsOf(engine, path))
  same('and its changes', await jobs.do('feed', { path }), await feedOf(engine, path))
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
  await readBySpark(engine, jobs, folder)
  await writtenBySpark(engine, jobs, folder)
  await concurrent(engine, jobs, folder)
} finally {
  jobs.end()
  await engine.close()
  await rm(folder, { recursive: true, force: true })
}
finish()
