/** Numbers that SQL does not compute as Java does. */
import { type Kernel, KernelError, kernel } from './kernel.ts'

const unsigned = 1n << 64n
/** Hive's conv: digits up to the first wrong one, as an unsigned 64-bit number; a negative base asks for a sign. */
function conv(text: string, from: number, to: number): string | null {
  const digits = text.trim()
  if (from < 2 || from > 36 || Math.abs(to) < 2 || Math.abs(to) > 36 || digits === '') return null
  const negative = digits.startsWith('-')
  let value = 0n
  for (const c of negative ? digits.slice(1) : digits) {
    const digit = Number.parseInt(c, 36)
    if (Number.isNaN(digit) || digit >= from) break
    value = value * BigInt(from) + BigInt(digit)
    if (value >= unsigned) throw new KernelError('ARITHMETIC_OVERFLOW', `Overflow in function conv() of '${text}'.`)
  }
  if (negative) value = BigInt.asUintN(64, -value)
  if (to > 0) return value.toString(to).toUpperCase()
  return BigInt.asIntN(64, value).toString(-to).toUpperCase()
}

function widthBucket(value: number, min: number, max: number, buckets: bigint): bigint | null {
  if (
    buckets <= 0n ||
    buckets === 9223372036854775807n ||
    Number.isNaN(value) ||
    min === max ||
    !Number.isFinite(min) ||
    !Number.isFinite(max)
  )
    return null
  const [lower, upper] = [Math.min(min, max), Math.max(min, max)]
  const inside = (share: number) => BigInt(Math.trunc((Number(buckets) * share) / (upper - lower))) + 1n
  if (min < max) return value < lower ? 0n : value >= upper ? buckets + 1n : inside(value - lower)
  return value > upper ? 0n : value <= lower ? buckets + 1n : inside(upper - value)
}

/** The nearest whole number, halves to the even one. */
function rint(x: number): number {
  if (!Number.isFinite(x) || Math.abs(x) >= 4503599627370496) return x
  const rounded = x < 0 ? x - 4503599627370496 + 4503599627370496 : x + 4503599627370496 - 4503599627370496
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded
}

/** The whole part of the quotient of two decimals, given in digits. */
function divide(a: string, b: string): bigint {
  const places = (text: string) => (text.split('.')[1] ?? '').length
  const scale = Math.max(places(a), places(b))
  const unscaled = (text: string) => BigInt(text.replace('.', '') || '0') * 10n ** BigInt(scale - places(text))
  const quotient = unscaled(a) / unscaled(b)
  if (BigInt.asIntN(64, quotient) !== quotient) throw new KernelError('ARITHMETIC_OVERFLOW', `Overflow in ${a} div ${b}.`)
  return quotient
}

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const seeds = (name: string, run: (a: number, n: number) => number) => kernel(`${name}_int`, ['int', 'int'], 'int', run)
const longs = (name: string, run: (a: bigint, n: number) => bigint) => kernel(`${name}_long`, ['long', 'int'], 'long', run)

export const math: readonly Kernel[] = [
  kernel('conv', ['string', 'int', 'int'], 'string', conv),
  kernel('width_bucket', ['double', 'double', 'double', 'long'], 'long', widthBucket),
  kernel('rint', ['double'], 'double', rint),
  kernel('expm1', ['double'], 'double', Math.expm1),
  kernel('log1p', ['double'], 'double', (x: number) => (x <= -1 ? null : Math.log1p(x))),
  kernel('hypot', ['double', 'double'], 'double', Math.hypot),
  kernel('pow', ['double', 'double'], 'double', Math.pow),
  kernel('div', ['string', 'string'], 'long', divide),
  // JavaScript's shifts take the count modulo 32, as Java's do
  seeds('shiftleft', (a, n) => a << n),
  seeds('shiftright', (a, n) => a >> n),
  seeds('shiftrightunsigned', (a, n) => (a >>> n) | 0),
  longs('shiftleft', (a, n) => BigInt.asIntN(64, a << BigInt(n & 63))),
  longs('shiftright', (a, n) => a >> BigInt(n & 63)),
  longs('shiftrightunsigned', (a, n) => BigInt.asIntN(64, BigInt.asUintN(64, a) >> BigInt(n & 63))),
  kernel('randstr', ['string', 'int'], 'string', (random: string, length: number) => {
    if (length < 0) throw new KernelError('INVALID_PARAMETER_VALUE.LENGTH', `randstr expects a length of 0 or more, but got ${length}.`)
    // 8 hexadecimal digits of chance make a character
    let out = ''
    for (let i = 0; i < length; i++) out += letters[Number.parseInt(random.slice(8 * i, 8 * i + 8), 16) % 62]
    return out
  }),
]
