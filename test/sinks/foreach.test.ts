import { afterAll, expect, test } from 'vitest'
import { MemoryStream, millrace, t } from '../../src/index.ts'
import { tempFolders } from './temp-folders.ts'

const engine = await millrace.local()
afterAll(() => engine.close())
const folder = tempFolders()

function numbers() {
  const stream = new MemoryStream(engine, { n: t.int() })
  return { stream, frame: stream.toDF().where(({ n }) => n.gt(0)) }
}

test('open, process for each row, close; a batch without rows too', async () => {
  const { stream, frame } = numbers()
  const calls: unknown[] = []
  const query = await frame.writeStream
    .foreach({
      open: (partition, epoch) => void calls.push(['open', partition, epoch]),
      process: async (row) => void calls.push(row.n),
      close: (error) => void calls.push(['close', error]),
    })
    .start()
  stream.addData({ n: 1 }, { n: -1 }, { n: 2 })
  await query.processAllAvailable()
  stream.addData({ n: -5 })
  await query.processAllAvailable()
  expect(calls).toEqual([['open', 0n, 0n], 1, 2, ['close', null], ['open', 0n, 1n], ['close', null]])
  expect(
    query.recentProgress.filter(({ numInputRows }) => numInputRows > 0).map(({ sink }) => [sink.description, sink.numOutputRows]),
  ).toEqual([
    ['ForeachWriterTable', 2],
    ['ForeachWriterTable', 0],
  ])
  await query.stop()
})

test('a function alone is called for each row; processBatch gets all at once', async () => {
  const { stream, frame } = numbers()
  const seen: unknown[] = []
  const one = await frame.writeStream.foreach((row) => seen.push(row)).start()
  const many = await frame.writeStream.foreach({ processBatch: (rows) => void seen.push(rows.map((row) => row.n)) }).start()
  stream.addData({ n: 1 }, { n: 2 })
  await one.processAllAvailable()
  await many.processAllAvailable()
  expect(seen).toHaveLength(3)
  expect(seen).toContainEqual({ n: 1 })
  expect(seen).toContainEqual([1, 2])
  await one.stop()
  await many.stop()
})

test('open can skip a batch that it has seen: a replay after a failed close comes under the same epoch', async () => {
  const { stream, frame } = numbers()
  const done = new Set<bigint>()
  const written: number[] = []
  let fail = true
  const start = () => {
    let epoch = -1n
    return frame.writeStream
      .option('checkpointLocation', folder())
      .foreach({
        open: (_partition, id) => {
          epoch = id
          return !done.has(id)
        },
        process: (row) => written.push(row.n!),
        close: () => {
          done.add(epoch)
          if (fail) throw new Error('connection lost')
        },
      })
      .start()
  }
  stream.addData({ n: 1 }, { n: 2 })
  const first = await start()
  await expect(first.processAllAvailable()).rejects.toMatchObject({ code: 'FOREACH_USER_FUNCTION_ERROR' })
  fail = false
  const again = await start()
  await again.processAllAvailable()
  expect(written).toEqual([1, 2])
  expect(again.lastProgress!.batchId).toBe(0)
  await again.stop()
})

test('what process throws ends the query with the row in the message, and close is told', async () => {
  const { stream, frame } = numbers()
  const closed: unknown[] = []
  const query = await frame.writeStream
    .foreach({
      process: (row) => {
        if (row.n === 7) throw new Error('no sevens')
      },
      close: (error) => void closed.push((error as Error).message),
    })
    .start()
  stream.addData({ n: 1 }, { n: 7 })
  await expect(query.processAllAvailable()).rejects.toMatchObject({
    code: 'FOREACH_USER_FUNCTION_ERROR',
    message: expect.stringMatching(/process \(row 1 of 2\).* in batch 0: no sevens; the row is \{"n":7\}/),
  })
  expect(closed).toEqual(['no sevens'])
})

test.each([
  [undefined, /no function and no writer/],
  [{}, /no function and no writer/],
  [{ process: 1 }, /process is a number/],
  [{ process() {}, processBatch() {} }, /both process and processBatch/],
  [{ process() {}, close: 'x' }, /close is a string/],
])('a writer that is none: %j', (writer, message) => {
  const { frame } = numbers()
  expect(() => frame.writeStream.foreach(writer as never)).toThrow(message)
})
