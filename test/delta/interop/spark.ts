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

/** Rows that Millrace takes away by vectors, of files from which Spark has taken some, and the other way round. */
async function vectors(engine: Engine, jobs: Jobs, path: string): Promise<void> {
  const columns = { id: t.int(), city: t.string().nullable() }
  const rows = Array.from({ length: 20_000 }, (_, id) => ({ id, city: id % 2 ? 'oslo' : 'rome' }))
  const options = { 'delta.enableDeletionVectors': true, 'delta.enableChangeDataFeed': true }
  await engine.createDataFrame(rows, columns).coalesce(1).write.format('delta').options(options).save(path)
  const table = DeltaTable.forPath(engine, path)
  await table.delete('id % 3 = 0')
  await table.update({ set: { city: "'bonn'" }, condition: 'id = 5 or id between 9000 and 9100' })
  const compare = async (what: string) => {
    same(`Spark reads ${what}`, await jobs.do('read', { path }), await rowsOf(engine, path))
    same('and its changes', await jobs.do('feed', { path }), await feedOf(engine, path))
  }
  await compare('a table whose rows Millrace took away by vectors')
  await jobs.do('changeRows', { path })
  await compare('one from which it took some too')
  const source = engine.createDataFrame(
    [
      { id: 7, city: 'köln' },
      { id: 100_000, city: null },
    ],
    columns,
  )
  await table.as('t').merge(source.alias('s'), 't.id = s.id').whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
  await table.delete('id between 100 and 12000')
  await compare('one that was merged into by vectors after that')
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
  await vectors(engine, jobs, join(folder, 'vectors'))
  await concurrent(engine, jobs, folder)
} finally {
  jobs.end()
  await engine.close()
  await rm(folder, { recursive: true, force: true })
}
finish()
