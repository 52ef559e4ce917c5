/**
 * Which rows of a key group belong to one key, where a key may have many: a chain of rows for each 64-bit prefix, and a small open-addressing table of the chains'
 * first rows. A lookup costs the rows it finds; two keys of one prefix share a chain, and the caller tells them apart by their columns.
 *
 * A place of `heads` is slot + 1 (0: free) and the second word of the prefix, so that a search reads no record but the one it finds. It is probed linearly from
 * floor(second word / 2^32 · size); removal shifts back what follows. The links of a chain are two words of each record.
 */
import type { RecordLayout } from './record-layout.ts'
import { secondPrefixWord } from './row-id.ts'

export interface PrefixChains {
  /** Two words a place. */
  heads: Int32Array
  /** How many places there are. */
  size: number
  /** How many chains there are. */
  keys: number
  readonly stride: number
  /** Words of a record. */
  readonly next: number
  readonly previous: number
}

const none = -1
const fullest = 0.6

export function createChains({ stride, chain }: RecordLayout): PrefixChains | null {
  return chain < 0 ? null : { heads: new Int32Array(0), size: 0, keys: 0, stride, next: chain, previous: chain + 1 }
}

/** All records have moved: what stood in slot i now stands in `movedTo[i]`. None of those that are gone is in a chain. */
export function renumberChains(
  { heads, stride, next, previous }: PrefixChains,
  words: Int32Array,
  rows: number,
  movedTo: Int32Array,
): void {
  for (let at = 0; at < heads.length; at += 2) if (heads[at] !== 0) heads[at] = movedTo[heads[at]! - 1]! + 1
  for (let at = 0; at < rows * stride; at += stride) {
    const after = words[at + next]!
    const before = words[at + previous]!
    if (after !== none) words[at + next] = movedTo[after]!
    if (before !== none) words[at + previous] = movedTo[before]!
  }
}

/** Puts a row, whose identity is in place, at the front of its key's chain. */
export function linkToKey(chains: PrefixChains, words: Int32Array, slot: number): void {
  if (chains.keys + 1 > chains.size * fullest) rebuild(chains, Math.max(8, Math.ceil(chains.size * 1.5)))
  const { heads, stride, next, previous } = chains
  const at = slot * stride
  const second = secondPrefixWord(words, at)
  const place = findPlace(chains, words, words[at]!, second)
  const head = heads[place]! - 1
  words[at + next] = head
  words[at + previous] = none
  if (head === none) {
    chains.keys++
    heads[place + 1] = second
  } else words[head * stride + previous] = slot
  heads[place] = slot + 1
}

/** Takes a row out of its chain. */
export function unlinkFromKey(chains: PrefixChains, words: Int32Array, slot: number): void {
  const { heads, stride, next, previous } = chains
  const at = slot * stride
  const before = words[at + previous]!
  const after = words[at + next]!
  if (after !== none) words[after * stride + previous] = before
  if (before !== none) {
    words[before * stride + next] = after
    return
  }
  const place = placeOfHead(chains, slot, secondPrefixWord(words, at))
  if (after !== none) heads[place] = after + 1
  else {
    freePlace(chains, place)
    chains.keys--
  }
}

/** A record has moved from slot `from` to `slot`, its links with it. */
export function relinkToKey(chains: PrefixChains, words: Int32Array, from: number, slot: number): void {
  const { heads, stride, next, previous } = chains
  const at = slot * stride
  const before = words[at + previous]!
  const after = words[at + next]!
  if (after !== none) words[after * stride + previous] = slot
  if (before !== none) words[before * stride + next] = slot
  else heads[placeOfHead(chains, from, secondPrefixWord(words, at))] = slot + 1
}

/** The first row of a key, or -1; `followingRow` leads to the others. */
export function firstRow(chains: PrefixChains, words: Int32Array, first: number, second: number): number {
  return chains.keys === 0 ? none : chains.heads[findPlace(chains, words, first, second)]! - 1
}
export function followingRow({ stride, next }: PrefixChains, words: Int32Array, slot: number): number {
  return words[slot * stride + next]!
}

/**
 * Reads what a search for these prefixes is going to read, the table before the records: these loads don't wait for each other, those of a search do. Returns a
 * number of no meaning, so that nothing is optimised away.
 */
export function touchKeys(
  { heads, size, stride }: PrefixChains,
  words: Int32Array,
  ids: Int32Array,
  order: Uint32Array,
  from: number,
  to: number,
): number {
  let sum = 0
  if (size === 0) return sum
  const scale = size / 4294967296
  for (let k = from; k < to; k++) sum ^= heads[2 * (((ids[4 * order[k]! + 1]! >>> 0) * scale) | 0)]!
  for (let k = from; k < to; k++) {
    const place = 2 * (((ids[4 * order[k]! + 1]! >>> 0) * scale) | 0)
    if (heads[place] !== 0 && heads[place + 1] === ids[4 * order[k]! + 1]) sum ^= words[(heads[place]! - 1) * stride]!
  }
  return sum
}

/** Gives memory back where most of the table lies idle. */
export function shrinkChains(chains: PrefixChains): void {
  if (chains.size > 64 && chains.keys < chains.size / 8) rebuild(chains, Math.ceil(chains.keys * 2.5) + 8)
}

/** The word of a place. */
function homeOf(second: number, size: number): number {
  return 2 * (((second >>> 0) * (size / 4294967296)) | 0)
}

/** The place of a prefix's chain, or the free one where it would stand. */
function findPlace({ heads, size, stride }: PrefixChains, words: Int32Array, first: number, second: number): number {
  let place = homeOf(second, size)
  for (let head = heads[place]!; head !== 0; head = heads[place]!) {
    if (heads[place + 1] === second && words[(head - 1) * stride] === first) return place
    if ((place += 2) === heads.length) place = 0
  }
  return place
}
/** The place of the chain that begins with a row. */
function placeOfHead({ heads, size }: PrefixChains, slot: number, second: number): number {
  let place = homeOf(second, size)
  while (heads[place] !== slot + 1) if ((place += 2) === heads.length) place = 0
  return place
}

function freePlace({ heads, size }: PrefixChains, place: number): void {
  let free = place
  let at = place
  for (;;) {
    if ((at += 2) === heads.length) at = 0
    if (heads[at] === 0) break
    const home = homeOf(heads[at + 1]!, size)
    // stays where its home lies cyclically behind the free place
    if (free <= at ? home > free && home <= at : home > free || home <= at) continue
    heads[free] = heads[at]!
    heads[free + 1] = heads[at + 1]!
    free = at
  }
  heads[free] = 0
}

function rebuild(chains: PrefixChains, size: number): void {
  const old = chains.heads
  const heads = new Int32Array(2 * size)
  for (let at = 0; at < old.length; at += 2) {
    if (old[at] === 0) continue
    let place = homeOf(old[at + 1]!, size)
    while (heads[place] !== 0) if ((place += 2) === heads.length) place = 0
    heads[place] = old[at]!
    heads[place + 1] = old[at + 1]!
  }
  chains.heads = heads
  chains.size = size
}
