/**
 * Memory for columns that are folded into the state, or given to functions of the program, and then forgotten.
 *
 * V8 frees an array's memory only when it collects garbage, and some 8 MB of such memory make it collect the whole heap, with marking threads beside it that
 * take a core from DuckDB: at 200 kB a batch that is one batch in forty, and the slowest of them; of large batches it is every one (`npm run bench -- state`).
 * So who knows that nobody looks at a batch any more gives its arrays back, and the next batch takes them.
 */

const smallestBytes = 1024
const largestBytes = 16 * 1024 * 1024
const classes = Math.log2(largestBytes / smallestBytes) + 1
const keptPerClass = 16
/** Of one class, whatever its arrays' size: 40 MB of all. */
const keptBytesPerClass = 8 * 1024 * 1024
/** What given-back memory is filled with, or the start of it: who looks at it all the same sees nonsense, and sees it in every test. */
const poison = 0xa5
const poisonedBytes = 64 * 1024

export class ArrayPool {
  readonly #free: ArrayBuffer[][] = Array.from({ length: classes }, () => [])
  readonly #lent = new WeakSet<ArrayBufferLike>()

  /** Memory for that many bytes, or somewhat more; what is in it is left from before. */
  take(bytes: number): ArrayBuffer {
    if (bytes > largestBytes) return new ArrayBuffer(bytes)
    const at = classOf(bytes)
    const buffer = this.#free[at]!.pop() ?? new ArrayBuffer(smallestBytes << at)
    this.#lent.add(buffer)
    return buffer
  }

  /** The memory of an array that nobody looks at any more. Memory that isn't of this pool stays as it is. */
  give({ buffer }: ArrayBufferView): void {
    if (!this.#lent.delete(buffer)) return
    const free = this.#free[classOf(buffer.byteLength)]!
    if (free.length >= Math.max(1, Math.min(keptPerClass, keptBytesPerClass / buffer.byteLength))) return
    new Uint8Array(buffer).fill(poison, 0, poisonedBytes)
    free.push(buffer as ArrayBuffer)
  }
}

function classOf(bytes: number): number {
  return bytes <= smallestBytes ? 0 : 32 - Math.clz32((bytes - 1) / smallestBytes)
}
