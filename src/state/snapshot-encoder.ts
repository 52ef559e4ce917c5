/**
 * Snapshot files in the making. Rows are copied as they stand, which takes a tenth of the time that encoding takes, and then encoded a few pages at a
 * time between batches that change the rows: no batch waits for a whole file. Rows that nobody changes are encoded as soon as they are there, in turns with
 * the other work of the process.
 */

import type { Clock } from '../base/clock.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { ByteWriter } from './byte-writer.ts'
import { copyInto } from './copy-bytes.ts'
import type { GroupRows, KeyGroup } from './key-group.ts'
import { encodeSnapshot, type SnapshotHeader } from './snapshot-file.ts'

interface Encoding {
  readonly pages: Iterator<void, void>
  readonly ready: () => void
  readonly failed: (error: unknown) => void
}

/** Own rows are encoded for so long before other work has its turn. */
const turnMs = 2

export class SnapshotEncoder {
  readonly #clock: Clock
  readonly #scratch = new ByteWriter()
  readonly #frozen = new FrozenRows()
  readonly #buffers: ByteWriter[] = []
  readonly #queue: Encoding[] = []
  /** Nothing waits for a step. */
  isHurried = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether rows wait for a step. */
  get isBusy(): boolean {
    return this.#queue.length > 0
  }
  get memoryUsedBytes(): number {
    return this.#buffers.reduce((sum, buffer) => sum + buffer.capacity, this.#scratch.capacity + this.#frozen.capacity)
  }

  /** The file of a store's rows as they are now. Only one such file can be in the making. */
  async encode(header: SnapshotHeader, schema: StateSchema, groups: readonly KeyGroup[]): Promise<ByteWriter> {
    const buffer = this.#buffer()
    // values that are objects may be changed in place; a copy of them costs more than their bytes
    const hasObjects = groups.some(({ layout }) => layout.valuesCount > 0)
    const pages = encodeSnapshot(buffer, this.#scratch, header, schema, hasObjects ? groups : this.#frozen.copy(groups))
    if (hasObjects || this.isHurried) for (const _page of pages);
    else await new Promise<void>((ready, failed) => this.#queue.push({ pages, ready, failed }))
    return buffer
  }
  /** The file of rows that nobody changes any more. */
  async encodeOwn(header: SnapshotHeader, schema: StateSchema, groups: readonly GroupRows[]): Promise<ByteWriter> {
    const buffer = this.#buffer()
    let untilMs = this.#clock.monotonicMs() + turnMs
    for (const _page of encodeSnapshot(buffer, this.#scratch, header, schema, groups)) {
      if (this.isHurried || this.#clock.monotonicMs() < untilMs) continue
      await new Promise((resolve) => setImmediate(resolve))
      untilMs = this.#clock.monotonicMs() + turnMs
    }
    return buffer
  }
  #buffer(): ByteWriter {
    return this.#buffers.pop() ?? new ByteWriter()
  }
  /** Takes back the buffer of a file that was written. */
  release(buffer: ByteWriter): void {
    this.#buffers.push(buffer)
  }

  /** Encodes page after page, one at least, while `hasTime`. */
  step(hasTime: () => boolean): void {
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      try {
        while (!first.pages.next().done) if (!hasTime()) return
        first.ready()
      } catch (error) {
        first.failed(error)
      }
      this.#queue.shift()
      if (!hasTime()) return
    }
  }
}

/** A copy of rows in memory that is used again: valid until the next. */
class FrozenRows {
  #words = new Int32Array(0)
  #bytes = new Uint8Array(0)

  get capacity(): number {
    return this.#words.byteLength + this.#bytes.byteLength
  }

  copy(groups: readonly KeyGroup[]): GroupRows[] {
    const filled = groups.filter(({ rows }) => rows > 0)
    const wordCount = filled.reduce((sum, { rows, layout }) => sum + rows * layout.stride, 0)
    const byteCount = filled.reduce((sum, { heap }) => sum + heap.used, 0)
    if (!isFitting(this.#words, wordCount)) this.#words = new Int32Array(wordCount)
    if (!isFitting(this.#bytes, byteCount)) this.#bytes = new Uint8Array(byteCount)
    let word = 0
    let byte = 0
    return filled.map(({ number, layout, rows, words, heap, values }) => {
      const ownWords = this.#words.subarray(word, (word += rows * layout.stride))
      const ownBytes = this.#bytes.subarray(byte, (byte += heap.used))
      copyInto(ownWords, words)
      copyInto(ownBytes, heap.bytes)
      return { number, layout, rows, values, words: ownWords, heap: { ...heap, bytes: ownBytes } }
    })
  }
}

/** A large array that would hardly be used is let go, too. */
function isFitting({ length, byteLength }: Int32Array | Uint8Array, needed: number): boolean {
  return length >= needed && (byteLength <= 1 << 20 || length <= 16 * needed)
}
