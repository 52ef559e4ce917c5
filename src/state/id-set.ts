/** A set of 128-bit identities: open addressing over words, so that a batch of 100,000 keys makes no objects. */
export class IdSet {
  #words = new Int32Array(0)
  #used = new Uint8Array(0)
  #size = 0

  get size(): number {
    return this.#size
  }
  get bytes(): number {
    return this.#words.byteLength + this.#used.byteLength
  }

  /** Whether it was not there. */
  add(a: number, b: number, c: number, d: number): boolean {
    if (this.#size * 10 >= this.#used.length * 6) this.#resize(Math.max(64, this.#used.length * 2))
    const place = this.#placeOf(a, b, c, d)
    if (this.#used[place] === 1) return false
    this.#put(place, a, b, c, d)
    return true
  }

  /** Makes room for so many more. */
  reserve(count: number): void {
    const needed = Math.ceil((this.#size + count) / 0.6) + 1
    if (needed > this.#used.length) this.#resize(Math.max(64, this.#used.length * 2, needed))
  }

  has(a: number, b: number, c: number, d: number): boolean {
    return this.#size > 0 && this.#used[this.#placeOf(a, b, c, d)] === 1
  }

  clear(): void {
    this.#words = new Int32Array(0)
    this.#used = new Uint8Array(0)
    this.#size = 0
  }

  /** Where the identity is, or the free place where it belongs. */
  #placeOf(a: number, b: number, c: number, d: number): number {
    const words = this.#words
    const used = this.#used
    const size = used.length
    // an identity is a digest, but rows of one key share words 0 and 1 up to their numbers
    let place = ((Math.imul(b ^ c, 0x9e3779b1) >>> 0) * (size / 4294967296)) | 0
    while (used[place] === 1) {
      const at = 4 * place
      if (words[at] === (a | 0) && words[at + 1] === (b | 0) && words[at + 2] === (c | 0) && words[at + 3] === (d | 0)) break
      if (++place === size) place = 0
    }
    return place
  }
  #put(place: number, a: number, b: number, c: number, d: number): void {
    const at = 4 * place
    this.#words[at] = a
    this.#words[at + 1] = b
    this.#words[at + 2] = c
    this.#words[at + 3] = d
    this.#used[place] = 1
    this.#size++
  }
  #resize(size: number): void {
    const [words, used] = [this.#words, this.#used]
    this.#words = new Int32Array(4 * size)
    this.#used = new Uint8Array(size)
    this.#size = 0
    for (let place = 0; place < used.length; place++) {
      if (used[place] === 0) continue
      const at = 4 * place
      const [a, b, c, d] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!]
      this.#put(this.#placeOf(a, b, c, d), a, b, c, d)
    }
  }
}
