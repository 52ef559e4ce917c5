import { expect, test } from 'vitest'
import { anomaliesOf, type Given, type Result } from './anomalies.ts'

const committed: Given[] = Array.from({ length: 6 }, (_, n) => ({ n, partition: 0, offset: n }))
/** Three batches of two. */
const batchOf = (_partition: number, offset: number) => Math.floor(offset / 2)
const result = (n: number, more: Partial<Result> = {}): Result => ({
  n,
  count: 1,
  attempt: 0,
  place: `results-0@${n}`,
  isAborted: false,
  ...more,
})
const all = committed.map(({ n }) => result(n))
const kinds = (results: readonly Result[], aborted = new Set<number>()) =>
  anomaliesOf({ committed, aborted, results, batchOf, windowed: false }).map(({ kind }) => kind)

test('every result once is no anomaly', () => {
  expect(kinds(all)).toEqual([])
})
test('a result twice is a duplicate', () => {
  expect(kinds([...all, result(3, { place: 'results-1@9' })])).toEqual(['duplicate'])
})
test('a batch that is missing is a lost write; a part of one is a torn transaction too', () => {
  expect(kinds(all.slice(2))).toEqual(['lost write'])
  expect(kinds(all.slice(1))).toEqual(['lost write', 'torn transaction'])
})
test('a batch of two processes is a torn transaction', () => {
  expect(kinds([...all.slice(1), result(0, { attempt: 1 })])).toEqual(['torn transaction'])
})
test('what lies in an aborted transaction, in the output or in the input, is an aborted read', () => {
  expect(kinds([...all.slice(1), result(0, { isAborted: true })])).toEqual(['aborted read'])
  expect(kinds([...all, result(99)], new Set([99]))).toEqual(['aborted read'])
})
test('a result of nothing', () => {
  expect(kinds([...all, result(99)])).toEqual(['wrong result'])
})

test('windows: each once, with all of its records', () => {
  const many = Array.from({ length: 20 }, (_, n) => ({ n, partition: 0, offset: n }))
  const windows = (...results: Result[]) =>
    anomaliesOf({ committed: many, aborted: new Set(), results, batchOf, windowed: true }).map(({ kind }) => kind)
  const [first, second] = [result(0, { count: 10 }), result(10, { count: 10 })]
  expect(windows(first, second)).toEqual([])
  expect(windows(first)).toEqual(['lost write'])
  expect(windows(first, second, second)).toEqual(['duplicate'])
  expect(windows(first, result(10, { count: 11 }))).toEqual(['wrong result'])
})
