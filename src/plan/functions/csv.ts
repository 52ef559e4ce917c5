/** Lines of CSV. */
import { InvalidQueryError } from '../../base/errors.ts'
import type { DataType } from '../../data/types.ts'
import { quoteType, typeMismatch } from '../analysis-errors.ts'
import { castTo } from '../coercion.ts'
import { argumentAs, call } from '../signatures.ts'
import { constantText } from './formats.ts'
import { optionsOf, structOf, timePatternOptions, timePatterns } from './options.ts'
import { type FunctionRow, type Resolve, special, text } from './row.ts'

/** How a line is written, as the kernels take it. */
export interface CsvSpec {
  readonly sep: string
  readonly quote: string
  readonly escape: string
  readonly comment: string
  readonly nullValue: string
  readonly trimLeft: boolean
  readonly trimRight: boolean
}
const shared = ['sep', 'delimiter', 'quote', 'escape', 'nullvalue', 'ignoreleadingwhitespace', 'ignoretrailingwhitespace']

function specOf(options: ReadonlyMap<string, string>, trims: boolean): CsvSpec {
  const flag = (name: string) => (options.get(name) ?? String(trims)).toLowerCase() === 'true'
  return {
    sep: (options.get('sep') ?? options.get('delimiter') ?? ',').replaceAll('\\t', '\t'),
    quote: options.get('quote') ?? '"',
    escape: options.get('escape') ?? '\\',
    comment: options.get('comment') ?? '',
    nullValue: options.get('nullvalue') ?? '',
    trimLeft: flag('ignoreleadingwhitespace'),
    trimRight: flag('ignoretrailingwhitespace'),
  }
}

const isPlain = (type: DataType) => typeof type === 'string' || type.kind === 'decimal'

const resolveFromCsv: Resolve = ([given, schema, options]) => {
  const input = argumentAs('from_csv', given!, 0, 'string')
  const type = structOf('from_csv', constantText('from_csv', schema!, 1))
  const nested = type.fields.find((field) => !isPlain(field.type) || field.type === 'binary')
  if (nested)
    throw new InvalidQueryError('UNSUPPORTED_DATATYPE', {
      what: `from_csv cannot read the field \`${nested.name}\` of type ${quoteType(nested.type)}`,
      todo: 'read it as a string, and make what it holds of that',
    })
  const set = optionsOf('from_csv', options, [...shared, ...timePatternOptions, 'comment', 'mode', 'columnnameofcorruptrecord'])
  const mode = (set.get('mode') ?? 'PERMISSIVE').toUpperCase()
  if (mode !== 'PERMISSIVE' && mode !== 'FAILFAST')
    throw new InvalidQueryError('PARSE_MODE_UNSUPPORTED', {
      what: `from_csv does not support the mode ${mode}`,
      todo: 'use PERMISSIVE or FAILFAST',
    })
  const name = set.get('columnnameofcorruptrecord') ?? '_corrupt_record'
  const corrupt = type.fields.find((field) => field.name === name && field.type === 'string')?.name
  return call(
    'from_csv',
    [input, text(JSON.stringify({ type, corrupt, failFast: mode === 'FAILFAST', csv: specOf(set, false), patterns: timePatterns(set) }))],
    type,
    true,
  )
}

const resolveToCsv: Resolve = ([given, options]) => {
  const { type } = given!
  if (typeof type === 'string' || type.kind !== 'struct')
    throw typeMismatch('UNSUPPORTED_INPUT_TYPE', `to_csv cannot write ${quoteType(type)}`, 'give a struct')
  const nested = type.fields.find((field) => !isPlain(field.type))
  if (nested)
    throw typeMismatch(
      'UNSUPPORTED_INPUT_TYPE',
      `to_csv cannot write the field \`${nested.name}\` of type ${quoteType(nested.type)}`,
      'make it text first',
    )
  const set = optionsOf('to_csv', options, [...shared, ...timePatternOptions])
  return call(
    'to_csv',
    [given!, text(JSON.stringify(specOf(set, true))), text(JSON.stringify(timePatterns(set)))],
    'string',
    given!.nullable,
  )
}

const resolveSchemaOfCsv: Resolve = ([given, options]) => {
  if (given!.kind === 'literal' && given!.value === null)
    throw typeMismatch('UNEXPECTED_NULL', 'the argument of schema_of_csv must not be null', 'give a line of CSV')
  const set = optionsOf('schema_of_csv', options, shared)
  const line = castTo(text(constantText('schema_of_csv', given!, 0)), 'string')
  return call('schema_of_csv', [line, text(JSON.stringify(specOf(set, false)))], 'string', false)
}

export const csv: readonly FunctionRow[] = [
  special('from_csv', [2, 3], resolveFromCsv),
  special('to_csv', [1, 2], resolveToCsv),
  special('schema_of_csv', [1, 2], resolveSchemaOfCsv),
]
