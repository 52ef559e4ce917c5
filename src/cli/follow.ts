import type { StreamingQueryListener } from '../query/query-listener.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import type { Report } from './report.ts'

/** What following asks of an engine. */
export interface FollowedEngine {
  readonly streams: {
    readonly active: readonly StreamingQuery[]
    addListener(listener: StreamingQueryListener): void
  }
}

/**
 * Watches the queries of all engines of the process, whenever they start, and tells the report about each: started once, every progress once
 * and in order, ended once.
 */
export class Following {
  readonly #report: Report
  readonly #onFailure: (query: StreamingQuery) => void
  readonly #engines = new Set<FollowedEngine>()
  readonly #queries = new Map<string, StreamingQuery>()
  readonly #ends: Promise<void>[] = []
  #stopping: { readonly drain: boolean } | undefined
  /** `onFailure` hears of each query that ended with an error. */
  constructor(report: Report, onFailure: (query: StreamingQuery) => void = () => {}) {
    this.#report = report
    this.#onFailure = onFailure
  }
  /** Every query seen so far. */
  get queries(): readonly StreamingQuery[] {
    return [...this.#queries.values()]
  }
  /** Looks for engines and queries that are new. Cheap; called often while the module is loading, and after. */
  look(engines: Iterable<FollowedEngine>): void {
    for (const engine of engines) {
      if (this.#engines.has(engine)) continue
      this.#engines.add(engine)
      engine.streams.addListener({
        onQueryStarted: () => queueMicrotask(() => this.#followActive(engine)),
        onQueryProgress: ({ progress }) => {
          if (this.#queries.has(progress.runId)) this.#report.progress(progress)
          else this.#followActive(engine)
        },
      })
      this.#followActive(engine)
    }
  }
  follow(query: StreamingQuery): void {
    if (this.#queries.has(query.runId)) return
    this.#queries.set(query.runId, query)
    this.#report.started(query)
    // What it did before we knew of it; the listener tells the rest.
    for (const progress of query.recentProgress) if (!progress.isIdle) this.#report.progress(progress)
    this.#ends.push(
      query.awaitTermination().then(
        () => this.#report.ended(query),
        () => {
          this.#report.ended(query)
          this.#onFailure(query)
        },
      ),
    )
    if (this.#stopping) void query.stop(this.#stopping).catch(() => {})
  }
  /** Stops all queries, also those that start later. */
  stop(options: { readonly drain: boolean }): void {
    this.#stopping = options
    for (const query of this.queries) void query.stop(options).catch(() => {})
  }
  /** Resolves when every query known by then, and every one that started meanwhile, has ended. */
  async ended(): Promise<void> {
    for (let seen = -1; seen < this.#ends.length; ) {
      seen = this.#ends.length
      await Promise.all(this.#ends)
    }
  }

  #followActive(engine: FollowedEngine): void {
    for (const query of engine.streams.active) this.follow(query)
  }
}
