import type { Clock } from '../../base/clock.ts'
import { InvalidQueryError, MillraceError, UnavailableError } from '../../base/errors.ts'
import { redisLibrary } from './library.ts'
import type { RedisConnection } from './options.ts'

export type Argument = string | Buffer
/** Sends a command; several that are sent without waiting go in one write. */
export type Send = (args: readonly Argument[]) => Promise<unknown>

interface Client {
  send: Send
  isOpen(): boolean
  close(): void
}

/** A connection that is opened when it is needed and again when it was lost. What fails for a reason that passes is tried again. */
export class Reconnecting {
  readonly address: string
  readonly #connection: RedisConnection
  readonly #retries: { readonly maxRetries: number; readonly retryDelayMs: number }
  readonly #clock: Clock
  /** Any key of the slot that everything is in. */
  readonly #key: string
  readonly #stop = new AbortController()
  #client: Client | undefined
  /** How often something was tried again. */
  retried = 0
  constructor(
    connection: RedisConnection,
    key: string,
    retries: { readonly maxRetries: number; readonly retryDelayMs: number },
    clock: Clock,
  ) {
    this.#connection = connection
    this.#key = key
    this.#retries = retries
    this.#clock = clock
    this.address = new URL(connection.url).host
  }

  /** `work` may be called several times. UnavailableError REDIS_UNAVAILABLE when the last attempt has failed; InvalidQueryError REDIS_ACCESS_REFUSED, REDIS_COMMAND_FAILED at once. */
  async use<T>(doing: string, work: (send: Send) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        if (!this.#client?.isOpen()) this.#client = await this.#open()
        return await work(this.#client.send)
      } catch (error) {
        if (error instanceof MillraceError) throw error
        const fault = faultOf(error)
        if (fault === 'transient') this.#drop()
        if (fault !== 'transient' || attempt >= this.#retries.maxRetries || this.#stop.signal.aborted) throw this.#told(error, fault, doing)
        this.retried++
        const delayMs = Math.min(this.#retries.retryDelayMs * 2 ** attempt, 10_000)
        await this.#clock.sleepUntil(this.#clock.nowMs() + delayMs, this.#stop.signal)
      }
    }
  }

  close(): void {
    this.#stop.abort()
    this.#drop()
  }

  #drop(): void {
    this.#client?.close()
    this.#client = undefined
  }

  async #open(): Promise<Client> {
    const { createClient, createCluster } = await redisLibrary()
    const { url, username, password, database, cluster, connectTimeoutMs, tls } = this.#connection
    const isTls = url.startsWith('rediss:') || tls !== undefined
    const socket = { connectTimeout: connectTimeoutMs, reconnectStrategy: false as const, ...(isTls && { tls: true as const, ...tls }) }
    const own = {
      RESP: 2 as const,
      disableOfflineQueue: true,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
    }
    if (!cluster) {
      const client = createClient({ url, ...own, socket: socket as never, ...(database !== undefined && { database }) })
      client.on('error', () => {})
      await client.connect()
      const close = () => {
        if (client.isOpen) client.destroy()
      }
      return { send: (args) => client.sendCommand(args as Argument[]), isOpen: () => client.isReady, close }
    }
    const nodes = createCluster({ rootNodes: [{ url }], defaults: { ...own, socket: socket as never } as never, RESP: 2 } as never)
    nodes.on('error', () => {})
    await nodes.connect()
    const send: Send = (args) => nodes.sendCommand(this.#key, false, args as Argument[])
    return { send, isOpen: () => nodes.isOpen, close: () => nodes.isOpen && nodes.destroy() }
  }

  #told(cause: unknown, fault: Fault, doing: string): MillraceError {
    const what = `${doing} in Redis at ${this.address}: ${messageOf(cause)}`
    if (fault === 'transient') {
      return new UnavailableError('REDIS_UNAVAILABLE', {
        what,
        todo: 'see that the server runs, can be reached and has memory left; nothing of the batch is visible, and a restart goes on with it',
        cause,
      })
    }
    if (fault === 'access') {
      return new InvalidQueryError('REDIS_ACCESS_REFUSED', {
        what,
        todo: 'check user, password and TLS, and that the user may use EVAL and the commands that docs/databases.md names',
        cause,
      })
    }
    return new InvalidQueryError('REDIS_COMMAND_FAILED', { what, todo: 'see what the server says; the batch is not committed', cause })
  }
}

type Fault = 'transient' | 'access' | 'other'
function faultOf(error: unknown): Fault {
  const text = messageOf(error)
  if (/\b(WRONGPASS|NOAUTH|NOPERM)\b|AUTH.*called without|certificate|self.signed/i.test(text)) return 'access'
  if (/\b(OOM|LOADING|BUSY|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MISCONF|UNBLOCKED|NOREPLICAS)\b/.test(text)) return 'transient'
  const name = error instanceof Error ? error.constructor.name : ''
  return /ErrorReply|SimpleError|BlobError/.test(name) ? 'other' : 'transient'
}
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message || error.name : String(error)
}
