import http from 'node:http'
import https from 'node:https'
import type { Clock } from '../../base/clock.ts'
import { InvalidQueryError, MillraceError, UnavailableError } from '../../base/errors.ts'

export interface SearchConnection {
  /** Nodes of one cluster; the next one is asked where one does not answer. */
  readonly urls: readonly URL[]
  readonly authorization: string | undefined
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  readonly timeoutMs: number
  readonly maxRetries: number
  readonly retryDelayMs: number
}
export interface Reply {
  readonly status: number
  readonly body: string
}

/** Asks the nodes of a cluster over HTTP. */
export class SearchClient {
  readonly address: string
  readonly #connection: SearchConnection
  readonly #clock: Clock
  readonly #agents: { readonly http: http.Agent; readonly https: https.Agent }
  readonly #stop = new AbortController()
  #node = 0
  /** How often something was tried again. */
  retried = 0
  constructor(connection: SearchConnection, clock: Clock) {
    this.#connection = connection
    this.#clock = clock
    this.#agents = { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true, ...connection.tls }) }
    this.address = connection.urls.map(({ host }) => host).join(',')
  }

  /**
   * The reply to a request, whatever its status, but for those that pass (429, 502, 503, 504, no connection), which are tried again. UnavailableError SEARCH_UNAVAILABLE when
   * the last attempt has failed; InvalidQueryError SEARCH_ACCESS_REFUSED for 401 and 403.
   */
  async ask(method: string, path: string, body?: string | Buffer, type = 'application/json'): Promise<Reply> {
    for (let attempt = 0; ; attempt++) {
      let said: string
      try {
        const reply = await this.#send(method, path, body, type)
        if (reply.status === 401 || reply.status === 403) throw this.#refused(method, path, reply)
        if (![429, 502, 503, 504].includes(reply.status)) return reply
        said = `it answered ${reply.status}: ${short(reply.body)}`
      } catch (error) {
        if (error instanceof MillraceError) throw error
        said = error instanceof AggregateError ? error.errors.map(String).join('; ') : String((error as Error).message || error)
        this.#node++
      }
      await this.pause(attempt, `${method} ${path}: ${said}`)
    }
  }

  /** Waits before the repetition after attempt number `attempt`. UnavailableError SEARCH_UNAVAILABLE where there is none. */
  async pause(attempt: number, said: string): Promise<void> {
    const { maxRetries, retryDelayMs } = this.#connection
    if (attempt >= maxRetries || this.#stop.signal.aborted) {
      throw new UnavailableError('SEARCH_UNAVAILABLE', {
        what: `${this.address} did not do what it was asked, ${attempt + 1} times; at last ${said}`,
        todo: 'see that the cluster runs and is not overloaded; a restart goes on with the batch, and writes its rows again under the same ids',
      })
    }
    this.retried++
    await this.#clock.sleepUntil(this.#clock.nowMs() + Math.min(retryDelayMs * 2 ** attempt, 30_000), this.#stop.signal)
  }

  close(): void {
    this.#stop.abort()
    this.#agents.http.destroy()
    this.#agents.https.destroy()
  }

  #send(method: string, path: string, body: string | Buffer | undefined, type: string): Promise<Reply> {
    const { urls, authorization, timeoutMs } = this.#connection
    const base = urls[this.#node % urls.length]!
    const isTls = base.protocol === 'https:'
    const headers = {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) }),
      ...(authorization !== undefined && { authorization }),
    }
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const url = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base)
    const request = (isTls ? https : http).request(
      url,
      { method, headers, agent: isTls ? this.#agents.https : this.#agents.http, timeout: timeoutMs },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }))
        response.on('error', reject)
      },
    )
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    request.on('error', reject)
    request.end(body)
    return promise
  }

  #refused(method: string, path: string, { status, body }: Reply): InvalidQueryError {
    return new InvalidQueryError('SEARCH_ACCESS_REFUSED', {
      what: `${method} ${path} at ${this.address} was answered with ${status}: ${short(body)}`,
      todo: 'check username and password or apiKey, and what they are allowed to do with the index',
    })
  }
}

export function short(text: string): string {
  return text.length <= 500 ? text : `${text.slice(0, 499)}…`
}
