import type { QueryProgress } from 'millrace'
import { type Display, number } from './display.ts'

/** What has been done so far, over both workers. A batch counts when its progress comes, which is after its commit. */
export class Tally {
  readonly allFiles: Promise<void>
  readonly #filesTotal: number
  readonly #show: Display
  readonly #rowsByBatch = new Map<number, number>()
  readonly #first = new Map<string, number>()
  readonly #done = Promise.withResolvers<void>()
  constructor(filesTotal: number, show: Display) {
    this.#filesTotal = filesTotal
    this.#show = show
    this.allFiles = this.#done.promise
  }
  add(progress: QueryProgress): void {
    if (!this.#first.has(progress.runId)) this.#first.set(progress.runId, progress.batchId)
    this.#rowsByBatch.set(progress.batchId, progress.numInputRows)
    const rows = [...this.#rowsByBatch.values()]
    // One file a batch; a batch without rows only moves the watermark.
    const filesDone = Math.min(this.#filesTotal, rows.filter((count) => count > 0).length)
    this.#show.show({
      progress,
      share: filesDone / this.#filesTotal,
      left: `${this.#filesTotal - filesDone} of ${this.#filesTotal} files left`,
      done: `${number(rows.reduce((sum, count) => sum + count, 0))} flights so far`,
    })
    if (filesDone === this.#filesTotal) this.#done.resolve()
  }
  /** The batch with which the second run began, if that is the one that the first was killed in. */
  replayed(held: number): number | undefined {
    const [, second] = [...this.#first.values()]
    return second === held ? second : undefined
  }
}
