// Calls of asynchronous functions that never end, or end too late.
import { column_udf, type Engine, type GroupState, MemoryStream, t, udf } from 'millrace'
import { addData, checkNewAnswer, expectFailure, type StreamAction, startStream, TwsTester, testStream } from 'millrace/testing'
import { describe, expect, test } from 'vitest'
import { useEngine } from './harness.ts'

const engine = useEngine()
const never = () => new Promise<never>(() => {})
const callTimeout = '20 milliseconds'
const tooLate = (what: string) =>
  expect.objectContaining({ code: 'USER_FUNCTION_TIMEOUT', what: expect.stringContaining(`${what} had not ended after 20 ms`) }) as Error
const numbers = (engine: Engine) => engine.createDataFrame([{ n: 1 }, { n: 2 }], { n: t.int() })

describe('a function of rows', () => {
  test('that does not end fails with the row that it was called for; what the call gives later is passed over', async () => {
    const late: ((error: Error) => void)[] = []
    const ask = udf((n: number) => (n === 1 ? n : new Promise<number>((_, reject) => late.push(reject))), t.int(), {
      name: 'ask',
      callTimeout,
    })
    const asked = numbers(engine()).select(({ n }) => ({ m: ask(n) }))
    await expect(asked.collect()).rejects.toThrow(tooLate('the user function ask(n = 2)'))
    for (const reject of late) reject(new Error('too late for anybody'))
    await new Promise((resolve) => setImmediate(resolve))
  })
  test('that ends in time is as without a timeout, and so are its errors', async () => {
    const options = { name: 'ask', callTimeout: '1 hour' } as const
    const double = udf(async (n: number) => 2 * n, t.int(), options)
    expect(
      await numbers(engine())
        .select(({ n }) => ({ m: double(n) }))
        .collect(),
    ).toEqual([{ m: 2 }, { m: 4 }])
    const fails = udf(async (_: number) => Promise.reject(new Error('no')), t.int(), options)
    await expect(
      numbers(engine())
        .select(({ n }) => ({ m: fails(n) }))
        .collect(),
    ).rejects.toThrow('ask(n = 1) threw: no')
  })
  test('that does not end sends its row to the dead letters, where functions do', async () => {
    const input = new MemoryStream(engine(), { n: t.int() })
    input.addData({ n: 1 }, { n: 2 })
    const ask = udf((n: number) => (n === 1 ? n : never()), t.int(), { callTimeout })
    const letters: unknown[] = []
    const rows: unknown[] = []
    const query = await input
      .toDF()
      .select(({ n }) => ({ m: ask(n) }))
      .writeStream.foreachBatch(async (batch) => void rows.push(...(await batch.collect())))
      .deadLetters(({ output }) => output.foreachBatch(async (batch) => void letters.push(...(await batch.collect()))), {
        userFunctions: true,
      })
      .trigger({ availableNow: true })
      .start()
    await query.awaitTermination()
    expect(rows).toEqual([{ m: 1 }])
    expect(letters).toMatchObject([{ reason: 'USER_FUNCTION_TIMEOUT' }])
  })
  test('over columns', async () => {
    const ask = column_udf([t.int()], t.int(), never, { name: 'ask', callTimeout })
    await expect(
      numbers(engine())
        .select(({ n }) => ({ m: ask(n) }))
        .collect(),
    ).rejects.toThrow(tooLate('the user function ask over 2 rows'))
  })
})

test('a call of flatMapGroupsWithState that does not end is the end of the query; the next start makes the batch anew', async () => {
  const input = new MemoryStream(engine(), { value: t.string() })
  let hangs = true
  const counted = input
    .toDF()
    .groupBy('value')
    .flatMapGroupsWithState(
      async ({ value }, rows, state) => {
        if (value === 'b' && hangs) await never()
        const n = (state.getOption() ?? 0) + rows.length
        state.update(n)
        return [{ value, n }]
      },
      { state: t.int(), output: { value: t.string(), n: t.int() }, concurrency: 2, callTimeout },
    )
  const mends: StreamAction = {
    name: 'the service answers again',
    run: async ({ query }) => {
      expect(query!.exception!.message).toContain('for the key {"value":"b"} had not ended after 20 ms')
      hangs = false
    },
  }
  await testStream(counted, {}, [
    addData(input, { value: 'a' }, { value: 'b' }),
    expectFailure('USER_FUNCTION_TIMEOUT'),
    mends,
    startStream(),
    checkNewAnswer({ value: 'a', n: 1 }, { value: 'b', n: 1 }),
  ])
})

test('a processor: the call lasts until its last row is there', async () => {
  const tester = new TwsTester(
    () => ({
      init: () => {},
      async *handleInputRows({ id }: { id: number }) {
        yield { id }
        if (id === 2) await never()
      },
    }),
    { key: { id: t.int() }, output: { id: t.int() }, callTimeout },
  )
  expect(await tester.test([[{ id: 1 }, {}]])).toEqual([{ id: 1 }])
  await expect(tester.test([[{ id: 2 }, {}]])).rejects.toThrow(tooLate('for the key {"id":2}'))
})

test.each(['soon', '0 seconds', '-1 seconds', '30 days', 30 as never])('callTimeout %j is refused', (wrong) => {
  const refused = expect.objectContaining({ code: 'INVALID_UDF', what: expect.stringContaining(JSON.stringify(wrong)) }) as Error
  expect(() => udf((x: number) => x, t.int(), { callTimeout: wrong })).toThrow(refused)
  expect(() => column_udf([t.int()], t.int(), (() => []) as never, { callTimeout: wrong })).toThrow(refused)
  const grouped = numbers(engine()).groupBy(({ n }) => ({ n }))
  expect(() => grouped.mapGroupsWithState(({ n }) => ({ n }), { state: t.int(), output: { n: t.int() }, callTimeout: wrong })).toThrow(
    refused,
  )
  expect(() =>
    grouped.transformWithState(() => ({ init: () => {}, handleInputRows: () => [] }), { output: { n: t.int() }, callTimeout: wrong }),
  ).toThrow(refused)
})

test('a state belongs to its call: what is set after it has returned is refused, and would be lost', async () => {
  const input = new MemoryStream(engine(), { k: t.string() })
  const refused: unknown[] = []
  let first: GroupState<number> | undefined
  const counted = input
    .toDF()
    .groupBy('k')
    .mapGroupsWithState(
      ({ k }, rows, state) => {
        state.update((state.getOption() ?? 0) + rows.length)
        for (const late of [() => first?.update(99), () => first?.remove(), () => first?.setTimeoutDuration(1)]) {
          try {
            late()
          } catch (error) {
            refused.push((error as { code?: unknown }).code)
          }
        }
        first ??= state
        return { k, n: state.get() }
      },
      { state: t.int(), output: { k: t.string(), n: t.int() }, timeout: 'ProcessingTimeTimeout' },
    )
  await testStream(counted, { outputMode: 'update' }, [
    addData(input, { k: 'a' }),
    checkNewAnswer({ k: 'a', n: 1 }),
    addData(input, { k: 'a' }, { k: 'b' }),
    checkNewAnswer({ k: 'a', n: 2 }, { k: 'b', n: 1 }),
  ])
  expect(refused).toEqual(Array(6).fill('STATE_OF_ENDED_CALL'))
})
