/** Text as Spark has it: positions count code points. */
import { type Kernel, KernelError, kernel } from './kernel.ts'

const points = (text: string): string[] => Array.from(text)

function initcap(text: string): string {
  return text.toLowerCase().replace(/(^| )([^ ])/gu, (_, blank: string, letter: string) => blank + titleCase(letter))
}
/** Letters that have a form of their own at the beginning of a word become it; ß stays, as it has no single capital. */
function titleCase(letter: string): string {
  const upper = letter.toUpperCase()
  return points(upper).length === 1 ? upper : letter
}

/** Occurrences may overlap, as in Spark. */
function substringIndex(text: string, delimiter: string, count: number): string {
  if (delimiter === '' || count === 0) return ''
  let at = count > 0 ? -1 : text.length + 1
  for (let i = Math.abs(count); i > 0; i--) {
    if (count > 0) {
      at = text.indexOf(delimiter, at + 1)
      if (at < 0) return text
    } else {
      const before = at > text.length ? text.length : at - 1
      at = before < 0 ? -1 : text.lastIndexOf(delimiter, before)
      if (at < 0) return text
    }
  }
  return count > 0 ? text.slice(0, at) : text.slice(at + delimiter.length)
}

/** From a position (1 the first, negative from the end) so many items; what lies before the beginning counts. */
function cut<T>(items: readonly T[], position: number, length: number): T[] {
  const start = position > 0 ? position - 1 : position < 0 ? items.length + position : 0
  return items.slice(Math.max(0, start), Math.max(0, Math.min(items.length, start + length)))
}
const all = 2147483647
function overlay<T>(items: readonly T[], replacement: readonly T[], position: number, length: number): T[] {
  const left = length >= 0 ? length : replacement.length
  return [...cut(items, 1, position - 1), ...replacement, ...cut(items, position + left, all)]
}

function locate(part: string | null, text: string | null, start: number | null): number | null {
  if (start === null) return 0
  if (part === null || text === null) return null
  if (start < 1) return 0
  if (part === '') return 1
  const from =
    start === 1
      ? 0
      : points(text)
          .slice(0, start - 1)
          .join('').length
  const at = text.indexOf(part, from)
  return at < 0 ? 0 : points(text.slice(0, at)).length + 1
}

function splitPart(text: string, delimiter: string, n: number): string {
  if (n === 0)
    throw new KernelError(
      'INVALID_INDEX_OF_ZERO',
      'The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).',
    )
  const parts = delimiter === '' ? [text] : text.split(delimiter)
  return parts.at(n > 0 ? n - 1 : n) ?? ''
}

const soundexCodes = '01230120022455012623010202'
/** h and w do not part two letters of one code, vowels do. */
function soundex(text: string): string {
  const first = text[0]
  if (first === undefined || !/[A-Za-z]/.test(first)) return text
  let code = first.toUpperCase()
  let last = soundexCodes[code.charCodeAt(0) - 65]!
  for (let i = 1; i < text.length && code.length < 4; i++) {
    const letter = text[i]!.toUpperCase()
    if (!/[A-Z]/.test(letter)) {
      last = '0'
      continue
    }
    if (letter === 'H' || letter === 'W') continue
    const digit = soundexCodes[letter.charCodeAt(0) - 65]!
    if (digit !== '0' && digit !== last) code += digit
    last = digit
  }
  return code.padEnd(4, '0')
}

function levenshtein(a: string, b: string, threshold = Infinity): number {
  const [s, t] = [points(a), points(b)]
  let row = Array.from({ length: t.length + 1 }, (_, i) => i)
  for (let i = 1; i <= s.length; i++) {
    const next = [i]
    for (let j = 1; j <= t.length; j++) next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (s[i - 1] === t[j - 1] ? 0 : 1))
    row = next
  }
  const distance = row[t.length]!
  return distance <= threshold ? distance : -1
}

function luhnCheck(digits: string): boolean {
  if (!/^[0-9]+$/.test(digits)) return false
  let sum = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i])
    sum += i % 2 === 1 ? (digit > 4 ? 2 * digit - 9 : 2 * digit) : digit
  }
  return sum % 10 === 0
}

function mask(text: string | null, upper: string | null, lower: string | null, digit: string | null, other: string | null): string | null {
  if (text === null) return null
  return text.replace(/[\s\S]/gu, (c) => (/\p{Lu}/u.test(c) ? upper : /\p{Ll}/u.test(c) ? lower : /\p{Nd}/u.test(c) ? digit : other) ?? c)
}

function findInSet(text: string, list: string): number {
  return text.includes(',') ? 0 : list.split(',').indexOf(text) + 1
}

function padBytes(bytes: Uint8Array, length: number, pad: Uint8Array, left: boolean): Uint8Array {
  const wanted = Math.max(0, length)
  if (wanted <= bytes.length || pad.length === 0) return bytes.slice(0, wanted)
  const filler = Uint8Array.from({ length: wanted - bytes.length }, (_, i) => pad[i % pad.length]!)
  return Uint8Array.from(left ? [...filler, ...bytes] : [...bytes, ...filler])
}

function unhex(text: string): Uint8Array | null {
  if (!/^[0-9A-Fa-f]*$/.test(text)) return null
  return Uint8Array.from(Buffer.from(text.length % 2 === 1 ? `0${text}` : text, 'hex'))
}
/** Base64 in the manner of MIME: line breaks may stand in it. */
function unbase64(text: string): Uint8Array | null {
  const plain = text.replaceAll(/[\r\n]/g, '')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plain) || plain.replace(/=+$/, '').length % 4 === 1) return null
  if (plain.includes('=') && plain.length % 4 !== 0) return null
  return Uint8Array.from(Buffer.from(plain, 'base64'))
}
function orInvalid(read: (text: string) => Uint8Array | null, format: string) {
  return (text: string): Uint8Array => {
    const bytes = read(text)
    if (bytes === null)
      throw new KernelError(
        'CONVERSION_INVALID_INPUT',
        `The value '${text}' (STRING) cannot be converted to BINARY because it is no ${format}.`,
      )
    return bytes
  }
}

export const text: readonly Kernel[] = [
  kernel('initcap', ['string'], 'string', initcap),
  kernel('substring_index', ['string', 'string', 'int'], 'string', substringIndex),
  kernel('overlay', ['string', 'string', 'int', 'int'], 'string', (a: string, b: string, position: number, length: number) =>
    overlay(points(a), points(b), position, length).join(''),
  ),
  kernel('overlay_bytes', ['binary', 'binary', 'int', 'int'], 'binary', (a: Uint8Array, b: Uint8Array, position: number, length: number) =>
    Uint8Array.from(overlay([...a], [...b], position, length)),
  ),
  kernel('locate', ['string', 'string', 'int'], 'int', locate, { seesNulls: true }),
  kernel('find_in_set', ['string', 'string'], 'int', findInSet),
  kernel('split_part', ['string', 'string', 'int'], 'string', splitPart),
  kernel('soundex', ['string'], 'string', soundex),
  kernel('levenshtein', ['string', 'string'], 'int', levenshtein),
  kernel('levenshtein_within', ['string', 'string', 'int'], 'int', levenshtein),
  kernel('luhn_check', ['string'], 'boolean', luhnCheck),
  kernel('mask', ['string', 'string', 'string', 'string', 'string'], 'string', mask, { seesNulls: true }),
  kernel('lpad_bytes', ['binary', 'int', 'binary'], 'binary', (x: Uint8Array, n: number, pad: Uint8Array) => padBytes(x, n, pad, true)),
  kernel('rpad_bytes', ['binary', 'int', 'binary'], 'binary', (x: Uint8Array, n: number, pad: Uint8Array) => padBytes(x, n, pad, false)),
  kernel('contains_bytes', ['binary', 'binary'], 'boolean', (x: Uint8Array, part: Uint8Array) =>
    Buffer.from(x).includes(Buffer.from(part)),
  ),
  kernel('upper', ['string'], 'string', (x: string) => x.toUpperCase()),
  kernel('lower', ['string'], 'string', (x: string) => x.toLowerCase()),
  // lines of 76 characters, as MIME has them
  kernel('base64', ['binary'], 'string', (x: Uint8Array) =>
    Buffer.from(x)
      .toString('base64')
      .replaceAll(/.{76}(?=.)/g, '$&\r\n'),
  ),
  kernel('unhex', ['string'], 'binary', unhex),
  kernel('unbase64', ['string'], 'binary', orInvalid(unbase64, 'base64 text')),
  kernel('try_unbase64', ['string'], 'binary', unbase64),
  kernel('hex_to_binary', ['string'], 'binary', orInvalid(unhex, 'hexadecimal text')),
]
