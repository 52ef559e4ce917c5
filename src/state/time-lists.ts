import type { KeyGroup } from './key-group.ts'
import { resized } from './resized.ts'

interface List {
  ids: Int32Array
  length: number
}

/** Identities of rows by their event times. */
export class TimeLists {
  readonly #lists = new Map<bigint, List>()
  /** The last list, and the words of its time: neighbours mostly share theirs. */
  #last: List | null = null
  #high = 0
  #low = 0

  /** The row whose record begins at word `at`; one without an event time is left out. */
  add({ words, layout: { eventTime } }: KeyGroup, at: number): void {
    if (eventTime === null || (eventTime.nullBit !== 0 && (words[at + eventTime.nullWord]! & eventTime.nullBit) !== 0)) return
    const low = words[at + eventTime.offset]!
    const high = words[at + eventTime.offset + 1]!
    const list = this.#last !== null && high === this.#high && low === this.#low ? this.#last : this.#listOf(high, low)
    if (list.length === list.ids.length) list.ids = resized(list.ids, list.length * 4)
    for (let word = 0; word < 4; word++) list.ids[list.length++] = words[at + word]!
  }
  #listOf(high: number, low: number): List {
    const time = (BigInt(high) << 32n) | BigInt(low >>> 0)
    let list = this.#lists.get(time)
    if (list === undefined) {
      list = { ids: new Int32Array(4), length: 0 }
      this.#lists.set(time, list)
    }
    this.#last = list
    this.#high = high
    this.#low = low
    return list
  }

  *lists(): Generator<readonly [time: bigint, ids: Int32Array]> {
    for (const [time, { ids, length }] of this.#lists) yield [time, ids.subarray(0, length)]
  }
}
