/**
 * Memory for columns that are folded into the state, given to functions of the program or made of the state's rows, and then forgotten.
 *
 * V8 frees an array's memory only when it collects garbage, and some 8 MB of such memory make it collect the whole heap, with marking threads beside it that
 * take a core from DuckDB: at 200 kB a batch that is one batch in forty, and the slowest of them; of large batches it is every one (`npm run bench -- state`).
 * So who knows that nobody looks at a batch any more gives its arrays back, and the next batch takes them.
 */
import type { Column } from './column-batch.ts'

const smallestBytes = 1024
const largestBytes = 16 * 1024 * 1024
const classes = Math.log2(largestBytes / smallestBytes) + 1
const keptPerClass = 16
/** Of one class, whatever its arrays' size: 40 MB of all. */
const keptBytesPerClass = 8 * 1024 * 1024
/** A class of typed arrays. */
export interface ArrayClass<A> {
  readonly BYTES_PER_ELEMENT: number
  new (buffer: ArrayBuffer, byteOffset: number, length: number): A
}

export class ArrayPool {
  readonly #free: ArrayBuffer[][] = Array.from({ length: classes }, () => [])
  readonly #lent = new WeakSet<ArrayBufferLike>()

  /** Memory for that many bytes, or somewhat more; what is in it is left from before, or zero. */
  #take(bytes: number): ArrayBuffer {
    if (bytes > largestBytes) return new ArrayBuffer(bytes)
    const at = classOf(bytes)
    const buffer = this.#free[at]!.pop() ?? new ArrayBuffer(smallestBytes << at)
    this.#lent.add(buffer)
    return buffer
  }

  /** An array whose values are all still to be written. */
  array<A>(type: ArrayClass<A>, length: number): A {
    return new type(this.#take(length * type.BYTES_PER_ELEMENT), 0, length)
  }

  /**
   * The memory of an array that nobody looks at any more. It moves into a buffer of its own, so that every array that lay in it has no elements from now
   * on: who looks at one all the same, or gives it back again, cannot touch what belongs to somebody else by then. Memory that isn't of this pool stays as it is.
   */
  give({ buffer }: ArrayBufferView): void {
    if (!this.#lent.delete(buffer)) return
    const moved = (buffer as ArrayBuffer).transfer()
    const free = this.#free[classOf(moved.byteLength)]!
    if (free.length < Math.max(1, Math.min(keptPerClass, keptBytesPerClass / moved.byteLength))) free.push(moved)
  }
}

/** Of rows that come out of a store. One for the process: stores work on one thread. */
export const rowMemory = new ArrayPool()

/** The memory of columns that nobody looks at any more. */
export function giveColumns(pool: ArrayPool, columns: readonly Column[]): void {
  for (const column of columns) {
    if (column.kind === 'values') continue
    if (column.valid !== null) pool.give(column.valid)
    if (column.kind === 'fixed') pool.give(column.data)
    else {
      pool.give(column.offsets)
      pool.give(column.heap)
    }
  }
}

function classOf(bytes: number): number {
  return bytes <= smallestBytes ? 0 : 32 - Math.clz32((bytes - 1) / smallestBytes)
}
