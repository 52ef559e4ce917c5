// Functions of the program as sinks: queries that are stopped, or waited for, inside of them, and options.
import { MemoryStream, type StreamingQuery, t } from 'millrace'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'

const engine = useEngine()

test('a query that is stopped inside of its own function finishes that batch and ends', async () => {
  for (const drain of [true, false]) {
    const stream = new MemoryStream(engine(), { n: t.int() })
    stream.addData({ n: 1 })
    const seen: number[] = []
    const query: StreamingQuery = await stream
      .toDF()
      .writeStream.foreachBatch(async (rows) => {
        await expect(query.awaitTermination()).rejects.toThrow(/QUERY_WAITS_FOR_ITSELF/)
        await expect(query.processAllAvailable()).rejects.toThrow(/QUERY_WAITS_FOR_ITSELF/)
        await query.stop({ drain })
        seen.push(await rows.count())
      })
      .start()
    await query.awaitTermination()
    expect([seen, query.isActive, query.exception]).toEqual([[1], false, null])
  }
})

test('a listener waits for the end of the query that it stops', async () => {
  const stream = new MemoryStream(engine(), { n: t.int() })
  stream.addData({ n: 1 })
  let wasActive: boolean | undefined
  const listener = {
    async onQueryProgress() {
      await query.stop()
      wasActive = query.isActive
    },
  }
  engine().streams.addListener(listener)
  const query: StreamingQuery = await stream.toDF().writeStream.format('noop').start()
  await query.awaitTermination()
  await new Promise((resolve) => setImmediate(resolve))
  engine().streams.removeListener(listener)
  expect(wasActive).toBe(false)
})

test('options that foreachBatch and foreach don’t know are refused', async () => {
  const input = new MemoryStream(engine(), { value: t.int() }).toDF()
  await expect(
    input.writeStream
      .foreachBatch(() => {})
      .option('ckeckpointLocation', 'x')
      .start(),
  ).rejects.toThrow(/UNKNOWN_OPTION.*checkpointLocation/s)
  await expect(input.writeStream.foreach(() => {}).start('out/')).rejects.toThrow(/UNKNOWN_OPTION.*path/s)
  await expect(
    input.writeStream
      .outputs((rows: any) => ({ a: rows.output.format('noop') }))
      .option('path', 'x')
      .start(),
  ).rejects.toThrow(/UNKNOWN_OPTION.*path/s)
})

test('times to wait: longer than a timer takes, and none at all', async () => {
  engine().streams.resetTerminated()
  const stream = new MemoryStream(engine(), { n: t.int() })
  const query = await stream.toDF().writeStream.format('noop').start()
  const waits = [
    query.awaitTermination(2 ** 31),
    query.awaitTermination(Number.POSITIVE_INFINITY),
    engine().streams.awaitAnyTermination(2 ** 40),
  ]
  const first = await Promise.race([...waits, new Promise((resolve) => setTimeout(() => resolve('they wait'), 20))])
  expect(first).toBe('they wait')
  for (const wrong of [-1, Number.NaN, '5'] as number[]) {
    await expect(query.awaitTermination(wrong)).rejects.toThrow(/INVALID_TIMEOUT/)
    await expect(query.stop({ timeoutMs: wrong })).rejects.toThrow(/INVALID_TIMEOUT/)
    await expect(engine().streams.awaitAnyTermination(wrong)).rejects.toThrow(/INVALID_TIMEOUT/)
  }
  expect([query.isActive, await query.awaitTermination(0)]).toEqual([true, false])
  await query.stop(null as never)
  expect(await Promise.all(waits)).toEqual([true, true, true])
})
