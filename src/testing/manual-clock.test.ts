import { MemoryStream, millrace, t } from 'millrace'
import {
  addData,
  advanceManualClock,
  checkAnswer,
  checkNewAnswer,
  crashAt,
  expectFailure,
  ManualClock,
  type StreamAction,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'

let engine: Awaited<ReturnType<typeof millrace.local>>
beforeAll(async () => {
  engine = await millrace.local({ threads: 1, print: () => {} })
})
afterAll(() => engine.close())

test('without an interval a query on a manual clock runs whenever there is something to do, and its time is that of the clock', async () => {
  const input = new MemoryStream(engine, { k: t.string() })
  const visits = input
    .toDF()
    .groupBy('k')
    .flatMapGroupsWithState(
      ({ k }, rows, state) => {
        if (state.hasTimedOut) {
          const n = state.get()
          state.remove()
          return [{ k, n: -n }]
        }
        state.update((state.getOption() ?? 0) + rows.length)
        state.setTimeoutDuration('5 seconds')
        return [{ k, n: state.get() }]
      },
      { state: t.int(), output: { k: t.string(), n: t.int() }, timeout: 'ProcessingTimeTimeout', outputMode: 'update' },
    )
  await testStream(visits, { clock: new ManualClock(1000), outputMode: 'update' }, [
    addData(input, { k: 'a' }),
    checkNewAnswer({ k: 'a', n: 1 }),
    advanceManualClock(4000),
    addData(input, { k: 'b' }),
    checkNewAnswer({ k: 'b', n: 1 }),
    advanceManualClock(2000),
    checkNewAnswer({ k: 'a', n: -1 }),
    stopStream(),
    startStream(),
    advanceManualClock(9000),
    checkNewAnswer({ k: 'b', n: -1 }),
  ])
})

test('a trigger is given as to writeStream', async () => {
  const input = new MemoryStream(engine, { n: t.int() })
  await testStream(input.toDF(), { clock: new ManualClock(0), trigger: { processingTime: '1 second' } }, [
    addData(input, { n: 1 }),
    advanceManualClock(1000),
    checkAnswer({ n: 1 }),
    addData(input, { n: 2 }),
    checkAnswer({ n: 1 }),
    advanceManualClock(1000),
    checkAnswer({ n: 1 }, { n: 2 }),
  ])
})

test('a crash or a failure that does not come is told, and not waited for', async () => {
  const input = new MemoryStream(engine, { n: t.int() })
  const frame = input.toDF()
  await expect(testStream(frame, [addData(input, { n: 1 }), expectFailure('DIVIDE_BY_ZERO')])).rejects.toThrow(
    'action 2 (expectFailure): the query has done all',
  )
  const other = new MemoryStream(engine, { n: t.int() })
  await expect(testStream(other.toDF(), [addData(other, { n: 1 }), crashAt('sink/commit', { batchId: 7 })])).rejects.toThrow('runs on')
  await expect(testStream(other.toDF(), [crashAt('nope' as unknown as 'sink/commit')])).rejects.toThrow('there is no step "nope"')
})

test('what is no action is named by its place', async () => {
  const input = new MemoryStream(engine, { n: t.int() })
  for (const foreign of [null, 'x', {}, () => {}])
    await expect(testStream(input.toDF(), [addData(input, { n: 1 }), foreign as unknown as StreamAction])).rejects.toThrow(
      'action 2: it is no action',
    )
  await expect(
    testStream(input.toDF(), { clock: new ManualClock(0) }, [advanceManualClock('1 second' as unknown as number)]),
  ).rejects.toThrow('takes milliseconds')
})
