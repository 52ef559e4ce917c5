/** `spark.sql.streaming.multipleWatermarkPolicy`. */
export type WatermarkPolicy = 'min' | 'max'

/** What one watermark operator saw in one batch. */
export interface ObservedEventTime {
  /** Rows; with 0 the other value means nothing. */
  readonly count: number
  /** Newest event time in microseconds. */
  readonly maxUs: bigint
}

/**
 * The one global watermark of a query. Each operator's own is the newest event time it has seen, in whole milliseconds rounded down,
 * less its delay; the policy makes one of them; it never goes back. An operator without data so far counts as 0.
 * Only the global value is kept in the checkpoint, so after a restart the operators start anew (as in Spark; case A12).
 */
export class WatermarkTracker {
  readonly #delaysMs: readonly number[]
  readonly #policy: WatermarkPolicy
  readonly #operators: (number | undefined)[]
  #currentMs: number
  constructor(delaysMs: readonly number[], policy: WatermarkPolicy, startMs = 0) {
    this.#delaysMs = delaysMs
    this.#policy = policy
    this.#operators = delaysMs.map(() => undefined)
    this.#currentMs = startMs
  }
  /** The global watermark, milliseconds. */
  get currentMs(): number {
    return this.#currentMs
  }
  /** Takes in what each operator saw in the batch that has just run (by its number; absent means no rows), and gives the new watermark. */
  advance(observed: ReadonlyMap<number, ObservedEventTime>): number {
    if (this.#delaysMs.length === 0) return this.#currentMs
    this.#delaysMs.forEach((delayMs, index) => {
      const seen = observed.get(index)
      const before = this.#operators[index]
      if (!seen || seen.count === 0) {
        this.#operators[index] = before ?? 0
        return
      }
      const watermarkMs = floorToMs(seen.maxUs) - delayMs
      this.#operators[index] = before === undefined ? watermarkMs : Math.max(before, watermarkMs)
    })
    const each = this.#operators.map((watermarkMs) => watermarkMs ?? 0)
    const chosenMs = this.#policy === 'min' ? Math.min(...each) : Math.max(...each)
    this.#currentMs = Math.max(this.#currentMs, chosenMs)
    return this.#currentMs
  }
}

function floorToMs(us: bigint): number {
  const ms = us / 1000n
  return Number(us % 1000n < 0n ? ms - 1n : ms)
}
