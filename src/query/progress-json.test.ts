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

test('StreamingQueryProgress - prettyJson: maps are in the order of their keys, the metrics of an observation in that of its columns', () => {
  const progress: QueryProgress = {
    ...head,
    durationMs: { walCommit: 74, addBatch: 110_481, triggerExecution: 111_255 },
    eventTime: { watermark: 'd', max: 'b', min: 'c', avg: 'a' },
    stateOperators: [{ ...operator, customMetrics: { stateOnCurrentVersionSizeBytes: 2, loadedMapCacheHitCount: 1 } }],
    sources: [{ ...source, metrics: { minOffsetsBehindLatest: '7', avgOffsetsBehindLatest: '7.0' } }],
    sink: { ...sink, metrics: {} },
    observedMetrics: { event_b2: { rc: 200, min_q: 'fzo', max_q: 'baz' }, event_a: { c1: null, c2: -20.7 } },
  }
  const { durationMs, eventTime, stateOperators, sources, observedMetrics } = JSON.parse(progressJson(progress)) as QueryProgress
  const keys = [durationMs, eventTime, stateOperators[0]!.customMetrics, sources[0]!.metrics, observedMetrics, observedMetrics['event_b2']!]
  expect(keys.map((map) => Object.keys(map).join(' '))).toEqual([
    'addBatch triggerExecution walCommit',
    'avg max min watermark',
    'loadedMapCacheHitCount stateOnCurrentVersionSizeBytes',
    'avgOffsetsBehindLatest minOffsetsBehindLatest',
    'event_a event_b2',
    'rc min_q max_q',
  ])
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

test('SPARK-53491, SPARK-53690: rates and avgOffsetsBehindLatest have one digit behind the point, rounded half up, and no exponent', () => {
  const printed = (rate: number, lag: string) => {
    const { inputRowsPerSecond, sources } = JSON.parse(
      progressJson({
        ...head,
        inputRowsPerSecond: rate,
        durationMs: {},
        eventTime: {},
        stateOperators: [],
        sources: [{ ...source, inputRowsPerSecond: rate, metrics: { avgOffsetsBehindLatest: lag } }],
        sink: { ...sink, metrics: {} },
        observedMetrics: {},
      }),
    ) as QueryProgress
    expect(sources[0]!.inputRowsPerSecond).toBe(inputRowsPerSecond)
    return [inputRowsPerSecond, sources[0]!.metrics['avgOffsetsBehindLatest']]
  }
  expect(printed(6.923076923076923e8, '2.70941269E8')).toEqual([692307692.3, '270941269.0'])
  expect(printed(1.45, '1.25')).toEqual([1.5, '1.3'])
  expect(printed(1e-9, '0.0')).toEqual([0, '0.0'])
  expect(printed(999_999_999_999.96, '3.0')).toEqual([1e12, '3.0'])
})
