import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endWith } from '../servers/end-with.ts'
import { freePorts } from '../servers/free-ports.ts'
import { installRegistry } from './install.ts'

/** A schema registry that keeps what it has in memory, on loopback. */
export async function startRegistry(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const folder = installRegistry()
  const jar = readdirSync(folder).find((name) => name.endsWith('-runner.jar'))!
  const [port] = await freePorts(1)
  const work = mkdtempSync(join(tmpdir(), 'millrace-registry-'))
  const log = openSync(join(work, 'log'), 'w')
  const child = spawn('java', ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-jar', join(folder, jar)], {
    cwd: work,
    env: { ...process.env, QUARKUS_HTTP_PORT: String(port), QUARKUS_HTTP_HOST: '127.0.0.1' },
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  endWith(process.pid, child.pid!)
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(work, { recursive: true, force: true })
  }
  for (const deadlineMs = Date.now() + 120_000; ; ) {
    if (
      await fetch(`${url}/subjects`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return { url, stop }
    if (Date.now() > deadlineMs || child.exitCode !== null) {
      const text = readFileSync(join(work, 'log'), 'utf8')
      await stop()
      throw new Error(`the registry did not start:\n${text.slice(-3000)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
