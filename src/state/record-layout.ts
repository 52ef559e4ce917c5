import { type Column, columnKind } from '../data/column-batch.ts'
import { isYearMonth } from '../data/intervals.ts'
import { eventTimeIndex, type StateSchema } from '../data/state-schema.ts'
import type { DataType } from '../data/types.ts'

/**
 * A row of state is one record of 32-bit words, so that touching a row of a large state costs one or two lines of the processor's cache instead of one
 * for each column:
 *
 *     0-3  key id · 4…  status bits, then a null bit for each nullable column · 8-byte columns · 4-byte columns · calendar links · chain links
 *
 * Strings and binary hold (offset, length) into the group's heap; boolean, byte and short are widened to a word. 'values' columns are
 * JavaScript values, which no record can hold: they lie in an array beside.
 */
export interface RecordLayout {
  /** Words of a record; even, so that 8-byte columns can be seen as doubles. */
  readonly stride: number
  /** Keys, then values. */
  readonly columns: readonly ColumnLayout[]
  /** Where the event time lies, -1 without one; its null bit as in ColumnLayout. */
  readonly eventTime: ColumnLayout | null
  /** The two words of the calendar; only with an event time. */
  readonly links: number
  /** The two words of the chain of a key's rows, -1 where a key has one row. */
  readonly chain: number
  /** The 'bytes' columns' offsets. */
  readonly strings: readonly number[]
  /** How many columns are 'values'. */
  readonly valuesCount: number
}

/** pair: 8 bytes · word: an integer of up to 32 bits · float · bytes: offset and length · values: index among the 'values' columns. */
export type Storage = 'pair' | 'word' | 'float' | 'bytes' | 'values'

export interface ColumnLayout {
  readonly type: DataType
  readonly storage: Storage
  /** The column's first word in the record; for 'values' the number of its array. */
  readonly offset: number
  /** The word with its null bit, and the bit; 0 where the column is not nullable. Always 0 for 'values', which hold null themselves. */
  readonly nullWord: number
  readonly nullBit: number
}

export const statusWord = 4
/** Status bits: the row changed since the last commit; the row was met in this merge; the local database has the row under the same event time. */
export const dirty = 1
export const seen = 2
export const loaded = 4
const statusBits = 3
export const statusMask = (1 << statusBits) - 1

export function layoutOf(schema: StateSchema): RecordLayout {
  const columns = [...schema.keys, ...schema.values]
  const storages = columns.map(({ type }) => storageOf(type))
  const nullables = columns.map(({ nullable }, c) => nullable && storages[c] !== 'values')
  const statusWords = Math.ceil((statusBits + nullables.filter(Boolean).length) / 32)
  const offsets = new Map<number, number>()
  let end = statusWord + statusWords
  const place = (fits: (storage: Storage) => boolean, words: number, atMost = Infinity) => {
    for (let c = 0, placed = 0; c < columns.length && placed < atMost; c++) {
      if (offsets.has(c) || !fits(storages[c]!)) continue
      offsets.set(c, end)
      end += words
      placed++
    }
  }
  const isWord = (storage: Storage) => storage === 'word' || storage === 'float'
  if (end % 2 === 1) place(isWord, 1, 1)
  if (end % 2 === 1 && storages.includes('pair')) end++
  place((storage) => storage === 'pair', 2)
  place((storage) => storage === 'bytes', 2)
  place(isWord, 1)
  const links = end
  if (schema.eventTime !== null) end += 2
  const chain = schema.rowsPerKey === 'many' ? end : -1
  if (chain >= 0) end += 2
  const eventTime = eventTimeIndex(schema)
  let nulls = statusBits
  let values = 0
  const layouts = columns.map(({ type }, c): ColumnLayout => {
    const bit = nullables[c] ? nulls++ : -1
    return {
      type,
      storage: storages[c]!,
      offset: storages[c] === 'values' ? values++ : offsets.get(c)!,
      nullWord: bit < 0 ? 0 : statusWord + (bit >> 5),
      nullBit: bit < 0 ? 0 : 1 << (bit & 31),
    }
  })
  return {
    stride: end + (end % 2),
    columns: layouts,
    links,
    chain,
    eventTime: eventTime === undefined ? null : layouts[eventTime]!,
    strings: layouts.filter((layout) => layout.storage === 'bytes').map((layout) => layout.offset),
    valuesCount: values,
  }
}

function storageOf(type: DataType): Storage {
  const kind = columnKind(type)
  if (kind !== 'fixed') return kind
  if (isYearMonth(type)) return 'word'
  switch (type) {
    case 'boolean':
    case 'byte':
    case 'short':
    case 'int':
    case 'date':
      return 'word'
    case 'float':
      return 'float'
    default:
      return 'pair'
  }
}

/** A column of a batch as the loops read it. */
export interface SourceColumn {
  readonly storage: Storage
  readonly valid: Uint8Array | null
  /** pair: two a row, little-endian · word, float: one a row. */
  readonly words: Int32Array
  /** double: the values; else empty. */
  readonly doubles: Float64Array
  readonly floats: Float32Array
  readonly offsets: Uint32Array
  readonly heap: Uint8Array
  readonly values: readonly unknown[]
}
const nothing = {
  words: new Int32Array(0),
  doubles: new Float64Array(0),
  floats: new Float32Array(0),
  offsets: new Uint32Array(0),
  heap: new Uint8Array(0),
  values: [],
}

export function sourceColumn(column: Column): SourceColumn {
  if (column.kind === 'values') return { ...nothing, storage: 'values', valid: null, values: column.values }
  if (column.kind === 'bytes') return { ...nothing, storage: 'bytes', valid: column.valid, offsets: column.offsets, heap: column.heap }
  const { data, valid } = column
  if (data instanceof Float32Array) return { ...nothing, storage: 'float', valid, words: wordsOf(data), floats: data }
  if (data instanceof Float64Array) return { ...nothing, storage: 'pair', valid, words: wordsOf(data), doubles: data }
  if (data instanceof BigInt64Array) return { ...nothing, storage: 'pair', valid, words: wordsOf(data) }
  return { ...nothing, storage: 'word', valid, words: data instanceof Int32Array ? data : Int32Array.from(data) }
}

/** The same memory as 32-bit words. */
export function wordsOf(data: BigInt64Array | Float64Array | Float32Array | Uint32Array | Int32Array): Int32Array {
  return new Int32Array(data.buffer, data.byteOffset, data.byteLength >> 2)
}
