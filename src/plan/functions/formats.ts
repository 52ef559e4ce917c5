/** Formats that are known while planning: they give the result's type. */
import { InvalidQueryError } from '../../base/errors.ts'
import { typeMismatch } from '../analysis-errors.ts'
import { boundedDecimal } from '../coercion.ts'
import type { Expression } from '../expression.ts'
import { expressionText } from '../expression-tree.ts'
import { anyNullable, argumentAs, call } from '../signatures.ts'
import { type Resolve, text } from './row.ts'

/** The value of an argument that must be a constant text. */
export function constantText(name: string, arg: Expression, index: number): string {
  const value = argumentAs(name, arg, index, 'string')
  if (value.kind === 'literal' && typeof value.value === 'string') return value.value
  throw typeMismatch(
    'NON_FOLDABLE_INPUT',
    `${name} needs a constant text as its format, not "${expressionText(arg)}"`,
    'give the format as text',
  )
}

/** The digits of a format of to_number: 0 and 9, G or a comma, D or a point, $, S, MI, PR. */
function digitsOf(name: string, format: string): { readonly precision: number; readonly scale: number } {
  const match = /^(?:S|MI)?\$?([09G,]*)(?:[D.]([09]*))?\$?(?:S|MI|PR)?$/i.exec(format)
  const whole = match?.[1]?.replaceAll(/[G,]/gi, '').length ?? 0
  const scale = match?.[2]?.length ?? 0
  if (match && whole + scale > 0 && whole + scale <= 38) return { precision: whole + scale, scale }
  throw new InvalidQueryError('INVALID_FORMAT.WRONG_NUM_DIGIT', {
    what: `the format '${format}' of ${name} is no number format of 1 to 38 digits`,
    todo: "write digits as 0 or 9, groups with a comma or G, the point as . or D, and $, S, MI or PR: '999,999.00'",
  })
}

export function toNumber(name: string): Resolve {
  return ([given, format]) => {
    const input = argumentAs(name, given!, 0, 'string')
    const { precision, scale } = digitsOf(name, constantText(name, format!, 1))
    return call(name, [input, format!], boundedDecimal(precision, scale), true)
  }
}

const ofBinary = new Set(['base64', 'hex', 'utf-8'])
/** Dates and times go to date_format, numbers to their format, binaries to a name of a format. */
export const resolveToChar: Resolve = ([given, format]) => {
  const { type } = given!
  if (type === 'date' || type === 'timestamp' || type === 'timestamp_ntz') {
    const time = argumentAs('date_format', given!, 0, 'timestamp')
    return call('date_format', [time, argumentAs('date_format', format!, 1, 'string')], 'string', true)
  }
  const pattern = constantText('to_char', format!, 1)
  if (type === 'binary') {
    if (ofBinary.has(pattern.toLowerCase())) return call('to_char', [given!, text(pattern.toLowerCase())], 'string', given!.nullable)
    throw typeMismatch('INVALID_ARG_VALUE', `the format of to_char of a binary is '${pattern}'`, "use 'base64', 'hex' or 'utf-8'")
  }
  digitsOf('to_char', pattern)
  const number = argumentAs(
    'to_char',
    given!,
    0,
    type === 'string' || type === 'double' || type === 'float' ? boundedDecimal(38, 18) : 'numeric',
  )
  return call('to_char', [number, text(pattern)], 'string', number.nullable)
}

export function toBinary(name: string): Resolve {
  return ([given, format = text('hex')]) => {
    const input = argumentAs(name, given!, 0, 'string')
    const wanted = format.kind === 'literal' && format.value === null ? 'hex' : constantText(name, format, 1).toLowerCase()
    if (!['hex', 'utf-8', 'utf8', 'base64'].includes(wanted))
      throw typeMismatch('INVALID_ARG_VALUE', `the format of ${name} is '${wanted}'`, "use 'hex', 'utf-8' or 'base64'")
    return call(name, [input, text(wanted === 'utf8' ? 'utf-8' : wanted)], 'binary', name.startsWith('try') || anyNullable([input]))
  }
}
