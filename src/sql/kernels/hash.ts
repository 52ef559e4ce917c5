/** Murmur3 and xxHash as Spark has them, and CRC-32. A call folds one value into a running seed; a null leaves the seed as it is. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { DataType } from '../../data/types.ts'
import { type Kernel, kernel } from './kernel.ts'

const encoder = new TextEncoder()

// ---- Murmur3, 32 bits

function mix(h: number, k: number): number {
  k = Math.imul(k, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  h ^= Math.imul(k, 0x1b873593)
  h = (h << 13) | (h >>> 19)
  return (Math.imul(h, 5) + 0xe6546b64) | 0
}
function finish(h: number, length: number): number {
  h ^= length
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
function murmurInt(seed: number, value: number): number {
  return finish(mix(seed, value), 4)
}
function murmurLong(seed: number, value: bigint): number {
  return finish(mix(mix(seed, Number(BigInt.asIntN(32, value))), Number(BigInt.asIntN(32, value >> 32n))), 8)
}
/** Spark takes the bytes after the last whole word one by one, each as an integer. */
function murmurBytes(seed: number, bytes: Uint8Array): number {
  const whole = bytes.length & ~3
  let h = seed
  for (let i = 0; i < whole; i += 4) h = mix(h, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
  for (let i = whole; i < bytes.length; i++) h = mix(h, (bytes[i]! << 24) >> 24)
  return finish(h, bytes.length)
}

// ---- xxHash, 64 bits

const mask = (1n << 64n) - 1n
const p1 = 0x9e3779b185ebca87n
const p2 = 0xc2b2ae3d27d4eb4fn
const p3 = 0x165667b19e3779f9n
const p4 = 0x85ebca77c2b2ae63n
const p5 = 0x27d4eb2f165667c5n
const rotate = (x: bigint, n: bigint) => ((x << n) & mask) | (x >> (64n - n))
const round = (x: bigint, value: bigint) => (rotate((x + value * p2) & mask, 31n) * p1) & mask

function avalanche(h: bigint): bigint {
  h = ((h ^ (h >> 33n)) * p2) & mask
  h = ((h ^ (h >> 29n)) * p3) & mask
  return BigInt.asIntN(64, h ^ (h >> 32n))
}
function xxInt(seed: bigint, value: number): bigint {
  let h = (BigInt.asUintN(64, seed) + p5 + 4n) & mask
  h ^= (BigInt(value >>> 0) * p1) & mask
  return avalanche((rotate(h, 23n) * p2 + p3) & mask)
}
function xxLong(seed: bigint, value: bigint): bigint {
  let h = (BigInt.asUintN(64, seed) + p5 + 8n) & mask
  h ^= round(0n, BigInt.asUintN(64, value))
  return avalanche((rotate(h, 27n) * p1 + p4) & mask)
}
function xxBytes(signed: bigint, bytes: Uint8Array): bigint {
  const seed = BigInt.asUintN(64, signed)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = bytes.length
  let at = 0
  let h: bigint
  if (end >= 32) {
    const v = [(seed + p1 + p2) & mask, (seed + p2) & mask, seed, (seed - p1) & mask]
    for (; at <= end - 32; at += 32) for (let i = 0; i < 4; i++) v[i] = round(v[i]!, view.getBigUint64(at + 8 * i, true))
    h = (rotate(v[0]!, 1n) + rotate(v[1]!, 7n) + rotate(v[2]!, 12n) + rotate(v[3]!, 18n)) & mask
    for (const each of v) h = ((h ^ round(0n, each)) * p1 + p4) & mask
  } else h = (seed + p5) & mask
  h = (h + BigInt(end)) & mask
  for (; at <= end - 8; at += 8) h = (rotate(h ^ round(0n, view.getBigUint64(at, true)), 27n) * p1 + p4) & mask
  if (at <= end - 4) {
    h = (rotate(h ^ ((BigInt(view.getUint32(at, true)) * p1) & mask), 23n) * p2 + p3) & mask
    at += 4
  }
  for (; at < end; at++) h = (rotate(h ^ ((BigInt(bytes[at]!) * p5) & mask), 11n) * p1) & mask
  return avalanche(h)
}

// ---- values of every type

interface Hash<S> {
  readonly int: (seed: S, value: number) => S
  readonly long: (seed: S, value: bigint) => S
  readonly bytes: (seed: S, bytes: Uint8Array) => S
}
const murmur: Hash<number> = { int: murmurInt, long: murmurLong, bytes: murmurBytes }
const xx: Hash<bigint> = { int: xxInt, long: xxLong, bytes: xxBytes }

const view = new DataView(new ArrayBuffer(8))
function floatBits(value: number): number {
  view.setFloat32(0, Object.is(value, -0) ? 0 : Number.isNaN(value) ? NaN : value)
  return view.getInt32(0)
}
function doubleBits(value: number): bigint {
  view.setFloat64(0, Object.is(value, -0) ? 0 : Number.isNaN(value) ? NaN : value)
  return view.getBigInt64(0)
}
/** The bytes of Java's BigInteger: as few as hold the number with its sign, most significant first. */
function bigIntegerBytes(value: bigint): Uint8Array {
  let length = 1
  while (BigInt.asIntN(8 * length, value) !== value) length++
  const hex = BigInt.asUintN(8 * length, value)
    .toString(16)
    .padStart(2 * length, '0')
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

/** One value of an array or struct, as text after a letter that says what it is. */
function token<S>(hash: Hash<S>, seed: S, text: string): S {
  const value = text.slice(1)
  switch (text[0]) {
    case 'i':
      return hash.int(seed, Number(value))
    case 'l':
      return hash.long(seed, BigInt(value))
    case 'f':
      return hash.int(seed, floatBits(floatOf(value)))
    case 'd':
      return hash.long(seed, doubleBits(floatOf(value)))
    case 'n':
      return hash.bytes(seed, bigIntegerBytes(BigInt(value)))
    case 'x':
      return hash.bytes(seed, Uint8Array.from(Buffer.from(value, 'hex')))
    default:
      return hash.bytes(seed, encoder.encode(value))
  }
}
function floatOf(text: string): number {
  return text === 'nan' ? NaN : text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text)
}

function family<S>(name: string, seedType: DataType, hash: Hash<S>): readonly Kernel[] {
  // biome-ignore lint/suspicious/noExplicitAny: values of the type that is named beside it
  const fold = (kind: string, type: DataType, step: (seed: S, value: any) => S): Kernel =>
    kernel(`${name}_${kind}`, [seedType, type], seedType, (seed: S, value: unknown) => (value === null ? seed : step(seed, value)), {
      seesNulls: true,
    })
  return [
    fold('int', 'int', hash.int),
    fold('long', 'long', hash.long),
    fold('float', 'float', (seed, value: number) => hash.int(seed, floatBits(value))),
    fold('double', 'double', (seed, value: number) => hash.long(seed, doubleBits(value))),
    fold('text', 'string', (seed, value: string) => hash.bytes(seed, encoder.encode(value))),
    fold('bytes', 'binary', hash.bytes),
    fold('number', 'string', (seed, digits: string) => hash.bytes(seed, bigIntegerBytes(BigInt(digits)))),
    fold('nested', { kind: 'array', element: 'string', containsNull: true }, (seed, tokens: readonly (string | null)[]) =>
      tokens.reduce<S>((h, text) => (text === null ? h : token(hash, h, text)), seed),
    ),
  ]
}

const digest = (name: string) => kernel(name, ['binary'], 'string', (bytes: Uint8Array) => createHash(name).update(bytes).digest('hex'))

export const hash: readonly Kernel[] = [
  ...family('murmur3', 'int', murmur),
  ...family('xxhash64', 'long', xx),
  kernel('crc32', ['binary'], 'long', (bytes: Uint8Array) => BigInt(crc32(bytes))),
  digest('sha224'),
  digest('sha384'),
  digest('sha512'),
]
