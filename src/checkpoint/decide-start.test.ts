import { expect, test } from 'vitest'
import { decideStart } from './decide-start.ts'

test('an empty checkpoint begins with batch 0', () => {
  expect(decideStart()).toEqual({ kind: 'run', batchId: 0 })
})
test('after a batch that is done comes the next', () => {
  expect(decideStart(0, 0)).toEqual({ kind: 'run', batchId: 1 })
  expect(decideStart(7, 7, 6)).toEqual({ kind: 'run', batchId: 8 })
})
test('a batch that was planned and is not done is run again', () => {
  expect(decideStart(0)).toEqual({ kind: 'replay', batchId: 0, missingCommits: 0 })
  expect(decideStart(7, 6)).toEqual({ kind: 'replay', batchId: 7, missingCommits: 0 })
})
test('a commit log that ends earlier, or is gone, still means only the last planned batch', () => {
  expect(decideStart(7, 3)).toEqual({ kind: 'replay', batchId: 7, missingCommits: 3 })
  expect(decideStart(7)).toEqual({ kind: 'replay', batchId: 7, missingCommits: 7 })
})
test('a commit log that is ahead is damage', () => {
  for (const [planned, committed] of [
    [-1, 0],
    [6, 7],
  ] as const) {
    expect(() => decideStart(planned, committed)).toThrow(
      expect.objectContaining({ name: 'CorruptCheckpointError', code: 'LOGS_DISAGREE' }),
    )
  }
})
test('without the offsets of the batch before nobody knows where a batch begins', () => {
  for (const committed of [6, 7]) {
    expect(() => decideStart(7, committed, 7)).toThrow(
      expect.objectContaining({ code: 'BATCH_METADATA_NOT_FOUND', what: expect.stringContaining('offsets/6') }),
    )
  }
  expect(decideStart(0, -1, 0)).toEqual({ kind: 'replay', batchId: 0, missingCommits: 0 })
})
