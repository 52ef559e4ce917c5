/** Lets one loop sleep until there is something to do: whoever has news calls `wake()`. */
export class WakeUp {
  #waiting: (() => void) | null = null
  #woken = false
  wake(): void {
    this.#woken = true
    this.#waiting?.()
  }
  /** Resolves at the next wake(), at once if there was one since the last wait, or after `timeoutMs`. */
  wait(timeoutMs: number): Promise<void> {
    if (this.#woken) {
      this.#woken = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#waiting = null
        this.#woken = false
        resolve()
      }
      const timer = setTimeout(done, timeoutMs)
      this.#waiting = done
    })
  }
}
