/** The next multiple of the interval after `nowMs`: where a processing-time trigger fires next when the current one started at `nowMs`. */
export function nextBatchTimeMs(nowMs: number, intervalMs: number): number {
  return intervalMs === 0 ? nowMs : Math.floor(nowMs / intervalMs) * intervalMs + intervalMs
}

/** Says when triggers last longer than their interval: once, until one keeps within it again. */
export class Pace {
  readonly #intervalMs: number
  readonly #warn: (text: string) => void
  #isBehind = false
  constructor(intervalMs: number, warn: (text: string) => void) {
    this.#intervalMs = intervalMs
    this.#warn = warn
  }

  took(ms: number): void {
    const isBehind = this.#intervalMs > 0 && ms > this.#intervalMs
    if (isBehind && !this.#isBehind) {
      this.#warn(
        `the query falls behind: a trigger took ${ms} ms, and its interval is ${this.#intervalMs} ms. The next one begins at once; where this goes on, take less in a batch or give the trigger more time`,
      )
    }
    this.#isBehind = isBehind
  }
}
