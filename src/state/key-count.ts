/**
 * How many keys of a store in a database have rows, where a key may have any number of them: those of the database, and what the changes add to them that are in
 * memory until they are written. It costs a look into the database for each key that changes.
 */
import { IdSet } from './id-set.ts'
import type { KeyGroup } from './key-group.ts'
import { hasPrefix, type LocalKeys } from './local-keys.ts'
import { firstRow } from './prefix-chains.ts'
import { dirty, statusWord } from './record-layout.ts'
import type { RocksIterator } from './rocksdb-addon.ts'
import { secondPrefixWord } from './row-id.ts'

/** The store whose keys they are. */
interface Counted {
  readonly keys: LocalKeys
  /** Rows that are in memory or were removed there. */
  readonly known: IdSet
  /** Runs what reads the database. */
  readonly read: <T>(use: () => T) => T
}
/** What the database has of a key: no rows, only known ones, or others too. */
type RowsOfKey = 'none' | 'known' | 'others'

const noOptions = {}
const mostAtOnce = 1000

export class KeyCount {
  readonly #store: Counted
  #written: number
  #now: number
  readonly #id = new Int32Array(4)
  readonly #prefix = new Uint32Array(2)

  /** `written`: as many keys as the database has. */
  constructor(store: Counted, written: number) {
    this.#store = store
    this.#written = this.#now = written
  }

  get value(): number {
    return this.#now
  }

  /** Takes the changes of these groups in. They may be taken in again, with others, as long as they are not written. */
  count(groups: readonly KeyGroup[], iterate: () => RocksIterator): void {
    if (groups.every(({ changedCount, removedCount }) => changedCount + removedCount === 0)) return
    const iterator = iterate()
    try {
      this.#now = this.#written
      for (const group of groups) this.#now += this.#gained(group, iterator)
    } finally {
      iterator._closeSync()
    }
  }
  /** The changes are in the database. */
  settle(): void {
    this.#written = this.#now
  }

  /** Keys that have their first row, less those that have lost their last one. */
  #gained({ words, chains, rows, layout, changed, changedCount, removed, removedCount }: KeyGroup, iterator: RocksIterator): number {
    const seen = new IdSet()
    let gained = 0
    const meet = (first: number, second: number) => {
      if (!seen.add(first, second, 0, 0)) return
      const before = this.#rowsOf(first, second, iterator)
      const hasRows = before === 'others' || firstRow(chains!, words, first, second) >= 0
      gained += Number(hasRows) - Number(before !== 'none')
    }
    for (let k = 0; k < changedCount; k++) {
      const at = changed[k]! * layout.stride
      if (changed[k]! < rows && (words[at + statusWord]! & dirty) !== 0) meet(words[at]!, secondPrefixWord(words, at))
    }
    for (let k = 0; k < removedCount; k++) meet(removed[4 * k]!, secondPrefixWord(removed, 4 * k))
    return gained
  }

  #rowsOf(first: number, second: number, iterator: RocksIterator): RowsOfKey {
    if (this.#written === 0) return 'none'
    const { keys, known, read } = this.#store
    this.#prefix[0] = first
    this.#prefix[1] = second
    const prefix = keys.prefix(this.#prefix, 0)
    read(() => iterator._seekSync(prefix))
    let found: RowsOfKey = 'none'
    for (let size = 1; ; size = Math.min(mostAtOnce, size * 4)) {
      const page = read(() => iterator._nextvSync(size, noOptions))
      for (let i = 0; i < page.rows.length; i += 2) {
        const row = page.rows[i]!
        if (!hasPrefix(row, prefix)) return found
        keys.idOfRow(row, this.#id)
        if (!known.has(this.#id[0]!, this.#id[1]!, this.#id[2]!, this.#id[3]!)) return 'others'
        found = 'known'
      }
      if (page.finished) return found
    }
  }
}
