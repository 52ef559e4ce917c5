/** The bytes of a group's strings: rows hold (offset, length). Bytes that a row has let go of are dead until half of the heap is; then it is rewritten. */
import { InvalidQueryError } from '../base/errors.ts'
import { copyBytes } from './copy-bytes.ts'
import { letGo, withRoom } from './roomy-memory.ts'

export interface StringHeap {
  bytes: Uint8Array
  /** Where the next string goes. */
  used: number
  /** Bytes below `used` that belong to no row. */
  dead: number
}

const maxHeapBytes = 0xffff_ffc0

/** Makes room for `needed` more bytes. The rows are those of `words`: `rows` records of `stride` words with strings at `strings`. */
export function reserveHeap(
  heap: StringHeap,
  needed: number,
  words: Int32Array,
  rows: number,
  stride: number,
  strings: readonly number[],
): void {
  if (heap.used + needed <= heap.bytes.length) return
  if (heap.dead > heap.used / 2 || heap.used + needed > maxHeapBytes) compactHeap(heap, needed, words, rows, stride, strings)
  else heap.bytes = withRoom(heap.bytes, heapSize(heap.used + needed))
}

/** Rewrites the heap without its dead bytes, with room for `extra` more. */
export function compactHeap(
  heap: StringHeap,
  extra: number,
  words: Int32Array,
  rows: number,
  stride: number,
  strings: readonly number[],
): void {
  const { bytes: old } = heap
  const bytes = new Uint8Array(heapSize(heap.used - heap.dead + extra))
  let used = 0
  for (let slot = 0; slot < rows; slot++) {
    for (const offset of strings) {
      const at = slot * stride + offset
      const length = words[at + 1]! >>> 0
      copyBytes(bytes, used, old, words[at]! >>> 0, length)
      words[at] = used
      used += length
    }
  }
  heap.bytes = bytes
  letGo(old)
  heap.used = used
  heap.dead = 0
}

function heapSize(bytes: number): number {
  if (bytes > maxHeapBytes) {
    throw new InvalidQueryError('STATE_STORE_KEY_GROUP_TOO_LARGE', {
      what: `one key group of the state would hold ${bytes} bytes of strings; at most ${maxHeapBytes} fit`,
      todo: 'start a new checkpoint with more key groups, or keep shorter strings in the state',
    })
  }
  return Math.min(maxHeapBytes, Math.ceil((bytes * 1.4) / 64) * 64)
}
