/** Finding rows of a store by identity or by key: which records of a group they are, for gatherBatch. */
import { rowMemory } from '../data/array-pool.ts'
import type { KeyGroup } from './key-group.ts'
import { firstRow, followingRow, touchKeys } from './prefix-chains.ts'

/** A list that grows: records of groups, and which question each answers. */
export interface FoundRows {
  count: number
  /** First word of the record. */
  at: Uint32Array
  /** Which of the identities or keys that were asked for. */
  asked: Uint32Array
}

/** Its memory is of `rowMemory`. */
export function noRows(room: number): FoundRows {
  return { count: 0, at: rowMemory.array(Uint32Array, room), asked: rowMemory.array(Uint32Array, room) }
}

function add(found: FoundRows, at: number, asked: number): void {
  if (found.count === found.at.length) {
    const room = Math.max(64, found.count * 2)
    found.at = grown(found.at, room)
    found.asked = grown(found.asked, room)
  }
  found.at[found.count] = at
  found.asked[found.count++] = asked
}
function grown(words: Uint32Array, room: number): Uint32Array {
  const more = rowMemory.array(Uint32Array, room)
  more.set(words)
  rowMemory.give(words)
  return more
}

const slotBits = 0xff_ffff

/** Adds the record of each identity that is there; `order` says which of `ids` are asked for. */
export function findById(group: KeyGroup, ids: Int32Array, order: Uint32Array, from: number, to: number, found: FoundRows): void {
  const {
    words,
    index,
    layout: { stride },
  } = group
  const size = index.length
  if (size === 0) return
  const scale = size / 4294967296
  for (let k = from; k < to; k++) {
    const id = 4 * order[k]!
    let place = ((ids[id + 1]! >>> 0) * scale) | 0
    for (let entry = index[place]!; entry !== 0; entry = index[place]!) {
      const w = ((entry & slotBits) - 1) * stride
      if (words[w + 1] === ids[id + 1] && words[w] === ids[id] && words[w + 2] === ids[id + 2] && words[w + 3] === ids[id + 3]) {
        add(found, w, order[k]!)
        break
      }
      if (++place === size) place = 0
    }
  }
}

/** Adds the records of all rows whose key has the first 64 bits of the identity asked for. */
export function findByKey(group: KeyGroup, keyIds: Int32Array, order: Uint32Array, from: number, to: number, found: FoundRows): void {
  const { words, chains, layout } = group
  if (chains === null) return
  touchKeys(chains, words, keyIds, order, from, to)
  for (let k = from; k < to; k++) {
    const key = 4 * order[k]!
    for (let slot = firstRow(chains, words, keyIds[key]!, keyIds[key + 1]!); slot >= 0; slot = followingRow(chains, words, slot))
      add(found, slot * layout.stride, order[k]!)
  }
}
