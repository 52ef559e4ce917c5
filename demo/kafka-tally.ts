import type { QueryProgress } from 'millrace'
import { type Display, number } from './display.ts'

/** What the queries have done so far, over both workers. A batch counts when its progress comes, which is after its commit. */
export class KafkaTally {
  readonly #total: number
  readonly #show: Display
  /** Rows by batch, by query. */
  readonly #rows = new Map<string, Map<number, number>>()
  readonly #firstBatches = new Map<string, number>()
  readonly #waiters: { readonly share: number; readonly resolve: () => void }[] = []
  constructor(total: number, show: Display) {
    this.#total = total
    this.#show = show
  }
  add(progress: QueryProgress): void {
    const name = progress.name!
    const key = `${name} ${progress.runId}`
    if (!this.#firstBatches.has(key)) this.#firstBatches.set(key, progress.batchId)
    const rows = this.#rows.get(name) ?? new Map<number, number>()
    this.#rows.set(name, rows)
    rows.set(progress.batchId, progress.numInputRows)
    const share = this.#share
    this.#show.show({
      progress,
      share,
      left: `${number(this.#total * (1 - share))} of ${number(this.#total)} views left`,
      done: [...this.#rows].map(([query, own]) => `${query}: ${number(sum(own))} views in ${own.size} batches`).join(', '),
    })
    for (const waiter of this.#waiters) if (share >= waiter.share) waiter.resolve()
  }
  /** Resolves when both queries have come so far; from 0 to 1. */
  reached(share: number): Promise<void> {
    return new Promise((resolve) => void this.#waiters.push({ share, resolve }))
  }
  /** The batch that a query's second run began with. */
  secondRunBeganWith(name: string): number | undefined {
    return [...this.#firstBatches].filter(([key]) => key.startsWith(`${name} `))[1]?.[1]
  }
  get #share(): number {
    const done = [...this.#rows.values()].map(sum)
    return done.length < 2 ? 0 : Math.min(1, ...done.map((rows) => rows / this.#total))
  }
}
function sum(rows: ReadonlyMap<number, number>): number {
  let all = 0
  for (const count of rows.values()) all += count
  return all
}
