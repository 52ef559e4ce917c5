/**
 * A connection without TLS and SASL for the lane that fetches. It is what the client library's `Connection` is to the library's requests, with one
 * difference: the socket reads into one buffer that it keeps, where Node.js else makes a new one for each piece (frame-memory.ts says what that costs).
 */
import { EventEmitter } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Connection, Writer } from '@platformatic/kafka'
import { type FrameMemory, frameJoiner, pieceBytes } from './frame-memory.ts'
import type { KafkaLibrary } from './library.ts'

interface Pending {
  readonly apiKey: number
  readonly apiVersion: number
  readonly hasTags: boolean
  readonly parse: (correlationId: number, apiKey: number, apiVersion: number, reader: unknown) => unknown
  readonly callback: (error: Error | null, answer?: unknown) => void
  readonly timer: NodeJS.Timeout
}
export interface PlainConnectionOptions {
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
}

/** Emits `close` once, after every request that waits was rejected. */
export class PlainConnection extends EventEmitter {
  host = ''
  port = 0
  readonly #library: typeof KafkaLibrary
  readonly #options: PlainConnectionOptions
  readonly #memory: FrameMemory
  readonly #pending = new Map<number, Pending>()
  #socket: Socket | undefined
  #correlationId = 0

  constructor(library: typeof KafkaLibrary, options: PlainConnectionOptions, memory: FrameMemory) {
    super()
    this.#library = library
    this.#options = options
    this.#memory = memory
  }

  /** As a client of the library's requests takes it: they ask for `send` alone. */
  asConnection(): Connection {
    return this as unknown as Connection
  }

  async connect(host: string, port: number): Promise<void> {
    this.host = host
    this.port = port
    const join = frameJoiner((frame) => this.#answer(frame), this.#memory, { copies: true })
    const callback = (bytes: number, buffer: Uint8Array) => {
      join((buffer as Buffer).subarray(0, bytes))
      return true
    }
    const socket = connect({ host, port, noDelay: true, onread: { buffer: Buffer.allocUnsafeSlow(pieceBytes), callback } })
    this.#socket = socket
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: string, cause?: Error) => {
        clearTimeout(timer)
        socket.destroy()
        reject(new this.#library.NetworkError(`Connection to ${host}:${port} ${reason}.`, { ...(cause && { cause }), canRetry: true }))
      }
      const timer = setTimeout(() => fail('timed out'), this.#options.connectTimeoutMs)
      socket.once('error', (error) => fail('failed', error))
      socket.once('connect', () => {
        clearTimeout(timer)
        resolve()
      })
    })
    socket.on('error', () => {}) // `close` follows
    socket.on('close', () => {
      for (const { callback: told, timer } of this.#take()) {
        clearTimeout(timer)
        told(new this.#library.NetworkError('Connection closed'))
      }
      this.emit('close')
    })
  }

  /** What the library's requests call. */
  send(
    apiKey: number,
    apiVersion: number,
    createPayload: () => Writer,
    parse: Pending['parse'],
    hasRequestTags: boolean,
    hasTags: boolean,
    callback: Pending['callback'],
  ): void {
    const { NetworkError, TimeoutError, Writer } = this.#library
    const socket = this.#socket
    if (!socket || socket.destroyed || !socket.writable) return callback(new NetworkError('Connection closed'))
    this.#correlationId = (this.#correlationId + 1) & 0x7fffffff
    const correlationId = this.#correlationId
    let bytes: Buffer
    try {
      const writer = Writer.create().appendInt16(apiKey).appendInt16(apiVersion).appendInt32(correlationId)
      writer.appendString(this.#options.clientId, false)
      if (hasRequestTags) writer.appendTaggedFields()
      bytes = writer.appendFrom(createPayload()).prependLength().buffer
    } catch (error) {
      return callback(error as Error)
    }
    const timer = setTimeout(() => {
      this.#pending.delete(correlationId)
      callback(new TimeoutError('Request timed out', { canRetry: true }))
      // its answer would be taken for nobody's
      socket.destroy()
    }, this.#options.requestTimeoutMs)
    this.#pending.set(correlationId, { apiKey, apiVersion, hasTags, parse, callback, timer })
    socket.write(bytes)
  }

  async close(): Promise<void> {
    const socket = this.#socket
    if (!socket || socket.closed) return
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.destroySoon()
    await closed
  }

  #take(): Pending[] {
    const all = [...this.#pending.values()]
    this.#pending.clear()
    return all
  }

  #answer(frame: Buffer): void {
    const correlationId = frame.length < 8 ? -1 : frame.readInt32BE(4)
    const pending = this.#pending.get(correlationId)
    if (!pending) {
      this.#socket?.destroy()
      return
    }
    this.#pending.delete(correlationId)
    clearTimeout(pending.timer)
    const { apiKey, apiVersion, hasTags, parse, callback } = pending
    let answer: unknown
    try {
      // behind size, correlation id and, in newer versions, the number of tags, which is none
      answer = parse(correlationId, apiKey, apiVersion, this.#library.Reader.from(frame.subarray(hasTags ? 9 : 8)))
    } catch (error) {
      return callback(error as Error)
    }
    callback(null, answer)
  }
}
