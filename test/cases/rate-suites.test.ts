// What RateStreamProviderSuite and RatePerMicroBatchProviderSuite of Spark 4.2.0 expect, besides case L4.
import { millrace, unix_millis } from 'millrace'
import {
  advanceManualClock,
  assertOnQuery,
  checkAnswer,
  checkLastBatch,
  checkNewAnswer,
  ManualClock,
  processAllAvailable,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { useEngine } from './harness.ts'

const engine = useEngine()
const everySecond = { kind: 'processing-time', intervalMs: 1000 } as const
const upTo = (first: number, end: number, row: (n: number) => unknown[] = (n) => [n]) =>
  Array.from({ length: end - first }, (_, i) => row(first + i))
function rate(options: Readonly<Record<string, string | number>>) {
  return engine()
    .readStream.format('rate')
    .options(options)
    .load()
    .select('timestamp' as never, 'value' as never)
    .select((c: any) => ({ ms: unix_millis(c.timestamp), value: c.value })) as never
}
const perBatch = (options: Readonly<Record<string, string | number>>) =>
  engine()
    .readStream.format('rate-micro-batch')
    .options(options)
    .load()
    .select((c: any) => ({ ms: unix_millis(c.timestamp), value: c.value })) as never

test('microbatch - basic', async () => {
  await testStream(rate({ rowsPerSecond: 10 }), { clock: new ManualClock(), trigger: everySecond }, [
    checkAnswer(),
    advanceManualClock(1000),
    checkLastBatch(...upTo(0, 10, (n) => [n * 100, n])),
    advanceManualClock(1000),
    checkLastBatch(...upTo(10, 20, (n) => [n * 100, n])),
  ])
})

test('microbatch - restart: the seconds go on from the first start, and those missed meanwhile come in one batch', async () => {
  const clock = new ManualClock()
  await testStream(rate({ rowsPerSecond: 10 }), { clock, trigger: everySecond }, [
    checkAnswer(),
    advanceManualClock(1000),
    advanceManualClock(1000),
    checkAnswer(...upTo(0, 20, (n) => [n * 100, n])),
    stopStream(),
    { name: 'time passes', run: async () => clock.advance(2500) },
    startStream(),
    checkNewAnswer(...upTo(20, 40, (n) => [n * 100, n])),
    assertOnQuery('offset', (query) => expect(query.lastProgress!.sources[0]!.endOffset).toBe(4)),
  ])
})

test('microbatch - uniform distribution of event timestamps', async () => {
  await testStream(rate({ rowsPerSecond: 1500 }), { clock: new ManualClock(), trigger: everySecond }, [
    checkAnswer(),
    advanceManualClock(1000),
    checkLastBatch(...upTo(0, 1500, (n) => [Math.round(n * (1000 / 1500)), n])),
  ])
})

test('rampUpTime', async () => {
  const steps = [
    upTo(0, 2, (n) => [n * 500, n]),
    upTo(2, 6, (n) => [1000 + (n - 2) * 250, n]),
    [
      [2000, 6],
      [2167, 7],
      [2333, 8],
      [2500, 9],
      [2667, 10],
      [2833, 11],
    ],
    upTo(12, 20, (n) => [3000 + (n - 12) * 125, n]),
    upTo(20, 30, (n) => [4000 + (n - 20) * 100, n]),
    upTo(30, 40, (n) => [5000 + (n - 30) * 100, n]),
    upTo(40, 50, (n) => [6000 + (n - 40) * 100, n]),
  ]
  await testStream(rate({ rowsPerSecond: 10, rampUpTime: '4s' }), { clock: new ManualClock(), trigger: everySecond }, [
    checkAnswer(),
    ...steps.flatMap((rows) => [advanceManualClock(1000), checkLastBatch(...rows)]),
  ])
})

test('microbatch - ramp up error; overflow', async () => {
  const most = String(2n ** 63n - 1n)
  expect(() => rate({ rowsPerSecond: most, rampUpTime: '2s' })).toThrow(
    new RegExp(`INCORRECT_RAMP_UP_RATE.*${most} rowsPerSecond.* 1 s.* 2 s`),
  )
  const overflow = testStream(rate({ rowsPerSecond: most }), { clock: new ManualClock(), trigger: everySecond }, [
    checkAnswer(),
    advanceManualClock(2000),
    checkAnswer(),
  ])
  await expect(overflow).rejects.toThrow(/INCORRECT_END_OFFSET.*rowsPerSecond is 1, and it is 2 now/)
})

test('illegal option values and a schema of the user’s', () => {
  const illegal: [string, string, string][] = [
    ['rate', 'rowsPerSecond', '-1'],
    ['rate', 'numPartitions', '-1'],
    ['rate-micro-batch', 'rowsPerBatch', '-1'],
    ['rate-micro-batch', 'rowsPerBatch', '0'],
    ['rate-micro-batch', 'numPartitions', '-1'],
    ['rate-micro-batch', 'numPartitions', '0'],
    ['rate-micro-batch', 'advanceMillisPerBatch', '-1'],
    ['rate-micro-batch', 'startTimestamp', '-1'],
  ]
  for (const [format, option, value] of illegal) {
    const reader = engine()
      .readStream.format(format as 'rate')
      .option('rowsPerBatch' as never, 1)
    const plain = format === 'rate' ? engine().readStream.format('rate') : reader
    expect(() => plain.option(option, value).load(), `${format} ${option}`).toThrow(new RegExp(`${option}.*${value}`, 's'))
  }
  for (const format of ['rate', 'rate-micro-batch']) {
    expect(() =>
      engine()
        .readStream.format(format)
        .option('rowsPerBatch', 10)
        .schema({ id: { type: 'long' } } as never)
        .load(),
    ).toThrow()
  }
})

test('rate-micro-batch - basic', async () => {
  const everyTenMs = { kind: 'processing-time', intervalMs: 10 } as const
  await testStream(
    perBatch({ rowsPerBatch: 10, startTimestamp: 1000, advanceMillisPerBatch: 50 }),
    { clock: new ManualClock(), trigger: everyTenMs },
    [
      checkLastBatch(...upTo(0, 10, (n) => [1000, n])),
      advanceManualClock(10),
      checkLastBatch(...upTo(10, 20, (n) => [1050, n])),
      advanceManualClock(10),
      checkLastBatch(...upTo(20, 30, (n) => [1100, n])),
    ],
  )
})

for (const kind of ['once', 'available-now'] as const) {
  test(`rate-micro-batch - ${kind} takes one batch`, async () => {
    const clock = new ManualClock()
    const trigger = { kind: 'processing-time', intervalMs: 10 } as const
    await testStream(perBatch({ rowsPerBatch: 10 }), { clock, trigger }, [
      checkLastBatch(...upTo(0, 10, (n) => [0, n])),
      stopStream(),
      startStream({ trigger: { kind } }),
      processAllAvailable(),
      checkLastBatch(...upTo(10, 20, (n) => [1000, n])),
      stopStream(),
      startStream(),
      checkLastBatch(...upTo(20, 30, (n) => [2000, n])),
      stopStream(),
    ])
  })
}

test('rate-micro-batch - malformed state when the query is restarted with a newer timestamp and reprocess batch 0', async () => {
  await using checkpoint = await tempFolder()
  let isFirst = true
  const start = (options: Readonly<Record<string, number>>) =>
    engine()
      .readStream.format('rate-micro-batch')
      .options({ rowsPerBatch: 1, ...options })
      .load()
      .writeStream.option('checkpointLocation', checkpoint.path)
      .foreachBatch(() => {
        if (!isFirst) return
        isFirst = false
        throw new Error('fail this run')
      })
      .start()
  await expect((await start({})).awaitTermination()).rejects.toThrow(/fail this run/)
  await expect((await start({ startTimestamp: 1_700_000_000_000 })).awaitTermination()).rejects.toThrow(
    /MALFORMED_STATE_IN_RATE_PER_MICRO_BATCH_SOURCE.INVALID_TIMESTAMP/,
  )
})

test('the rate source under a watermark: an average of values by second, exactly as many as there are', async () => {
  await using own = await millrace.local({ threads: 1 })
  const seconds = own.readStream.format('rate').option('rowsPerSecond', 4).load()
  await testStream(
    seconds
      .select((c: any) => ({ second: c.timestamp.cast('long') }))
      .groupBy('second' as never)
      .count() as never,
    { outputMode: 'complete', clock: new ManualClock(), trigger: everySecond },
    [checkAnswer(), advanceManualClock(1000), advanceManualClock(1000), checkAnswer([0, 4], [1, 4])],
  )
})
