/**
 * A row of state as bytes, the value of a database on this machine: the words of its record from the null bits on (docs/formats.md, "The local database"),
 * then its strings one after the other, then its 'values' columns, each as its length in 4 bytes and JSON. Little-endian.
 */

import { copyBytes } from './copy-bytes.ts'
import { growGroup, type KeyGroup, keepValue } from './key-group.ts'
import { loaded, type RecordLayout, statusMask, statusWord } from './record-layout.ts'
import { reserveHeap } from './string-heap.ts'
import { valueFromJson, valueToJson } from './value-json.ts'

/** Writes rows, always at the start of the same buffer. */
export class RowEncoder {
  #bytes = new Uint8Array(4096)
  #words = new Int32Array(this.#bytes.buffer)
  /** Views of the buffer by length: making one for each row costs more than writing it. */
  #views: Uint8Array[] = []
  readonly #layout: RecordLayout
  readonly #payload: number

  constructor(layout: RecordLayout) {
    this.#layout = layout
    this.#payload = payloadWords(layout)
  }

  /** Valid until the next call. */
  encode(group: KeyGroup, slot: number): Uint8Array {
    const { words, heap } = group
    const at = slot * this.#layout.stride
    const start = at + statusWord
    let end = 4 * this.#payload
    for (const offset of this.#layout.strings) end += words[at + offset + 1]! >>> 0
    this.#reserve(end)
    const out = this.#words
    for (let i = 0; i < this.#payload; i++) out[i] = words[start + i]!
    out[0]! &= ~statusMask
    let to = 4 * this.#payload
    for (const offset of this.#layout.strings) {
      const length = words[at + offset + 1]! >>> 0
      out[offset - statusWord] = 0
      copyBytes(this.#bytes, to, heap.bytes, words[at + offset]! >>> 0, length)
      to += length
    }
    if (this.#layout.valuesCount > 0) to = this.#encodeValues(group, slot, to)
    return (this.#views[to] ??= this.#bytes.subarray(0, to))
  }

  #encodeValues(group: KeyGroup, slot: number, start: number): number {
    let to = start
    for (const { storage, offset, type } of this.#layout.columns) {
      if (storage !== 'values') continue
      const text = Buffer.from(valueToJson(type, group.values[offset]![slot]))
      this.#reserve(to + 4 + text.length)
      const bytes = this.#bytes
      bytes[to] = text.length
      bytes[to + 1] = text.length >>> 8
      bytes[to + 2] = text.length >>> 16
      bytes[to + 3] = text.length >>> 24
      bytes.set(text, to + 4)
      to += 4 + text.length
    }
    return to
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return
    const grown = new Uint8Array(Math.ceil((length * 1.5) / 8) * 8)
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#words = new Int32Array(grown.buffer)
    this.#views = []
  }
}

function payloadWords({ links }: RecordLayout): number {
  return links - statusWord
}

/** Puts a row behind the last one of its group and returns its slot, which the caller enters with `enterRows`. Throws where the bytes are no row of this layout. */
export function decodeRow(group: KeyGroup, a: number, b: number, c: number, d: number, bytes: Uint8Array): number {
  const { layout, heap } = group
  const { stride, strings } = layout
  if (group.rows === group.capacity) growGroup(group)
  const slot = group.rows
  const at = slot * stride
  const { words } = group
  words[at] = a
  words[at + 1] = b
  words[at + 2] = c
  words[at + 3] = d
  const payload = payloadWords(layout)
  if (bytes.length < 4 * payload) throw new Error(`a row has ${bytes.length} bytes, fewer than the ${4 * payload} of its columns`)
  let from = 0
  for (let to = at + statusWord, end = to + payload; to < end; to++, from += 4)
    words[to] = bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24)
  for (let to = at + statusWord + payload, end = at + stride; to < end; to++) words[to] = 0
  words[at + statusWord]! |= loaded
  if (strings.length > 0) {
    // the heap may be rewritten: it must not meet lengths without bytes
    const rows = group.rows
    reserveHeap(heap, bytes.length - from, words, rows, stride, strings)
    for (const offset of strings) {
      const length = words[at + offset + 1]! >>> 0
      if (from + length > bytes.length) throw new Error('a row ends within a string')
      words[at + offset] = heap.used
      copyBytes(heap.bytes, heap.used, bytes, from, length)
      heap.used += length
      from += length
    }
  }
  if (layout.valuesCount > 0) decodeValues(group, slot, bytes, from)
  group.rows++
  return slot
}

function decodeValues(group: KeyGroup, slot: number, bytes: Uint8Array, start: number): void {
  let from = start
  for (const { storage, offset, type } of group.layout.columns) {
    if (storage !== 'values') continue
    const length = (bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24)) >>> 0
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + from + 4, length).toString('utf8')
    keepValue(group, group.values[offset]!, slot, valueFromJson(type, text))
    from += 4 + length
  }
}
