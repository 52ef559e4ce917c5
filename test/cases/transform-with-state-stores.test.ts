// How variables, timers and TTL of transformWithState lie in the state: large maps, and what readers of the state see.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MapState, MemoryStream, t } from 'millrace'
import {
  addData,
  advanceManualClock,
  assertNumStateRows,
  checkNewAnswer,
  ManualClock,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'

const engine = useEngine()

test('a large map: an entry is read and written by itself, also after its key was found to be large', async () => {
  const input = new MemoryStream(engine(), { key: t.string(), from: t.int(), to: t.int() })
  const stream = input
    .toDF()
    .groupBy('key')
    .transformWithState(
      () => {
        let map: MapState<number, number>
        return {
          init(handle) {
            map = handle.getMapState('large', t.int(), t.int())
          },
          *handleInputRows({ key }, rows) {
            for (const { from, to } of rows) {
              for (let i = from; i < to; i++) map.updateValue(i, (map.getValue(i) ?? 0) + 1)
              map.removeKey(from)
            }
            yield { key, text: `${map.getValue(5)} ${map.getValue(-1)} ${map.containsKey(299)} ${[...map.values()].length}` }
          },
        }
      },
      { output: { key: t.string(), text: t.string() } },
    )
  const row = (key: string, from: number, to: number) => ({ key, from, to })
  await testStream(stream, [
    addData(input, row('k', 0, 300), row('small', 4, 8)),
    checkNewAnswer({ key: 'k', text: '1 null true 299' }, { key: 'small', text: '1 null false 3' }),
    addData(input, row('k', 3, 7), row('small', 4, 6)),
    checkNewAnswer({ key: 'k', text: '2 null true 298' }, { key: 'small', text: '2 null false 3' }),
    addData(input, row('k', 3, 7), row('k', 299, 300)),
    checkNewAnswer({ key: 'k', text: '3 null false 297' }),
    assertNumStateRows({ total: 300 }),
    stopStream(),
    startStream(),
    addData(input, row('k', 299, 301)),
    checkNewAnswer({ key: 'k', text: '3 null false 298' }),
  ])
})

test('variables, timers and TTL are there for readers of the state', async () => {
  const checkpointLocation = await mkdtemp(join(tmpdir(), 'millrace-tws-state-'))
  const input = new MemoryStream(engine(), { key: t.string(), v: t.int() })
  const stream = input
    .toDF()
    .groupBy('key')
    .transformWithState(
      () => {
        let use: (v: number) => void
        return {
          init(handle) {
            const value = handle.getValueState('sum', t.long())
            const list = handle.getListState('all', { v: t.int() }, { ttlDuration: 5000 })
            const map = handle.getMapState('by', t.int(), t.string())
            use = (v) => {
              value.update((value.get() ?? 0n) + BigInt(v))
              list.appendValue({ v })
              map.updateValue(v, `v${v}`)
              handle.registerTimer(60_000 + v)
            }
          },
          handleInputRows(_, rows) {
            for (const { v } of rows) use(v)
          },
        }
      },
      { output: { n: t.int() }, timeMode: 'ProcessingTime' },
    )
  const clock = new ManualClock(0)
  await testStream(stream, { checkpointLocation, clock, trigger: { kind: 'processing-time', intervalMs: 1000 } }, [
    addData(input, { key: 'a', v: 1 }, { key: 'a', v: 2 }, { key: 'b', v: 3 }),
    advanceManualClock(1000),
    checkNewAnswer(),
    stopStream(),
  ])
  const read = async (options: Record<string, string>) => {
    let reader = engine().read.format('statestore')
    for (const [name, value] of Object.entries(options)) reader = reader.option(name, value)
    const rows = await (await reader.load(checkpointLocation)).collect()
    return rows.map((row) => JSON.stringify(row, (_, x) => (typeof x === 'bigint' ? Number(x) : x instanceof Map ? [...x] : x))).sort()
  }
  expect((await read({ stateVarName: 'sum' })).join()).toMatch(/"a".*3.*"b".*3/)
  const list = (await read({ stateVarName: 'all' })).join()
  expect(list).toMatch(/6000/) // when the elements expire
  expect((await read({ stateVarName: 'by' })).join()).toMatch(/v1.*v2.*v3/)
  expect((await read({ readRegisteredTimers: 'true' })).join()).toMatch(/60001.*60002.*60003/)
  await rm(checkpointLocation, { recursive: true })
})
