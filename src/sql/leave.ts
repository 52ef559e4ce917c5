/**
 * The end of the process while statements run. Node waits for the threads that run them, and they may wait for the JavaScript thread (functions of the program,
 * kernels, rows in its memory), which never comes back from an exit: the process would stay for ever. So it is replaced by one that only has its exit code. To what
 * is durable that is a crash, as any exit in the middle of a batch.
 */
import { writeSync } from 'node:fs'
import { inspect } from 'node:util'
import { isMainThread } from 'node:worker_threads'

let running = 0
/** Node prints an error that nobody catches after the listeners of `exit`. */
let uncaught: { readonly error: unknown } | undefined

/** Waits for a statement, and sees to it that the process can end meanwhile. */
export async function ofProcess<T>(statement: () => Promise<T>): Promise<T> {
  if (running++ === 0 && isMainThread) {
    // anew each time, so that it stands behind listeners of the program
    process.on('exit', leave)
    process.on('uncaughtExceptionMonitor', note)
  }
  try {
    return await statement()
  } finally {
    if (--running === 0) {
      process.off('exit', leave)
      process.off('uncaughtExceptionMonitor', note)
    }
  }
}

function note(error: unknown): void {
  if (process.listenerCount('uncaughtException') === 0) uncaught = { error }
}

function leave(code: number): void {
  if (uncaught) writeSync(2, `Uncaught ${inspect(uncaught.error)}\n`)
  const { execve, execPath, env } = process
  // where a process can't be replaced its code is lost
  if (execve === undefined || process.platform === 'win32') process.kill(process.pid, 'SIGKILL')
  else execve(execPath, [execPath, '-e', `process.exit(${code})`], { ...env, NODE_OPTIONS: '' })
}
