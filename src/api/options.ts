import { settingsOf, shownArgument, textOf } from '../base/arguments.ts'
import { InvalidQueryError } from '../base/errors.ts'

export type OptionValue = string | number | boolean
export type Options = Readonly<Record<string, string>>

/** The options with one more. Names are the same whatever their case, and the last one counts. INVALID_OPTION for other values. */
export function withOption(options: Options, name: string, value: OptionValue): Options {
  if (typeof name !== 'string' || name === '')
    throw new InvalidQueryError('INVALID_OPTION', {
      what: `${shownArgument(name)} is no name of an option`,
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
  settingsOf('what options(…) was given', more, "write options({ name: 'value' })")
  return Object.entries(more).reduce((all, [name, value]) => withOption(all, name, value), options)
}
/** InvalidQueryError NOT_A_TEXT. */
export function formatOf(format: string): string {
  return textOf('the format', format, "write format('parquet')")
}
/** The path that a call was given, or that of the options. PATH_GIVEN_TWICE where there are both: one of them would be passed over. */
export function pathOf<P>(call: string, path: P | undefined, options: Options): P | string | undefined {
  const option = optionOf(options, 'path')
  if (path === undefined || option === undefined) return path ?? option
  throw new InvalidQueryError('PATH_GIVEN_TWICE', {
    what: `${call} was given the path ${JSON.stringify(path)}, and the option path is ${JSON.stringify(option)}`,
    todo: `remove the option path, or call ${call} without the parameter`,
  })
}
/** An option by its name in any case. */
function optionOf(options: Options, name: string): string | undefined {
  return Object.entries(options).find(([other]) => other.toLowerCase() === name.toLowerCase())?.[1]
}
