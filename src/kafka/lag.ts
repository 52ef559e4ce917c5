import { offsetJson, type PartitionOffsets } from './offsets.ts'

/** How far a batch's end lies behind what there is: Spark's three figures, and each partition's own. */
export function lagMetrics(latest: PartitionOffsets | undefined, consumed: PartitionOffsets | undefined): Record<string, string> {
  if (!latest || !consumed) return {}
  const lags = new Map(
    [...latest].flatMap(([key, end]) => (consumed.has(key) ? [[key, Math.max(0, end - consumed.get(key)!)] as const] : [])),
  )
  if (lags.size === 0) return {}
  const values = [...lags.values()]
  const average = values.reduce((sum, lag) => sum + lag, 0) / values.length
  return {
    minOffsetsBehindLatest: String(Math.min(...values)),
    maxOffsetsBehindLatest: String(Math.max(...values)),
    avgOffsetsBehindLatest: Number.isInteger(average) ? average.toFixed(1) : String(average),
    offsetsBehindLatest: JSON.stringify(offsetJson(lags)),
  }
}
