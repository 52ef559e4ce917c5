/** `COPY … FROM STDIN` over the protocol of the client library: bytes are written as fast as the server reads them. */
import type { Duplex } from 'node:stream'

/** What of the library's connection is used. */
interface Wire {
  readonly stream: Duplex
  query(text: string): void
  endCopyFrom(): void
  sendCopyFail(message: string): void
}

/** The bytes in front of each piece that the protocol needs: a letter and a length. */
export const frameBytes = 5

/** A query in the eyes of the library (Submittable), which calls the handlers. */
export class CopyIn {
  readonly done: Promise<number>
  /** The library sets and calls it for queries of its own. */
  callback: undefined
  readonly #text: string
  readonly #ready = Promise.withResolvers<void>()
  readonly #outcome = Promise.withResolvers<number>()
  #wire: Wire | undefined
  #rows = 0
  #error: unknown
  constructor(text: string) {
    this.#text = text
    this.done = this.#outcome.promise
    // whoever writes meets the error first
    this.done.catch(() => {})
    this.#ready.promise.catch(() => {})
  }

  submit(connection: unknown): void {
    this.#wire = connection as Wire
    this.#wire.query(this.#text)
  }
  handleCopyInResponse(): void {
    this.#ready.resolve()
  }
  handleCommandComplete({ text }: { text: string }): void {
    this.#rows = Number(/\d+$/.exec(text)?.[0] ?? 0)
  }
  handleReadyForQuery(): void {
    this.#outcome.resolve(this.#rows)
  }
  /** Of the server or of the connection. It is the last that the library tells of this query; the next one waits until the server is ready. */
  handleError(error: unknown): void {
    this.#error = error
    this.#ready.reject(error)
    this.#outcome.reject(error)
  }

  /** Sends a piece whose first five bytes are free, and resolves when there is room for another. Rejects with the server's error as soon as it is known. */
  async write(piece: Buffer): Promise<void> {
    await this.#ready.promise
    if (this.#error !== undefined) throw this.#error
    const { stream } = this.#wire!
    piece[0] = 0x64
    piece.writeInt32BE(piece.length - 1, 1)
    if (stream.write(piece)) return
    const drained = Promise.withResolvers<void>()
    stream.once('drain', drained.resolve)
    try {
      // done comes first only where it has failed
      await Promise.race([drained.promise, this.done])
    } finally {
      stream.off('drain', drained.resolve)
    }
  }
  /** All rows are sent. Resolves with their number when the server has taken them. */
  async end(): Promise<number> {
    await this.#ready.promise
    if (this.#error === undefined) this.#wire!.endCopyFrom()
    return this.done
  }
  /** Takes back what was sent: the statement fails. */
  async abort(why: string): Promise<void> {
    await this.#ready.promise.catch(() => {})
    if (this.#error === undefined) this.#wire?.sendCopyFail(why)
    await this.done.catch(() => {})
  }
}
