/**
 * The identity of a row in a store whose keys have any number of rows: 128 bits like a key's, from the first 64 bits p of the key's identity and a row number n
 * of 64 bits that is unique in the store:
 *
 *     w0 = p0 · w1 = p1 xor mix(n) · w2 = low half of n · w3 = high half of n
 *
 * p0 decides the key group, so that all rows of a key lie in one. The table of a group searches by w1 and w2: were w1 the same for all rows of a
 * key, a key with many rows would fill one stretch of it. p1 comes back by another xor.
 */
export function mixRowNumber(low: number, high: number): number {
  let h = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** The second half of the key's prefix, of the row whose identity begins at word `at`. */
export function secondPrefixWord(words: Int32Array | Uint32Array, at: number): number {
  return words[at + 1]! ^ mixRowNumber(words[at + 2]!, words[at + 3]!)
}

/** The row number of an identity. */
export function rowNumberAt(ids: Int32Array | Uint32Array, at: number): number {
  return (ids[at + 3]! >>> 0) * 4294967296 + (ids[at + 2]! >>> 0)
}

/** Writes at `to` of `ids` the identity of a row of the key at word `at` of `keyIds` under a number of its own: the two words of a hash. */
export function writeRowId(ids: Uint32Array, to: number, keyIds: Uint32Array, at: number, low: number, high: number): void {
  ids[to] = keyIds[at]!
  ids[to + 1] = keyIds[at + 1]! ^ mixRowNumber(low, high)
  ids[to + 2] = low
  ids[to + 3] = high
}

/** Identities for new rows of these keys (4 words each, of which the first two count), numbered from `first` on, written to `ids`. */
export function rowIds(keyIds: Uint32Array, first: number, ids = new Uint32Array(keyIds.length)): Uint32Array {
  for (let at = 0, number = first; at < ids.length; at += 4, number++) {
    const low = number >>> 0
    const high = Math.floor(number / 4294967296)
    ids[at] = keyIds[at]!
    ids[at + 1] = keyIds[at + 1]! ^ mixRowNumber(low, high)
    ids[at + 2] = low
    ids[at + 3] = high
  }
  return ids
}
