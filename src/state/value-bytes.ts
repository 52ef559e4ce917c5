/** What JavaScript values of the state (lists, sets, summaries, structs) take beyond a word and a header each: a guess that follows their sizes. */

/** So many elements of a collection are looked at; the others count as these do. A batch then pays for what it writes, not for how long the lists are. */
const looksAt = 4

export function valueBytes(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return value.length
    case 'object':
      return value === null ? 0 : objectBytes(value)
    default:
      return 0
  }
}

function objectBytes(value: object): number {
  if (ArrayBuffer.isView(value)) return 96 + value.byteLength
  if (Array.isArray(value)) return collectionBytes(value.length, (i) => elementBytes(value[i]))
  if (value instanceof Map) {
    const first = firstOf(value)
    return collectionBytes(value.size, (i) => {
      const entry = first[Math.min(i, first.length - 1)]!
      return 16 + elementBytes(entry[0]) + elementBytes(entry[1])
    })
  }
  let bytes = 32
  for (const field of Object.values(value)) bytes += elementBytes(field)
  return bytes
}
/** A place in its holder, and the value. */
function elementBytes(value: unknown): number {
  if (typeof value === 'bigint') return 24
  return typeof value === 'string' || (typeof value === 'object' && value !== null) ? 32 + valueBytes(value) : 8
}
function collectionBytes(length: number, at: (index: number) => number): number {
  if (length === 0) return 0
  const looked = Math.min(length, looksAt)
  let bytes = 0
  for (let i = 0; i < looked; i++) bytes += at(Math.floor((i * length) / looked))
  return Math.ceil((bytes * length) / looked)
}
function firstOf(map: ReadonlyMap<unknown, unknown>): (readonly [unknown, unknown])[] {
  const first: (readonly [unknown, unknown])[] = []
  for (const entry of map) if (first.push(entry) === looksAt) break
  return first
}
