import { expect, test } from 'vitest'
import { InvalidQueryError } from '../base/errors.ts'
import type { QueryProgress } from '../query/query-progress.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import { jsonLine, progressLine } from './progress-line.ts'
import { jsonReport, plainReport } from './report.ts'

const progress = (batchId: number, more: Partial<QueryProgress> = {}): QueryProgress => ({
  id: 'i',
  runId: 'r',
  name: 'clicks',
  timestamp: '2001-01-01T00:00:00.000Z',
  batchId,
  batchDuration: 5,
  numInputRows: 12345,
  durationMs: {},
  eventTime: {},
  stateOperators: [],
  sources: [],
  sink: { description: '', numOutputRows: -1, metrics: {} },
  observedMetrics: {},
  ...more,
})
const query = (exception: InvalidQueryError | null = null) =>
  ({ id: 'i', runId: 'r', name: 'clicks', exception, lastProgress: progress(7) }) as unknown as StreamingQuery

function terminal(isScreen: boolean) {
  const text = { out: '', err: '' }
  let nowMs = 0
  return {
    text,
    wait: (ms: number) => {
      nowMs += ms
    },
    out: (each: string) => {
      text.out += each
    },
    err: (each: string) => {
      text.err += each
    },
    isScreen,
    nowMs: () => nowMs,
  }
}

test('a line of progress leaves out what a batch does not have', () => {
  expect(progressLine(progress(3))).toBe('clicks  batch 3  12,345 rows  5 ms')
  const state = { numRowsTotal: 4120, numRowsDroppedByWatermark: 2 } as QueryProgress['stateOperators'][number]
  const full = {
    inputRowsPerSecond: 25000.4,
    processedRowsPerSecond: 80000,
    eventTime: { watermark: '2001-01-02T03:00:00.000Z' },
    stateOperators: [state, state],
  }
  expect(progressLine(progress(3, full))).toBe(
    'clicks  batch 3  12,345 rows  25,000 in/s  80,000 done/s  5 ms  watermark 2001-01-02 03:00:00  state 8,240  late 4',
  )
})

test('without a screen there is at most one line a second, and the last batch is told at the end', () => {
  const at = terminal(false)
  const report = plainReport(at)
  report.started(query())
  for (const batchId of [0, 1, 2]) report.progress(progress(batchId))
  at.wait(1000)
  for (const batchId of [3, 4]) report.progress(progress(batchId))
  report.ended(query())
  const batches = [...at.text.err.matchAll(/batch (\d+)/g)].map((match) => match[1])
  expect(batches).toEqual(['0', '3', '4'])
  expect(at.text.err).toMatch(/^clicks started \(id i, run r\)\n[^]*\nclicks ended\n$/)
  expect(at.text.out).toBe('')
})

test('on a screen a batch is written over the one before', () => {
  const at = terminal(true)
  const report = plainReport(at)
  report.started(query())
  report.progress(progress(0))
  report.progress(progress(1))
  report.note('stopping')
  expect(at.text.err.split('\r\x1b[K').map((each) => each.trim())).toEqual([
    expect.stringContaining('clicks  batch 0'),
    expect.stringContaining('clicks  batch 1'),
    'millrace: stopping',
  ])
})

test('an error is told with its text, and as JSON with its code', () => {
  const failed = query(new InvalidQueryError('WRONG', { what: 'it is', todo: 'mend it' }))
  const at = terminal(false)
  plainReport(at).ended(failed)
  expect(at.text.err).toBe('clicks failed: WRONG: it is\n  What to do: mend it\n')
  jsonReport(at).ended(failed)
  expect(JSON.parse(at.text.out)).toEqual({
    event: 'ended',
    id: 'i',
    runId: 'r',
    name: 'clicks',
    exception: failed.exception?.message,
    code: 'WRONG',
  })
})

test('longs become numbers in JSON where they are exact', () => {
  expect(jsonLine({ a: 5n, b: 2n ** 60n })).toBe('{"a":5,"b":"1152921504606846976"}')
})
