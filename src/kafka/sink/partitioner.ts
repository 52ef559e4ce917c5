/** Kafka's murmur2 of a key's bytes (`heap[start .. end)`), as a signed number of 32 bits. */
export function murmur2(heap: Uint8Array, start: number, end: number): number {
  const length = end - start
  let h = 0x9747b28c ^ length
  let at = start
  for (; at + 4 <= end; at += 4) {
    let k = heap[at]! | (heap[at + 1]! << 8) | (heap[at + 2]! << 16) | (heap[at + 3]! << 24)
    k = Math.imul(k, multiplier)
    k ^= k >>> 24
    h = Math.imul(h, multiplier) ^ Math.imul(k, multiplier)
  }
  const rest = end - at
  if (rest > 2) h ^= heap[at + 2]! << 16
  if (rest > 1) h ^= heap[at + 1]! << 8
  if (rest > 0) h = Math.imul(h ^ heap[at]!, multiplier)
  h ^= h >>> 13
  h = Math.imul(h, multiplier)
  return h ^ (h >>> 15)
}
const multiplier = 0x5bd1e995

/** The partition that the Java client gives a record with this key, of `count` partitions. */
export function partitionOfKey(heap: Uint8Array, start: number, end: number, count: number): number {
  return (murmur2(heap, start, end) & 0x7fffffff) % count
}
