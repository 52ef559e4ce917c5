// Case K10 of transformWithState, what a processor may change between two starts, and what is refused or fails.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ListState,
  MemoryStream,
  type StatefulProcessor,
  type StatefulProcessorHandle,
  type TimerValues,
  t,
  type ValueState,
} from 'millrace'
import { addData, checkAnswer, checkNewAnswer, expectFailure, type StreamAction, testStream } from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { type Counted, counted, metric, RunningCount, values, type Word } from './processors.ts'

const engine = useEngine()
type Untyped = any
const words = () => new MemoryStream(engine(), { value: t.string() })
const _everySecond = { kind: 'processing-time', intervalMs: 1000 } as const
// ---- restart

test('K10 restart checks', async () => {
  const input = words()
  type Init = (handle: StatefulProcessorHandle) => unknown
  const stream = (init: Init, options: object = {}) =>
    input
      .toDF()
      .groupBy('value')
      .transformWithState(
        () => ({ init, handleInputRows: ({ value }: Word) => [{ value, count: '' }] }) as StatefulProcessor<Word, Word, Counted>,
        { output: counted, ...options },
      )
  const checkpointLocation = await mkdtemp(join(tmpdir(), 'millrace-k10-'))
  const run = (init: Init, options: object, ...steps: StreamAction[]) => {
    input.addData(...values('x'))
    return testStream(stream(init, options), { checkpointLocation, outputMode: 'update' }, steps)
  }
  const ok = checkAnswerCount()
  const byProcessingTime = { timeMode: 'ProcessingTime', outputMode: 'update' }
  const begun: Init = (h) => [
    h.getValueState('count', t.long()),
    h.getListState('list', t.string()),
    h.getMapState('map', t.int(), t.string()),
  ]
  await run(begun, byProcessingTime, ok)
  await run(begun, byProcessingTime, ok)
  const fails = (init: Init, options: object, code: string) => expect(run(init, options, ok)).rejects.toThrow(new RegExp(code, 's'))
  await fails(begun, { ...byProcessingTime, outputMode: 'append' }, 'STATE_STORE_INVALID_CONFIG_AFTER_RESTART')
  await fails(begun, { ...byProcessingTime, timeMode: 'None' }, 'STATE_STORE_INVALID_CONFIG_AFTER_RESTART')
  await fails((h) => h.getListState('count', t.long()), byProcessingTime, 'STATE_STORE_INVALID_VARIABLE_TYPE_CHANGE.*the state "count"')
  await fails((h) => h.getValueState('count', t.long(), { ttlDuration: 1000 }), byProcessingTime, 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE')
  await fails((h) => h.getValueState('count', t.string()), byProcessingTime, 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE.*the state "count"')
  // a new variable; one that is not declared any more keeps its values
  await run((h) => [h.getValueState('count', t.long()), h.getValueState('new', t.string())], byProcessingTime, ok)
  await run((h) => [h.getValueState('count', t.long()), h.deleteIfExists('list'), h.deleteIfExists('never')], byProcessingTime, ok)
  await run(begun, byProcessingTime, ok)
  await rm(checkpointLocation, { recursive: true })
})
function checkAnswerCount(): StreamAction {
  return { name: 'runs', run: async (running) => running.settle() }
}

test('variables that come, go and come back, and deleteIfExists', async () => {
  const input = words()
  let shape = 'both'
  const stream = () =>
    input
      .toDF()
      .groupBy('value')
      .transformWithState(
        () => {
          let a: ValueState<number> | null = null
          let b: ListState<number> | null = null
          const is = shape
          return {
            init(h) {
              a = is === 'only b' ? null : h.getValueState('a', t.int())
              b = is === 'only a' || is === 'delete b' ? null : h.getListState('b', t.int())
              if (is === 'delete b') h.deleteIfExists('b')
            },
            handleInputRows({ value }) {
              const found = `${a?.get() ?? '-'} ${b?.get() ?? '-'}`
              a?.update((a.get() ?? 0) + 1)
              b?.appendValue(b.get().length)
              return [{ value, count: found }]
            },
          }
        },
        { output: counted },
      )
  const checkpointLocation = await mkdtemp(join(tmpdir(), 'millrace-vars-'))
  const run = async (as: string, count: string, ...more: StreamAction[]) => {
    shape = as
    await testStream(stream(), { checkpointLocation }, [addData(input, ...values('x')), checkNewAnswer({ value: 'x', count }), ...more])
  }
  await run('both', '- ')
  await run('both', '1 0')
  await run('only a', '2 -')
  await run('both', '3 0,1')
  await run('only b', '- 0,1,2')
  await run('delete b', '4 -', metric('numDeletedStateVars', 1))
  await run('both', '5 ')
  await rm(checkpointLocation, { recursive: true })
})

// ---- errors

test('what a processor throws stops the query with method and key', async () => {
  class Broken extends RunningCount {
    override handleInputRows(key: Word, rows: readonly Word[], timerValues: TimerValues) {
      if (key.value === 'bad') throw new TypeError('no good')
      return super.handleInputRows(key, rows, timerValues)
    }
  }
  const input = words()
  const query = await input
    .toDF()
    .groupBy('value')
    .transformWithState(() => new Broken(), { output: counted })
    .writeStream.format('noop')
    .start()
  input.addData(...values('good', 'bad'))
  await expect(query.awaitTermination()).rejects.toMatchObject({
    name: 'UserFunctionError',
    code: 'TRANSFORM_WITH_STATE_USER_FUNCTION_ERROR',
    what: expect.stringMatching(/handleInputRows of Broken threw for the key \{"value":"bad"\}: no good/),
    cause: expect.any(TypeError),
  })
})

test('verify that operations in the wrong state of the handle, and wrong variables, are refused by name', async () => {
  const define = (init: (h: StatefulProcessorHandle) => unknown, options: object = {}) => {
    try {
      ;(words().toDF().groupBy('value') as Untyped).transformWithState(() => ({ init, handleInputRows: () => [] }), {
        output: counted,
        ...options,
      })
      return undefined
    } catch (thrown) {
      return (thrown as { code: string }).code
    }
  }
  const wrongState = 'STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE'
  expect(define((h) => h.getValueState('a', t.int()).get())).toBe(wrongState)
  expect(define((h) => h.registerTimer(1))).toBe(wrongState)
  expect(define((h) => [h.getValueState('a', t.int()), h.getListState('a', t.int())])).toBe(
    'STATEFUL_PROCESSOR_DUPLICATE_STATE_VARIABLE_DEFINED',
  )
  for (const name of ['', ' a', '$a', '_a', 'default'])
    expect(define((h) => h.getValueState(name, t.int()))).toBe('STATE_STORE_CANNOT_CREATE_COLUMN_FAMILY_WITH_RESERVED_CHARS')
  const ttl = (ttlDuration: string | number) => (h: StatefulProcessorHandle) => h.getValueState('a', t.int(), { ttlDuration })
  expect(define(ttl('1 hour'))).toBe('STATEFUL_PROCESSOR_INCORRECT_TIME_MODE_TO_ASSIGN_TTL')
  expect(define(ttl('1 hour'), { timeMode: 'ProcessingTime' })).toBeUndefined()
  for (const duration of [0, -1, '-1 hour'])
    expect(define(ttl(duration), { timeMode: 'ProcessingTime' })).toBe('STATEFUL_PROCESSOR_TTL_DURATION_MUST_BE_POSITIVE')
  expect(define((h) => h.getMapState('a', t.map(t.int(), t.int()) as never, t.int()))).toBe('GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE')
  expect(define(() => {}, { timeMode: 'Someday' })).toBe('STATEFUL_PROCESSOR_UNKNOWN_TIME_MODE')
  expect(define(() => {}, { eventTimeColumnName: 'value' })).toBe('EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE')
  expect(define(() => {}, { output: { at: t.timestamp() }, eventTimeColumnName: 'at' })).toBe(
    'CANNOT_ASSIGN_EVENT_TIME_COLUMN_WITHOUT_WATERMARK',
  )
  expect(
    define(() => {
      throw new Error('x')
    }),
  ).toBe('TRANSFORM_WITH_STATE_USER_FUNCTION_ERROR')
  const grouped = words().toDF().groupBy('value') as Untyped
  expect(() => grouped.transformWithState(() => ({}), { output: counted })).toThrow(/INVALID_UDF/)

  const inCall = async (
    code: string,
    call: (h: StatefulProcessorHandle, s: ValueState<number>, l: ListState<number>) => unknown,
    options: object = {},
  ) => {
    const input = words()
    const stream = input
      .toDF()
      .groupBy('value')
      .transformWithState(
        () => {
          let [h, s, l]: Untyped[] = []
          return {
            init(handle: StatefulProcessorHandle) {
              h = handle
              s = handle.getValueState('s', t.int())
              l = handle.getListState('l', t.int())
            },
            handleInputRows: () => void call(h, s, l),
          }
        },
        { output: counted, ...options },
      )
    await testStream(stream, [addData(input, ...values('k')), expectFailure(code)])
  }
  await inCall('STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_TIME_MODE', (h) => h.registerTimer(1))
  await inCall('STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_TIME_MODE', (h) => h.listTimers())
  await inCall(wrongState, (h) => h.getValueState('late', t.int()))
  await inCall(wrongState, (h) => h.deleteIfExists('s'))
  await inCall('ILLEGAL_STATE_STORE_VALUE.NULL_VALUE', (_, s) => s.update(null as never))
  await inCall('ILLEGAL_STATE_STORE_VALUE.NULL_VALUE', (_, __, l) => l.appendValue(null as never))
  await inCall('ILLEGAL_STATE_STORE_VALUE.EMPTY_LIST_VALUE', (_, __, l) => l.put([]))
  await inCall('ILLEGAL_STATE_STORE_VALUE.EMPTY_LIST_VALUE', (_, __, l) => l.appendList([]))
  await inCall('INVALID_EXTERNAL_TYPE', (_, s) => s.update('7' as never))
  await inCall('NUMERIC_VALUE_OUT_OF_RANGE', (_, s) => s.update(2 ** 31))
  await inCall('INVALID_TIMER', (h) => h.registerTimer(1.5), { timeMode: 'ProcessingTime' })
})

test('EventTime mode needs a watermark', async () => {
  const stream = words()
    .toDF()
    .groupBy('value')
    .transformWithState(() => new RunningCount(), { output: counted, timeMode: 'EventTime' })
  await expect(stream.writeStream.format('noop').start()).rejects.toMatchObject({ code: 'UNSUPPORTED_STREAMING_OPERATION' })
})

test('what the program does with an object afterwards does not change the state', async () => {
  const input = words()
  const stream = input
    .toDF()
    .groupBy('value')
    .transformWithState(
      () => {
        let state: ValueState<{ tags: string[] }, { tags: readonly string[] }>
        return {
          init(h) {
            state = h.getValueState('s', { tags: t.array(t.string()) })
          },
          handleInputRows({ value }) {
            const tags = ['x']
            if (!state.exists()) state.update({ tags })
            tags.push('later')
            state.get()!.tags.push('changed')
            return [{ value, count: state.get()!.tags.join() }]
          },
        }
      },
      { output: counted },
    )
  await testStream(stream, [
    addData(input, ...values('a')),
    checkAnswer({ value: 'a', count: 'x' }),
    addData(input, ...values('a')),
    checkNewAnswer({ value: 'a', count: 'x' }),
  ])
})
