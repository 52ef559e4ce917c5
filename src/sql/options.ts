import { InvalidQueryError } from '../base/errors.ts'
import type { FileFormat } from '../data/row-set.ts'

export type ParseMode = 'PERMISSIVE' | 'DROPMALFORMED' | 'FAILFAST'

/** Options of a file format under Spark's names, in any case, as Spark takes them. */
export class FormatOptions {
  readonly #values = new Map<string, string>()
  constructor(options: Readonly<Record<string, string>>) {
    for (const [name, value] of Object.entries(options)) this.#values.set(name.toLowerCase(), value)
  }
  text(name: string): string | undefined {
    return this.#values.get(name.toLowerCase())
  }
  flag(name: string, otherwise: boolean): boolean {
    const value = this.text(name)
    if (value === undefined) return otherwise
    if (/^(true|false)$/i.test(value)) return value.toLowerCase() === 'true'
    throw invalidOption(name, value, 'give true or false')
  }
  /** One character, or none where `value` is empty and that means "off". */
  character(names: readonly string[], otherwise: string): string {
    for (const name of names) {
      const value = this.text(name)
      if (value === undefined) continue
      if ([...value].length > 1 || value === '\n' || value === '\r') throw invalidOption(name, value, 'give one character')
      return value === '\0' ? '' : value
    }
    return otherwise
  }
  mode(): ParseMode {
    const value = (this.text('mode') ?? 'PERMISSIVE').toUpperCase()
    if (value === 'PERMISSIVE' || value === 'DROPMALFORMED' || value === 'FAILFAST') return value
    throw invalidOption('mode', value, 'use PERMISSIVE, DROPMALFORMED or FAILFAST')
  }
}

export function invalidOption(name: string, value: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('INVALID_OPTION_VALUE', { what: `option("${name}", ${JSON.stringify(value)}) can't be used`, todo })
}

export function fileFormat(format: string): FileFormat {
  const name = format.toLowerCase()
  if (name === 'parquet' || name === 'json' || name === 'csv' || name === 'text') return name
  throw new InvalidQueryError('DATA_SOURCE_NOT_FOUND', {
    what: `there is no file format "${format}"`,
    todo: 'use parquet, json, csv or text',
  })
}

/** Letters of Spark's date and time patterns -> strptime's. Longest first. */
const patternParts: readonly (readonly [string, string])[] = [
  ['yyyy', '%Y'],
  ['uuuu', '%Y'],
  ['yy', '%y'],
  ['MMMM', '%B'],
  ['MMM', '%b'],
  ['MM', '%m'],
  ['M', '%-m'],
  ['dd', '%d'],
  ['d', '%-d'],
  ['HH', '%H'],
  ['H', '%-H'],
  ['hh', '%I'],
  ['h', '%-I'],
  ['mm', '%M'],
  ['m', '%-M'],
  ['ss', '%S'],
  ['s', '%-S'],
  ['SSSSSSSSS', '%n'],
  ['SSSSSS', '%f'],
  ['SSS', '%g'],
  ['XXX', '%z'],
  ['XX', '%z'],
  ['X', '%z'],
  ['xxx', '%z'],
  ['Z', '%z'],
  ['VV', '%Z'],
  ['a', '%p'],
  ['EEEE', '%A'],
  ['EEE', '%a'],
]

/** Spark's date or time pattern as strptime's; with optional sections all the forms that it allows, fullest first. */
export function timePatterns(name: string, pattern: string): string[] {
  const open = pattern.indexOf('[')
  if (open >= 0) {
    const close = pattern.indexOf(']', open)
    if (close < 0 || pattern.slice(open + 1, close).includes('['))
      throw invalidOption(name, pattern, 'nested or open optional sections are not supported')
    const [before, inside, after] = [pattern.slice(0, open), pattern.slice(open + 1, close), pattern.slice(close + 1)]
    return [...timePatterns(name, before + inside + after), ...timePatterns(name, before + after)]
  }
  let result = ''
  for (let i = 0; i < pattern.length; ) {
    const character = pattern[i]!
    if (character === "'") {
      const end = pattern.indexOf("'", i + 1)
      if (end < 0) throw invalidOption(name, pattern, 'a quote is open')
      result += end === i + 1 ? "'" : pattern.slice(i + 1, end).replaceAll('%', '%%')
      i = end + 1
      continue
    }
    if (!/[A-Za-z]/.test(character)) {
      result += character === '%' ? '%%' : character
      i++
      continue
    }
    const run = /^(.)\1*/.exec(pattern.slice(i))![0]
    const part = patternParts.find(([letters]) => letters === run)
    if (!part) throw invalidOption(name, pattern, `the letters ${run} are not supported`)
    result += part[1]
    i += run.length
  }
  return [result]
}
