/** What functions over text formats take besides their input: a schema as DDL, and options. */
import { InvalidQueryError } from '../../base/errors.ts'
import type { DataType, StructType } from '../../data/types.ts'
import { notSupportedYet, typeMismatch } from '../analysis-errors.ts'
import type { Expression } from '../expression.ts'
import { parseDdl, parseType } from '../schema-text.ts'

/** The options of a call: map('key', 'value', …) of constants, in lower case. */
export function optionsOf(name: string, arg: Expression | undefined, known: readonly string[]): ReadonlyMap<string, string> {
  if (arg === undefined) return new Map()
  const parts = arg.kind === 'call' && arg.name === 'map' ? arg.args : []
  const texts = parts.map((part) => (part.kind === 'literal' && typeof part.value === 'string' ? part.value : undefined))
  if (texts.length === 0 || texts.includes(undefined))
    throw new InvalidQueryError('INVALID_OPTIONS.NON_MAP_FUNCTION', {
      what: `the options of ${name} are no map of constant texts`,
      todo: "write map('mode', 'FAILFAST')",
    })
  const options = new Map<string, string>()
  for (let i = 0; i < texts.length; i += 2) {
    const key = texts[i]!.toLowerCase()
    if (!known.includes(key)) throw notSupportedYet(`the option ${texts[i]} of ${name}`, `leave it out; there are ${known.join(', ')}`)
    options.set(key, texts[i + 1]!)
  }
  return options
}

/** Patterns of dates and times among the options. */
export interface TimePatterns {
  readonly date?: string
  readonly timestamp?: string
  readonly timestampNtz?: string
}
export const timePatternOptions = ['dateformat', 'timestampformat', 'timestampntzformat'] as const
export function timePatterns(options: ReadonlyMap<string, string>): TimePatterns {
  const [date, timestamp, timestampNtz] = timePatternOptions.map((name) => options.get(name))
  return {
    ...(date !== undefined && { date }),
    ...(timestamp !== undefined && { timestamp }),
    ...(timestampNtz !== undefined && { timestampNtz }),
  }
}

/** A type as DDL: a whole type, or the fields of a struct. */
export function typeOf(ddl: string): DataType {
  try {
    return parseType(ddl)
  } catch {
    const { fields } = parseDdl(ddl)
    return { kind: 'struct', fields }
  }
}
/** All that is read may be null. */
export function nullable(type: DataType): DataType {
  if (typeof type === 'string') return type
  switch (type.kind) {
    case 'array':
      return { kind: 'array', element: nullable(type.element), containsNull: true }
    case 'map':
      return { kind: 'map', key: type.key, value: nullable(type.value), valueContainsNull: true }
    case 'struct':
      return { kind: 'struct', fields: type.fields.map((field) => ({ name: field.name, type: nullable(field.type), nullable: true })) }
    default:
      return type
  }
}

/** The struct that a DDL text says. */
export function structOf(name: string, ddl: string): StructType {
  const type = nullable(typeOf(ddl))
  if (typeof type !== 'string' && type.kind === 'struct') return type
  throw typeMismatch(
    'INVALID_SCHEMA',
    `${name} needs the schema of a struct, and was given ${JSON.stringify(ddl)}`,
    "write its fields: 'a INT, b STRING'",
  )
}
