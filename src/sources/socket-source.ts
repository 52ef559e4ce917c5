import { connect, type Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import { CorruptCheckpointError, InvalidQueryError, UnavailableError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import type { Row } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import type { SourceContext, SourceProvider } from './provider.ts'
import { refuseSchema } from './refuse-schema.ts'
import { boundOf, type Offset, type ReadLimit, type Source } from './source.ts'

/*
 * Lines of a TCP connection, for trying things out. Not fault tolerant: what came over the connection is in this process only, so lines of
 * a batch that a crash left planned are gone, and lines that the server sends while nobody listens are never seen.
 */

const valueField = { name: 'value', type: 'string', nullable: true } as const
const timestampField = { name: 'timestamp', type: 'timestamp', nullable: true } as const

interface SocketOptions {
  readonly host: string
  readonly port: number
  readonly includeTimestamp: boolean
}

function socketOptions(given: Readonly<Record<string, string>>): SocketOptions {
  const options = new Options('the socket source', given, ['host', 'port', 'includeTimestamp'])
  const host = options.required('host', "option('host', 'localhost')")
  options.required('port', "option('port', 9999)")
  const port = options.wholeNumber('port', 1)!
  if (port > 65535) {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `the socket source was given port = ${port}`,
      todo: 'give a number from 1 to 65535',
    })
  }
  return { host, port, includeTimestamp: options.flag('includeTimestamp', false) }
}

/** `socket`: a row a line of text. */
export const socketProvider: SourceProvider = {
  formats: ['socket'],
  schemaOf(_format, userSchema, options) {
    refuseSchema('socket', userSchema)
    return new Schema(socketOptions(options).includeTimestamp ? [valueField, timestampField] : [valueField])
  },
  async open(context) {
    const options = socketOptions(context.options)
    context.warn?.('the socket source is not fault tolerant: lines that were not committed when a run ends are lost')
    return new SocketSource(context, options, await connected(options))
  },
}

function connected({ host, port }: SocketOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const refused = (cause: Error) =>
      reject(
        new UnavailableError('SOCKET_CONNECTION_FAILED', {
          what: `no connection to ${host}:${port} (${(cause as { code?: string }).code ?? cause.message})`,
          todo: 'start the server first: nc -lk 9999, for example',
          cause,
        }),
      )
    socket.once('error', refused)
    socket.once('connect', () => {
      socket.off('error', refused)
      resolve(socket)
    })
  })
}

interface Line {
  readonly value: string
  readonly atMs: number
}

/** So many lines that nobody has read yet, and the server is asked to wait (TCP's own flow control). */
const maxWaitingLines = 500_000
/** A line without an end is one; a server that never ends one must not fill the memory. */
const maxLineBytes = 64 * 1024 * 1024

class SocketSource implements Source {
  readonly schema: Schema
  readonly description: string
  readonly readLimit: ReadLimit = { kind: 'all' }
  readonly #clock: Clock
  readonly #warn: (text: string) => void
  readonly #options: SocketOptions
  readonly #socket: Socket
  readonly #decoder = new TextDecoder()
  /** Lines after `#base`: the first one has the offset #base + 1. */
  #lines: Line[] = []
  /** Unknown until the first question: a restart goes on counting where the last run stood. */
  #base: number | undefined
  #open = ''
  #failure: Error | undefined

  constructor(context: SourceContext, options: SocketOptions, socket: Socket) {
    this.#options = options
    this.#clock = context.clock
    this.#warn = context.warn ?? (() => {})
    this.#socket = socket
    this.schema = context.schema
    this.description = `TextSocketV2[host: ${options.host}, port: ${options.port}]`
    socket.on('data', (bytes) => this.#receive(this.#decoder.decode(bytes, { stream: true })))
    socket.on('error', (error) => {
      this.#failure = error
    })
    socket.on('close', () => this.#end())
  }

  async latestOffset(start: Offset | null, limit: ReadLimit): Promise<Offset | null> {
    const from = positionOf(start)
    this.#base ??= from
    const newest = this.#base + this.#lines.length
    if (newest <= from) {
      if (this.#failure) throw this.#lost(this.#failure)
      return start
    }
    return Math.min(newest, from + boundOf(limit, 'max-rows'))
  }

  async rows(start: Offset | null, end: Offset): Promise<SourceBatch> {
    const [from, to] = [positionOf(start), positionOf(end)]
    // asked for a batch of an earlier run: its lines went with that process
    this.#base ??= to
    if (from < this.#base)
      this.#warn(`lines ${from + 1} to ${Math.min(to, this.#base)} of ${this.description} were in another process only, and are lost`)
    const lines = this.#lines.slice(Math.max(0, from - this.#base), Math.max(0, to - this.#base))
    return { kind: 'objects', rows: lines.map((line) => this.#row(line)) }
  }

  async commit(end: Offset): Promise<void> {
    if (this.#base === undefined) return
    const done = Math.min(positionOf(end) - this.#base, this.#lines.length)
    if (done <= 0) return
    this.#lines = this.#lines.slice(done)
    this.#base += done
    if (this.#lines.length < maxWaitingLines) this.#socket.resume()
  }

  reportLatestOffset(): Offset | null {
    const newest = (this.#base ?? -1) + this.#lines.length
    return newest < 0 ? null : newest
  }

  async stop(): Promise<void> {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }

  #row({ value, atMs }: Line): Row {
    return this.#options.includeTimestamp ? { value, timestamp: new Date(atMs) } : { value }
  }

  /** Java's readLine: a line ends in \\n, \\r or both. */
  #receive(text: string): void {
    const all = this.#open + text
    const lines = all.split(/\r\n|\n|\r(?!$)/)
    this.#open = lines.pop()!
    const atMs = this.#clock.nowMs()
    for (const value of lines) this.#lines.push({ value, atMs })
    if (this.#lines.length >= maxWaitingLines) this.#socket.pause()
    if (this.#open.length <= maxLineBytes) return
    this.#failure = new Error(`a line of more than ${maxLineBytes} bytes`)
    this.#socket.destroy()
  }

  #end(): void {
    const last = this.#open.replace(/\r$/, '')
    if (this.#open !== '') this.#lines.push({ value: last, atMs: this.#clock.nowMs() })
    this.#open = ''
    if (!this.#failure) this.#warn(`${this.#options.host}:${this.#options.port} has closed the connection: nothing more will come from it`)
  }

  #lost(cause: Error): UnavailableError {
    return new UnavailableError('SOCKET_CONNECTION_LOST', {
      what: `the connection to ${this.#options.host}:${this.#options.port} broke: ${cause.message}`,
      todo: 'start the query again when the server is back; lines that it sends meanwhile are lost',
      cause,
    })
  }
}

function positionOf(offset: Offset | null): number {
  if (offset === null || offset === undefined) return -1
  if (typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= -1) return offset
  throw new CorruptCheckpointError('MALFORMED_OFFSET', {
    what: `${JSON.stringify(offset)} is not an offset of the socket source, which is the number of a line`,
    todo: 'start the query with the checkpoint that belongs to it; a source cannot change its kind',
  })
}
