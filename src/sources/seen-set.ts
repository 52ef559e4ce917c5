/**
 * A set of paths that costs 16 bytes a path in a table at most three quarters full (so 21 to 43), whatever their length: 128 bits of
 * MurmurHash3 stand for a path. Two of a thousand million paths have the same bits with a probability of 10^-21.
 */
export class SeenSet {
  #words = new Uint32Array(4 * 64)
  #size = 0

  get size(): number {
    return this.#size
  }
  get bytes(): number {
    return this.#words.byteLength
  }

  has(key: PathKey): boolean {
    return this.#words[slotOf(this.#words, key[0]!, key[1]!, key[2]!, key[3]!) + 3] !== 0
  }
  add(key: PathKey): void {
    const slot = slotOf(this.#words, key[0]!, key[1]!, key[2]!, key[3]!)
    if (this.#words[slot + 3] !== 0) return
    this.#words.set(key, slot)
    if (++this.#size * 4 > (this.#words.length / 4) * 3) this.#grow()
  }

  #grow(): void {
    const words = this.#words
    const larger = new Uint32Array(2 * words.length)
    for (let at = 0; at < words.length; at += 4) {
      if (words[at + 3] === 0) continue
      const slot = slotOf(larger, words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!)
      for (let i = 0; i < 4; i++) larger[slot + i] = words[at + i]!
    }
    this.#words = larger
  }
}

/** Where a key is, or the free place where it belongs; its last word is never 0. */
function slotOf(words: Uint32Array, a: number, b: number, c: number, d: number): number {
  const mask = words.length / 4 - 1
  for (let at = a & mask; ; at = (at + 1) & mask) {
    const slot = 4 * at
    if (words[slot + 3] === 0) return slot
    if (words[slot] === a && words[slot + 1] === b && words[slot + 2] === c && words[slot + 3] === d) return slot
  }
}

/** Four words, the last one not 0. */
export type PathKey = Uint32Array

const [c1, c2, c3, c4] = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93]
const rotate = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits))

/** MurmurHash3 (x86, 128 bits) over the text's UTF-16 code units, two of them a word. Overwritten by the next call. */
export function pathKey(text: string): PathKey {
  let [h1, h2, h3, h4] = [0x9747b28c, 0x3c6ef372, 0x78dde6e4, 0x1b873593]
  const word = (at: number) => text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16) | 0
  for (let at = 0; at < text.length; at += 8) {
    h1 ^= Math.imul(rotate(Math.imul(word(at), c1), 15), c2)
    h1 = (Math.imul(rotate(h1, 19) + h2, 5) + 0x561ccd1b) | 0
    h2 ^= Math.imul(rotate(Math.imul(word(at + 2), c2), 16), c3)
    h2 = (Math.imul(rotate(h2, 17) + h3, 5) + 0x0bcaa747) | 0
    h3 ^= Math.imul(rotate(Math.imul(word(at + 4), c3), 17), c4)
    h3 = (Math.imul(rotate(h3, 15) + h4, 5) + 0x96cd1c35) | 0
    h4 ^= Math.imul(rotate(Math.imul(word(at + 6), c4), 18), c1)
    h4 = (Math.imul(rotate(h4, 13) + h1, 5) + 0x32ac3b17) | 0
  }
  h1 ^= text.length
  h2 ^= text.length
  h3 ^= text.length
  h4 ^= text.length
  h1 = (h1 + h2 + h3 + h4) | 0
  h2 = (h2 + h1) | 0
  h3 = (h3 + h1) | 0
  h4 = (h4 + h1) | 0
  h1 = mix(h1)
  h2 = mix(h2)
  h3 = mix(h3)
  h4 = mix(h4)
  h1 = (h1 + h2 + h3 + h4) | 0
  key[0] = h1
  key[1] = h2 + h1
  key[2] = h3 + h1
  key[3] = (h4 + h1) | 1
  return key
}
const key = new Uint32Array(4)

function mix(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
