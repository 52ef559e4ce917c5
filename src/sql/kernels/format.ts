/** format_string (Java's Formatter) and format_number. */
import { type Kernel, KernelError, kernel } from './kernel.ts'

const illegal = (what: string) => new KernelError('ILLEGAL_FORMAT', what)

/** A value of format_string: a letter for what it is, then its text. i integer, d floating, n decimal, b boolean, s anything else; null is null. */
type Value = { readonly kind: string; readonly text: string } | null
const valueOf = (token: string | null): Value => (token === null ? null : { kind: token[0]!, text: token.slice(1) })

const specifier = /%(?:(\d+)\$)?([-#+ 0,(<]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/y

function formatString(format: string, tokens: readonly (string | null)[]): string {
  let out = ''
  let next = 0
  let last = -1
  for (let i = 0; i < format.length; ) {
    if (format[i] !== '%') {
      out += format[i++]
      continue
    }
    specifier.lastIndex = i
    const match = specifier.exec(format)
    if (!match) throw illegal(`the format '${format}' has a % at ${i + 1} that begins no conversion`)
    i += match[0].length
    const [all, index, flags = '', width, precision, conversion = ''] = match
    if (conversion === 'n') out += '\n'
    else if (conversion === '%') out += padded('%', flags, width)
    else {
      const at = flags.includes('<') ? last : index !== undefined ? Number(index) - 1 : next++
      if (at < 0 || at >= tokens.length) throw illegal(`the format '${format}' has no value for ${all}`)
      last = at
      out += convert(all, valueOf(tokens[at]!), flags, width, precision === undefined ? undefined : Number(precision), conversion)
    }
  }
  return out
}

function convert(
  all: string,
  value: Value,
  flags: string,
  width: string | undefined,
  precision: number | undefined,
  conversion: string,
): string {
  const upper = conversion !== conversion.toLowerCase()
  const text = converted(all, value, flags, width, precision, conversion.toLowerCase())
  return padded(upper ? text.toUpperCase() : text, flags, width)
}
function converted(
  all: string,
  value: Value,
  flags: string,
  width: string | undefined,
  precision: number | undefined,
  conversion: string,
): string {
  const wrong = () => illegal(`${all} cannot show ${value === null ? 'null' : `a value such as ${value.text}`}`)
  const cut = (text: string) => (precision === undefined ? text : text.slice(0, precision))
  switch (conversion) {
    case 's':
      return cut(value === null ? 'null' : value.text)
    case 'b':
      return cut(value === null ? 'false' : value.kind === 'b' ? value.text : 'true')
    case 'h':
      throw new KernelError('UNSUPPORTED_ARGUMENT', `format_string with ${all}, the hash of a value, can't run on the local engine`)
    case 'c':
      if (value === null) return 'null'
      if (value.kind !== 'i') throw wrong()
      return String.fromCodePoint(Number(value.text))
  }
  if (value === null && 'dxofeg'.includes(conversion)) return 'null'
  if ('dxo'.includes(conversion)) {
    if (value!.kind !== 'i' && value!.kind !== 'l') throw wrong()
    const number = BigInt(value!.text)
    if (conversion === 'd') return signed(number < 0n, grouped(String(number < 0n ? -number : number), flags), flags, width)
    const bits = BigInt.asUintN(value!.kind === 'l' ? 64 : 32, number).toString(conversion === 'x' ? 16 : 8)
    const shown = flags.includes('#') ? (conversion === 'x' ? `0x${bits}` : `0${bits}`) : bits
    return flags.includes('0') && width !== undefined ? shown.padStart(Number(width), '0') : shown
  }
  if ('feg'.includes(conversion)) {
    if (value!.kind !== 'd' && value!.kind !== 'n') throw wrong()
    return floating(value!, conversion, precision ?? 6, flags, width)
  }
  throw illegal(`${all} is no conversion of format_string`)
}

function floating(
  value: { readonly text: string },
  conversion: string,
  precision: number,
  flags: string,
  width: string | undefined,
): string {
  const special = /^[+-]?(nan|inf)/i.exec(value.text)
  if (special)
    return special[1]!.toLowerCase() === 'nan'
      ? 'NaN'
      : value.text.startsWith('-')
        ? flags.includes('(')
          ? '(Infinity)'
          : '-Infinity'
        : flags.includes('+')
          ? '+Infinity'
          : 'Infinity'
  const negative = value.text.startsWith('-')
  const digits = value.text.replace(/^[+-]/, '')
  if (conversion === 'f') return signed(negative, grouped(roundText(digits, precision, 'half-up'), flags), flags, width)
  if (conversion === 'g') {
    const number = Number(digits)
    const places = precision === 0 ? 1 : precision
    const fixed = number === 0 || (number >= 1e-4 && number < 10 ** places)
    if (fixed) {
      const exponent = number === 0 ? 0 : Math.floor(Math.log10(number))
      return signed(negative, grouped(roundText(digits, Math.max(0, places - 1 - exponent), 'half-up'), flags), flags, width)
    }
    return signed(negative, scientific(number, places - 1), flags, width)
  }
  return signed(negative, scientific(Number(digits), precision), flags, width)
}
function scientific(number: number, precision: number): string {
  return number.toExponential(Math.min(100, precision)).replace(/e([+-])(\d)$/, 'e$10$2')
}

function signed(negative: boolean, digits: string, flags: string, width: string | undefined): string {
  const [before, after] = negative
    ? flags.includes('(')
      ? ['(', ')']
      : ['-', '']
    : [flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '', '']
  const room = flags.includes('0') && width !== undefined ? Number(width) - before!.length - after!.length : 0
  return `${before}${digits.padStart(room, '0')}${after}`
}
function grouped(digits: string, flags: string): string {
  if (!flags.includes(',')) return digits
  const [whole, fraction] = digits.split('.')
  return `${commas(whole!)}${fraction === undefined ? '' : `.${fraction}`}`
}
function commas(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ',')
}
function padded(text: string, flags: string, width: string | undefined): string {
  if (width === undefined) return text
  return flags.includes('-') ? text.padEnd(Number(width)) : text.padStart(Number(width))
}
export type Rounding = 'half-up' | 'half-even' | 'ceiling' | 'floor'

/**
 * A decimal number written in digits (with an exponent or without), rounded to so many digits after the point; a negative scale rounds
 * before it. The result has no exponent.
 */
export function roundText(text: string, scale: number, mode: Rounding): string {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text)
  if (!match) return text
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  const unscaled = BigInt(whole + fraction || '0')
  const places = fraction.length - Number(exponent)
  const dropped = places - scale
  const rounded =
    dropped <= 0 ? unscaled * 10n ** BigInt(Math.min(-dropped, 400)) : roundedBy(unscaled, Math.min(dropped, 2000), sign === '-', mode)
  const shown = scale < 0 ? String(rounded * 10n ** BigInt(-scale)) : String(rounded).padStart(scale + 1, '0')
  const minus = sign === '-' && (mode === 'half-up' || rounded !== 0n) ? '-' : ''
  return scale <= 0 ? minus + shown : `${minus}${shown.slice(0, -scale)}.${shown.slice(-scale)}`
}
function roundedBy(unscaled: bigint, dropped: number, negative: boolean, mode: Rounding): bigint {
  const unit = 10n ** BigInt(dropped)
  const [quotient, rest] = [unscaled / unit, unscaled % unit]
  if (rest === 0n) return quotient
  const twice = 2n * rest
  const up =
    mode === 'half-up'
      ? twice >= unit
      : mode === 'half-even'
        ? twice > unit || (twice === unit && quotient % 2n === 1n)
        : mode === 'ceiling'
          ? !negative
          : negative
  return up ? quotient + 1n : quotient
}

/** The exact value of a double, as far as its half-even rounding asks for it. */
function exactText(text: string, isFloating: boolean): string {
  if (!isFloating) return text
  const number = Number(text)
  return Math.abs(number) < 1e21 ? number.toFixed(40).replace(/0+$/, '') : BigInt(number).toString()
}

/** Java's DecimalFormat with commas, half to even. */
function formatNumber(text: string, isFloating: boolean, decimals: number): string | null {
  if (decimals < 0) return null
  return named(text) ?? withCommas(evenly(exactText(text, isFloating), decimals))
}
function evenly(text: string, decimals: number): string {
  const negative = text.startsWith('-')
  const digits = roundText(text.replace('-', ''), decimals, 'half-even')
  return negative ? `-${digits}` : digits
}
function named(text: string): string | undefined {
  if (/nan/i.test(text)) return 'NaN'
  return /inf/i.test(text) ? (text.startsWith('-') ? '-∞' : '∞') : undefined
}
function withCommas(text: string): string {
  const [whole, fraction] = text.replace('-', '').split('.')
  return `${text.startsWith('-') ? '-' : ''}${commas(whole!)}${fraction === undefined ? '' : `.${fraction}`}`
}

/** A pattern of # and 0 with one comma for groups and a point, with text around it. */
function formatPattern(text: string, isFloating: boolean, pattern: string): string {
  if (pattern === '') return formatNumber(text, isFloating, 6)!.replace(/\.?0+$/, '')
  const match = /^([^#0,.;%]*)([#,]*)([0,]*)(?:\.(0*)(#*))?(%?)([^#0,.;%]*)$/.exec(pattern)
  if (!match) throw new KernelError('UNSUPPORTED_ARGUMENT', `format_number with the pattern '${pattern}' can't run on the local engine`)
  const [, before, optional = '', needed = '', zeros = '', hashes = '', percent, after] = match
  const shown = named(text)
  if (shown !== undefined) return `${before}${shown}${after}`
  const scaled = percent ? `${exactText(text, isFloating)}e2` : exactText(text, isFloating)
  const rounded = evenly(scaled, zeros.length + hashes.length)
  const [whole = '', fraction = ''] = rounded.replace('-', '').split('.')
  const least = needed.replaceAll(',', '').length
  const digits = whole.replace(/^0+/, '').padStart(least, '0')
  const kept = fraction.slice(0, zeros.length) + fraction.slice(zeros.length).replace(/0+$/, '')
  const group = /,([#0]*)$/.exec(optional + needed)?.[1]!.length
  const grouping = group ? digits.replace(new RegExp(`\\B(?=(\\d{${group}})+$)`, 'g'), ',') : digits
  return `${rounded.startsWith('-') ? '-' : ''}${before}${grouping === '' && kept === '' ? '0' : grouping}${kept === '' ? '' : `.${kept}`}${percent}${after}`
}

export const format: readonly Kernel[] = [
  kernel('format_string', ['string', { kind: 'array', element: 'string', containsNull: true }], 'string', formatString),
  kernel('format_number', ['string', 'boolean', 'int'], 'string', formatNumber),
  kernel('format_pattern', ['string', 'boolean', 'string'], 'string', formatPattern),
  kernel('round_text', ['string', 'int', 'string'], 'string', roundText),
]
