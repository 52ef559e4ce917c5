import { expect, test } from 'vitest'
import { count, MemoryStream, millrace, type StreamingQuery, t } from '../../src/index.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'

const partitions = 'spark.sql.shuffle.partitions'
const policy = 'spark.sql.streaming.multipleWatermarkPolicy'

async function engineOf(conf: Record<string, string | number | boolean> = {}) {
  const told: string[] = []
  const engine = await millrace.local({ threads: 1, conf, print: (text) => told.push(text) })
  const input = new MemoryStream(engine, { value: t.int() })
  const counts = input
    .toDF()
    .groupBy('value')
    .agg(() => ({ n: count() }))
  const start = (checkpoint: string, options: Record<string, string | number> = {}) =>
    counts.writeStream
      .format('memory')
      .queryName(`q${Math.random()}`.replace('.', '_'))
      .outputMode('complete')
      .options({ checkpointLocation: checkpoint, ...options })
      .start()
  return { engine, input, start, told, [Symbol.asyncDispose]: () => engine.close() }
}
const partitionsOf = (query: StreamingQuery) => query.lastProgress?.stateOperators[0]?.numShufflePartitions

test('a query keeps the configuration that stood when it started; an option holds for one query alone', async () => {
  await using folder = await tempFolder()
  await using own = await engineOf({ [partitions]: 2 })
  own.input.addData({ value: 1 })
  const first = await own.start(`${folder.path}/a`)
  own.engine.conf.set(partitions, 3)
  const second = await own.start(`${folder.path}/b`)
  const third = await own.start(`${folder.path}/c`, { [partitions]: 5 })
  for (const query of [first, second, third]) await query.processAllAvailable()
  expect([first, second, third].map(partitionsOf)).toEqual([2, 3, 5])
  expect(own.engine.conf.get(partitions)).toBe('3')
})

test('a restart that asks for another value of a pinned key is told which one it gets', async () => {
  await using folder = await tempFolder()
  await using own = await engineOf()
  own.input.addData({ value: 1 })
  for (const value of ['min', 'max']) {
    const query = await own.start(folder.path, { [policy]: value })
    await query.processAllAvailable()
    await query.stop()
  }
  expect(own.told.filter((line) => line.includes(policy))).toEqual([
    `millrace: the checkpoint keeps ${policy} = min; the max that is configured now has no effect on it`,
  ])
})

test('stopActiveRunOnRestart: a start stops the run of its engine that holds the checkpoint; without it that run goes on', async () => {
  await using folder = await tempFolder()
  await using own = await engineOf()
  own.input.addData({ value: 1 })
  const first = await own.start(folder.path)
  await expect(own.start(folder.path)).rejects.toMatchObject({ code: 'CONCURRENT_QUERY' })
  expect(first.isActive).toBe(true)
  const second = await own.start(folder.path, { 'spark.sql.streaming.stopActiveRunOnRestart': 'true' })
  expect([first.isActive, first.exception, second.isActive]).toEqual([false, null, true])
})

test('stopTimeout: stop() fails after it, and the query ends all the same', async () => {
  await using folder = await tempFolder()
  await using own = await engineOf({ 'spark.sql.streaming.stopTimeout': '1ms' })
  let finish = () => {}
  const working = new Promise<void>((entered) => {
    const held = new Promise<void>((resolve) => {
      finish = resolve
    })
    own.input.addData({ value: 1 })
    void own.input
      .toDF()
      .writeStream.foreachBatch(() => {
        entered()
        return held
      })
      .option('checkpointLocation', folder.path)
      .start()
  })
  await working
  const query = own.engine.streams.active[0]!
  await expect(query.stop()).rejects.toMatchObject({ code: 'QUERY_STOP_TIMEOUT' })
  finish()
  await query.awaitTermination()
  expect(query.isActive).toBe(false)
})

test('an unknown key of one query does not start it', async () => {
  await using folder = await tempFolder()
  await using own = await engineOf()
  await expect(own.start(folder.path, { 'spark.sql.shufle.partitions': 1 })).rejects.toMatchObject({ code: 'SQL_CONF_NOT_FOUND' })
  expect(own.engine.streams.active).toEqual([])
})
