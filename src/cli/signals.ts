/**
 * The signals that end a command. npm (`npx`, a script of package.json) starts a program in a shell of its own and sends a SIGTERM on to that shell alone, which
 * dies of it: the program would stay behind and keep its checkpoint. So the end of that shell is taken for the SIGTERM.
 */
export type Signal = 'SIGTERM' | 'SIGINT'
export interface Signals {
  on(signal: Signal, listener: () => void): unknown
  off(signal: Signal, listener: () => void): unknown
}

const lookMs = 250

/** Whether npm's shell waits for this process. A script that puts it into the background (`&`) does not. */
export function isStartedByNpm(env: NodeJS.ProcessEnv): boolean {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '', MILLRACE_WATCHED: watched } = env
  return event !== undefined && watched === undefined && !/(^|[^&])&($|[^&])/.test(script)
}

/** The signals of this process, and where npm has started it the end of its shell. */
export function processSignals(env: NodeJS.ProcessEnv = process.env): Signals {
  return isStartedByNpm(env) ? new SignalsOfShell() : process
}

class SignalsOfShell implements Signals {
  readonly #shell = process.ppid
  readonly #terminated = new Set<() => void>()
  readonly #looking = setInterval(() => this.#look(), lookMs)
  #isGone = false

  constructor() {
    this.#looking.unref()
    // Ctrl-C reaches this process and the shell alike: it is one signal, and not two
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => clearInterval(this.#looking))
  }

  on(signal: Signal, listener: () => void): void {
    process.on(signal, listener)
    if (signal === 'SIGTERM') this.#terminated.add(listener)
  }
  off(signal: Signal, listener: () => void): void {
    process.off(signal, listener)
    this.#terminated.delete(listener)
  }

  /** A look later than the one that has found it, so that a signal of this process's own is heard first. */
  #look(): void {
    if (process.ppid === this.#shell) return
    if (!this.#isGone) {
      this.#isGone = true
      return
    }
    clearInterval(this.#looking)
    for (const listener of this.#terminated) listener()
  }
}
