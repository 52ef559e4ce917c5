import { spawn } from 'node:child_process'

/** However the owner ends, by SIGKILL too, the server ends within a second, and a folder that is the run's goes with it: a process of its own looks after both. */
export function endWith(owner: number, server: number, folder = ''): void {
  const watch =
    'while kill -0 "$1" && kill -0 "$2"; do sleep 1; done 2>/dev/null; kill -9 "$2"; kill -0 "$1" 2>/dev/null || [ -z "$3" ] || { sleep 1; rm -rf "$3"; }'
  spawn('sh', ['-c', watch, 'sh', String(owner), String(server), folder], { stdio: 'ignore', detached: true }).unref()
}
