import type { QueryProgress } from '../query/query-progress.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import { jsonLine, progressLine } from './progress-line.ts'

/** Where the command writes. People read `err`; `out` belongs to the query's own output (console sink) and to `--json`. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  /** Whether `err` is a screen, where a line can be written over. */
  readonly isScreen: boolean
  nowMs(): number
}
/** What is told about queries while they run. */
export interface Report {
  started(query: StreamingQuery): void
  progress(progress: QueryProgress): void
  ended(query: StreamingQuery): void
  note(text: string): void
}

/** Every event as one JSON line: `{"event":"progress", …}`. */
export function jsonReport(terminal: Terminal): Report {
  const write = (event: string, value: object) => terminal.out(`${jsonLine({ event, ...value })}\n`)
  return {
    started: ({ id, runId, name }) => write('started', { id, runId, name }),
    progress: (progress) => write('progress', { progress }),
    ended: ({ id, runId, name, exception }) =>
      write('ended', { id, runId, name, exception: exception?.message ?? null, code: exception?.code ?? null }),
    note: (text) => write('note', { text }),
  }
}

/** Lines for people: on a screen the newest batch over the last one, elsewhere at most one line a second and query. */
export function plainReport(terminal: Terminal): Report {
  const shownAtMs = new Map<string, number>()
  const held = new Map<string, QueryProgress>()
  let overwrite = false
  const line = (text: string, passing = false) => {
    terminal.err(`${overwrite ? '\r\x1b[K' : ''}${text}${passing ? '' : '\n'}`)
    overwrite = passing
  }
  return {
    started: (query) => line(`${query.name ?? query.id} started (id ${query.id}, run ${query.runId})`),
    progress(progress) {
      if (terminal.isScreen) return line(progressLine(progress), true)
      const nowMs = terminal.nowMs()
      if (nowMs - (shownAtMs.get(progress.runId) ?? Number.NEGATIVE_INFINITY) < 1000) {
        held.set(progress.runId, progress)
        return
      }
      held.delete(progress.runId)
      shownAtMs.set(progress.runId, nowMs)
      line(progressLine(progress))
    },
    ended(query) {
      const last = held.get(query.runId) ?? (terminal.isScreen ? query.lastProgress : undefined)
      if (last && !last.isIdle) line(progressLine(last))
      line(`${query.name ?? query.id} ${query.exception ? `failed: ${query.exception.message}` : 'ended'}`)
    },
    note: (text) => line(`millrace: ${text}`),
  }
}
