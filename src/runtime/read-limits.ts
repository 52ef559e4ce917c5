import type { SourceBatch } from '../data/source-batch.ts'
import type { ReadLimit, Source } from '../sources/source.ts'
import { type LoadSettings, type LoadState, nextLoad, startLoad } from './load-controller.ts'

/** Where loads begin: so much of one source is a load of 1. */
const firstRows = 200_000
const firstBytes = 64 * 1024 * 1024

/** What a source gave to a batch, in the unit in which it can be limited. */
interface Amount {
  readonly unit: 'bytes' | 'rows'
  readonly amount: number
}

/**
 * The limits of the sources of one query: those of their options, and one that follows the cost of the batches (load-controller.ts), shared
 * among the sources as they had it in the last batches. Without a target and a memory limit only the sources' own.
 */
export class ReadLimits {
  readonly #settings: LoadSettings
  readonly #memoryBytes: () => number
  #state: LoadState
  /** Bytes of the files that the batch reads, by source. */
  readonly #bytes = new Map<string, number>()
  readonly #last = new Map<string, Amount>()
  /** Of the whole load, smoothed. */
  readonly #shares = new Map<string, number>()

  constructor(settings: LoadSettings, memoryBytes: () => number = () => process.memoryUsage.rss()) {
    this.#settings = settings
    this.#memoryBytes = memoryBytes
    this.#state = startLoad(settings.memoryLimitBytes === null ? 0 : memoryBytes())
  }
  get isOn(): boolean {
    return this.#settings.targetMs !== null || this.#settings.memoryLimitBytes !== null
  }

  /** What the next batch may take of a source. A source heeds the bound of its own unit. */
  limitOf(name: string, source: Source): ReadLimit {
    if (!this.isOn) return source.readLimit
    const load = this.#state.limit * this.#shareOf(name)
    const own: readonly ReadLimit[] = [
      { kind: 'max-rows', count: Math.max(1, Math.floor(load * firstRows)) },
      { kind: 'max-bytes', bytes: Math.max(1, Math.floor(load * firstBytes)) },
    ]
    return { kind: 'composite', limits: source.readLimit.kind === 'all' ? own : [source.readLimit, ...own] }
  }

  /** A batch is about to read these rows of a source. */
  reads(name: string, batch: SourceBatch): void {
    if (batch.kind === 'files')
      this.#bytes.set(
        name,
        batch.files.reduce((sum, file) => sum + file.sizeBytes, 0),
      )
  }

  /** A batch was committed: `rows` by source, and the time from its trigger on. */
  finished(rows: ReadonlyMap<string, number>, durationMs: number): void {
    if (!this.isOn) return
    const loads = new Map<string, number>()
    for (const [name, count] of rows) {
      const bytes = this.#bytes.get(name)
      this.#last.set(name, bytes === undefined ? { unit: 'rows', amount: count } : { unit: 'bytes', amount: bytes })
      loads.set(name, bytes === undefined ? count / firstRows : bytes / firstBytes)
    }
    this.#bytes.clear()
    const load = [...loads.values()].reduce((sum, each) => sum + each, 0)
    const memoryBytes = this.#settings.memoryLimitBytes === null ? 0 : this.#memoryBytes()
    this.#state = nextLoad(this.#state, this.#settings, { load, durationMs, memoryBytes })
    if (load > 0)
      for (const [name, each] of loads) this.#shares.set(name, 0.7 * (this.#shares.get(name) ?? each / load) + (0.3 * each) / load)
  }

  /** For progress: what the source may take in the next batch, and why not more. */
  metricsOf(name: string): Readonly<Record<string, string>> {
    const last = this.#last.get(name)
    if (!this.isOn || !last) return {}
    const load = this.#state.limit * this.#shareOf(name)
    const limit = Math.max(1, Math.floor(load * (last.unit === 'bytes' ? firstBytes : firstRows)))
    return { [last.unit === 'bytes' ? 'adaptiveMaxBytes' : 'adaptiveMaxRows']: String(limit), adaptiveLimitReason: this.#state.reason }
  }

  /** A source that had nothing for a while may begin again with a part of the whole. */
  #shareOf(name: string): number {
    const sources = Math.max(1, this.#shares.size)
    return Math.max(this.#shares.get(name) ?? 1, 1 / (4 * sources))
  }
}
