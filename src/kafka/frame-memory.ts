/**
 * What brokers send on the connections that fetch, put together in memory that is used again.
 *
 * The client library collects the pieces of 64 KiB that a socket gives, and copies an answer out of them when it is whole. V8 frees such memory only when it
 * collects garbage, and 16 MB of it that have outlived their youth make it collect the whole heap, with marking threads beside it: at 400 MB/s that was a third of the
 * process's time (`npm run bench -- kafka`). So a piece is copied where it belongs as soon as it comes and dies young, the library gets whole answers, of
 * which it copies nothing, and who has read an answer's records gives its memory back.
 */
import type { EventEmitter } from 'node:events'
import type { OnReadOpts, Socket } from 'node:net'

/** What is kept for the next answers, at most. */
const keptBytes = 64 * 1024 * 1024
/** Sizes are multiples of this, so that answers of about one size find memory of the last ones. */
const stepBytes = 256 * 1024
/** What the begin of given-back memory is filled with: who reads it all the same meets a broken batch. */
const poison = 0xa5

export class FrameMemory {
  readonly #free: Buffer[] = []
  #freeBytes = 0
  /** Memory that is lent, and which parts of it are still to be given back. */
  readonly #lent = new WeakMap<ArrayBufferLike, { readonly memory: Buffer; readonly parts: Set<Buffer> }>()

  /** Memory for that many bytes; what is in it is left from before. */
  take(bytes: number): Buffer {
    let best = -1
    for (let i = 0; i < this.#free.length; i++) {
      const { length } = this.#free[i]!
      if (length >= bytes && length <= 4 * bytes + stepBytes && (best < 0 || length < this.#free[best]!.length)) best = i
    }
    let memory: Buffer
    if (best < 0) memory = Buffer.allocUnsafeSlow(Math.ceil(bytes / stepBytes) * stepBytes)
    else {
      memory = this.#free.splice(best, 1)[0]!
      this.#freeBytes -= memory.length
    }
    this.#lent.set(memory.buffer, { memory, parts: new Set() })
    return memory.subarray(0, bytes)
  }

  /** Says that these parts of one answer will be given back. */
  share(parts: readonly Buffer[]): void {
    for (const part of parts) this.#lent.get(part.buffer)?.parts.add(part)
  }
  /** A shared part of an answer that nobody looks at any more. Other memory stays as it is, and so does an answer of which not all parts are given back. */
  give(part: Buffer): void {
    const lent = this.#lent.get(part.buffer)
    // who gives a part back twice may not free the memory under those who have it by then
    if (!lent?.parts.delete(part)) return
    part.fill(poison, 0, Math.min(part.length, 256))
    if (lent.parts.size > 0) return
    this.#lent.delete(part.buffer)
    if (this.#freeBytes + lent.memory.length > keptBytes) return
    this.#free.push(lent.memory)
    this.#freeBytes += lent.memory.length
  }
  clear(): void {
    this.#free.length = 0
    this.#freeBytes = 0
  }
}

/** Of the buffer that a socket reads into. */
export const pieceBytes = 512 * 1024
const sizeBytes = 4
/** A size above this is none: the stream is left to the library to judge. */
const largestFrame = 1 << 30

/** Gets between a socket and what listens to its data: pieces come out as whole frames of Kafka's protocol (a size of 32 bits, and so many bytes). */
export function joinFrames(socket: EventEmitter, memory: FrameMemory): void {
  const listeners = socket.listeners('data')
  if (listeners.length !== 1) return
  const pass = listeners[0] as (bytes: Buffer) => void
  socket.off('data', pass)
  socket.on('data', frameJoiner(pass, memory))
}

/** For a socket that reads into one buffer (`onread` of Node.js): whoever listens to its data gets whole frames. */
export function readingInto(memory: FrameMemory): OnReadOpts {
  let join: ((piece: Buffer) => void) | undefined
  return {
    buffer: Buffer.allocUnsafeSlow(pieceBytes),
    callback(this: Socket, bytes, buffer) {
      join ??= frameJoiner((frame) => this.emit('data', frame), memory, { copies: true })
      join((buffer as Buffer).subarray(0, bytes))
      return true
    },
  }
}

/**
 * Takes pieces, and passes frames on: those that lie in one piece as they are, or with `copies`, where the piece's memory is read into again, in memory of
 * their own; others in memory of `memory`.
 */
export function frameJoiner(
  pass: (frame: Buffer) => void,
  memory: FrameMemory,
  { copies = false }: { readonly copies?: boolean } = {},
): (piece: Buffer) => void {
  const head = Buffer.alloc(sizeBytes)
  let headFilled = 0
  let frame: Buffer | undefined
  let filled = 0
  let isBroken = false
  return (piece) => {
    if (isBroken) return pass(piece)
    for (let at = 0; at < piece.length; ) {
      if (frame === undefined) {
        const wanted = Math.min(sizeBytes - headFilled, piece.length - at)
        piece.copy(head, headFilled, at, at + wanted)
        const startsHere = headFilled === 0
        headFilled += wanted
        if (headFilled < sizeBytes) return
        headFilled = 0
        const size = head.readInt32BE(0)
        if (size <= 0 || size > largestFrame) {
          isBroken = true
          if (!startsHere) pass(head)
          return pass(piece.subarray(startsHere ? at : at + wanted))
        }
        const end = at + sizeBytes + size
        if (startsHere && end <= piece.length) {
          const part = piece.subarray(at, end)
          at = end
          pass(copies ? copyOf(part, memory) : part)
          continue
        }
        frame = memory.take(sizeBytes + size)
        head.copy(frame)
        filled = sizeBytes
        at += wanted
      }
      const bytes = Math.min(frame.length - filled, piece.length - at)
      piece.copy(frame, filled, at, at + bytes)
      filled += bytes
      at += bytes
      if (filled < frame.length) return
      const whole = frame
      frame = undefined
      pass(whole)
    }
  }
}

/** Small ones in memory that is collected soon. */
function copyOf(frame: Buffer, memory: FrameMemory): Buffer {
  if (frame.length < 8192) return Buffer.from(frame)
  const copy = memory.take(frame.length)
  frame.copy(copy)
  return copy
}
