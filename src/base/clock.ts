/** Where time comes from. Nothing in the engine reads the system's clock but through this, so that tests need not sleep. */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  nowMs(): number
  /** Monotonic milliseconds, for durations only. */
  monotonicMs(): number
  /** Resolves at `timeMs` or later, or as soon as `signal` is aborted (it never rejects).
   *  A `background` sleeper (a lease to renew, maintenance) does not keep the process alive. */
  sleepUntil(timeMs: number, signal?: AbortSignal, background?: boolean): Promise<void>
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleepUntil(timeMs, signal, background = false) {
    const delayMs = timeMs - Date.now()
    if (delayMs <= 0 || signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      // setTimeout holds at most 2^31 - 1 ms; a caller that wakes early just asks again
      const timer = setTimeout(done, Math.min(delayMs, 0x7fffffff))
      if (background) timer.unref()
      signal?.addEventListener('abort', done, { once: true })
      function done() {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
    })
  },
}

/** A clock that moves only when told to. */
export class ManualClock implements Clock {
  #nowMs: number
  #sleepers: { timeMs: number; background: boolean; wake: () => void }[] = []
  #watchers: (() => void)[] = []
  constructor(startMs = 0) {
    this.#nowMs = startMs
  }
  nowMs(): number {
    return this.#nowMs
  }
  monotonicMs(): number {
    return this.#nowMs
  }
  /** How many sleepers wait for a later time, but for those in the background: a test waits for this before it advances. */
  get sleeping(): number {
    return this.#sleepers.filter((s) => !s.background).length
  }
  /** Resolves when somebody sleeps on this clock (at once if somebody does already), those in the background left out. */
  whenSleeping(): Promise<void> {
    return this.sleeping > 0 ? Promise.resolve() : new Promise((resolve) => this.#watchers.push(resolve))
  }
  sleepUntil(timeMs: number, signal?: AbortSignal, background = false): Promise<void> {
    if (timeMs <= this.#nowMs || signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const sleeper = { timeMs, background, wake: done }
      this.#sleepers.push(sleeper)
      if (!background) for (const tell of this.#watchers.splice(0)) tell()
      const sleepers = () => this.#sleepers
      const drop = () => {
        this.#sleepers = sleepers().filter((s) => s !== sleeper)
      }
      function done() {
        drop()
        signal?.removeEventListener('abort', done)
        resolve()
      }
      signal?.addEventListener('abort', done, { once: true })
    })
  }
  /** Moves the clock forward and wakes whoever waited for a time up to then. */
  advance(ms: number): void {
    this.setTime(this.#nowMs + ms)
  }
  setTime(timeMs: number): void {
    this.#nowMs = timeMs
    for (const sleeper of this.#sleepers.filter((s) => s.timeMs <= timeMs)) sleeper.wake()
  }
}
