/**
 * Keys of the database on this machine. Numbers stand most significant byte first, so that keys sort by them:
 *
 *     a row                       2s     · key group (4) · identity (16)
 *     a row of several to a key   2s     · key group (4) · the key's first 64 bits (8) · row number (8)
 *     rows that may expire then   2s + 1 · event time with its sign turned (8) · number of the entry (8)
 *     what the database holds     255
 *
 * where s is the place of the store among those of the query. Rows of a key group lie together, as do the rows of one key in it, and what has expired
 * lies at the beginning.
 */
import type { RecordLayout } from './record-layout.ts'
import { mixRowNumber, secondPrefixWord } from './row-id.ts'

export const rowKeyBytes = 21
export const timeKeyBytes = 17
/** What rows of one key have in common. Only keys at least that long are looked up in the database's filters by prefix. */
export const prefixBytes = 13
/** Stores that a database has room for. */
export const maxStores = 127
export const metaKey = Buffer.from([255])

export class LocalKeys {
  readonly #place: number
  readonly #keyGroups: number
  readonly #hasMany: boolean
  readonly #row = Buffer.alloc(rowKeyBytes)
  readonly #time = Buffer.alloc(timeKeyBytes)

  constructor(place: number, keyGroups: number, { chain }: RecordLayout) {
    this.#place = place
    this.#keyGroups = keyGroups
    this.#hasMany = chain >= 0
  }

  /** The key of the row whose identity begins at word `at`; valid until the next call unless it goes into a buffer of the caller's. */
  row(ids: Int32Array | Uint32Array, at: number, out: Uint8Array = this.#row): Uint8Array {
    out[0] = 2 * this.#place
    putWord(out, 1, (ids[at]! >>> 0) % this.#keyGroups)
    putWord(out, 5, ids[at]!)
    if (this.#hasMany) {
      putWord(out, 9, secondPrefixWord(ids, at))
      putWord(out, 13, ids[at + 3]!)
      putWord(out, 17, ids[at + 2]!)
    } else for (let word = 1; word < 4; word++) putWord(out, 5 + 4 * word, ids[at + word]!)
    return out
  }
  /** The identity in the key of a row. */
  idOfRow(key: Uint8Array, out: Int32Array): void {
    out[0] = wordAt(key, 5)
    if (this.#hasMany) {
      out[2] = wordAt(key, 17)
      out[3] = wordAt(key, 13)
      out[1] = wordAt(key, 9) ^ mixRowNumber(out[2]!, out[3]!)
    } else for (let word = 1; word < 4; word++) out[word] = wordAt(key, 5 + 4 * word)
  }
  /** What the rows of a key begin with; valid until the next call. */
  prefix(keyIds: Int32Array | Uint32Array, at: number): Uint8Array {
    const out = this.#row
    out[0] = 2 * this.#place
    putWord(out, 1, (keyIds[at]! >>> 0) % this.#keyGroups)
    putWord(out, 5, keyIds[at]!)
    putWord(out, 9, keyIds[at + 1]!)
    return out.subarray(0, prefixBytes)
  }
  /** Where the rows of a key group begin; that of the group behind the last one is where they end. */
  group(number: number): Uint8Array {
    const out = Buffer.alloc(5)
    out[0] = 2 * this.#place
    putWord(out, 1, number)
    return out
  }

  /** The key of some rows of one event time; valid until the next call. */
  time(time: bigint, entry: number): Uint8Array {
    this.#time.set(this.fromTime(time))
    this.#time.writeBigUInt64BE(BigInt(entry), 9)
    return this.#time
  }
  /** Where the entries of an event time begin. */
  fromTime(time: bigint): Uint8Array {
    const out = Buffer.alloc(9)
    out[0] = 2 * this.#place + 1
    out.writeBigUInt64BE(BigInt.asUintN(64, time) ^ 0x8000_0000_0000_0000n, 1)
    return out
  }
  get firstTime(): Uint8Array {
    return Buffer.from([2 * this.#place + 1])
  }
  get behindTimes(): Uint8Array {
    return Buffer.from([2 * this.#place + 2])
  }
  timeOf(key: Uint8Array): bigint {
    return BigInt.asIntN(64, (BigInt(wordAt(key, 1) >>> 0) << 32n) | BigInt(wordAt(key, 5) >>> 0)) ^ -0x8000_0000_0000_0000n
  }
}

/** Whether a key begins with what `LocalKeys.prefix` gave. */
export function hasPrefix(key: Uint8Array, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefixBytes; i++) if (key[i] !== prefix[i]) return false
  return true
}

function putWord(out: Uint8Array, at: number, word: number): void {
  out[at] = word >>> 24
  out[at + 1] = word >>> 16
  out[at + 2] = word >>> 8
  out[at + 3] = word
}
function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
