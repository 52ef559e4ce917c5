import type { QueryProgress } from './query-progress.ts'

const order = [
  'id',
  'runId',
  'name',
  'timestamp',
  'batchId',
  'batchDuration',
  'numInputRows',
  'inputRowsPerSecond',
  'processedRowsPerSecond',
  'durationMs',
  'eventTime',
  'stateOperators',
  'sources',
  'sink',
  'observedMetrics',
  'sideOutputs',
  'books',
  'balance',
  'isReplay',
  'isIdle',
] as const satisfies readonly (keyof QueryProgress)[]
/** Left out where they are empty, and else in the order of their keys. */
const maps = new Set(['durationMs', 'eventTime', 'customMetrics', 'metrics', 'observedMetrics'])

/** Printed with one digit behind the point. */
const rates = new Set(['inputRowsPerSecond', 'processedRowsPerSecond'])

/**
 * A progress as one line of JSON, as Spark prints it: fields in its order, maps by their keys, empty ones left out, rates (and avgOffsetsBehindLatest) with
 * one digit behind the point, a bigint as a number where that is exact and else as text.
 */
export function progressJson(progress: QueryProgress): string {
  return JSON.stringify(Object.fromEntries(order.map((key) => [key, progress[key]])), (key, value: unknown) => {
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
    if (rates.has(key) && typeof value === 'number') return tenths(value)
    if (key === 'avgOffsetsBehindLatest' && typeof value === 'string') return tenths(Number(value)).toFixed(1)
    if (!maps.has(key) || value === null || typeof value !== 'object') return value
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    return entries.length === 0 ? undefined : Object.fromEntries(entries)
  })
}

/** Rounded half up by its decimal digits, as Spark's BigDecimal. */
function tenths(value: number): number {
  if (value < 0.05) return 0
  return value < 1e15 ? Math.round(Number(`${value}e1`)) / 10 : value
}

/** A progress that was read from JSON, with the empty maps that the text leaves out. */
export function withEmptyMaps(read: QueryProgress): QueryProgress {
  return {
    ...read,
    durationMs: read.durationMs ?? {},
    eventTime: read.eventTime ?? {},
    observedMetrics: read.observedMetrics ?? {},
    stateOperators: read.stateOperators.map((operator) => ({ ...operator, customMetrics: operator.customMetrics ?? {} })),
    sources: read.sources.map((source) => ({ ...source, metrics: source.metrics ?? {} })),
    sink: { ...read.sink, metrics: read.sink.metrics ?? {} },
  }
}
