/** to_number and to_char: formats of 0, 9, G or `,`, D or `.`, $, S, MI and PR. */
import { type Kernel, KernelError, kernel } from './kernel.ts'

interface Format {
  readonly sign: 'S' | 'MI' | 'PR' | undefined
  readonly signFirst: boolean
  readonly dollar: boolean
  /** Digits and commas before the point, digits behind it. */
  readonly whole: string
  readonly fraction: string
}
const cache = new Map<string, Format>()

/** The plan has checked the text. */
function parse(text: string): Format {
  const known = cache.get(text)
  if (known) return known
  const match = /^(S|MI)?(\$)?([09G,]*)(?:[D.]([09]*))?(\$)?(S|MI|PR)?$/i.exec(text.toUpperCase())
  if (!match) throw new KernelError('INVALID_FORMAT.WRONG_NUM_DIGIT', `The format '${text}' is no number format.`)
  const [, first, before, whole = '', fraction = '', after, last] = match
  const format: Format = {
    sign: (first ?? last) as Format['sign'],
    signFirst: first !== undefined,
    dollar: before !== undefined || after !== undefined,
    whole: whole.replaceAll('G', ','),
    fraction,
  }
  cache.set(text, format)
  return format
}

function toNumber(text: string, formatText: string): string | undefined {
  const format = parse(formatText)
  let rest = text.trim()
  let negative = false
  if (format.sign === 'PR') {
    const angled = /^<(.*)>$/.exec(rest)
    if (angled) [rest, negative] = [angled[1]!, true]
  } else if (format.sign !== undefined) {
    const mark = format.signFirst ? rest[0] : rest.at(-1)
    if (mark === '+' || mark === '-') {
      negative = mark === '-'
      rest = format.signFirst ? rest.slice(1) : rest.slice(0, -1)
    }
  }
  if (format.dollar) {
    if (!rest.startsWith('$')) return undefined
    rest = rest.slice(1)
  }
  const parts = /^([0-9,]*)(?:\.([0-9]*))?$/.exec(rest)
  if (!parts) return undefined
  const [, whole = '', fraction = ''] = parts
  if (fraction.length > format.fraction.length || !fits(whole, format.whole)) return undefined
  const digits = whole.replaceAll(',', '')
  if (digits === '' && fraction === '') return undefined
  const shown = `${digits || '0'}${format.fraction === '' ? '' : `.${fraction.padEnd(format.fraction.length, '0')}`}`
  return negative ? `-${shown}` : shown
}
/** Groups of digits between commas hold as many as the format's: exactly where it begins with 0, at most with 9. */
function fits(text: string, format: string): boolean {
  const [have, want] = [text.split(','), format.split(',')]
  if (have.length > want.length) return false
  const used = want.slice(want.length - have.length)
  return have.every((digits, i) => {
    const exact = used[i]!.startsWith('0') || i > 0
    return exact ? digits.length === used[i]!.length || (i === 0 && digits.length === used[i]!.length) : digits.length <= used[i]!.length
  })
}

/** A decimal in digits by a format; # where it does not fit. */
function toChar(text: string, formatText: string): string {
  const format = parse(formatText)
  const negative = text.startsWith('-')
  const [given = '', fraction = ''] = text.replace('-', '').split('.')
  const digits = given.replace(/^0+/, '')
  const slots = format.whole.replaceAll(',', '').length
  const overflow = digits.length > slots || fraction.replace(/0+$/, '').length > format.fraction.length
  let whole = ''
  let at = digits.length - slots
  let started = false
  for (const slot of format.whole) {
    if (slot === ',') {
      whole += started ? ',' : ' '
      continue
    }
    const digit = at >= 0 ? digits[at] : undefined
    at++
    if (overflow) {
      whole += '#'
      started = true
    } else if (digit !== undefined || slot === '0' || started) {
      whole += digit ?? '0'
      started = true
    } else whole += ' '
  }
  if (!started && format.fraction !== '' && whole !== '') whole = `${whole.slice(0, -1)}0`
  const tail =
    format.fraction === ''
      ? ''
      : `.${overflow ? '#'.repeat(format.fraction.length) : fraction.slice(0, format.fraction.length).padEnd(format.fraction.length, '0')}`
  return withSign(`${whole}${tail}`, negative, format)
}
function withSign(shown: string, negative: boolean, { sign, signFirst, dollar }: Format): string {
  const blanks = /^ */.exec(shown)![0]
  const body = (dollar ? '$' : '') + shown.slice(blanks.length)
  if (sign === 'PR') return negative ? `${blanks}<${body}>` : `${blanks}${body}  `.replace(/ {2}$/, '')
  if (sign === undefined) return blanks + (negative ? '-' : '') + body
  const mark = negative ? '-' : sign === 'S' ? '+' : ' '
  return signFirst ? blanks + mark + body : blanks + body + mark
}

export const numberFormat: readonly Kernel[] = [
  kernel('to_number', ['string', 'string'], 'string', (text: string, format: string) => {
    const number = toNumber(text, format)
    if (number === undefined)
      throw new KernelError(
        'INVALID_FORMAT.MISMATCH_INPUT',
        `The format is invalid: '${format}'. The input '${text}' does not match the format.`,
      )
    return number
  }),
  kernel('try_to_number', ['string', 'string'], 'string', (text: string, format: string) => toNumber(text, format) ?? null),
  kernel('to_char', ['string', 'string'], 'string', toChar),
]
