/** PostgreSQL's binary numeric: digits of base 10,000, the place of the first one, a sign, and how many decimal digits stand behind the point. */
const positive = 0x0000
const negative = 0x4000
const notANumber = 0xc000

/** The bytes of `unscaled / 10^scale`. */
export function numericBytes(unscaled: bigint, scale: number): Buffer {
  // the point lies between two digits of base 10,000
  const padding = (4 - (scale % 4)) % 4
  let rest = (unscaled < 0n ? -unscaled : unscaled) * 10n ** BigInt(padding)
  const digits: number[] = []
  while (rest > 0n) {
    if (rest <= BigInt(Number.MAX_SAFE_INTEGER)) {
      for (let small = Number(rest); small > 0; small = Math.floor(small / 10_000)) digits.push(small % 10_000)
      break
    }
    digits.push(Number(rest % 10_000n))
    rest /= 10_000n
  }
  const weight = digits.length - 1 - (scale + padding) / 4
  let first = 0
  while (first < digits.length && digits[first] === 0) first++
  const count = digits.length - first
  const bytes = Buffer.allocUnsafe(8 + 2 * count)
  bytes.writeInt16BE(count, 0)
  bytes.writeInt16BE(count === 0 ? 0 : weight, 2)
  bytes.writeUInt16BE(unscaled < 0n ? negative : positive, 4)
  bytes.writeInt16BE(scale, 6)
  for (let i = 0; i < count; i++) bytes.writeInt16BE(digits[digits.length - 1 - i]!, 8 + 2 * i)
  return bytes
}

/** The unscaled number of that scale, rounded half up; undefined for NaN and the infinities, which no decimal holds. */
export function unscaledOf(bytes: Buffer, scale: number): bigint | undefined {
  const count = bytes.readInt16BE(0)
  const weight = bytes.readInt16BE(2)
  const sign = bytes.readUInt16BE(4)
  if (sign >= notANumber) return undefined
  let value = 0n
  for (let i = 0; i < count; i++) value = value * 10_000n + BigInt(bytes.readInt16BE(8 + 2 * i))
  const shift = 4 * (weight - count + 1) + scale
  if (shift >= 0) value *= 10n ** BigInt(shift)
  else {
    const unit = 10n ** BigInt(-shift)
    value = (value + unit / 2n) / unit
  }
  return sign === negative ? -value : value
}
