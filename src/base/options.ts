import { InvalidQueryError } from './errors.ts'
import { nearest } from './suggest.ts'

/**
 * The options of a source or sink: names in any case, as in Spark, values checked as they are read.
 * All errors are InvalidQueryError: UNKNOWN_OPTION (with the nearest known name), INVALID_OPTION_VALUE, MISSING_OPTION.
 */
export class Options {
  readonly #owner: string
  readonly #values: ReadonlyMap<string, string>

  /** `owner` stands in messages: `the file source`. Refuses every name that is not in `known`. */
  constructor(owner: string, options: Readonly<Record<string, string>>, known: readonly string[]) {
    this.#owner = owner
    const names = new Set(known.map((name) => name.toLowerCase()))
    const unknown = Object.keys(options).find((name) => !names.has(name.toLowerCase()))
    if (unknown !== undefined) throw unknownOption(owner, unknown, known)
    this.#values = new Map(Object.entries(options).map(([name, value]) => [name.toLowerCase(), value]))
  }

  text(name: string): string | undefined {
    return this.#values.get(name.toLowerCase())
  }
  required(name: string, example: string): string {
    const value = this.text(name)
    if (value !== undefined && value !== '') return value
    throw new InvalidQueryError('MISSING_OPTION', { what: `${this.#owner} was given no option "${name}"`, todo: `set it: ${example}` })
  }
  flag(name: string, otherwise: boolean): boolean {
    const value = this.text(name)?.toLowerCase()
    if (value === undefined) return otherwise
    return value === 'true' || value === 'false' ? value === 'true' : this.#invalid(name, 'true or false')
  }
  wholeNumber(name: string, min: number): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    return /^\s*-?\d+\s*$/.test(value) && Number(value) >= min && Number.isSafeInteger(Number(value))
      ? Number(value)
      : this.#invalid(name, `a whole number from ${min} up`)
  }
  /** A number from `min` to `max`. */
  fraction(name: string, min: number, max: number): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    return value.trim() !== '' && Number(value) >= min && Number(value) <= max
      ? Number(value)
      : this.#invalid(name, `a number from ${min} to ${max}`)
  }
  /** Milliseconds of Spark's time strings (`7d`, `10 min`, `500ms`); without a unit milliseconds, or what `unit` says. */
  durationMs(name: string, unit: keyof typeof unitMs = 'ms'): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    return durationMs(value, unit) ?? this.#invalid(name, 'a duration such as 500ms, 10s, 7d')
  }

  #invalid(name: string, expected: string): never {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `${this.#owner} was given ${name} = ${JSON.stringify(this.text(name))}, which is not ${expected}`,
      todo: `give ${expected}, or leave the option out`,
    })
  }
}

const unitMs = {
  us: 0.001,
  ms: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
} as const

function durationMs(value: string, unit: keyof typeof unitMs): number | undefined {
  const match = /^\s*(\d+)\s*([a-z]*)\s*$/i.exec(value)
  if (match === null) return undefined
  const given = match[2]!.toLowerCase()
  const name = given.length > 2 ? given.replace(/s$/, '') : given
  const factor = name === '' ? unitMs[unit] : unitMs[name as keyof typeof unitMs]
  return factor === undefined ? undefined : Math.floor(Number(match[1]) * factor)
}

function unknownOption(owner: string, name: string, known: readonly string[]): InvalidQueryError {
  const near = nearest(name, known)
  return new InvalidQueryError('UNKNOWN_OPTION', {
    what: `${owner} knows no option "${name}"`,
    todo: near.length > 0 ? `did you mean ${near.map((each) => `"${each}"`).join(' or ')}?` : `leave it out; it knows ${known.join(', ')}`,
  })
}
