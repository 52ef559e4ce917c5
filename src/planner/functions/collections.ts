/** Structs, arrays and maps. */
import { quoteIdentifier, raise, sqlType } from '../sql-text.ts'
import { plain, type Template, type Templates, unsupported } from './template.ts'

const structOf: Template = (args, type, name) => {
  if (typeof type === 'string' || type.kind !== 'struct') throw unsupported('an empty struct', 'give it a field')
  const values = name === 'named_struct' ? args.filter((_, i) => i % 2 === 1) : args
  return `struct_pack(${values.map((value, i) => `${quoteIdentifier(type.fields[i]!.name)} := ${value.sql}`).join(', ')})`
}
const arrayOf: Template = (args, type) => (args.length === 0 ? `CAST([] AS ${sqlType(type)})` : `[${args.map((a) => a.sql).join(', ')}]`)
const size: Template = ([x]) =>
  `CAST(${typeof x!.type !== 'string' && x!.type.kind === 'map' ? 'cardinality' : 'len'}(${x!.sql}) AS INTEGER)`

/** Arrays count from 1, or from the end below 0, and fail outside; a key that a map has not gives null. */
const elementAt: Template = ([x, key]) => {
  if (typeof x!.type !== 'string' && x!.type.kind === 'map') return `map_extract_value(${x!.sql}, ${key!.sql})`
  const outside = raise('INVALID_ARRAY_INDEX_IN_ELEMENT_AT', `The index {} is out of bounds.`, `CAST(${key!.sql} AS VARCHAR)`)
  return `CASE WHEN abs(${key!.sql}) > len(${x!.sql}) THEN ${outside} WHEN ${key!.sql} = 0 THEN ${raise('INVALID_INDEX_OF_ZERO', 'The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).')} ELSE ${x!.sql}[${key!.sql}] END`
}
/** Null where the value is not found but might be one of the array's nulls. */
const arrayContains: Template = ([x, value]) => {
  const mayHoldNulls = typeof x!.type === 'string' || x!.type.kind !== 'array' || x!.type.containsNull
  const found = `list_contains(${x!.sql}, ${value!.sql})`
  return mayHoldNulls
    ? `CASE WHEN ${found} THEN true WHEN ${value!.sql} IS NOT NULL AND list_count(${x!.sql}) = len(${x!.sql}) THEN false END`
    : found
}

export const collections: Templates = {
  struct: structOf,
  named_struct: structOf,
  array: arrayOf,
  size,
  element_at: elementAt,
  array_contains: arrayContains,
  map_keys: plain('map_keys'),
  map_values: plain('map_values'),
}
