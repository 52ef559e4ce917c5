import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { correlationIdOf, Frames, type Request, requestOf } from './wire.ts'

/** What happens to a request. */
export type RequestFate =
  | { readonly kind: 'pass' }
  /** The broker gets it twice, and the client one of the two answers. */
  | { readonly kind: 'twice'; readonly answer: 'first' | 'second' }
  /** The client loses its connection; the broker gets the request after so many milliseconds, or never. */
  | { readonly kind: 'cut'; readonly deliverAfterMs: number | null }
/** What happens to the answer. */
export type AnswerFate =
  | { readonly kind: 'pass' }
  | { readonly kind: 'twice' }
  /** The broker has done what was asked, and the client loses its connection in place of the answer: it can't know. */
  | { readonly kind: 'cut' }

/** Decides over each message, and may hold it for as long as it likes; messages of one connection stay in order. */
export interface Interference {
  request(request: Request): Promise<RequestFate> | RequestFate
  answer(request: Request): Promise<AnswerFate> | AnswerFate
  /** The client has got the answer. */
  delivered(request: Request): void
}
const pass = { kind: 'pass' } as const
export const noInterference: Interference = { request: () => pass, answer: () => pass, delivered: () => {} }

/** Stands between Kafka clients and one broker, which tells them this address as its own (BrokerOptions.proxyPort). */
export class KafkaProxy {
  interference: Interference = noInterference
  readonly #server: Server
  readonly #brokerPort: () => number
  readonly #links = new Set<Link>()

  private constructor(server: Server, brokerPort: () => number) {
    this.#server = server
    this.#brokerPort = brokerPort
  }
  static async listen(port: number, brokerPort: () => number): Promise<KafkaProxy> {
    const server = createServer()
    const proxy = new KafkaProxy(server, brokerPort)
    server.on('connection', (client) => proxy.#accept(client))
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }
  get port(): number {
    return (this.#server.address() as { port: number }).port
  }
  async close(): Promise<void> {
    for (const link of this.#links) link.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(client: Socket): void {
    const link = new Link(client, connect(this.#brokerPort(), '127.0.0.1'), () => this.interference)
    this.#links.add(link)
    void link.ended.then(() => this.#links.delete(link))
  }
}

interface Pending {
  readonly request: Request
  /** How many answers come, which of them the client gets, and how many there were. */
  readonly answers: number
  readonly passOn: number
  seen: number
}

/** One connection of a client, and the one to the broker that belongs to it. */
class Link {
  readonly ended: Promise<void>
  readonly #client: Socket
  readonly #broker: Socket
  readonly #interference: () => Interference
  readonly #pending = new Map<number, Pending>()
  #requests: Promise<void> = Promise.resolve()
  #answers: Promise<void> = Promise.resolve()

  constructor(client: Socket, broker: Socket, interference: () => Interference) {
    this.#client = client
    this.#broker = broker
    this.#interference = interference
    client.setNoDelay(true)
    broker.setNoDelay(true)
    const [fromClient, fromBroker] = [new Frames(), new Frames()]
    client.on('data', (bytes) => {
      for (const frame of fromClient.push(bytes)) this.#requests = this.#requests.then(() => this.#forward(requestOf(frame)))
    })
    broker.on('data', (bytes) => {
      for (const frame of fromBroker.push(bytes)) this.#answers = this.#answers.then(() => this.#answer(frame))
    })
    client.on('error', () => {})
    broker.on('error', () => {})
    // what a client sent before it died still reaches the broker; a client without a broker has lost its connection
    client.on('close', () => void this.#requests.then(() => broker.end()))
    broker.on('close', () => client.destroy())
    this.ended = Promise.all([closed(client), closed(broker)]).then(() => {})
  }
  destroy(): void {
    this.#client.destroy()
    this.#broker.destroy()
  }

  async #forward(request: Request): Promise<void> {
    const fate = await this.#interference().request(request)
    if (fate.kind === 'cut') {
      this.#client.destroy()
      const { deliverAfterMs } = fate
      if (deliverAfterMs === null) return
      await new Promise((resolve) => setTimeout(resolve, deliverAfterMs))
    }
    const answers = fate.kind === 'twice' ? 2 : 1
    const passOn = fate.kind === 'twice' && fate.answer === 'second' ? 1 : 0
    this.#pending.set(request.correlationId, { request, answers, passOn, seen: 0 })
    for (let i = 0; i < answers; i++) this.#broker.write(request.bytes)
  }

  async #answer(frame: Buffer): Promise<void> {
    const id = correlationIdOf(frame)
    const pending = this.#pending.get(id)
    if (!pending) return
    const index = pending.seen++
    if (pending.seen === pending.answers) this.#pending.delete(id)
    if (index !== pending.passOn) return
    const { request } = pending
    const fate = await this.#interference().answer(request)
    if (fate.kind === 'cut') {
      this.#client.destroy()
      return
    }
    if (!this.#client.destroyed) this.#client.write(frame)
    this.#interference().delivered(request)
    if (fate.kind === 'twice' && !this.#client.destroyed) this.#client.write(frame)
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}
