import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { exitCodes } from './exit-codes.ts'
import { serveHealth } from './health.ts'
import { type QueryEvent, QueryViews } from './query-events.ts'
import type { Terminal } from './report.ts'
import { decideRestart, type RestartSettings } from './restart-policy.ts'
import { processSignals } from './signals.ts'

export interface SuperviseOptions extends RestartSettings {
  readonly file: string
  readonly json: boolean
  readonly takeover: boolean
  readonly healthPort: number | undefined
}

/** The module in a process of its own, which tells of its queries. */
export function startModule(
  file: string,
  given: { readonly json?: boolean; readonly env?: Readonly<Record<string, string>> },
): ChildProcess {
  const bin = process.argv[1]!
  const args = [...process.execArgv, bin, 'run', file, ...(given.json ? ['--json'] : [])]
  return spawn(process.execPath, args, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // a process group of its own: Ctrl-C reaches this process alone, which hands it on once
    detached: true,
    env: { ...process.env, MILLRACE_WATCHED: 'true', ...given.env },
  })
}
export function endOf(child: ChildProcess): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: exitCodes.failed, signal: null }))
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
}

/**
 * `millrace run --restart`: the module runs in a process of its own, so that each start is a fresh one and a crash takes nothing along. What may
 * pass is tried again (restart-policy.ts). A signal is handed on, and ends the restarts.
 */
export async function supervise(options: SuperviseOptions, terminal: Terminal): Promise<number> {
  const views = new QueryViews()
  let restarts = 0
  const health = options.healthPort === undefined ? undefined : await serveHealth(options.healthPort, views, () => restarts)
  const note = (text: string) =>
    options.json ? terminal.out(`${JSON.stringify({ event: 'note', text })}\n`) : terminal.err(`millrace: ${text}\n`)
  if (health) note(`health on port ${health.port}`)
  let child: ChildProcess | undefined
  let stopped: NodeJS.Signals | undefined
  let wake = () => {}
  const signals = processSignals()
  const listeners = (['SIGTERM', 'SIGINT'] as const).map((signal) => {
    const listener = () => {
      stopped ??= signal
      child?.kill(signal)
      wake()
    }
    signals.on(signal, listener)
    return () => signals.off(signal, listener)
  })
  try {
    for (let failures = 0; ; ) {
      if (stopped) return exitCodes.done
      views.clear()
      const startMs = performance.now()
      const env = { MILLRACE_RESTARTED: 'true', ...(options.takeover ? { MILLRACE_TAKEOVER: 'true' } : {}) }
      child = startModule(options.file, { json: options.json, env })
      child.on('message', (event) => views.take(event as QueryEvent))
      const { code, signal } = await endOf(child)
      child = undefined
      if (stopped) return code ?? exitCodes.signal + constants.signals[signal ?? stopped]
      const decision = decideRestart({ code, signal, ranMs: performance.now() - startMs }, failures, options, Math.random())
      if (decision.kind === 'end') return decision.code
      const ended = signal === null ? `exit code ${code}` : signal
      if (decision.kind === 'crash-loop') {
        note(`crash loop: ${decision.failures} runs in a row ended soon, the last with ${ended}; giving up (--max-restarts)`)
        return exitCodes.crashLoop
      }
      failures = decision.failures
      restarts++
      note(
        `the run ended with ${ended}; starting again in ${Math.round(decision.delayMs)} ms (attempt ${failures}${options.maxRestarts > 0 ? ` of ${options.maxRestarts}` : ''})`,
      )
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, decision.delayMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  } finally {
    for (const forget of listeners) forget()
    health?.close()
  }
}
