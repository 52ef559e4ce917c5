import { InvalidQueryError } from '../../base/errors.ts'
import type { Schema } from '../../data/schema.ts'
import { type DataType, type Field, typeText } from '../../data/types.ts'

/** A field of an index, as the API has it. */
export interface FieldMapping {
  readonly type?: string
  readonly format?: string
  readonly properties?: Readonly<Record<string, FieldMapping>>
}
export type Properties = Readonly<Record<string, FieldMapping>>

/** What an index that is created maps the columns to. The documents keep every digit of a value; these types say how it is found. */
export function mappingOf(schema: Schema, textColumns: ReadonlySet<string>): Properties {
  return propertiesOf(schema.fields, textColumns)
}
function propertiesOf(fields: readonly Field[], texts: ReadonlySet<string>): Properties {
  return Object.fromEntries(fields.map(({ name, type }) => [name, texts.has(name) ? { type: 'text' } : fieldOf(type)]))
}

const simple: Readonly<Record<string, FieldMapping>> = {
  boolean: { type: 'boolean' },
  byte: { type: 'byte' },
  short: { type: 'short' },
  int: { type: 'integer' },
  long: { type: 'long' },
  float: { type: 'float' },
  double: { type: 'double' },
  binary: { type: 'binary' },
  date: { type: 'date', format: 'strict_date' },
  timestamp: { type: 'date', format: 'strict_date_optional_time' },
  timestamp_ntz: { type: 'date', format: 'strict_date_optional_time' },
}
function fieldOf(type: DataType): FieldMapping {
  if (typeof type === 'string') return simple[type] ?? { type: 'keyword' }
  switch (type.kind) {
    case 'decimal':
      return { type: 'double' }
    case 'array':
      // every field of an index may hold several values
      return fieldOf(type.element)
    case 'struct':
      return { properties: propertiesOf(type.fields, new Set()) }
    case 'map':
      return { type: 'object' }
    default:
      return { type: 'keyword' }
  }
}

const texts = [
  'keyword',
  'text',
  'wildcard',
  'match_only_text',
  'constant_keyword',
  'search_as_you_type',
  'completion',
  'version',
  'ip',
  'icu_collation_keyword',
]
const integers = ['byte', 'short', 'integer', 'long']
const fractions = ['half_float', 'float', 'scaled_float', 'double']
/** Which types of a field take a column, by the type that would be created. */
const takes: Readonly<Record<string, readonly string[]>> = {
  keyword: texts,
  text: texts,
  boolean: ['boolean', 'keyword'],
  byte: [...integers, 'unsigned_long', ...fractions, 'keyword'],
  short: [...integers.slice(1), 'unsigned_long', ...fractions.slice(1), 'keyword'],
  integer: [...integers.slice(2), 'unsigned_long', 'scaled_float', 'double', 'keyword'],
  long: ['long', 'unsigned_long', 'double', 'keyword'],
  float: [...fractions.slice(1), 'keyword'],
  double: ['double', 'scaled_float', 'keyword'],
  date: ['date', 'date_nanos', 'keyword'],
  binary: ['binary', 'keyword'],
  object: ['object', 'nested', 'flattened', 'flat_object'],
}

/** The columns that an index does not have yet. InvalidQueryError SEARCH_MAPPING_MISMATCH for one that it has as something else, or may not get. */
export function compareMapping(index: string, wanted: Properties, there: Properties, schema: Schema, dynamic: string): Properties {
  const missing: Record<string, FieldMapping> = {}
  const problems: string[] = []
  compare(wanted, there, '', problems, missing)
  const names = Object.keys(missing)
  if (dynamic === 'strict' && names.length > 0)
    problems.push(`it has no field ${names.join(', ')}, and takes no new ones (dynamic: strict)`)
  if (problems.length === 0) return missing
  const types = schema.fields.map(({ name, type }) => `${name} ${typeText(type)}`).join(', ')
  throw new InvalidQueryError('SEARCH_MAPPING_MISMATCH', {
    what: `the index ${index} does not take the rows (${types}): ${problems.join('; ')}`,
    todo: 'cast or rename the columns, change the mapping, or write to another index',
  })
}
function compare(wanted: Properties, there: Properties, path: string, problems: string[], missing: Record<string, FieldMapping>): void {
  for (const [name, field] of Object.entries(wanted)) {
    const found = there[name]
    if (found === undefined) {
      if (path === '') missing[name] = field
      continue
    }
    const [kind, has] = [kindOf(field), kindOf(found)]
    if (!(takes[kind] ?? [kind]).includes(has)) problems.push(`the field ${path}${name} is of type ${has}, and the column would be ${kind}`)
    else if (field.properties && found.properties) compare(field.properties, found.properties, `${path}${name}.`, problems, missing)
  }
}
/** The API leaves the type of an object out. */
function kindOf({ type }: FieldMapping): string {
  return type ?? 'object'
}
