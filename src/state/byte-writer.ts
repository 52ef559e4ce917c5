/** Bytes in the making, in a buffer that is kept from file to file: fresh memory costs more than what is written into it. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(4096)
  length = 0

  /** Everything written so far. Valid until the next write. */
  get content(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.length)
  }
  get capacity(): number {
    return this.#bytes.length
  }

  /** Begins anew; a buffer that is far too large for what came last is let go. */
  clear(): void {
    if (this.#bytes.length > 1 << 20 && this.#bytes.length > 16 * this.length) this.#bytes = new Uint8Array(4096)
    this.length = 0
  }

  /** `count` bytes to be filled by the caller, who writes all of them. */
  reserve(count: number): Uint8Array<ArrayBuffer> {
    this.#room(count)
    this.length += count
    return this.#bytes.subarray(this.length - count, this.length)
  }
  /** `count` words at a multiple of 8 bytes, to be filled by the caller. */
  reserveWords(count: number): Int32Array<ArrayBuffer> {
    this.align()
    const { buffer, byteOffset } = this.reserve(count * 4)
    return new Int32Array(buffer, byteOffset, count)
  }
  /** Zeros up to a multiple of 8 bytes. */
  align(): void {
    const rest = -this.length & 7
    if (rest > 0) this.reserve(rest).fill(0)
  }
  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length).set(bytes)
  }
  text(text: string): void {
    this.bytes(Buffer.from(text, 'utf8'))
  }
  word(value: number): void {
    const { buffer, byteOffset } = this.reserve(4)
    new DataView(buffer, byteOffset).setUint32(0, value, true)
  }

  #room(count: number): void {
    const needed = this.length + count
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, Math.ceil(this.#bytes.length * 1.5)))
    grown.set(this.#bytes.subarray(0, this.length))
    this.#bytes = grown
  }
}

/** Reads what a ByteWriter wrote. A read past the end is a RangeError. */
export class ByteReader {
  readonly #bytes: Uint8Array
  #at = 0
  /** `bytes` are copied if they don't begin at a multiple of 8. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes)
  }
  take(count: number): Uint8Array {
    if (!(count >= 0) || this.#at + count > this.#bytes.length)
      throw new RangeError(`${count} bytes at ${this.#at} go past the end at ${this.#bytes.length}`)
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }
  words(count: number): Uint32Array {
    this.align()
    const { buffer, byteOffset } = this.take(count * 4)
    return new Uint32Array(buffer, byteOffset, count)
  }
  align(): void {
    this.take(-this.#at & 7)
  }
  word(): number {
    const { buffer, byteOffset } = this.take(4)
    return new DataView(buffer, byteOffset).getUint32(0, true)
  }
}
