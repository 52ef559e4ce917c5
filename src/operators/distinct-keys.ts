import { rowMemory } from '../data/array-pool.ts'

/** The distinct identities (4 words each) among the given ones, in the order of their first coming. Their memory is of `rowMemory`. */
export function distinctKeys(ids: Uint32Array): Uint32Array {
  const size = tableSize(ids)
  const table = rowMemory.array(Int32Array, size).fill(0)
  const distinct = rowMemory.array(Uint32Array, ids.length)
  let found = 0
  for (let at = 0; at < ids.length; at += 4) {
    let place = ids[at + 1]! & (size - 1)
    for (let known = table[place]! - 1; known >= 0 && !isSame(ids, at, distinct, 4 * known); known = table[place]! - 1)
      place = (place + 1) & (size - 1)
    if (table[place] !== 0) continue
    for (let word = 0; word < 4; word++) distinct[4 * found + word] = ids[at + word]!
    table[place] = ++found
  }
  rowMemory.give(table)
  return distinct.subarray(0, 4 * found)
}

export interface NumberedKeys {
  /** The number of each row's identity among the distinct ones. */
  readonly numbers: Uint32Array
  /** 4 words each, in the order of their first coming. */
  readonly distinct: Uint32Array
  /** The first row of each. */
  readonly firsts: Uint32Array
}

/** Numbers identities (4 words a row): equal ones have one number. */
export function numberKeys(ids: Uint32Array): NumberedKeys {
  const count = ids.length / 4
  const size = tableSize(ids)
  const table = new Int32Array(size) // number of an identity, plus 1
  const distinct = new Uint32Array(ids.length)
  const firsts = new Uint32Array(count)
  const numbers = new Uint32Array(count)
  let found = 0
  for (let row = 0; row < count; row++) {
    const at = 4 * row
    let place = ids[at + 1]! & (size - 1)
    for (;;) {
      const known = table[place]! - 1
      if (known < 0) {
        numbers[row] = found
        firsts[found] = row
        for (let word = 0; word < 4; word++) distinct[4 * found + word] = ids[at + word]!
        table[place] = ++found
        break
      }
      if (isSame(ids, at, distinct, 4 * known)) {
        numbers[row] = known
        break
      }
      place = (place + 1) & (size - 1)
    }
  }
  return { numbers, distinct: distinct.subarray(0, 4 * found), firsts: firsts.subarray(0, found) }
}

/** At least twice as many places as identities. */
function tableSize(ids: Uint32Array): number {
  return 2 ** Math.max(4, Math.ceil(Math.log2(ids.length / 2 + 1)))
}

function isSame(a: Uint32Array, i: number, b: Uint32Array, k: number): boolean {
  return a[i] === b[k] && a[i + 1] === b[k + 1] && a[i + 2] === b[k + 2] && a[i + 3] === b[k + 3]
}
