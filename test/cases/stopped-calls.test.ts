import { MemoryStream, t } from 'millrace'
import { addData, checkNewAnswer, type StreamAction, startStream, testStream } from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'

const engine = useEngine()

test('a query that is stopped without draining begins no more calls, and the next start makes the batch anew', async () => {
  const input = new MemoryStream(engine(), { value: t.string() })
  const begun: string[] = []
  let waiting: (() => void)[] = []
  let isWaiting = true
  const stream = input
    .toDF()
    .groupBy('value')
    .flatMapGroupsWithState(
      async ({ value }, rows, state) => {
        begun.push(value)
        if (isWaiting) await new Promise<void>((resolve) => waiting.push(resolve))
        const n = (state.getOption() ?? 0) + rows.length
        state.update(n)
        return [{ value, n }]
      },
      { state: t.int(), output: { value: t.string(), n: t.int() }, concurrency: 2 },
    )
  const stopped: StreamAction = {
    name: 'stop while calls wait',
    run: async (running) => {
      while (begun.length < 2) await new Promise((resolve) => setImmediate(resolve))
      const stop = running.query!.stop({ drain: false })
      for (const go of waiting.splice(0)) go()
      await stop
      expect(begun).toEqual(['a', 'b'])
      expect(running.query!.exception).toBeNull()
      isWaiting = false
      waiting = []
    },
  }
  await testStream(stream, {}, [
    addData(input, ...['a', 'b', 'c', 'd', 'a'].map((value) => ({ value }))),
    stopped,
    startStream(),
    checkNewAnswer({ value: 'a', n: 2 }, { value: 'b', n: 1 }, { value: 'c', n: 1 }, { value: 'd', n: 1 }),
  ])
})
