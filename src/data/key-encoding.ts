/**
 * A key's identity: md5 over (the checkpoint's salt, the canonical encoding of the key columns). This file and planner/key-encoding-sql.ts are the
 * two implementations of one format, which never changes within a checkpoint: what a key is called in state, in memory and on disk hangs on it.
 *
 * The encoding is text (UTF-8), one piece a column, one after the other:
 *
 * | value                        | piece                                                                                      |
 * | null                         | ~                                                                                          |
 * | boolean                      | t or f                                                                                     |
 * | byte, short, int, long       | decimal digits, then ;                        7;   -12;                                    |
 * | float, double                | the 64 bits of the number as a double, read as an unsigned integer, in decimal digits, then ; |
 * |                              | -0.0 counts as 0.0, every NaN as 0x7ff8000000000000; a float is widened first              |
 * | decimal                      | plain notation without zeros at the end of the fraction, then ;     1.5;   0.25;   -3;     |
 * | date                         | days since 1970-01-01, then ;                                                              |
 * | timestamp, timestamp_ntz     | microseconds since 1970-01-01 00:00, then ;                                                |
 * | string                       | its length in bytes of UTF-8, then :, then the string        3:abc   0:                    |
 * | binary                       | its length in bytes, then :, then two hexadecimal digits (upper case) a byte    2:00FF     |
 * | array                        | the number of its elements, then [, then the piece of each element      2[1;~              |
 * | struct                       | (, then the piece of each field                                        (1;3:abc            |
 *
 * Columns have fixed types, and every piece says where it ends, so two keys have one encoding only if they are equal. Numbers are encoded by value,
 * not by width: a key column may be widened (int to long, float to double, a decimal's precision or scale) and its keys keep their identity.
 *
 * The identity is the 128-bit integer that DuckDB's md5_number gives: the 16 bytes of md5(salt || encoding) read as a LITTLE-endian number. It is kept as
 * 4 words of 32 bits, most significant first: word 0 is bytes 12–15 of the digest read little-endian, word 3 bytes 0–3.
 * The key group is word 0 modulo the number of groups.
 */
import { createHash } from 'node:crypto'
import { InvalidQueryError } from '../base/errors.ts'
import { type DataType, typeText } from './types.ts'

/**
 * A value as it is encoded: null · boolean · number or bigint for byte, short, int, long, date (days), timestamps (µs) · number for float, double ·
 * `{unscaled, scale}` for decimal · string · Uint8Array · an array for arrays, and for structs its fields in order.
 */
export type KeyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | { readonly unscaled: bigint; readonly scale: number }
  | readonly KeyValue[]

/** The canonical encoding of a key's columns. InvalidQueryError GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE for maps, which have none. */
export function encodeKey(types: readonly DataType[], values: readonly KeyValue[]): string {
  return types.map((type, i) => encodeValue(type, values[i]!)).join('')
}

function encodeValue(type: DataType, value: KeyValue): string {
  if (value === null) return '~'
  if (typeof type === 'string') return encodeSimple(type, value)
  switch (type.kind) {
    case 'decimal':
      return `${decimalDigits(value as { unscaled: bigint; scale: number })};`
    case 'array':
      return `${(value as KeyValue[]).length}[${(value as KeyValue[]).map((element) => encodeValue(type.element, element)).join('')}`
    case 'struct':
      return `(${type.fields.map((field, i) => encodeValue(field.type, (value as KeyValue[])[i]!)).join('')}`
    case 'map':
      throw notAKey(type)
  }
}

function encodeSimple(type: Extract<DataType, string>, value: KeyValue): string {
  switch (type) {
    case 'boolean':
      return value ? 't' : 'f'
    case 'float':
    case 'double':
      return `${doubleBits(Number(value))};`
    case 'string':
      return `${Buffer.byteLength(value as string)}:${value as string}`
    case 'binary':
      return `${(value as Uint8Array).length}:${Buffer.from(value as Uint8Array)
        .toString('hex')
        .toUpperCase()}`
    case 'void':
      return '~'
    default:
      return `${value as number | bigint};`
  }
}

/** Says that values of a type can't be told apart as keys. */
export function notAKey(type: DataType): InvalidQueryError {
  return new InvalidQueryError('GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE', {
    what: `a value of type ${typeText(type)} can't be a key: a map has no order`,
    todo: 'use entries of the map as keys',
  })
}

const bits = new DataView(new ArrayBuffer(8))
function doubleBits(value: number): bigint {
  if (Number.isNaN(value)) return 0x7ff8000000000000n
  bits.setFloat64(0, value === 0 ? 0 : value)
  return bits.getBigUint64(0)
}

function decimalDigits({ unscaled, scale }: { readonly unscaled: bigint; readonly scale: number }): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const fraction = scale === 0 ? '' : digits.slice(-scale).replace(/0+$/, '')
  return `${unscaled < 0n ? '-' : ''}${scale === 0 ? digits : digits.slice(0, -scale)}${fraction === '' ? '' : `.${fraction}`}`
}

/** The identity of an encoded key: 4 words, most significant first. */
export function keyIdOf(salt: string, encoded: string): Uint32Array {
  const digest = createHash('md5').update(salt).update(encoded).digest()
  return Uint32Array.of(digest.readUInt32LE(12), digest.readUInt32LE(8), digest.readUInt32LE(4), digest.readUInt32LE(0))
}

/** Which of `groups` key groups an identity belongs to. */
export function keyGroupOf(words: Uint32Array, groups: number): number {
  return words[0]! % groups
}
