/** JSON text. */
import { InvalidQueryError } from '../../base/errors.ts'
import { hasNonStringKeys } from '../../data/types.ts'
import { quoteType, typeMismatch } from '../analysis-errors.ts'
import { argumentAs, call } from '../signatures.ts'
import { constantText } from './formats.ts'
import { nullable, optionsOf, timePatternOptions, timePatterns, typeOf } from './options.ts'
import { arrayOf, type FunctionRow, literal, type Resolve, scalar, special, text } from './row.ts'

const resolveFromJson: Resolve = ([given, schema, options]) => {
  const input = argumentAs('from_json', given!, 0, 'string')
  const type = nullable(typeOf(constantText('from_json', schema!, 1)))
  if (typeof type === 'string' || type.kind === 'decimal')
    throw typeMismatch('INVALID_JSON_SCHEMA', `from_json cannot give ${quoteType(type)}`, 'give a struct, an array or a map')
  if (hasNonStringKeys(type))
    throw typeMismatch(
      'INVALID_JSON_MAP_KEY_TYPE',
      `from_json was given the schema ${quoteType(type)}, and the keys of a JSON object are strings`,
      'give its maps string keys, and cast them later: transform_keys(m, (k, v) -> cast(k as int))',
    )
  const set = optionsOf('from_json', options, ['mode', 'columnnameofcorruptrecord', ...timePatternOptions])
  const mode = (set.get('mode') ?? 'PERMISSIVE').toUpperCase()
  if (mode !== 'PERMISSIVE' && mode !== 'FAILFAST')
    throw new InvalidQueryError('PARSE_MODE_UNSUPPORTED', {
      what: `from_json does not support the mode ${mode}`,
      todo: 'use PERMISSIVE or FAILFAST',
    })
  const name = set.get('columnnameofcorruptrecord') ?? '_corrupt_record'
  const corrupt = type.kind === 'struct' ? type.fields.find((field) => field.name === name && field.type === 'string')?.name : undefined
  return call(
    'from_json',
    [input, text(JSON.stringify({ type, corrupt, failFast: mode === 'FAILFAST', patterns: timePatterns(set) }))],
    type,
    true,
  )
}
const resolveToJson: Resolve = ([given, options]) => {
  const { type } = given!
  if (typeof type === 'string' || type.kind === 'decimal')
    throw typeMismatch('INVALID_JSON_SCHEMA', `to_json cannot write ${quoteType(type)}`, 'give a struct, an array or a map')
  const set = optionsOf('to_json', options, ['ignorenullfields', ...timePatternOptions])
  const keep = set.get('ignorenullfields')?.toLowerCase() === 'false'
  return call('to_json', [given!, literal(keep, 'boolean'), text(JSON.stringify(timePatterns(set)))], 'string', given!.nullable)
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
