import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { inject } from 'vitest'
import { endWith } from '../servers/end-with.ts'
import { freePorts } from '../servers/free-ports.ts'
import { describeServer, findProgram } from '../servers/shared-server.ts'

const program = findProgram('redis-server')

/** `describe` for tests against a real server: left out, with a message, on a machine that has none; required where CI is set. */
export const describeRedis = describeServer(
  'Redis',
  program ? undefined : 'there is no redis-server (Debian: apt-get install redis-server)',
)

export interface RedisServer {
  readonly port: number
  readonly url: string
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Again over the same folder, after stop. */
  restart(): Promise<void>
  end(): Promise<void>
}

/** A server of a test file's own: a free port, a folder that goes with it; it ends with the test run however that ends. */
export async function startRedis(settings: readonly string[] = []): Promise<RedisServer> {
  // a node of a cluster takes a second one, which unless told is 10,000 higher: taken by another, or beyond the last there is
  const [port, clusterPort] = await freePorts(2)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-redis-'))
  const start = async () => {
    const common = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--loglevel', 'warning']
    if (settings.includes('--cluster-enabled')) common.push('--cluster-port', String(clusterPort))
    const child = spawn(program!, [...common, ...settings], { stdio: 'ignore' })
    endWith(inject('servers').runner, child.pid!)
    await answering(port!, settings)
    return child
  }
  let child = await start()
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }
  return {
    port: port!,
    url: `redis://127.0.0.1:${port}`,
    stop,
    restart: async () => {
      child = await start()
    },
    end: async () => {
      await stop('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answering(port: number, settings: readonly string[]): Promise<void> {
  const password = settings[settings.indexOf('--requirepass') + 1]
  for (const deadlineMs = Date.now() + 30_000; ; ) {
    try {
      const client = await redisClient(`redis://127.0.0.1:${port}`, settings.includes('--requirepass') ? password : undefined)
      client.destroy()
      return
    } catch (error) {
      if (Date.now() > deadlineMs) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

export async function redisClient(url: string, password?: string) {
  const client = createClient({ url, RESP: 2, socket: { reconnectStrategy: false }, ...(password !== undefined && { password }) })
  client.on('error', () => {})
  await client.connect()
  await client.sendCommand(['PING'])
  return client
}

/** Passes bytes on until its `cutAt`th piece from the client: that one is lost, or reaches the server and its answer is lost. */
export class CuttingProxy {
  readonly port: number
  cutAt = Number.POSITIVE_INFINITY
  passesLast = false
  seen = 0
  readonly #server: Server
  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }
  static async start(target: number): Promise<CuttingProxy> {
    const [port] = await freePorts(1)
    const server = createServer()
    const proxy = new CuttingProxy(server, port!)
    server.on('connection', (client) => proxy.#serve(client, target))
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return proxy
  }
  #serve(client: Socket, target: number): void {
    const upstream = connect(target, '127.0.0.1')
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    let isCut = false
    client.on('data', (bytes) => {
      if (isCut) return
      isCut = ++this.seen >= this.cutAt
      if (!isCut) upstream.write(bytes)
      else if (this.passesLast) upstream.end(bytes)
      if (isCut && !this.passesLast) end()
    })
    // with the last piece passed on, the server's answer is what is lost
    upstream.on('data', (bytes) => (isCut ? end() : client.write(bytes)))
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
  }
  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
