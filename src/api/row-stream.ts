import type { RowSet } from '../data/row-set.ts'
import { columnsToRows } from '../data/values.ts'

/** The rows of a batch one after the other, read as they are asked for: never more than a chunk is in JavaScript's memory. `run` holds the batch open meanwhile. */
export async function* rowsOf<R>(run: (use: (rows: RowSet) => Promise<void>) => Promise<void>): AsyncGenerator<R, void, undefined> {
  const chunks = new Handoff<R[]>()
  const running = run(async (rows) => {
    for await (const chunk of rows.chunks()) if (!(await chunks.put(columnsToRows(chunk) as R[]))) return
  }).then(
    () => chunks.end(),
    (error: unknown) => chunks.end(error),
  )
  try {
    for (;;) {
      const chunk = await chunks.take()
      if (chunk === undefined) return
      yield* chunk
    }
  } finally {
    chunks.close()
    await running
  }
}

/** One value at a time from a producer to a consumer. */
class Handoff<T> {
  #value: T | undefined
  #error: unknown
  #ended = false
  #closed = false
  #wake = Promise.withResolvers<void>()

  /** Waits until the value is taken; false where nobody will take another. */
  async put(value: T): Promise<boolean> {
    this.#value = value
    this.#notify()
    while (this.#value !== undefined && !this.#closed) await this.#wake.promise
    return !this.#closed
  }
  end(error?: unknown): void {
    this.#ended = true
    this.#error = error
    this.#notify()
  }
  close(): void {
    this.#closed = true
    this.#notify()
  }
  /** The next value; undefined at the end. Throws what the producer threw. */
  async take(): Promise<T | undefined> {
    while (this.#value === undefined && !this.#ended) await this.#wake.promise
    const value = this.#value
    this.#value = undefined
    this.#notify()
    if (value === undefined && this.#error !== undefined) throw this.#error
    return value
  }
  #notify(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }
}
