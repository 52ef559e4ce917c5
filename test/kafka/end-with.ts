import { spawn } from 'node:child_process'

/** However the owner ends, by SIGKILL too, the server ends within a second: a process of its own looks after both. */
export function endWith(owner: number, server: number): void {
  const watch = 'while kill -0 "$1" && kill -0 "$2"; do sleep 1; done 2>/dev/null; kill -9 "$2"'
  spawn('sh', ['-c', watch, 'sh', String(owner), String(server)], { stdio: 'ignore', detached: true }).unref()
}
