import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { painter, wantsColour } from './colours.ts'
import { exitCodes } from './exit-codes.ts'
import { liveTable } from './live-table.ts'
import { type QueryEvent, QueryViews } from './query-events.ts'
import type { Terminal } from './report.ts'
import { processSignals } from './signals.ts'
import { endOf, startModule } from './supervise.ts'

/** So long nothing may change before the module is loaded anew: editors write a file in several steps. */
const quietMs = 150
const lookMs = 100
/** A query that is busy is drained no longer than this. */
const drainMs = 5000
const sourceEndings = new Set(['.ts', '.mts', '.js', '.mjs', '.json'])

/**
 * `millrace dev`: runs the module, and again whenever a source file beside it or below changes. The queries go on from their checkpoints; one that
 * has changed so that it can't begins a new one, and the old is kept beside it. Ends with the first SIGINT or SIGTERM.
 */
export async function dev(file: string, json: boolean, terminal: Terminal): Promise<number> {
  const path = resolve(file)
  if (!existsSync(path)) {
    terminal.err(`millrace: FILE_NOT_FOUND: there is no module ${path}\n`)
    return exitCodes.usage
  }
  const screen = new Screen(json, terminal)
  const views = new QueryViews()
  let change = waitable()
  let isOver = false
  // looked at, not watched: editors put a new file in the place of the old one, which a watch of the file does not see
  let before = sourcesBelow(dirname(path))
  const looking = setInterval(() => {
    const now = sourcesBelow(dirname(path))
    if (now !== before) change.settle()
    before = now
  }, lookMs)
  const stop = () => {
    isOver = true
    change.settle()
  }
  const signals = processSignals()
  signals.on('SIGINT', stop)
  signals.on('SIGTERM', stop)
  try {
    while (!isOver) {
      change = waitable()
      views.clear()
      const child = startModule(file, { env: { MILLRACE_DEV: 'true', MILLRACE_SILENT: 'true' } })
      child.on('message', (event) => {
        views.take(event as QueryEvent)
        screen.show(views, event as QueryEvent)
      })
      const ended = endOf(child)
      let isReloading = false
      void ended.then(({ code, signal }) => {
        if (isOver || isReloading) return
        screen.note(
          `${code === exitCodes.done ? 'all queries ended' : `the run ended with ${signal ?? `exit code ${code}`}`}; waiting for a change`,
        )
      })
      await change.settled
      await quiet(
        () => change,
        (next) => {
          change = next
        },
      )
      isReloading = true
      if (!isOver) screen.note(`${basename(path)} or a file beside it changed: loading it anew`)
      child.kill('SIGTERM')
      const slow = setTimeout(() => child.kill('SIGTERM'), drainMs)
      await ended
      clearTimeout(slow)
    }
    return exitCodes.done
  } finally {
    clearInterval(looking)
    signals.off('SIGINT', stop)
    signals.off('SIGTERM', stop)
  }
}

interface Waitable {
  readonly settled: Promise<void>
  settle(): void
}
function waitable(): Waitable {
  const { promise, resolve: settle } = Promise.withResolvers<void>()
  return { settled: promise, settle }
}
/** Resolves when nothing has changed for a moment. */
async function quiet(current: () => Waitable, set: (next: Waitable) => void): Promise<void> {
  for (let again = true; again; ) {
    set(waitable())
    again = await Promise.race([current().settled.then(() => true), new Promise<boolean>((resolve) => setTimeout(resolve, quietMs, false))])
  }
}

/** The source files below a folder with their times, as text. */
function sourcesBelow(folder: string, depth = 4): string {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.') && !passedOver.has(entry.name))
    .map((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return depth > 0 ? sourcesBelow(path, depth - 1) : ''
      const stat = isSource(entry.name) ? statSync(path, { throwIfNoEntry: false }) : undefined
      return stat ? `${path} ${stat.mtimeMs} ${stat.size}\n` : ''
    })
    .join('')
}
const passedOver = new Set(['node_modules', '_spark_metadata', 'offsets', 'commits', 'state', 'runs', 'progress'])

/** Checkpoints and outputs lie beside modules as well: only what a module may be made of counts. */
export function isSource(name: string): boolean {
  const parts = name.split(/[\\/]/)
  if (parts.some((part) => part.startsWith('.') || part === 'node_modules' || part === '_spark_metadata')) return false
  if (!sourceEndings.has(extname(name))) return false
  // data: JSON belongs to a project only at its top
  return extname(name) !== '.json' || (parts.length === 1 && /^(package|tsconfig)/.test(name))
}

/** Draws the table over itself on a screen; elsewhere it says what happens in lines. */
class Screen {
  readonly #json: boolean
  readonly #terminal: Terminal
  readonly #paint: ReturnType<typeof painter>
  #lines = 0
  constructor(json: boolean, terminal: Terminal) {
    this.#json = json
    this.#terminal = terminal
    this.#paint = painter(wantsColour(terminal.isScreen, process.env))
  }
  show(views: QueryViews, event: QueryEvent): void {
    if (this.#json) this.#terminal.out(`${JSON.stringify(event)}\n`)
    else if (event.event === 'note') this.note(event.text)
    else if (this.#terminal.isScreen) this.#draw(liveTable(views.all, this.#paint))
    else if (event.event === 'progress') this.#terminal.err(`${liveTable(views.all, this.#paint)}\n`)
    else if (event.event === 'ended' && event.message !== null) this.#terminal.err(`${event.message}\n`)
    else if (event.event === 'started') this.#terminal.err(`${event.name ?? event.id} started\n`)
  }
  note(text: string): void {
    if (this.#json) this.#terminal.out(`${JSON.stringify({ event: 'note', text })}\n`)
    else this.#terminal.err(`${this.#paint('cyan', 'millrace')}: ${text}\n`)
    this.#lines = 0
  }
  #draw(table: string): void {
    const up = this.#lines > 0 ? `\x1b[${this.#lines}A\x1b[J` : ''
    this.#terminal.err(`${up}${table}\n`)
    this.#lines = table.split('\n').length
  }
}
