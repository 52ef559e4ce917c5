import { InvalidQueryError } from './errors.ts'
import { bytesOf, type DurationUnit, durationMsOf } from './quantities.ts'
import { nearest } from './suggest.ts'

/**
 * The options of a source or sink: names in any case, as in Spark, values checked as they are read.
 * All errors are InvalidQueryError: UNSUPPORTED_OPTION, UNKNOWN_OPTION (with the nearest known name), INVALID_OPTION_VALUE, MISSING_OPTION.
 */
export class Options {
  readonly #owner: string
  readonly #values: ReadonlyMap<string, string>

  /** `owner` stands in messages: `the file source`. Refuses every name that is not in `known`, one that `refused` has with its reason. */
  constructor(
    owner: string,
    options: Readonly<Record<string, string>>,
    known: readonly string[],
    refused: Readonly<Record<string, string>> = {},
  ) {
    this.#owner = owner
    const names = new Set(known.map((name) => name.toLowerCase()))
    const unknown = Object.keys(options).find((name) => !names.has(name.toLowerCase()))
    if (unknown !== undefined) throw refusedOption(owner, unknown, refused) ?? unknownOption(owner, unknown, known)
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
  /** A long, exactly. */
  long(name: string, min: bigint): bigint | undefined {
    const value = this.text(name)?.trim()
    if (value === undefined) return undefined
    const isLong = /^-?\d{1,19}$/.test(value) && BigInt(value) >= min && BigInt(value) <= maxLong
    return isLong ? BigInt(value) : this.#invalid(name, `a whole number from ${min} to ${maxLong}`)
  }
  /** How many at most, from 1. Any long is one, as in Spark; numbers beyond those that are exact are as good as no limit. */
  limit(name: string): number | undefined {
    const value = this.long(name, 1n)
    return value === undefined ? undefined : Math.min(Number(value), Number.MAX_SAFE_INTEGER)
  }
  /** A number from `min` to `max`. */
  fraction(name: string, min: number, max: number): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    return value.trim() !== '' && Number(value) >= min && Number(value) <= max
      ? Number(value)
      : this.#invalid(name, `a number from ${min} to ${max}`)
  }
  /** Bytes of Spark's size strings (`512m`, `64 MiB`); without a unit bytes. */
  bytes(name: string, min: number): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const bytes = bytesOf(value)
    return bytes !== undefined && bytes >= min ? bytes : this.#invalid(name, `a size such as 64m, 1g, from ${min} byte up`)
  }
  /** Milliseconds of Spark's time strings (`7d`, `10 min`, `500ms`); without a unit milliseconds, or what `unit` says. */
  durationMs(name: string, unit: DurationUnit = 'ms'): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    return durationMsOf(value, unit) ?? this.#invalid(name, 'a duration such as 500ms, 10s, 7d')
  }

  #invalid(name: string, expected: string): never {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `${this.#owner} was given ${name} = ${JSON.stringify(this.text(name))}, which is not ${expected}`,
      todo: `give ${expected}, or leave the option out`,
    })
  }
}

const maxLong = 2n ** 63n - 1n

function unknownOption(owner: string, name: string, known: readonly string[]): InvalidQueryError {
  const near = nearest(name, known)
  return new InvalidQueryError('UNKNOWN_OPTION', {
    what: `${owner} knows no option "${name}"`,
    todo: near.length > 0 ? `did you mean ${near.map((each) => `"${each}"`).join(' or ')}?` : `leave it out; it knows ${known.join(', ')}`,
  })
}

function refusedOption(owner: string, name: string, refused: Readonly<Record<string, string>>): InvalidQueryError | undefined {
  const reason = Object.entries(refused).find(([each]) => each.toLowerCase() === name.toLowerCase())?.[1]
  if (reason === undefined) return undefined
  return new InvalidQueryError('UNSUPPORTED_OPTION', {
    what: `${owner} does not heed the option "${name}"`,
    todo: `leave it out: ${reason}`,
  })
}
