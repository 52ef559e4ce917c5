/** As much of Kafka's protocol as a proxy has to know: where a message ends, which request it is, and which answer belongs to it. */

/** Requests by their key. */
export const apiNames = {
  0: 'Produce',
  1: 'Fetch',
  2: 'ListOffsets',
  3: 'Metadata',
  8: 'OffsetCommit',
  9: 'OffsetFetch',
  10: 'FindCoordinator',
  18: 'ApiVersions',
  22: 'InitProducerId',
  24: 'AddPartitionsToTxn',
  25: 'AddOffsetsToTxn',
  26: 'EndTxn',
  28: 'TxnOffsetCommit',
} as const
export type Api = (typeof apiNames)[keyof typeof apiNames] | 'other'

export interface Request {
  readonly api: Api
  readonly version: number
  readonly correlationId: number
  readonly clientId: string
  /** With its length before it. */
  readonly bytes: Buffer
}

/** Reads the header that all requests have: key, version, correlation id, client id. */
export function requestOf(frame: Buffer): Request {
  const idLength = frame.readInt16BE(12)
  return {
    api: apiNames[frame.readInt16BE(4) as keyof typeof apiNames] ?? 'other',
    version: frame.readInt16BE(6),
    correlationId: frame.readInt32BE(8),
    clientId: idLength < 0 ? '' : frame.toString('utf8', 14, 14 + idLength),
    bytes: frame,
  }
}
export function correlationIdOf(answer: Buffer): number {
  return answer.readInt32BE(4)
}

/** Cuts a stream of bytes into messages: four bytes of length, and so many more. */
export class Frames {
  #rest: Buffer = Buffer.alloc(0)
  /** The messages that are whole now, each with its length before it. */
  push(bytes: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const whole: Buffer[] = []
    let at = 0
    while (this.#rest.length - at >= 4) {
      const end = at + 4 + this.#rest.readInt32BE(at)
      if (end > this.#rest.length) break
      whole.push(this.#rest.subarray(at, end))
      at = end
    }
    this.#rest = this.#rest.subarray(at)
    return whole
  }
}
