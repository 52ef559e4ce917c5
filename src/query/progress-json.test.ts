import { expect, test } from 'vitest'
import { progressJson } from './progress-json.ts'
import type { QueryProgress } from './query-progress.ts'

const source = { description: 'source', startOffset: 123, endOffset: 456, latestOffset: null, numInputRows: 678, inputRowsPerSecond: 10 }
const operator = {
  operatorName: 'op1',
  numRowsTotal: 0,
  numRowsUpdated: 1,
  allUpdatesTimeMs: 1,
  numRowsRemoved: 2,
  allRemovalsTimeMs: 34,
  commitTimeMs: 23,
  memoryUsedBytes: 3,
  numRowsDroppedByWatermark: 0,
  numShufflePartitions: 2,
  numStateStoreInstances: 2,
}
const head = { id: 'i', runId: 'r', name: null, timestamp: '2016-12-05T20:54:20.827Z', batchId: 2, batchDuration: 0, numInputRows: 678 }
const sink = { description: 'sink', numOutputRows: -1 }

test('StreamingQueryProgress - prettyJson: empty maps are left out at every level, a rate that is no number too, and what is empty but no map stays', () => {
  const progress: QueryProgress = {
    ...head,
    sources: [{ ...source, metrics: {} }],
    sink: { ...sink, metrics: {} },
    observedMetrics: {},
    durationMs: {},
    eventTime: {},
    stateOperators: [],
  }
  expect(progressJson(progress)).toBe(JSON.stringify({ ...head, stateOperators: [], sources: [source], sink }))
})

test("StreamingQueryProgress - prettyJson: the order is Spark's, whatever order the object has", () => {
  const full = {
    ...head,
    inputRowsPerSecond: 10,
    processedRowsPerSecond: 20.1,
    durationMs: { total: 0 },
    eventTime: { avg: 'a', max: 'b', min: 'c', watermark: 'd' },
    stateOperators: [{ ...operator, customMetrics: { loadedMapCacheHitCount: 1 } }],
    sources: [{ ...source, metrics: { m: '1' } }],
    sink: { ...sink, metrics: { n: '2' } },
    observedMetrics: { event1: { c1: 1, c2: null } },
  }
  const { observedMetrics, eventTime, ...rest } = full
  expect(progressJson({ observedMetrics, eventTime, ...rest })).toBe(JSON.stringify(full))
})

test('a bigint of an offset or an observed metric is a number where that is exact, else text', () => {
  const progress: QueryProgress = {
    ...head,
    durationMs: {},
    eventTime: {},
    stateOperators: [],
    sources: [{ ...source, endOffset: 2n ** 60n, metrics: {} }],
    sink: { ...sink, metrics: {} },
    observedMetrics: { e: { rc: 33n } },
  }
  const found = JSON.parse(progressJson(progress)) as QueryProgress
  expect([found.sources[0]!.endOffset, found.observedMetrics['e']!['rc']]).toEqual(['1152921504606846976', 33])
})
