/*
 * How much a batch may take so that it lasts about as long as it should, and the process keeps within its memory. Pure: it is told what each
 * batch took and cost, and says how much the next may take. Loads are in any unit of one's own; 1 is where it begins.
 *
 * Duration. Of the last batches a line is fitted, duration = overhead + cost × load, older batches counting less and less; a next load is
 * (target − overhead) / cost, and never less than overhead / cost: there half of the time is overhead, and smaller batches would lose more
 * throughput than they win latency. While batches have about one size there is no line to fit: overhead is then as it was when it was last known
 * (0 at the beginning, where scaling the load by target / duration closes in on the target whatever the overhead is).
 *
 * Memory. What the process grew by, over the largest load so far, says what a load costs; so much of it may be taken as fits under the limit.
 * A process seldom gives memory back, so what it holds is no reason to go on shrinking: only growth is.
 *
 * The load at most doubles or halves from one batch to the next, and grows only where a batch took most of what it might: the cost of loads
 * that nobody has tried is not known.
 */

export interface LoadSettings {
  /** How long a batch should take, ms; null: as long as it wants. */
  readonly targetMs: number | null
  /** Memory that the process may hold, bytes; null: no limit of ours. */
  readonly memoryLimitBytes: number | null
}
export interface ObservedBatch {
  readonly load: number
  readonly durationMs: number
  /** Of the process, after the batch. */
  readonly memoryBytes: number
}
/** Why the load is not larger. */
export type LoadReason = 'start' | 'duration' | 'memory'
export interface LoadState {
  readonly limit: number
  readonly reason: LoadReason
  /** Weighted sums over the last batches: of 1, load, duration, load², load × duration. */
  readonly fit: readonly [n: number, x: number, y: number, xx: number, xy: number]
  /** As it came out when loads last differed. */
  readonly overheadMs: number
  /** Of the process before the first batch of this run. */
  readonly baseBytes: number
  readonly largestLoad: number
  readonly lastMemoryBytes: number
}

/** Below this nothing is cut any more. */
export const smallestLoad = 1e-4
/** An old batch counts so much of what the one after it counts. */
const memory = 0.85
/** A batch that took so much of what it might shows that there is more to take. */
const saturated = 0.8
/** So much of the memory limit is used on purpose; the rest is for what a batch takes beyond the last ones. */
const memoryShare = 0.8

export function startLoad(memoryBytes: number): LoadState {
  return {
    limit: 1,
    reason: 'start',
    fit: [0, 0, 0, 0, 0],
    overheadMs: 0,
    baseBytes: memoryBytes,
    largestLoad: 0,
    lastMemoryBytes: memoryBytes,
  }
}

/** What the next batch may take. A batch without load teaches nothing. */
export function nextLoad(state: LoadState, settings: LoadSettings, batch: ObservedBatch): LoadState {
  const { load, durationMs, memoryBytes } = batch
  if (!(load > 1e-9)) return { ...state, lastMemoryBytes: memoryBytes }
  const seen = [1, load, durationMs, load * load, load * durationMs]
  const fit = state.fit.map((sum, i) => sum * memory + seen[i]!) as unknown as LoadState['fit']
  const largestLoad = Math.max(state.largestLoad, load)
  const { overheadMs, costMs } = fitted(fit, state.overheadMs)
  const byDuration =
    settings.targetMs === null ? Number.POSITIVE_INFINITY : Math.max((settings.targetMs - overheadMs) / costMs, overheadMs / costMs)
  const byMemory =
    settings.memoryLimitBytes === null ? Number.POSITIVE_INFINITY : roomFor(state, settings.memoryLimitBytes, batch, largestLoad)
  const wanted = Math.min(byDuration, byMemory)
  const mayGrow = load >= state.limit * saturated
  const highest = mayGrow ? state.limit * 2 : state.limit
  const limit = Math.max(smallestLoad, Math.min(highest, Math.max(state.limit / 2, wanted)))
  const reason = byMemory < byDuration ? 'memory' : settings.targetMs === null ? state.reason : 'duration'
  return { limit, reason, fit, overheadMs, baseBytes: state.baseBytes, largestLoad, lastMemoryBytes: memoryBytes }
}

function fitted([n, x, y, xx, xy]: LoadState['fit'], knownOverheadMs: number): { readonly overheadMs: number; readonly costMs: number } {
  const spread = (n * xx - x * x) / (n * n)
  const [meanLoad, meanMs] = [x / n, Math.max(y / n, 0.001)]
  const leastCost = (0.001 * meanMs) / meanLoad
  // loads that differ by less than a tenth say nothing new about overhead
  if (spread < 0.01 * meanLoad * meanLoad) {
    const overheadMs = Math.min(knownOverheadMs, 0.9 * meanMs)
    return { overheadMs, costMs: Math.max((meanMs - overheadMs) / meanLoad, leastCost) }
  }
  const costMs = Math.max((n * xy - x * y) / (n * xx - x * x), leastCost)
  return { overheadMs: Math.max(0, meanMs - costMs * meanLoad), costMs }
}

function roomFor(state: LoadState, limitBytes: number, { load, memoryBytes }: ObservedBatch, largestLoad: number): number {
  const roomBytes = limitBytes * memoryShare - state.baseBytes
  const grownBytes = Math.max(0, memoryBytes - state.baseBytes)
  const isGrowing = memoryBytes > state.lastMemoryBytes
  if (memoryBytes > limitBytes && isGrowing) return load / 2
  // what it holds already may come from earlier, larger batches: it is counted against the largest
  return grownBytes === 0 ? Number.POSITIVE_INFINITY : (largestLoad * Math.max(0, roomBytes)) / grownBytes
}
