/**
 * Rows on their way to the local database, in the order of its keys (local-keys.ts). RocksDB looks for the place of a key beside that of the key before, and what neighbours
 * need lies together in files, filters and caches: writes in order cost a fifth of writes in disorder. The order decides about nothing else, so it need not be exact.
 */

/** An index in a list of so many, beside 32 bits of a key, still is an exact number. */
const mostInOrder = 2 ** 21
let scratch = new Float64Array(1024)

/** Sorts the first words of identities that belong to one key group; rows of one key stay in the order given. */
export function sortByIdentity(words: Int32Array, starts: Uint32Array): void {
  const count = starts.length
  if (count < 2 || count > mostInOrder) return
  if (scratch.length < 2 * count) scratch = new Float64Array(2 * count)
  const keys = scratch.subarray(0, count)
  for (let i = 0; i < count; i++) keys[i] = (words[starts[i]!]! >>> 0) * mostInOrder + i
  keys.sort()
  const unsorted = starts.slice()
  for (let i = 0; i < count; i++) starts[i] = unsorted[keys[i]! % mostInOrder]!
}

/** Row numbers by the key groups of their identities, as they are within each. */
export function orderByGroup(ids: Uint32Array, rows: Uint32Array, keyGroups: number): Uint32Array {
  const next = new Uint32Array(keyGroups + 1)
  for (let i = 0; i < rows.length; i++) next[(ids[4 * rows[i]!]! % keyGroups) + 1]!++
  for (let group = 0; group < keyGroups; group++) next[group + 1]! += next[group]!
  const ordered = new Uint32Array(rows.length)
  for (let i = 0; i < rows.length; i++) ordered[next[ids[4 * rows[i]!]! % keyGroups]!++] = rows[i]!
  return ordered
}
