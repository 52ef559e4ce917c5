import { InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import { type ReadFormat, readOptions, refusedFormats, refusedReadOptions, tableOptions } from '../data/file-options.ts'

/** DEADLETTER is no mode that a user gives: malformed records are kept apart. */
export type ParseMode = 'PERMISSIVE' | 'DROPMALFORMED' | 'FAILFAST' | 'DEADLETTER'

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
      // DuckDB compares single bytes
      if (!/^[\0-\x7f]?$/.test(value) || value === '\n' || value === '\r') throw invalidOption(name, value, 'give one character of ASCII')
      return value === '\0' ? '' : value
    }
    return otherwise
  }
  /** The offset of the option timeZone (`+02:00`, `Z`); undefined for UTC. Zones by name have no single offset. */
  zoneOffset(): string | undefined {
    const value = this.text('timeZone')
    if (value === undefined || /^(utc|gmt|z|etc\/utc)$/i.test(value)) return undefined
    if (/^[+-]\d{2}:\d{2}$/.test(value)) return value
    throw invalidOption(
      'timeZone',
      value,
      'give UTC or an offset such as +02:00; for a zone by name read the times as strings and use to_timestamp',
    )
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

export function fileFormat(format: string): ReadFormat {
  const name = format.toLowerCase()
  if (name in readOptions) return name as ReadFormat
  const instead = refusedFormats[name]
  throw new InvalidQueryError('DATA_SOURCE_NOT_FOUND', {
    what: instead === undefined ? `there is no file format "${format}"` : `files of format ${name} are not read`,
    todo: instead ?? 'use parquet, json, csv, text or binaryFile',
  })
}

/** Refuses options that the reader of a bounded table does not know. */
export function checkTableOptions(format: ReadFormat, given: Readonly<Record<string, string>>): void {
  new Options(`the ${format} reader`, given, [...tableOptions, ...readOptions[format]], refusedReadOptions)
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
