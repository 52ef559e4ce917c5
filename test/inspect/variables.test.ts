// Variables, timers and times to live of transformWithState, as readers of the state see them.
import { CheckpointState, MemoryStream, type StatefulProcessor, type StatefulProcessorHandle, t } from 'millrace'
import { ManualClock } from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { type Untyped, useFolders } from './queries.ts'

const clock = new ManualClock(1_000_000)
const engine = useEngine({ clock })
const folder = useFolders()

/** Keeps each kind of variable, and a timer. */
class Everything implements StatefulProcessor<Untyped, Untyped, Untyped> {
  #handle!: StatefulProcessorHandle
  #state!: Untyped
  init(handle: StatefulProcessorHandle) {
    this.#handle = handle
    this.#state = {
      last: handle.getValueState('last', t.int()),
      brief: handle.getValueState('brief', t.int(), { ttlDuration: '1 minute' }),
      all: handle.getListState('all', t.int()),
      byValue: handle.getMapState('by-value', t.int(), { n: t.int(), text: t.string() }),
    }
  }
  *handleInputRows(key: Untyped, rows: Iterable<Untyped>) {
    for (const { v } of rows) {
      this.#state.last.update(v)
      this.#state.brief.update(v)
      this.#state.all.appendValue(v)
      this.#state.byValue.updateValue(v, { n: v * 2, text: `t${v}` })
    }
    this.#handle.registerTimer(2_000_000)
    yield { key: JSON.stringify(key) }
  }
}

async function checkpoint(): Promise<string> {
  const path = await folder()
  const input = new MemoryStream(engine(), { k: t.string(), v: t.int() })
  const query = await (input.toDF().groupBy('k') as Untyped)
    .transformWithState(() => new Everything(), { output: { key: t.string() }, timeMode: 'ProcessingTime', outputMode: 'update' })
    .writeStream.outputMode('update')
    .trigger({ processingTime: '1 second' })
    .option('checkpointLocation', path)
    .format('noop')
    .start()
  input.addData({ k: 'a', v: 3 }, { k: 'a', v: 1 }, { k: 'b', v: 7 })
  const done = query.processAllAvailable()
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(1000)
  }
  await done
  await query.stop()
  return path
}

test('values, lists and maps, flat or whole; times to live; timers; SQL', async () => {
  const path = await checkpoint()
  const read = async (options: Readonly<Record<string, string | boolean>>) => {
    const frame = await engine().read.format('statestore').options(options).load(path)
    const rows = (await frame.drop('partition_id').collect()) as Untyped[]
    return rows.sort((a, b) => (JSON.stringify(a, text) < JSON.stringify(b, text) ? -1 : 1))
  }
  const key = (k: string) => ({ k })
  expect(await read({ stateVarName: 'last' })).toEqual([
    { key: key('a'), value: { value: 1 } },
    { key: key('b'), value: { value: 7 } },
  ])
  expect(await read({ stateVarName: 'brief' })).toMatchObject([
    { key: key('a'), value: { value: { value: 1 }, ttlExpirationMs: expect.any(BigInt) } },
    { key: key('b'), value: { value: { value: 7 }, ttlExpirationMs: expect.any(BigInt) } },
  ])
  expect(await read({ stateVarName: 'all' })).toEqual([
    { key: key('a'), list_element: { value: 1 } },
    { key: key('a'), list_element: { value: 3 } },
    { key: key('b'), list_element: { value: 7 } },
  ])
  expect(await read({ stateVarName: 'all', flattenCollectionTypes: false })).toEqual([
    { key: key('a'), list_value: [{ value: 3 }, { value: 1 }] },
    { key: key('b'), list_value: [{ value: 7 }] },
  ])
  expect(await read({ stateVarName: 'by-value' })).toEqual([
    { key: key('a'), user_map_key: { value: 1 }, user_map_value: { n: 2, text: 't1' } },
    { key: key('a'), user_map_key: { value: 3 }, user_map_value: { n: 6, text: 't3' } },
    { key: key('b'), user_map_key: { value: 7 }, user_map_value: { n: 14, text: 't7' } },
  ])
  const whole = await read({ stateVarName: 'by-value', flattenCollectionTypes: false })
  expect(whole.map(({ map_value }) => map_value.size)).toEqual([2, 1])
  expect(await read({ readRegisteredTimers: true })).toEqual([
    { key: key('a'), expiration_timestamp_ms: 2_000_000n },
    { key: key('b'), expiration_timestamp_ms: 2_000_000n },
  ])
  const feed = await read({ stateVarName: 'all', readChangeFeed: true, changeStartBatchId: '0' })
  expect(feed.map(({ change_type, list_element }) => [change_type, list_element.value])).toEqual([
    ['append', 1],
    ['append', 3],
    ['append', 7],
  ])
  for (const options of [{}, { stateVarName: 'none' }] as Untyped[]) {
    const code = 'stateVarName' in options ? 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE' : 'STDS_REQUIRED_OPTION_UNSPECIFIED'
    await expect(engine().read.format('statestore').options(options).load(path)).rejects.toMatchObject({ code })
  }
  const metadata = await (await engine().read.format('state-metadata').load(path)).collect()
  expect(metadata.map(({ stateStoreName }: Untyped) => stateStoreName).sort()).toEqual(['$procTimers', 'all', 'brief', 'by-value', 'last'])
  expect(JSON.parse(metadata[0]!['operatorProperties'] as string)).toEqual({
    timeMode: 'ProcessingTime',
    outputMode: 'Update',
    stateVariables: expect.arrayContaining([
      { stateName: 'brief', stateVariableType: 'ValueState', ttlEnabled: true },
      { stateName: 'by-value', stateVariableType: 'MapState', ttlEnabled: false },
    ]),
  })
  const state = await CheckpointState.open(path)
  expect(state.tables.map(({ name }) => name).sort()).toEqual([
    'state_0_all',
    'state_0_brief',
    'state_0_by_value',
    'state_0_last',
    'timers_0',
  ])
  expect(state.tables.find(({ name }) => name === 'state_0_brief')).toMatchObject({ variable: 'value', expiresBy: 'expiresAt' })
  const { rows } = await state.query('SELECT k, count(*) AS n, max(epoch_ms("expiresAt")) AS due FROM timers_0 GROUP BY k ORDER BY k')
  expect(rows).toEqual([
    { k: 'a', n: 1n, due: 2_000_000n },
    { k: 'b', n: 1n, due: 2_000_000n },
  ])
  state.close()
})

test('without a time mode there are no timers to read', async () => {
  const path = await folder()
  const input = new MemoryStream(engine(), { k: t.string() })
  const processor = () => ({ init: (handle: StatefulProcessorHandle) => handle.getValueState('last', t.int()), handleInputRows: () => [] })
  const query = await (input.toDF().groupBy('k') as Untyped)
    .transformWithState(processor, { output: { n: t.int() } })
    .writeStream.option('checkpointLocation', path)
    .format('noop')
    .start()
  input.addData({ k: 'a' })
  await query.processAllAvailable()
  await query.stop()
  await expect(engine().read.format('statestore').option('readRegisteredTimers', true).load(path)).rejects.toMatchObject({
    code: 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE',
    what: expect.stringContaining('registered timers are not available'),
  })
  const [metadata] = await (await engine().read.format('state-metadata').load(path)).collect()
  expect(JSON.parse(metadata!['operatorProperties'] as string)).toEqual({
    timeMode: 'NoTime',
    outputMode: 'Append',
    stateVariables: [{ stateName: 'last', stateVariableType: 'ValueState', ttlEnabled: false }],
  })
})
const text = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)
