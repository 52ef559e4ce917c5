// A batch whose state outgrows what it may take stops in the middle of its calls, and nothing of it counts.
import { collect_list, MemoryStream, t } from 'millrace'
import { expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'

const engine = useEngine({ threads: 1, conf: { 'millrace.stateStore.memoryLimit': '1m' }, print: () => {} })
const keys = 40_000
type Untyped = any

const functions: Readonly<Record<string, (grouped: Untyped, called: () => void) => Untyped>> = {
  transformWithState: (grouped, called) =>
    grouped.transformWithState(
      () => {
        let list: Untyped
        return {
          init: (handle: Untyped) => {
            list = handle.getListState('list', t.string())
          },
          handleInputRows: ({ k }: { k: number }) => {
            called()
            list.appendValue(`a text of some length for the key ${k}`)
            return []
          },
        }
      },
      { output: { k: t.int() } },
    ),
  flatMapGroupsWithState: (grouped, called) =>
    grouped.flatMapGroupsWithState(
      ({ k }: { k: number }, _rows: unknown, state: Untyped) => {
        called()
        state.update(`a text of some length for the key ${k}`)
        return []
      },
      { state: t.string(), output: { k: t.int() }, outputMode: 'append' },
    ),
}

test.each(Object.keys(functions))('%s', async (name) => {
  const input = new MemoryStream(engine(), { k: t.int() })
  let calls = 0
  const query = await functions[name]!(input.toDF().groupBy('k'), () => calls++)
    .writeStream.format('noop')
    .start()
  input.addData({ k: -1 })
  await query.processAllAvailable()
  expect(calls).toBe(1)
  input.addData(...Array.from({ length: keys }, (_, k) => ({ k })))
  await expect(query.awaitTermination()).rejects.toMatchObject({ code: 'STATE_STORE_MEMORY_LIMIT_REACHED' })
  // the looks are some thousands of calls apart
  expect(calls).toBeLessThan(keys)
  expect(query.lastProgress).toMatchObject({ batchId: 0 })
})

test('a list of a single key', async () => {
  const input = new MemoryStream(engine(), { text: t.string() })
  const query = await (input.toDF() as Untyped)
    .agg(({ text }: Untyped) => ({ texts: collect_list(text) }))
    .writeStream.format('noop')
    .outputMode('complete')
    .start()
  const texts = (count: number) => Array.from({ length: count }, (_, i) => ({ text: `${i} ${'x'.repeat(90)}` }))
  input.addData(...texts(1_000))
  await query.processAllAvailable()
  expect(query.lastProgress.stateOperators[0].memoryUsedBytes).toBeGreaterThan(90_000)
  input.addData(...texts(20_000))
  await expect(query.awaitTermination()).rejects.toMatchObject({ code: 'STATE_STORE_MEMORY_LIMIT_REACHED' })
})
