/** Deletion vectors: which rows of a data file are gone, as Roaring bitmaps in their portable form. */
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Files } from '../base/files.ts'
import type { DeletionVectorDescriptor } from './actions.ts'
import { damagedLog } from './errors.ts'
import { pathOf } from './paths.ts'

/** The numbers of the deleted rows, rising. */
export async function readDeletionVector(files: Files, table: string, vector: DeletionVectorDescriptor): Promise<number[]> {
  const bits = vector.storageType === 'i' ? decodeBase85(vector.pathOrInlineDv, vector.sizeInBytes) : await readStored(files, table, vector)
  const rows = decodeBitmaps(table, bits)
  if (rows.length !== vector.cardinality)
    throw damagedLog(
      'DELTA_DELETION_VECTOR_CARDINALITY_MISMATCH',
      table,
      `a deletion vector has ${rows.length} rows, and the log says ${vector.cardinality}`,
    )
  return rows
}

async function readStored(files: Files, table: string, vector: DeletionVectorDescriptor): Promise<Uint8Array> {
  const path = vectorPath(table, vector)
  const content = await files.read(path).catch((cause: unknown) => {
    throw damagedLog('DELTA_DELETION_VECTOR_MISSING', table, `the deletion vector ${path} can't be read`, cause)
  })
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  const at = vector.offset ?? 0
  const size = at + 4 <= content.length ? view.getInt32(at) : -1
  if (size !== vector.sizeInBytes || at + 8 + size > content.length)
    throw damagedLog(
      'DELTA_DELETION_VECTOR_SIZE_MISMATCH',
      table,
      `the deletion vector at byte ${at} of ${path} has ${size} bytes, and the log says ${vector.sizeInBytes}`,
    )
  const bits = content.subarray(at + 4, at + 4 + size)
  if (crc32(bits) !== view.getUint32(at + 4 + size))
    throw damagedLog(
      'DELTA_DELETION_VECTOR_CHECKSUM_MISMATCH',
      table,
      `the deletion vector at byte ${at} of ${path} has another checksum than it was written with`,
    )
  return bits
}

/** Where a vector that is stored in a file lies. */
export function vectorPath(table: string, { storageType, pathOrInlineDv }: DeletionVectorDescriptor): string {
  if (storageType === 'p') return pathOf(table, pathOrInlineDv)
  // the last 20 characters are a UUID, what stands before them a folder
  const prefix = pathOrInlineDv.slice(0, -20)
  const hex = Buffer.from(decodeBase85(pathOrInlineDv.slice(-20), 16)).toString('hex')
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  return join(table, prefix, `deletion_vector_${uuid}.bin`)
}

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'
/** Z85: five characters for each four bytes, big end first. */
export function decodeBase85(text: string, bytes: number): Uint8Array {
  const out = new Uint8Array(Math.ceil(text.length / 5) * 4)
  const view = new DataView(out.buffer)
  for (let i = 0; i < text.length; i += 5) {
    let value = 0
    for (let k = 0; k < 5; k++) value = value * 85 + alphabet.indexOf(text[i + k]!)
    view.setUint32((i / 5) * 4, value)
  }
  return out.subarray(0, bytes)
}

/** The other way: four bytes, big end first, as five characters; of a multiple of four bytes. */
function encodeBase85(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let text = ''
  for (let at = 0; at < bytes.length; at += 4) {
    let value = view.getUint32(at)
    let part = ''
    for (let k = 0; k < 5; k++) {
      part = alphabet[value % 85] + part
      value = Math.floor(value / 85)
    }
    text += part
  }
  return text
}

/** A file of vectors by the id that it is named for: its name in the table's folder, and what a descriptor says of it. */
export function vectorFile(id: string): { readonly name: string; readonly pathOrInlineDv: string } {
  return { name: `deletion_vector_${id}.bin`, pathOrInlineDv: encodeBase85(Buffer.from(id.replaceAll('-', ''), 'hex')) }
}

/** Rows (rising) as they stand in a file of vectors: size, bitmaps, checksum. `sizeInBytes` is that of the bitmaps. */
export function encodeDeletionVector(rows: Float64Array): { readonly stored: Uint8Array; readonly sizeInBytes: number } {
  const bits = encodeBitmaps(rows)
  const stored = Buffer.alloc(bits.length + 8)
  stored.writeInt32BE(bits.length)
  stored.set(bits, 4)
  stored.writeUInt32BE(crc32(bits), bits.length + 4)
  return { stored, sizeInBytes: bits.length }
}

function encodeBitmaps(rows: Float64Array): Uint8Array {
  const byHigh = Map.groupBy(rows, (row) => Math.floor(row / 4294967296))
  const head = Buffer.alloc(12)
  head.writeInt32LE(portableMagic)
  head.writeBigInt64LE(BigInt(byHigh.size), 4)
  const parts: Uint8Array[] = [head]
  for (const [high, own] of byHigh) {
    const key = Buffer.alloc(4)
    key.writeUInt32LE(high)
    parts.push(key, encodeRoaring(own.map((row) => row % 4294967296)))
  }
  return Buffer.concat(parts)
}

/** One bitmap without runs: up to 4,096 numbers of a container one by one, of more a bit for each. */
function encodeRoaring(numbers: readonly number[]): Buffer {
  const containers = [...Map.groupBy(numbers, (number) => Math.floor(number / 65536))]
  const head = Buffer.alloc(8 + 8 * containers.length)
  head.writeUInt32LE(cookieWithoutRuns)
  head.writeUInt32LE(containers.length, 4)
  const bodies: Buffer[] = []
  let offset = head.length
  for (const [i, [key, own]] of containers.entries()) {
    head.writeUInt16LE(key, 8 + 4 * i)
    head.writeUInt16LE(own.length - 1, 10 + 4 * i)
    head.writeUInt32LE(offset, 8 + 4 * containers.length + 4 * i)
    const body = own.length <= 4096 ? Buffer.alloc(2 * own.length) : Buffer.alloc(8192)
    for (const [k, number] of own.entries()) {
      const low = number % 65536
      if (own.length <= 4096) body.writeUInt16LE(low, 2 * k)
      else body[low >> 3]! |= 1 << (low & 7)
    }
    bodies.push(body)
    offset += body.length
  }
  return Buffer.concat([head, ...bodies])
}

const portableMagic = 1681511377

/** Bitmaps of 32 bits each, one for each upper half of a row number. */
function decodeBitmaps(table: string, bits: Uint8Array): number[] {
  const view = new DataView(bits.buffer, bits.byteOffset, bits.byteLength)
  const rows: number[] = []
  try {
    if (view.getInt32(0, true) !== portableMagic) throw new Error(`it begins with ${view.getInt32(0, true)}`)
    const count = Number(view.getBigInt64(4, true))
    let at = 12
    for (let i = 0; i < count; i++) {
      const high = view.getUint32(at, true) * 4294967296
      at = decodeRoaring(view, at + 4, high, rows)
    }
  } catch (cause) {
    throw damagedLog('DELTA_DELETION_VECTOR_INVALID', table, 'a deletion vector is no portable Roaring bitmap', cause)
  }
  return rows
}

const cookieWithRuns = 12347
const cookieWithoutRuns = 12346
const offsetsFrom = 4

/** Appends the numbers of one bitmap and gives where it ends. */
function decodeRoaring(view: DataView, from: number, high: number, rows: number[]): number {
  let at = from
  const cookie = view.getUint32(at, true)
  at += 4
  const hasRuns = (cookie & 0xffff) === cookieWithRuns
  if (!hasRuns && cookie !== cookieWithoutRuns) throw new Error(`a bitmap begins with ${cookie}`)
  const containers = hasRuns ? (cookie >>> 16) + 1 : view.getUint32(at, true)
  if (!hasRuns) at += 4
  const runFlags = at
  if (hasRuns) at += Math.ceil(containers / 8)
  const headers = at
  at += 4 * containers
  if (!hasRuns || containers >= offsetsFrom) at += 4 * containers
  for (let i = 0; i < containers; i++) {
    const base = high + view.getUint16(headers + 4 * i, true) * 65536
    const cardinality = view.getUint16(headers + 4 * i + 2, true) + 1
    if (hasRuns && (view.getUint8(runFlags + (i >> 3)) >> (i & 7)) & 1) at = decodeRuns(view, at, base, rows)
    else if (cardinality <= 4096) {
      for (let k = 0; k < cardinality; k++) rows.push(base + view.getUint16(at + 2 * k, true))
      at += 2 * cardinality
    } else {
      for (let byte = 0; byte < 8192; byte++) {
        const set = view.getUint8(at + byte)
        for (let bit = 0; bit < 8; bit++) if ((set >> bit) & 1) rows.push(base + 8 * byte + bit)
      }
      at += 8192
    }
  }
  return at
}
function decodeRuns(view: DataView, from: number, base: number, rows: number[]): number {
  const runs = view.getUint16(from, true)
  let at = from + 2
  for (let i = 0; i < runs; i++, at += 4) {
    const start = view.getUint16(at, true)
    const more = view.getUint16(at + 2, true)
    for (let k = 0; k <= more; k++) rows.push(base + start + k)
  }
  return at
}
