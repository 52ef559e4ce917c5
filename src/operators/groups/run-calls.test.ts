import { expect, test } from 'vitest'
import { UserFunctionError } from '../../base/errors.ts'
import { Schema } from '../../data/schema.ts'
import { columnsToRows } from '../../data/values.ts'
import { type Call, runCalls } from './run-calls.ts'
import { CollectedRows } from './user-rows.ts'

/** Calls with keys, each of which ends when it is told to. */
class Calls {
  readonly output = new CollectedRows(new Schema([{ name: 'n', type: 'int', nullable: false }]))
  readonly begun: number[] = []
  readonly flushed: number[] = []
  readonly #ends = new Map<number, { readonly resolve: (rows: readonly object[]) => void; readonly reject: (error: Error) => void }>()
  isStopped = false

  run(keys: readonly number[], concurrency: number, flushEvery: number | null = null): Promise<void> {
    let number = -1
    const next = (): Call | undefined => {
      const call = ++number
      if (call >= keys.length) return undefined
      const place = { what: `call ${call}`, key: { key: keys[call]! } }
      return { index: keys[call]!, place, run: (rows) => rows!.take(this.#begin(call), place) }
    }
    const flush = () => this.flushed.push(this.begun.length)
    const checkStop = () => {
      if (this.isStopped) throw new Error('stopped')
    }
    return runCalls({ next, concurrency, output: this.output, flush, flushEvery, checkStop })
  }
  #begin(call: number): Promise<readonly object[]> {
    this.begun.push(call)
    return new Promise((resolve, reject) => this.#ends.set(call, { resolve, reject }))
  }
  async end(call: number, rows = [{ n: call }]): Promise<void> {
    this.#ends.get(call)!.resolve(rows)
    await settled()
  }
  async fail(call: number): Promise<void> {
    this.#ends.get(call)!.reject(new UserFunctionError('FAILED', { what: `call ${call} failed`, todo: '' }))
    await settled()
  }
  get rows(): unknown[] {
    return this.output.finish().flatMap((batch) => columnsToRows(batch).map(({ n }) => n))
  }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('as many calls are under way as may be, and rows come in the order of the calls', async () => {
  const calls = new Calls()
  const over = calls.run([0, 1, 2, 3, 4], 3)
  expect(calls.begun).toEqual([0, 1, 2])
  await calls.end(2)
  expect(calls.begun).toEqual([0, 1, 2, 3])
  await calls.end(3)
  await calls.end(0)
  await calls.end(4)
  expect(calls.flushed).toEqual([])
  await calls.end(1)
  await over
  expect(calls.rows).toEqual([0, 1, 2, 3, 4])
  expect(calls.flushed).toEqual([5])
})

test('calls of a key follow one another', async () => {
  const calls = new Calls()
  const over = calls.run([7, 8, 7, 9], 4)
  expect(calls.begun).toEqual([0, 1])
  await calls.end(1)
  expect(calls.begun).toEqual([0, 1])
  await calls.end(0)
  expect(calls.begun).toEqual([0, 1, 2, 3])
  await calls.end(3)
  await calls.end(2)
  await over
  expect(calls.rows).toEqual([0, 1, 2, 3])
})

test('the state is written when no call is under way', async () => {
  const calls = new Calls()
  const over = calls.run([0, 1, 2], 2, 2)
  await calls.end(1)
  expect([calls.begun, calls.flushed]).toEqual([[0, 1], []])
  await calls.end(0)
  expect([calls.begun, calls.flushed]).toEqual([[0, 1, 2], [2]])
  await calls.end(2)
  await over
  expect(calls.flushed).toEqual([2, 3])
})

test('where calls fail no more begin, the others are waited for, and the first one by their order counts', async () => {
  const calls = new Calls()
  const over = calls.run([0, 1, 2, 3, 4], 3)
  let error: unknown
  void over.catch((cause: unknown) => {
    error = cause
  })
  await calls.fail(2)
  expect([calls.begun, error]).toEqual([[0, 1, 2], undefined])
  await calls.fail(1)
  await calls.end(0)
  await expect(over).rejects.toThrow('call 1 failed')
  expect(calls.begun).toEqual([0, 1, 2])
  expect(calls.flushed).toEqual([])
})

test('a stop begins no more calls and waits for those under way', async () => {
  const calls = new Calls()
  const over = calls.run([0, 1, 2, 3], 2)
  let isOver = false
  void over.catch(() => {
    isOver = true
  })
  calls.isStopped = true
  await calls.end(0)
  expect([calls.begun, isOver]).toEqual([[0, 1], false])
  await calls.end(1)
  await expect(over).rejects.toThrow('stopped')
  expect(calls.flushed).toEqual([])
})

test('rows that wait for a slow call hold new calls back', async () => {
  const calls = new Calls()
  const over = calls.run([0, 1, 2, 3], 3)
  await calls.end(1, new Array(65_536).fill({ n: 1 }))
  expect(calls.begun).toEqual([0, 1, 2])
  await calls.end(0)
  expect(calls.begun).toEqual([0, 1, 2, 3])
  await calls.end(2)
  await calls.end(3)
  await over
  expect(calls.rows).toHaveLength(65_539)
})
