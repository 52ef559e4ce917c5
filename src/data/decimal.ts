/**
 * An exact decimal number: `unscaled / 10^scale`. `1.50` keeps its two digits; `equals` and `compare` go by value.
 */
export class Decimal {
  readonly unscaled: bigint
  /** Digits after the point, 0 or more. */
  readonly scale: number
  constructor(unscaled: bigint, scale: number) {
    if (!Number.isInteger(scale) || scale < 0) throw new RangeError(`a Decimal's scale is an integer of at least 0, not ${scale}`)
    this.unscaled = unscaled
    this.scale = scale
  }
  /** Reads `-12.50`, `1e3`, a bigint, or a number (as JavaScript prints it: 0.1 is 0.1). Throws RangeError for anything else. */
  static from(value: Decimal | string | number | bigint): Decimal {
    if (value instanceof Decimal) return value
    if (typeof value === 'bigint') return new Decimal(value, 0)
    const match = decimalText.exec(String(value).trim())
    if (match === null) throw new RangeError(`${JSON.stringify(value)} is not a decimal number`)
    const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
    const scale = fraction.length - Number(exponent)
    if (Math.abs(scale) > 1000) throw new RangeError(`${JSON.stringify(value)} has an exponent out of any decimal's range`)
    const digits = BigInt(`${sign === '-' ? '-' : ''}${whole}${fraction}`)
    return scale >= 0 ? new Decimal(digits, scale) : new Decimal(digits * 10n ** BigInt(-scale), 0)
  }
  /** The same value with that many digits after the point; digits that do not fit are rounded half up (away from zero), as in Spark. */
  toScale(scale: number): Decimal {
    if (scale === this.scale) return this
    if (scale > this.scale) return new Decimal(this.unscaled * 10n ** BigInt(scale - this.scale), scale)
    const unit = 10n ** BigInt(this.scale - scale)
    const half = this.unscaled < 0n ? -unit / 2n : unit / 2n
    return new Decimal((this.unscaled + half) / unit, scale)
  }
  /** Plain notation with all its digits: `-0.50`. */
  toString(): string {
    const digits = (this.unscaled < 0n ? -this.unscaled : this.unscaled).toString().padStart(this.scale + 1, '0')
    const sign = this.unscaled < 0n ? '-' : ''
    return this.scale === 0 ? sign + digits : `${sign}${digits.slice(0, -this.scale)}.${digits.slice(-this.scale)}`
  }
  toJSON(): string {
    return this.toString()
  }
  /** The nearest double. */
  toNumber(): number {
    return Number(this.toString())
  }
  /** Negative, 0 or positive, by value: 1.0 and 1.00 are equal. */
  compare(other: Decimal): number {
    const scale = Math.max(this.scale, other.scale)
    const a = this.toScale(scale).unscaled
    const b = other.toScale(scale).unscaled
    return a < b ? -1 : a > b ? 1 : 0
  }
  equals(other: Decimal): boolean {
    return this.compare(other) === 0
  }
}

const decimalText = /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/
