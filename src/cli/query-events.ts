import { progressJson, withEmptyMaps } from '../query/progress-json.ts'
import type { QueryProgress } from '../query/query-progress.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import type { Report } from './report.ts'

/** What a process tells of its queries to the one that watches over it. Plain JSON. */
export type QueryEvent =
  | { readonly event: 'started'; readonly id: string; readonly runId: string; readonly name: string | null }
  | { readonly event: 'progress'; readonly progress: QueryProgress }
  | { readonly event: 'ended'; readonly runId: string; readonly message: string | null; readonly code: string | null }
  | { readonly event: 'note'; readonly text: string }

/** A report as events. */
export function eventReport(send: (event: QueryEvent) => void): Report {
  return {
    started: ({ id, runId, name }: StreamingQuery) => send({ event: 'started', id, runId, name }),
    progress: (progress) => send({ event: 'progress', progress: withEmptyMaps(JSON.parse(progressJson(progress)) as QueryProgress) }),
    ended: ({ runId, exception }) => send({ event: 'ended', runId, message: exception?.message ?? null, code: exception?.code ?? null }),
    note: (text) => send({ event: 'note', text }),
  }
}

/** How a query stands, for health checks and the live table. */
export interface QueryView {
  readonly id: string
  readonly runId: string
  readonly name: string | null
  readonly state: 'running' | 'ended' | 'failed'
  readonly message: string | null
  readonly progress: QueryProgress | null
  /** Rows dropped as late since the run began. */
  readonly lateRows: number
}

/** The queries of a process as its events tell of them. */
export class QueryViews {
  readonly #views = new Map<string, QueryView>()
  get all(): readonly QueryView[] {
    return [...this.#views.values()]
  }
  clear(): void {
    this.#views.clear()
  }
  take(event: QueryEvent): void {
    if (event.event === 'started') {
      const { id, runId, name } = event
      this.#views.set(runId, { id, runId, name, state: 'running', message: null, progress: null, lateRows: 0 })
    } else if (event.event === 'progress') {
      const { progress } = event
      const late = progress.stateOperators.reduce((sum, operator) => sum + operator.numRowsDroppedByWatermark, 0)
      this.#change(progress.runId, (view) => ({ ...view, progress, lateRows: view.lateRows + late }))
    } else if (event.event === 'ended') {
      const { message } = event
      this.#change(event.runId, (view) => ({ ...view, state: message === null ? 'ended' : 'failed', message }))
    }
  }
  #change(runId: string, change: (view: QueryView) => QueryView): void {
    const view = this.#views.get(runId)
    if (view) this.#views.set(runId, change(view))
  }
}

/** Several reports as one. */
export function reportsTogether(...reports: readonly Report[]): Report {
  return {
    started: (query) => {
      for (const each of reports) each.started(query)
    },
    progress: (progress) => {
      for (const each of reports) each.progress(progress)
    },
    ended: (query) => {
      for (const each of reports) each.ended(query)
    },
    note: (text) => {
      for (const each of reports) each.note(text)
    },
  }
}
