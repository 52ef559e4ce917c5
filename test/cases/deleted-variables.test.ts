// A state variable that a processor deletes is gone, and its name is free: for another kind of state too. Readers see each version as it was.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CheckpointState, type ListState, type MapState, MemoryStream, plannedQueries, t, type ValueState } from 'millrace'
import { addData, checkNewAnswer, testStream } from 'millrace/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { providerKey, providers } from '../oracle/property.ts'
import { useEngine } from './harness.ts'
import { counted, metric, values } from './processors.ts'

type Shape = 'list' | 'deleted' | 'map' | 'value'

describe.each(providers)('%s', (provider) => {
  const engine = useEngine({ conf: { [providerKey]: provider, 'millrace.keyGroups': 4 } })

  async function place(conf: Readonly<Record<string, string>> = {}) {
    for (const [key, value] of Object.entries(conf)) engine().conf.set(key, value)
    const input = new MemoryStream(engine(), { value: t.string() })
    const checkpointLocation = await mkdtemp(join(tmpdir(), 'millrace-deleted-'))
    onTestFinished(() => rm(checkpointLocation, { recursive: true }))
    const stream = (shape: Shape) =>
      input
        .toDF()
        .groupBy('value')
        .transformWithState(
          () => {
            let n: ValueState<number>
            let b: ListState<number> | MapState<string, number> | ValueState<number> | undefined
            return {
              init(handle) {
                n = handle.getValueState('n', t.int())
                if (shape === 'list') b = handle.getListState('b', t.int())
                else if (shape === 'map') b = handle.getMapState('b', t.string(), t.int())
                else if (shape === 'value') b = handle.getValueState('b', t.int())
                else handle.deleteIfExists('b')
              },
              handleInputRows({ value }) {
                const next = (n.get() ?? 0) + 1
                n.update(next)
                let seen = '-'
                if (b !== undefined && 'appendValue' in b) {
                  seen = b.get().join()
                  b.appendValue(next)
                } else if (b !== undefined && 'updateValue' in b) {
                  seen = [...b.iterator()].map((entry) => entry.join(':')).join()
                  b.updateValue(`at ${next}`, next)
                } else if (b !== undefined) {
                  seen = String(b.get())
                  b.update(next)
                }
                return [{ value, count: seen }]
              },
            }
          },
          { output: counted },
        )
    const run = (shape: Shape, ...seen: readonly string[]) =>
      testStream(stream(shape), { checkpointLocation }, [
        addData(input, ...values('x', 'y')),
        checkNewAnswer(...seen.flatMap((count) => ['x', 'y'].map((value) => ({ value, count })))),
        ...(shape === 'deleted' ? [metric('numDeletedStateVars', 1)] : []),
      ])
    return { input, stream, run, checkpointLocation }
  }

  test.each([
    ['from changelogs', { 'spark.sql.streaming.stateStore.maintenanceInterval': '1 hour' }],
    ['from snapshots', { 'spark.sql.streaming.stateStore.maintenanceInterval': '0ms', 'millrace.stateStore.changelogTailBytes': '1' }],
  ])('its name is free for a variable of any kind, loaded %s', async (_, conf) => {
    const { run, checkpointLocation } = await place(conf)
    await run('list', '')
    await run('list', '1')
    await expect(run('map', '')).rejects.toMatchObject({ message: expect.stringContaining('STATE_STORE_INVALID_VARIABLE_TYPE_CHANGE') })
    await run('deleted', '-')
    await run('map', '')
    await run('map', 'at 4:4')
    await run('deleted', '-')
    // the same columns as at first, and nothing of what they held then
    await run('list', '')
    await run('list', '7')
    await run('deleted', '-')
    await run('value', 'null')
    await run('value', '10')

    const tables = async (batchId: number) => {
      using state = await CheckpointState.open(checkpointLocation, { batchId })
      return Object.fromEntries(state.tables.map(({ name, variable, rows }) => [name, `${variable} ${rows}`]))
    }
    expect(await tables(1)).toEqual({ state_0_n: 'value 2', state_0_b: 'list 4' })
    expect(await tables(2)).toEqual({ state_0_n: 'value 2' })
    expect(await tables(4)).toEqual({ state_0_n: 'value 2', state_0_b: 'map 4' })
    expect(await tables(7)).toEqual({ state_0_n: 'value 2', state_0_b: 'list 4' })
    expect(await tables(10)).toEqual({ state_0_n: 'value 2', state_0_b: 'value 2' })
    const read = (options: Record<string, string>) =>
      engine()
        .read.format('statestore')
        .options({ stateVarName: 'b', ...options })
        .load(checkpointLocation)
    expect(await (await read({ batchId: '7' })).count()).toBe(4)
    await expect(read({ batchId: '8' })).rejects.toMatchObject({ code: 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE' })
    const feed = await read({ readChangeFeed: 'true', changeStartBatchId: '3', changeEndBatchId: '7' })
    // of the list only: what was a map before is another variable
    expect((await feed.select('batch_id').collect()).map(({ batch_id }) => Number(batch_id))).toEqual([6, 6, 7, 7])
  })

  test('millrace plan says so, and an init that declares what it deletes is refused', async () => {
    const { run, checkpointLocation, stream, input } = await place()
    await run('list', '')
    process.env['MILLRACE_PLAN'] = 'true'
    try {
      await stream('deleted').writeStream.format('noop').option('checkpointLocation', checkpointLocation).start()
    } finally {
      delete process.env['MILLRACE_PLAN']
    }
    const parts = plannedQueries().at(-1)!.parts
    expect(parts.find(({ part }) => part === 'operator')).toMatchObject({
      verdict: 'rebuilt',
      changes: [{ rule: 'variable-deleted', what: 'transformWithState 0 by value deletes the state "b"' }],
    })
    const both = () =>
      input
        .toDF()
        .groupBy('value')
        .transformWithState(
          () => ({
            init(handle) {
              handle.getListState('b', t.int())
              handle.deleteIfExists('b')
            },
            handleInputRows: () => [],
          }),
          { output: counted },
        )
    expect(both).toThrow(/STATEFUL_PROCESSOR_DUPLICATE_STATE_VARIABLE_DEFINED.*both declares the state "b" and deletes it/)
  })
})
