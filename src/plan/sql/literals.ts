/** The constants of SQL text: numbers with their suffixes, typed text, intervals. */
import type { InvalidQueryError } from '../../base/errors.ts'
import { Decimal } from '../../data/decimal.ts'
import { type DataType, decimal, typeText } from '../../data/types.ts'
import { toPhysical } from '../../data/values.ts'
import type { LiteralValue, UnresolvedExpression } from '../expression.ts'
import { errorAt, type TokenReader } from './token-reader.ts'
import type { Token } from './tokens.ts'

export function literal(value: LiteralValue, type: DataType): UnresolvedExpression {
  return { kind: 'literal', value, type }
}
/** Adjacent strings are one. */
export function stringLiteral(reader: TokenReader): UnresolvedExpression {
  let value = reader.string()
  while (reader.peek().kind === 'string') value += reader.take().text
  return literal(value, 'string')
}

/** The number that stands here; `negative` where a minus stood before it. */
export function numberLiteral(reader: TokenReader, negative: boolean): UnresolvedExpression {
  const token = reader.take()
  const [, digits = '', suffix = ''] = /^(.*?)(BD|[LSYFD])?$/i.exec(token.text) ?? []
  const written = negative ? `-${digits}` : digits
  switch (suffix.toUpperCase()) {
    case 'L':
      return whole(reader, token, written, 'long', 63)
    case 'S':
      return whole(reader, token, written, 'short', 15)
    case 'Y':
      return whole(reader, token, written, 'byte', 7)
    case 'F':
      return floating(reader, token, written, 'float', 3.4028234663852886e38)
    case 'D':
      return floating(reader, token, written, 'double', Number.MAX_VALUE)
    case 'BD':
      return decimalLiteral(reader, token, written)
  }
  if (/e/i.test(digits)) return floating(reader, token, written, 'double', Number.MAX_VALUE)
  if (digits.includes('.')) return decimalLiteral(reader, token, written)
  const value = BigInt(written)
  if (fits(value, 31)) return literal(Number(value), 'int')
  return fits(value, 63) ? literal(value, 'long') : decimalLiteral(reader, token, written)
}

function fits(value: bigint, bits: number): boolean {
  return BigInt.asIntN(bits + 1, value) === value
}
function whole(reader: TokenReader, token: Token, written: string, type: 'long' | 'short' | 'byte', bits: number): UnresolvedExpression {
  if (!/^-?\d+$/.test(written)) throw outOfRange(reader, token, written, type)
  const value = BigInt(written)
  if (!fits(value, bits)) throw outOfRange(reader, token, written, type)
  return literal(type === 'long' ? value : Number(value), type)
}
function floating(reader: TokenReader, token: Token, written: string, type: 'float' | 'double', max: number): UnresolvedExpression {
  const value = type === 'float' ? Math.fround(Number(written)) : Number(written)
  if (!(Math.abs(value) <= max)) throw outOfRange(reader, token, written, type)
  return literal(value, type)
}
function outOfRange(reader: TokenReader, token: Token, written: string, type: DataType): InvalidQueryError {
  return errorAt(
    reader,
    'INVALID_NUMERIC_LITERAL_RANGE',
    `the number ${written} is not in the range of ${typeText(type)}`,
    'write it with another suffix, or as a decimal with BD',
    token,
  )
}

/** Of the digits that are written; zeros at the end count, as in Spark. */
function decimalLiteral(reader: TokenReader, token: Token, written: string): UnresolvedExpression {
  const [unscaled, scale] = digitsOf(written)
  const precision = Math.max(String(unscaled).replace('-', '').length, scale)
  if (precision <= 38) return literal({ unscaled, scale }, decimal(precision, scale))
  throw errorAt(
    reader,
    'DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION',
    `the number ${written} has ${precision} digits, and a decimal has at most 38`,
    'write it as a double, with D behind it',
    token,
  )
}
function digitsOf(written: string): [bigint, number] {
  const exponent = Number(written.toLowerCase().split('e')[1] ?? 0)
  if (Math.abs(exponent) > 500) return [10n ** 39n, 0] // whatever its digits, no decimal is as large or as small
  const { unscaled, scale } = Decimal.from(written)
  return [unscaled, scale]
}

const typedText: Readonly<Record<string, (text: string) => UnresolvedExpression | undefined>> = {
  date: (text) => timeLiteral('date', text),
  timestamp: (text) => timeLiteral('timestamp', text),
  timestamp_ltz: (text) => timeLiteral('timestamp', text),
  timestamp_ntz: (text) => timeLiteral('timestamp_ntz', text),
  x: (text) => (/^[\da-f]*$/i.test(text) ? literal(hexBytes(text), 'binary') : undefined),
}

/** Whether a word before text makes it a constant of a type: `DATE '2026-01-31'`. */
export function isTypedText(word: string): boolean {
  return Object.hasOwn(typedText, word.toLowerCase())
}
/** `DATE '…'`, `TIMESTAMP '…'`, `TIMESTAMP_NTZ '…'`, `X'…'`: the word and the text are next. */
export function typedLiteral(reader: TokenReader): UnresolvedExpression {
  const word = reader.take()
  const text = reader.string()
  const made = typedText[word.text.toLowerCase()]!(text)
  if (made) return made
  throw errorAt(
    reader,
    'INVALID_TYPED_LITERAL',
    `the value of the typed literal ${word.text.toUpperCase()} is invalid: '${text}'`,
    word.text.toLowerCase() === 'x' ? 'write hexadecimal digits' : "write it as in DATE '2026-01-31' or TIMESTAMP '2026-01-31 12:00:00'",
    word,
  )
}

function hexBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.length % 2 === 0 ? text : `0${text}`, 'hex'))
}

const timeText =
  /^\s*([+-]?\d{4,6})(?:-(\d{1,2})(?:-(\d{1,2})(?:[ T](?:(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{0,9}))?)?\s*(Z|UTC|[+-]\d{1,2}(?::?\d{1,2})?)?|.*)?)?)?)?\s*$/i

/** Spark also takes a year alone, months and days of one digit, and for a date anything behind the day. */
function timeLiteral(type: 'date' | 'timestamp' | 'timestamp_ntz', text: string): UnresolvedExpression | undefined {
  const match = timeText.exec(text)
  if (!match) return undefined
  const [, year, month = '1', day = '1', hour, minute = '0', second = '0', fraction = '', zone = ''] = match
  const two = (digits: string) => digits.padStart(2, '0')
  const date = `${year}-${two(month)}-${two(day)}`
  if (type === 'date') return made(type, date)
  if (hour === undefined && /[ T]\s*\S/.test(text.trim())) return undefined
  const time = `${two(hour ?? '0')}:${two(minute)}:${two(second)}.${fraction.padEnd(1, '0')}`
  if (type === 'timestamp_ntz') return made(type, `${date}T${time}`)
  if (zone !== '') return made(type, `${date}T${time}${zoneText(zone)}`)
  // without a zone it is the time when the clock of the session's zone shows this, and which zone that is the planner knows
  const local = made('timestamp_ntz', `${date}T${time}`)
  return local && { kind: 'cast', input: local, type, mode: 'ansi' }
}
function zoneText(zone: string): string {
  const match = /^([+-])(\d{1,2}):?(\d{1,2})?$/.exec(zone)
  return match ? `${match[1]}${match[2]!.padStart(2, '0')}:${(match[3] ?? '0').padStart(2, '0')}` : 'Z'
}
function made(type: DataType, text: string): UnresolvedExpression | undefined {
  try {
    return literal(toPhysical(type, text) as LiteralValue, type)
  } catch {
    return undefined // not a day of the calendar, or not a time of the day
  }
}

const unitWord = /^(year|month|week|day|hour|minute|second|millisecond|microsecond|nanosecond)s?$/i

/** Whether an interval stands here, and not a column called `interval`. */
export function isInterval(reader: TokenReader): boolean {
  if (!reader.isWord(0, 'interval')) return false
  const signed = reader.isSymbol(1, '+', '-') ? 2 : 1
  const value = reader.peek(signed)
  if (value.kind === 'string') return true
  return value.kind === 'number' && unitWord.test(reader.peek(signed + 1).text)
}

/** `INTERVAL 1 day 2 hours`, `INTERVAL '1 2:3:4' DAY TO SECOND`, `INTERVAL '1 day'`: a call of `interval` with the text behind the word. */
export function intervalLiteral(reader: TokenReader): UnresolvedExpression {
  return { kind: 'call', name: 'interval', args: [literal(intervalText(reader), 'string')] }
}
/** The text behind the word. */
export function intervalText(reader: TokenReader): string {
  reader.take()
  const parts: string[] = []
  do {
    const sign = reader.isSymbol(0, '+', '-') ? reader.take().text : ''
    const token = reader.take()
    parts.push(token.kind === 'string' ? `${sign}'${token.text.replaceAll("'", '')}'` : `${sign}${token.text}`)
    if (reader.peek().kind === 'word' && unitWord.test(reader.peek().text)) parts.push(reader.take().text.toLowerCase())
    if (reader.isWord(0, 'to') && unitWord.test(reader.peek(1).text))
      parts.push(reader.take().text && 'to', reader.take().text.toLowerCase())
  } while (continues(reader, parts.at(-1)!))
  return parts.join(' ')
}

/** Another number and unit may follow a unit. */
function continues(reader: TokenReader, last: string): boolean {
  if (!unitWord.test(last)) return false
  const at = reader.isSymbol(0, '+', '-') ? 1 : 0
  const value = reader.peek(at)
  return (value.kind === 'number' || value.kind === 'string') && unitWord.test(reader.peek(at + 1).text)
}
