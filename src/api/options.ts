import { InvalidQueryError } from '../base/errors.ts'

export type OptionValue = string | number | boolean
export type Options = Readonly<Record<string, string>>

/** The options with one more. Names are the same whatever their case, and the last one counts. INVALID_OPTION for other values. */
export function withOption(options: Options, name: string, value: OptionValue): Options {
  if (typeof name !== 'string' || name === '')
    throw new InvalidQueryError('INVALID_OPTION', {
      what: `${JSON.stringify(name)} is no name of an option`,
      todo: "write option('name', value)",
    })
  if (!['string', 'number', 'boolean'].includes(typeof value)) {
    throw new InvalidQueryError('INVALID_OPTION', {
      what: `the option "${name}" was given a ${value === null ? 'null' : typeof value}`,
      todo: 'give text, a number or a boolean',
    })
  }
  const others = Object.entries(options).filter(([other]) => other.toLowerCase() !== name.toLowerCase())
  return Object.fromEntries([...others, [name, String(value)]])
}
export function withOptions(options: Options, more: Readonly<Record<string, OptionValue>>): Options {
  return Object.entries(more).reduce((all, [name, value]) => withOption(all, name, value), options)
}
/** An option by its name in any case. */
export function optionOf(options: Options, name: string): string | undefined {
  return Object.entries(options).find(([other]) => other.toLowerCase() === name.toLowerCase())?.[1]
}
