/** The next multiple of the interval after `nowMs`: where a processing-time trigger fires next when the current one started at `nowMs`. */
export function nextBatchTimeMs(nowMs: number, intervalMs: number): number {
  return intervalMs === 0 ? nowMs : Math.floor(nowMs / intervalMs) * intervalMs + intervalMs
}
