/** Commands that have commands of their own: their options and operands, checked before anything is done. */
import { parseArgs } from 'node:util'
import { nearest } from '../base/suggest.ts'

export interface Subcommand {
  /** Names of the operands, all of which are needed but those that end in `?`. */
  readonly operands: readonly string[]
  readonly options: readonly string[]
}
export interface Parsed {
  readonly name: string
  readonly operands: readonly string[]
  readonly values: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
}

/** Options that take a value, by what it must be; others are flags. */
const valued: Readonly<Record<string, 'text' | 'texts' | 'whole' | 'number'>> = {
  batch: 'whole',
  last: 'whole',
  limit: 'whole',
  'retain-batches': 'whole',
  'retain-days': 'number',
  move: 'texts',
  to: 'text',
  'local-folder': 'text',
  source: 'text',
  reason: 'text',
  header: 'text',
}
const flags = ['json', 'delete', 'dry-run', 'rows', 'same-id', 'new-id', 'help'] as const

/** `help`: the text of it is wanted; `wrong`: what is wrong with the command line. */
export function parseSubcommand(
  group: string,
  args: readonly string[],
  commands: Readonly<Record<string, Subcommand>>,
): Parsed | { readonly help: true } | { readonly wrong: string } {
  let values: Parsed['values']
  let positionals: string[]
  try {
    const options = Object.fromEntries([
      ...Object.entries(valued).map(([name, kind]) => [name, { type: 'string' as const, multiple: kind === 'texts' }] as const),
      ...flags.map((name) => [name, { type: 'boolean' as const, ...(name === 'help' && { short: 'h' }) }] as const),
    ])
    const parsed = parseArgs({ args: [...args], allowPositionals: true, options })
    values = parsed.values as Parsed['values']
    positionals = parsed.positionals
  } catch (error) {
    return { wrong: (error as Error).message }
  }
  if (values['help']) return { help: true }
  const [name, ...operands] = positionals
  const command = name === undefined ? undefined : commands[name]
  if (name === undefined) return { wrong: `${group} needs one of ${Object.keys(commands).join(', ')}` }
  if (command === undefined) {
    const [near] = nearest(name, Object.keys(commands), 1)
    return { wrong: `there is no command "${group} ${name}"${near ? `; did you mean ${near}?` : ''}` }
  }
  const wrong = wrongOption(`${group} ${name}`, command, values) ?? wrongOperands(`${group} ${name}`, command, operands)
  return wrong === undefined ? { name, operands, values } : { wrong }
}

function wrongOption(name: string, { options }: Subcommand, values: Parsed['values']): string | undefined {
  for (const [option, value] of Object.entries(values)) {
    if (value === undefined || value === false) continue
    if (!options.includes(option)) return `${name} has no option --${option}`
    if (valued[option] === 'whole' && !/^\d{1,15}$/.test(String(value))) return `--${option} takes a whole number, not "${value}"`
    if (valued[option] === 'number' && !/^\d{1,9}(\.\d+)?$/.test(String(value))) return `--${option} takes a number, not "${value}"`
  }
  return undefined
}

function wrongOperands(name: string, { operands }: Subcommand, given: readonly string[]): string | undefined {
  const missing = operands.find((operand, i) => !operand.endsWith('?') && given[i] === undefined)
  if (missing !== undefined) return `${name} needs ${missing}`
  return given.length > operands.length ? `"${given[operands.length]}" is one operand too many for ${name}` : undefined
}

export function numberOption({ values }: Parsed, name: string): number | undefined {
  const value = values[name]
  return value === undefined ? undefined : Number(value)
}
