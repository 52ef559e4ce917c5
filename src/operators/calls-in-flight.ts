/**
 * Asynchronous calls of the program's functions that are under way. Calls are numbered in the order in which they begin, so that what comes of
 * them does not depend on the order in which they end: of several that fail the first one counts, and it is thrown when all of them are over.
 */
export class CallsInFlight {
  readonly #checkStop: () => void
  #count = 0
  #begun = 0
  #failure: { readonly number: number; readonly error: unknown } | null = null
  #waiting: (() => void) | null = null

  /** `checkStop` throws where no more calls are wanted. */
  constructor(checkStop: () => void) {
    this.#checkStop = checkStop
  }

  get count(): number {
    return this.#count
  }
  get hasFailed(): boolean {
    return this.#failure !== null
  }

  /** Takes a call that has begun. */
  add(call: PromiseLike<unknown>): void {
    const number = this.#begun++
    this.#count++
    call.then(
      () => this.#ended(),
      (error: unknown) => {
        this.#fail(number, error)
        this.#ended()
      },
    )
  }
  /** Takes the error of a call that failed before it gave a promise. */
  failed(error: unknown): void {
    this.#fail(this.#begun++, error)
  }

  /** Resolves when a call ends; there must be one. */
  async oneEnds(): Promise<void> {
    await this.#nextEnd()
    this.lookForStop()
  }
  /** That no more calls are wanted is a failure behind those of the calls. */
  lookForStop(): void {
    try {
      this.#checkStop()
    } catch (error) {
      this.failed(error)
    }
  }
  /** Resolves when all calls are over, and rejects where one has failed. */
  async finish(): Promise<void> {
    while (this.#count > 0) await this.#nextEnd()
    if (this.#failure !== null) throw this.#failure.error
  }

  #nextEnd(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }
  #fail(number: number, error: unknown): void {
    if (this.#failure === null || number < this.#failure.number) this.#failure = { number, error }
  }
  #ended(): void {
    this.#count--
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.()
  }
}
