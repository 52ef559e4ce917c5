/** Thrift's compact protocol, as much of it as Parquet's metadata needs: i32, i64, bool, text, lists, structs. */

/** A value with its type. A struct's fields are in ascending order of their ids. */
export type ThriftValue =
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'byte' | 'i32' | 'i64'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'list'; readonly of: ThriftValue['kind']; readonly items: readonly ThriftValue[] }
  | { readonly kind: 'struct'; readonly fields: readonly (readonly [id: number, value: ThriftValue])[] }

export const byte = (value: number): ThriftValue => ({ kind: 'byte', value })
export const i32 = (value: number): ThriftValue => ({ kind: 'i32', value })
export const i64 = (value: number): ThriftValue => ({ kind: 'i64', value })
export const bool = (value: boolean): ThriftValue => ({ kind: 'bool', value })
export const text = (value: string): ThriftValue => ({ kind: 'text', value })
export const list = (of: ThriftValue['kind'], items: readonly ThriftValue[]): ThriftValue => ({ kind: 'list', of, items })
/** Fields that are undefined are left out. */
export function struct(...fields: readonly (readonly [id: number, value: ThriftValue | undefined])[]): ThriftValue {
  return { kind: 'struct', fields: fields.filter((field): field is readonly [number, ThriftValue] => field[1] !== undefined) }
}

const codes = { bool: 1, byte: 3, i32: 5, i64: 6, text: 8, list: 9, struct: 12 } as const

export function encodeThrift(value: ThriftValue): Uint8Array {
  const out: number[] = []
  put(out, value)
  return Uint8Array.from(out)
}

function put(out: number[], value: ThriftValue): void {
  switch (value.kind) {
    case 'bool':
      out.push(value.value ? 1 : 2)
      break
    case 'byte':
      out.push(value.value & 0xff)
      break
    case 'i32':
    case 'i64':
      putVarint(out, value.value >= 0 ? value.value * 2 : -value.value * 2 - 1)
      break
    case 'text': {
      const bytes = Buffer.from(value.value, 'utf8')
      putVarint(out, bytes.length)
      for (const item of bytes) out.push(item)
      break
    }
    case 'list':
      if (value.items.length < 15) out.push((value.items.length << 4) | codes[value.of])
      else {
        out.push(0xf0 | codes[value.of])
        putVarint(out, value.items.length)
      }
      for (const item of value.items) put(out, item)
      break
    case 'struct':
      putFields(out, value.fields)
  }
}

function putFields(out: number[], fields: readonly (readonly [number, ThriftValue])[]): void {
  let last = 0
  for (const [id, value] of fields) {
    // ids rise by at most 15 here; a bool's value is its type
    const type = value.kind === 'bool' ? (value.value ? 1 : 2) : codes[value.kind]
    out.push(((id - last) << 4) | type)
    if (value.kind !== 'bool') put(out, value)
    last = id
  }
  out.push(0)
}

/** Numbers up to 2^53: shifts would cut them at 32 bits. */
export function putVarint(out: number[], value: number): void {
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128)
  out.push(rest)
}

/** A struct that was read: its values by field id. */
export type ThriftStruct = ReadonlyMap<number, unknown>

/** Reads the struct at `at`. RangeError or Error where the bytes are none. Integers come as numbers, text as Uint8Array. */
export function decodeThrift(bytes: Uint8Array, at = 0): { readonly value: ThriftStruct; readonly end: number } {
  const cursor = { bytes, at }
  return { value: takeStruct(cursor), end: cursor.at }
}

interface Cursor {
  readonly bytes: Uint8Array
  at: number
}

function takeStruct(cursor: Cursor): ThriftStruct {
  const fields = new Map<number, unknown>()
  for (let id = 0; ; ) {
    const head = takeByte(cursor)
    if (head === 0) return fields
    id = head >> 4 === 0 ? unzigzag(takeVarint(cursor)) : id + (head >> 4)
    const type = head & 15
    fields.set(id, type === 1 || type === 2 ? type === 1 : take(cursor, type))
  }
}
function take(cursor: Cursor, type: number): unknown {
  switch (type) {
    case 1:
    case 2:
      return takeByte(cursor) === 1
    case 3:
      return (takeByte(cursor) << 24) >> 24
    case 4:
    case 5:
    case 6:
      return unzigzag(takeVarint(cursor))
    case 7:
      return takeBytes(cursor, 8)
    case 8:
      return takeBytes(cursor, takeVarint(cursor))
    case 9:
    case 10: {
      const head = takeByte(cursor)
      const size = head >> 4 === 15 ? takeVarint(cursor) : head >> 4
      if (size > cursor.bytes.length) throw new RangeError(`a list of ${size} items`)
      return Array.from({ length: size }, () => take(cursor, head & 15))
    }
    case 12:
      return takeStruct(cursor)
    default:
      throw new Error(`thrift type ${type}`)
  }
}
function takeByte(cursor: Cursor): number {
  const value = cursor.bytes[cursor.at++]
  if (value === undefined) throw new RangeError('the metadata ends too early')
  return value
}
function takeBytes(cursor: Cursor, count: number): Uint8Array {
  if (cursor.at + count > cursor.bytes.length) throw new RangeError('the metadata ends too early')
  cursor.at += count
  return cursor.bytes.subarray(cursor.at - count, cursor.at)
}
function takeVarint(cursor: Cursor): number {
  let value = 0
  for (let scale = 1; ; scale *= 128) {
    const item = takeByte(cursor)
    value += (item & 127) * scale
    if (item < 128) return value
  }
}
function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
