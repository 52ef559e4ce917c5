/**
 * Which rows of a key group belong to one key, where a key may have many: a chain of rows for each 64-bit prefix, and a small open-addressing table of the chains'
 * first rows. A lookup costs the rows it finds; two keys of one prefix share a chain, and the caller tells them apart by their columns.
 *
 * An entry of `heads` is slot + 1 (0: free), probed linearly from floor(second word of the prefix / 2^32 · size); removal shifts back what
 * follows. The links of a chain are two words of each record.
 */
import type { RecordLayout } from './record-layout.ts'
import { secondPrefixWord } from './row-id.ts'

export interface PrefixChains {
  heads: Uint32Array
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
  return chain < 0 ? null : { heads: new Uint32Array(0), keys: 0, stride, next: chain, previous: chain + 1 }
}

/** All records have moved: what stood in slot i now stands in `movedTo[i]`. None of those that are gone is in a chain. */
export function renumberChains(
  { heads, stride, next, previous }: PrefixChains,
  words: Int32Array,
  rows: number,
  movedTo: Int32Array,
): void {
  for (let place = 0; place < heads.length; place++) if (heads[place] !== 0) heads[place] = movedTo[heads[place]! - 1]! + 1
  for (let at = 0; at < rows * stride; at += stride) {
    const after = words[at + next]!
    const before = words[at + previous]!
    if (after !== none) words[at + next] = movedTo[after]!
    if (before !== none) words[at + previous] = movedTo[before]!
  }
}

/** Puts a row, whose identity is in place, at the front of its key's chain. */
export function linkToKey(chains: PrefixChains, words: Int32Array, slot: number): void {
  if (chains.keys + 1 > chains.heads.length * fullest) rebuild(chains, words, Math.max(8, Math.ceil(chains.heads.length * 1.5)))
  const { heads, stride, next, previous } = chains
  const at = slot * stride
  const place = findPlace(chains, words, words[at]!, secondPrefixWord(words, at))
  const head = heads[place]! - 1
  words[at + next] = head
  words[at + previous] = none
  if (head === none) chains.keys++
  else words[head * stride + previous] = slot
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
  const place = findPlace(chains, words, words[at]!, secondPrefixWord(words, at))
  if (after !== none) heads[place] = after + 1
  else {
    freePlace(chains, words, place)
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
  if (before !== none) {
    words[before * stride + next] = slot
    return
  }
  let place = homeOf(secondPrefixWord(words, at), heads.length)
  while (heads[place] !== from + 1) if (++place === heads.length) place = 0
  heads[place] = slot + 1
}

/** The first row of a key, or -1; `followingRow` leads to the others. */
export function firstRow(chains: PrefixChains, words: Int32Array, first: number, second: number): number {
  return chains.keys === 0 ? none : chains.heads[findPlace(chains, words, first, second)]! - 1
}
export function followingRow({ stride, next }: PrefixChains, words: Int32Array, slot: number): number {
  return words[slot * stride + next]!
}

/** Gives memory back where most of the table lies idle. */
export function shrinkChains(chains: PrefixChains, words: Int32Array): void {
  if (chains.heads.length > 64 && chains.keys < chains.heads.length / 8) rebuild(chains, words, Math.ceil(chains.keys * 2.5) + 8)
}

function homeOf(second: number, size: number): number {
  return ((second >>> 0) * (size / 4294967296)) | 0
}

/** The place of a prefix's chain, or the free one where it would stand. */
function findPlace({ heads, stride }: PrefixChains, words: Int32Array, first: number, second: number): number {
  let place = homeOf(second, heads.length)
  for (let head = heads[place]!; head !== 0; head = heads[place]!) {
    const at = (head - 1) * stride
    if (words[at] === first && secondPrefixWord(words, at) === second) return place
    if (++place === heads.length) place = 0
  }
  return place
}

function freePlace({ heads, stride }: PrefixChains, words: Int32Array, place: number): void {
  let free = place
  let at = place
  for (;;) {
    if (++at === heads.length) at = 0
    const head = heads[at]!
    if (head === 0) break
    const home = homeOf(secondPrefixWord(words, (head - 1) * stride), heads.length)
    // stays where its home lies cyclically behind the free place
    if (free <= at ? home > free && home <= at : home > free || home <= at) continue
    heads[free] = head
    free = at
  }
  heads[free] = 0
}

function rebuild(chains: PrefixChains, words: Int32Array, size: number): void {
  const old = chains.heads
  const heads = new Uint32Array(size)
  for (let i = 0; i < old.length; i++) {
    const head = old[i]!
    if (head === 0) continue
    let place = homeOf(secondPrefixWord(words, (head - 1) * chains.stride), size)
    while (heads[place] !== 0) if (++place === size) place = 0
    heads[place] = head
  }
  chains.heads = heads
}
