/**
 * Memory of rows that only grows, for as long as their group lives. Past `plainBytes` it is a growable SharedArrayBuffer: addresses for sixteen times as much are reserved and
 * further pages come in place, so that growing copies nothing and leaves nothing behind. No other thread ever sees it. V8 does not count shared memory either, which
 * otherwise brings a collection of the whole heap for some 10 MB of new rows, however small that heap is. See docs/decisions/0024-memory-of-rows.md.
 */
import { copyInto } from './copy-bytes.ts'
import { resized } from './resized.ts'

const plainBytes = 64 * 1024
const reserve = 16
/** Each takes two entries of the process's table of mappings, which Linux limits to 65,530. */
const mostReserved = 8192
let reserved = 0
const collected = new FinalizationRegistry<null>(() => {
  reserved--
})

type Words = Int32Array | Uint8Array

/** The same content in an array of `length` elements, zeroed above. The old array must not be used any more. */
export function withRoom<T extends Words>(array: T, length: number): T {
  const { buffer } = array
  const bytes = length * array.BYTES_PER_ELEMENT
  if (bytes < array.byteLength || bytes < plainBytes) return inPlainMemory(array, length)
  if (buffer instanceof SharedArrayBuffer && bytes <= buffer.maxByteLength) {
    buffer.grow(bytes)
    return viewOf(array, buffer, length)
  }
  const roomy = reserveMemory(bytes)
  if (roomy === null) return inPlainMemory(array, length)
  const view = viewOf(array, roomy, length)
  copyInto(view, array)
  letGo(array)
  return view
}

function inPlainMemory<T extends Words>(array: T, length: number): T {
  if (!(array.buffer instanceof SharedArrayBuffer)) return resized(array, length)
  const copy = viewOf(array, new ArrayBuffer(length * array.BYTES_PER_ELEMENT), length)
  copyInto(copy, array)
  letGo(array)
  return copy
}

function viewOf<T extends Words>(array: T, buffer: ArrayBufferLike, length: number): T {
  // with its length, or the array would follow the buffer's and each access would ask for that
  return new (array.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => T)(buffer, 0, length)
}

/** Null where the process may reserve no more: then memory moves as it grows. */
function reserveMemory(bytes: number): SharedArrayBuffer | null {
  if (reserved >= mostReserved) return null
  try {
    const buffer = new SharedArrayBuffer(bytes, { maxByteLength: bytes * reserve })
    collected.register(buffer, null)
    reserved++
    return buffer
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

let unseenBytes = 0
const worthTelling = 64 * 1024 * 1024

/** Says that nobody uses an array of `withRoom` any more. */
export function letGo({ buffer }: Words): void {
  if (!(buffer instanceof SharedArrayBuffer)) return
  unseenBytes += buffer.byteLength
  if (unseenBytes < worthTelling) return
  // garbage of as many bytes that V8 does count, so that it looks for what it doesn't; no page of these is ever touched
  new ArrayBuffer(unseenBytes)
  unseenBytes = 0
}
