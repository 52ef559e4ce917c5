/**
 * A HyperLogLog of 2^p registers as bytes. All of them are printable, so that SQL can read the sketch as text:
 *
 *     '1' (the format) · '0' + p · 'S' or 'D' · the registers
 *
 * D, dense: a byte for each register, '0' + its value. S, sparse: 4 bytes for each register that is not 0, in the order of the registers: its number as three
 * digits of base 64 counted from '0', then '0' + its value; at most a quarter of the registers, so that it is never longer than the dense form.
 * What comes from a batch is sparse, in any order and with registers that stand there several times.
 * A register holds the greatest rank (1 + the zeros at the front of a hash's last 64 - p bits) of all values whose hash begins with its number.
 */
import { InternalError } from '../base/errors.ts'

const zero = 48
const header = 3
const sparse = 83
const dense = 68

/** The sketch of all values of both; `a` may be missing. */
export function mergeSketches(a: Uint8Array | null, b: Uint8Array): Uint8Array {
  const p = precisionOf(b)
  if (a !== null && precisionOf(a) !== p) throw unreadable(a)
  const registers = new Uint8Array(2 ** p)
  if (a !== null) raise(registers, a)
  raise(registers, b)
  return encode(registers, p)
}

function precisionOf(sketch: Uint8Array): number {
  const p = sketch[1]! - zero
  const form = sketch[2]
  const known = sketch[0] === zero + 1 && p >= 4 && p <= 18 && (form === sparse || form === dense)
  if (!known || (form === dense ? sketch.length !== header + 2 ** p : (sketch.length - header) % 4 !== 0)) throw unreadable(sketch)
  return p
}

function raise(registers: Uint8Array, sketch: Uint8Array): void {
  if (sketch[2] === dense) {
    for (let i = 0; i < registers.length; i++) if (sketch[header + i]! - zero > registers[i]!) registers[i] = sketch[header + i]! - zero
    return
  }
  for (let at = header; at < sketch.length; at += 4) {
    const register = ((sketch[at]! - zero) << 12) | ((sketch[at + 1]! - zero) << 6) | (sketch[at + 2]! - zero)
    const rank = sketch[at + 3]! - zero
    if (register >= registers.length) throw unreadable(sketch)
    if (rank > registers[register]!) registers[register] = rank
  }
}

function encode(registers: Uint8Array, p: number): Uint8Array {
  let used = 0
  for (const rank of registers) if (rank > 0) used++
  const isSparse = 4 * used <= registers.length
  const out = new Uint8Array(header + (isSparse ? 4 * used : registers.length))
  out.set([zero + 1, zero + p, isSparse ? sparse : dense])
  for (let i = 0, at = header; i < registers.length; i++) {
    const rank = registers[i]!
    if (!isSparse) out[at++] = zero + rank
    else if (rank > 0) {
      out[at++] = zero + (i >> 12)
      out[at++] = zero + ((i >> 6) & 63)
      out[at++] = zero + (i & 63)
      out[at++] = zero + rank
    }
  }
  return out
}

function unreadable(sketch: Uint8Array): InternalError {
  return new InternalError('INTERNAL_ERROR', {
    what: `a sketch of ${sketch.length} bytes that begins with ${JSON.stringify(Buffer.from(sketch.subarray(0, header)).toString('latin1'))} can't be merged`,
    todo: 'report this with the query and its checkpoint folder',
  })
}
