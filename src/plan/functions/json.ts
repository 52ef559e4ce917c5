/** JSON text. */
import { InvalidQueryError } from '../../base/errors.ts'
import type { DataType } from '../../data/types.ts'
import { notSupportedYet, quoteType, typeMismatch } from '../analysis-errors.ts'
import type { Expression } from '../expression.ts'
import { parseDdl, parseType } from '../schema-text.ts'
import { argumentAs, call } from '../signatures.ts'
import { constantText } from './formats.ts'
import { arrayOf, type FunctionRow, literal, type Resolve, scalar, special, text } from './row.ts'

/** The options of a call: map('key', 'value', …) of constants, in lower case. */
function optionsOf(name: string, arg: Expression | undefined, known: readonly string[]): ReadonlyMap<string, string> {
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

/** A type as DDL: a whole type, or the fields of a struct. */
function typeOf(name: string, ddl: string): DataType {
  try {
    return parseType(ddl)
  } catch {
    const { fields } = parseDdl(ddl)
    return { kind: 'struct', fields }
  }
}
/** All that is read may be null. */
function nullable(type: DataType): DataType {
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

const resolveFromJson: Resolve = ([given, schema, options]) => {
  const input = argumentAs('from_json', given!, 0, 'string')
  const type = nullable(typeOf('from_json', constantText('from_json', schema!, 1)))
  if (typeof type === 'string' || type.kind === 'decimal' || (type.kind === 'map' && type.key !== 'string'))
    throw typeMismatch(
      'INVALID_JSON_SCHEMA',
      `from_json cannot give ${quoteType(type)}`,
      'give a struct, an array or a map with string keys',
    )
  const set = optionsOf('from_json', options, ['mode', 'columnnameofcorruptrecord'])
  const mode = (set.get('mode') ?? 'PERMISSIVE').toUpperCase()
  if (mode !== 'PERMISSIVE' && mode !== 'FAILFAST')
    throw new InvalidQueryError('PARSE_MODE_UNSUPPORTED', {
      what: `from_json does not support the mode ${mode}`,
      todo: 'use PERMISSIVE or FAILFAST',
    })
  const name = set.get('columnnameofcorruptrecord') ?? '_corrupt_record'
  const corrupt = type.kind === 'struct' ? type.fields.find((field) => field.name === name && field.type === 'string')?.name : undefined
  return call('from_json', [input, text(JSON.stringify({ type, corrupt, failFast: mode === 'FAILFAST' }))], type, true)
}
const resolveToJson: Resolve = ([given, options]) => {
  const { type } = given!
  if (typeof type === 'string' || type.kind === 'decimal')
    throw typeMismatch('INVALID_JSON_SCHEMA', `to_json cannot write ${quoteType(type)}`, 'give a struct, an array or a map')
  const keep = optionsOf('to_json', options, ['ignorenullfields']).get('ignorenullfields')?.toLowerCase() === 'false'
  return call('to_json', [given!, literal(keep, 'boolean')], 'string', given!.nullable)
}
const resolveSchemaOfJson: Resolve = ([given]) => {
  if (given!.kind === 'literal' && given!.value === null)
    throw typeMismatch('UNEXPECTED_NULL', 'the argument of schema_of_json must not be null', 'give a JSON text')
  return call('schema_of_json', [text(constantText('schema_of_json', given!, 0))], 'string', false)
}

export const json: readonly FunctionRow[] = [
  scalar('get_json_object', { takes: ['string', 'string'], gives: 'string', nullable: true }),
  scalar('json_array_length', { takes: ['string'], gives: 'int', nullable: true }),
  scalar('json_object_keys', { takes: ['string'], gives: arrayOf('string', true), nullable: true }),
  special('from_json', [2, 3], resolveFromJson),
  special('to_json', [1, 2], resolveToJson),
  special('schema_of_json', [1, 1], resolveSchemaOfJson),
]
