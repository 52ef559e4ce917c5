/**
 * Snapshot files in the making. Rows are copied as they stand, which takes a tenth of the time that encoding takes, and then encoded a few pages at a
 * time between batches that change the rows: no batch waits for a whole file.
 */
import type { StateSchema } from '../data/state-schema.ts'
import { ByteWriter } from './byte-writer.ts'
import type { GroupRows, KeyGroup } from './key-group.ts'
import { encodeSnapshot, type SnapshotHeader } from './snapshot-file.ts'

interface Encoding {
  readonly pages: Iterator<void, void>
  readonly ready: () => void
  readonly failed: (error: unknown) => void
}

export class SnapshotEncoder {
  readonly #scratch = new ByteWriter()
  readonly #frozen = new FrozenRows()
  readonly #buffers: ByteWriter[] = []
  readonly #queue: Encoding[] = []
  /** Nothing waits for a step. */
  isHurried = false

  /** Whether rows wait for a step. */
  get isBusy(): boolean {
    return this.#queue.length > 0
  }
  get memoryUsedBytes(): number {
    return this.#buffers.reduce((sum, buffer) => sum + buffer.capacity, this.#scratch.capacity + this.#frozen.capacity)
  }

  /** The file of a store's rows as they are now. Only one such file can be in the making. */
  encode(header: SnapshotHeader, schema: StateSchema, groups: readonly KeyGroup[]): Promise<ByteWriter> {
    // values that are objects may be changed in place; a copy of them costs more than their bytes
    const hasObjects = groups.some(({ layout }) => layout.valuesCount > 0)
    return this.#encode(header, schema, hasObjects ? groups : this.#frozen.copy(groups), hasObjects)
  }
  /** The file of rows that nobody changes any more. */
  encodeOwn(header: SnapshotHeader, schema: StateSchema, groups: readonly GroupRows[]): Promise<ByteWriter> {
    return this.#encode(header, schema, groups, false)
  }
  async #encode(header: SnapshotHeader, schema: StateSchema, rows: readonly GroupRows[], isAtOnce: boolean): Promise<ByteWriter> {
    const buffer = this.#buffers.pop() ?? new ByteWriter()
    const pages = encodeSnapshot(buffer, this.#scratch, header, schema, rows)
    if (isAtOnce || this.isHurried) for (const _page of pages);
    else await new Promise<void>((ready, failed) => this.#queue.push({ pages, ready, failed }))
    return buffer
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
      ownWords.set(words.subarray(0, ownWords.length))
      ownBytes.set(heap.bytes.subarray(0, heap.used))
      return { number, layout, rows, values, words: ownWords, heap: { ...heap, bytes: ownBytes } }
    })
  }
}

/** A large array that would hardly be used is let go, too. */
function isFitting({ length, byteLength }: Int32Array | Uint8Array, needed: number): boolean {
  return length >= needed && (byteLength <= 1 << 20 || length <= 16 * needed)
}
