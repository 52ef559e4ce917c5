/** Structs, arrays and maps. */
import type { DataType, MapType } from '../../data/types.ts'
import { sortedSql } from '../ordering-sql.ts'
import { bind, quoteIdentifier, raise, sqlType, stringLiteral } from '../sql-text.ts'
import { mapOf } from './map-sql.ts'
import { sequence } from './sequence-sql.ts'
import { elementOf, plain, type SqlArgument, type Template, type Templates, unsupported } from './template.ts'

const structOf: Template = (args, type, name) => {
  if (typeof type === 'string' || type.kind !== 'struct') throw unsupported('an empty struct', 'give it a field')
  const values = name === 'named_struct' ? args.filter((_, i) => i % 2 === 1) : args
  return `struct_pack(${values.map((value, i) => `${quoteIdentifier(type.fields[i]!.name)} := ${value.sql}`).join(', ')})`
}

// ---- arrays

const typed = (sql: string, type: DataType) => `CAST(${sql} AS ${sqlType(type)})`
const arrayOf: Template = (args, type) => (args.length === 0 ? typed('[]', type) : `[${args.map((a) => a.sql).join(', ')}]`)
const size: Template = ([x]) =>
  `CAST(${typeof x!.type !== 'string' && x!.type.kind === 'map' ? 'cardinality' : 'len'}(${x!.sql}) AS INTEGER)`

const zeroIndex = raise(
  'INVALID_INDEX_OF_ZERO',
  'The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).',
)
/** Arrays count from 1, or from the end below 0, and fail outside (try_: give null); a key that a map has not gives null. */
const elementAt =
  (mode: 'ansi' | 'try'): Template =>
  ([x, key]) => {
    if (typeof x!.type !== 'string' && x!.type.kind === 'map') return `map_extract_value(${x!.sql}, ${key!.sql})`
    const error = raise('INVALID_ARRAY_INDEX_IN_ELEMENT_AT', 'The index {} is out of bounds.', `CAST(${key!.sql} AS VARCHAR)`)
    const outside = mode === 'try' ? 'NULL' : error
    return `CASE WHEN abs(${key!.sql}) > len(${x!.sql}) THEN ${outside} WHEN ${key!.sql} = 0 AND ${x!.sql} IS NOT NULL THEN ${zeroIndex} ELSE ${x!.sql}[${key!.sql}] END`
  }
const get: Template = ([x, index]) => `CASE WHEN ${index!.sql} >= 0 THEN ${x!.sql}[${index!.sql} + 1] END`

const item: Template = ([x, index]) => {
  const outside = raise('INVALID_ARRAY_INDEX', 'The index {} is out of bounds of the array.', `CAST(${index!.sql} AS VARCHAR)`)
  return `CASE WHEN ${index!.sql} < 0 AND ${x!.sql} IS NOT NULL OR ${index!.sql} >= len(${x!.sql}) THEN ${outside} ELSE ${x!.sql}[${index!.sql} + 1] END`
}

const mayHoldNulls = ({ type }: SqlArgument) => typeof type === 'string' || type.kind !== 'array' || type.containsNull
/** Null where the value is not found but might be one of the array's nulls. */
const arrayContains: Template = ([x, value]) => {
  const found = `list_contains(${x!.sql}, ${value!.sql})`
  return mayHoldNulls(x!)
    ? `CASE WHEN ${found} THEN true WHEN ${value!.sql} IS NOT NULL AND list_count(${x!.sql}) = len(${x!.sql}) THEN false END`
    : found
}
const unlessNull = (args: readonly SqlArgument[], sql: string) => {
  const nullable = args.filter((arg) => arg.nullable)
  return nullable.length === 0 ? sql : `CASE WHEN ${nullable.map((arg) => `${arg.sql} IS NOT NULL`).join(' AND ')} THEN ${sql} END`
}
const arrayPosition: Template = ([x, value]) =>
  unlessNull([x!, value!], `CAST(coalesce(list_position(${x!.sql}, ${value!.sql}), 0) AS BIGINT)`)
const arrayRemove: Template = ([x, value]) => unlessNull([x!, value!], `list_filter(${x!.sql}, lambda r: r IS DISTINCT FROM ${value!.sql})`)
const append: Template = ([x, value], type) => unlessNull([x!], typed(`list_append(${x!.sql}, ${value!.sql})`, type))
const prepend: Template = ([x, value], type) => unlessNull([x!], typed(`list_prepend(${value!.sql}, ${x!.sql})`, type))

/** A position behind the end, or before the beginning, leaves a gap of nulls. */
const insert: Template = ([x, position, value], type) => {
  const [list, p] = [x!.sql, position!.sql]
  const item = typed(`[${value!.sql}]`, type)
  const nulls = (count: string) => typed(`list_resize([], greatest(${count}, 0))`, type)
  const at = (before: string) => `list_concat(list_concat(${list}[1:${before}], ${item}), ${list}[${before} + 1:])`
  return unlessNull(
    [x!, position!],
    `CASE WHEN ${p} = 0 THEN ${zeroIndex} WHEN ${p} > len(${list}) THEN list_concat(list_concat(${list}, ${nulls(`${p} - len(${list}) - 1`)}), ${item}) ` +
      `WHEN ${p} > 0 THEN ${at(`(${p} - 1)`)} WHEN -${p} > len(${list}) + 1 THEN list_concat(list_concat(${item}, ${nulls(`-${p} - len(${list}) - 1`)}), ${list}) ` +
      `ELSE ${at(`(len(${list}) + ${p} + 1)`)} END`,
  )
}

/** Each value once, at its first place. */
function distinct(list: string): string {
  return bind(list, 'u', 'list_filter(u, lambda d, i: list_position(u, d) = i)')
}
const intersect: Template = ([a, b]) =>
  unlessNull([a!, b!], `list_filter(${distinct(a!.sql)}, lambda s: list_position(${b!.sql}, s) IS NOT NULL)`)
const except: Template = ([a, b]) => unlessNull([a!, b!], `list_filter(${distinct(a!.sql)}, lambda s: list_position(${b!.sql}, s) IS NULL)`)
const union: Template = ([a, b]) => unlessNull([a!, b!], distinct(`list_concat(${a!.sql}, ${b!.sql})`))

/** Nulls are left out, or written as the third argument says. */
const join: Template = (args) => {
  const [x, separator, forNull] = args
  const items = forNull === undefined ? x!.sql : `list_transform(${x!.sql}, lambda j: coalesce(j, ${forNull.sql}))`
  return unlessNull(args, `CASE WHEN len(${x!.sql}) = 0 THEN '' ELSE coalesce(array_to_string(${items}, ${separator!.sql}), '') END`)
}
const repeat: Template = ([value, count], type) =>
  unlessNull([count!], typed(`list_transform(range(greatest(${count!.sql}, 0)), lambda n: ${value!.sql})`, type))
const sortArray: Template = ([x, ascending], type) => {
  const sorted = (up: boolean) => typed(sortedSql(x!.sql, elementOf(type), up ? 'ASC' : 'DESC', up ? 'FIRST' : 'LAST'), type)
  if (typeof ascending!.literal === 'boolean') return sorted(ascending!.literal)
  return `CASE WHEN ${ascending!.sql} THEN ${sorted(true)} WHEN NOT ${ascending!.sql} THEN ${sorted(false)} END`
}
/** The least and the greatest value that is not null; NaN is above all numbers. */
const extreme =
  (order: 'ASC' | 'DESC'): Template =>
  ([x], type) =>
    typed(`(${sortedSql(x!.sql, type, order, 'LAST')})[1]`, type)

/** Null where a value that is not found might be one of the nulls of the other, unless one is empty. */
const overlap: Template = ([a, b]) => {
  const found = `list_has_any(list_filter(${a!.sql}, lambda o: o IS NOT NULL), list_filter(${b!.sql}, lambda o: o IS NOT NULL))`
  const mightBe = `len(${a!.sql}) > 0 AND len(${b!.sql}) > 0 AND (list_count(${a!.sql}) < len(${a!.sql}) OR list_count(${b!.sql}) < len(${b!.sql}))`
  return unlessNull([a!, b!], `CASE WHEN ${found} THEN true WHEN ${mightBe} THEN NULL ELSE false END`)
}
const zip: Template = (arrays, type) => {
  const fields =
    typeof type !== 'string' && type.kind === 'array' && typeof type.element !== 'string' && type.element.kind === 'struct'
      ? type.element.fields
      : []
  const item = `struct_pack(${arrays.map((array, i) => `${quoteIdentifier(fields[i]!.name)} := (${array.sql})[z]`).join(', ')})`
  const longest = arrays.length === 1 ? `len(${arrays[0]!.sql})` : `greatest(${arrays.map((array) => `len(${array.sql})`).join(', ')})`
  return unlessNull(arrays, `list_transform(range(1, ${longest} + 1), lambda z: ${item})`)
}
/** Null where one of the arrays is. */
const flatten: Template = ([x], type) => {
  const flat = typed(`flatten(${x!.sql})`, type)
  return mayHoldNulls(x!) ? `CASE WHEN list_count(${x!.sql}) = len(${x!.sql}) THEN ${flat} END` : flat
}
const slice: Template = ([x, start, length]) => {
  const from = `CASE WHEN ${start!.sql} > 0 THEN ${start!.sql} ELSE len(${x!.sql}) + ${start!.sql} + 1 END`
  const noStart = raise('INVALID_PARAMETER_VALUE.START', 'Expects a positive or a negative value for start in slice, but got 0.')
  const noLength = raise(
    'INVALID_PARAMETER_VALUE.LENGTH',
    'Expects a length of slice that is not below 0, but got {}.',
    `CAST(${length!.sql} AS VARCHAR)`,
  )
  const part = bind(
    `struct_pack(l := ${x!.sql}, f := ${from}, n := ${length!.sql})`,
    's',
    'CASE WHEN s.f < 1 OR s.n = 0 THEN s.l[1:0] ELSE s.l[s.f:s.f + s.n - 1] END',
  )
  return unlessNull(
    [x!, start!, length!],
    `CASE WHEN ${start!.sql} = 0 THEN ${noStart} WHEN ${length!.sql} < 0 THEN ${noLength} ELSE ${part} END`,
  )
}
/** In the order of numbers by chance; with a seed, of numbers that follow from it and the places. */
const shuffle: Template = ([x, seed]) => {
  const key = seed === undefined ? 'random()' : `CAST(hash(h, ${seed.sql}) AS DOUBLE)`
  const keyed = `list_sort(list_transform(range(1, len(${x!.sql}) + 1), lambda h: struct_pack(r := ${key}, p := h)))`
  return unlessNull([x!], `list_transform(${keyed}, lambda k: (${x!.sql})[k.p])`)
}
const differentLengths = raise('MAP_FROM_ARRAYS_DIFF_LENGTHS', 'The given key and value arrays do not have the same length.')

// ---- maps

const pairs = (keys: readonly string[], values: readonly string[]) =>
  `[${keys.map((key, i) => `struct_pack(k := ${key}, v := ${values[i]})`).join(', ')}]`
const mapOfArguments: Template = (args, type) => {
  if (args.length === 0) return typed('MAP {}', type)
  const sql = (parity: number) => args.filter((_, i) => i % 2 === parity).map((arg) => arg.sql)
  return mapOf(pairs(sql(0), sql(1)), type as MapType, 'm')
}
const mapFromArrays: Template = ([keys, values], type) => {
  const entries = `list_transform(range(1, len(${keys!.sql}) + 1), lambda z: struct_pack(k := (${keys!.sql})[z], v := (${values!.sql})[z]))`
  const made = mapOf(entries, type as MapType, 'm')
  return unlessNull([keys!, values!], `CASE WHEN len(${keys!.sql}) <> len(${values!.sql}) THEN ${differentLengths} ELSE ${made} END`)
}
/** Null where one of the entries is. */
const mapFromEntries: Template = ([x], type) => {
  const fields =
    typeof x!.type !== 'string' && x!.type.kind === 'array' && typeof x!.type.element !== 'string' && x!.type.element.kind === 'struct'
      ? x!.type.element.fields
      : []
  const [key, value] = fields.map((field) => `struct_extract(z, ${stringLiteral(field.name)})`)
  const made = mapOf(`list_transform(${x!.sql}, lambda z: struct_pack(k := ${key}, v := ${value}))`, type as MapType, 'm')
  return `CASE WHEN list_count(${x!.sql}) = len(${x!.sql}) THEN ${made} END`
}
const mapConcat: Template = (maps, type) => {
  const entries = maps.map((map) => `map_entries(${map.sql})`).reduce((a, b) => `list_concat(${a}, ${b})`)
  const made = mapOf(`list_transform(${entries}, lambda z: struct_pack(k := z."key", v := z."value"))`, type as MapType, 'm')
  return unlessNull(maps, made)
}
const containsKey: Template = ([map, key]) => unlessNull([map!, key!], `list_contains(map_keys(${map!.sql}), ${key!.sql})`)

/** At the first match of the second separator a pair becomes key and value; without one the value is null. */
const strToMap: Template = ([x, pairSeparator, keySeparator], type) => {
  const parts = `string_split_regex(${x!.sql}, ${pairSeparator!.sql})`
  const found = `regexp_extract(z, ${keySeparator!.sql})`
  const key = `string_split_regex(z, ${keySeparator!.sql})[1]`
  const value = `CASE WHEN regexp_matches(z, ${keySeparator!.sql}) THEN substring(z, CAST(length(${key}) + length(${found}) + 1 AS BIGINT)) END`
  return unlessNull([x!], mapOf(`list_transform(${parts}, lambda z: struct_pack(k := ${key}, v := ${value}))`, type as MapType, 'm'))
}

export const collections: Templates = {
  struct: structOf,
  named_struct: structOf,
  array: arrayOf,
  array_append: append,
  array_prepend: prepend,
  array_insert: insert,
  array_remove: arrayRemove,
  array_position: arrayPosition,
  array_contains: arrayContains,
  array_distinct: ([x]) => distinct(x!.sql),
  array_union: union,
  array_intersect: intersect,
  array_except: except,
  array_join: join,
  array_max: extreme('DESC'),
  array_min: extreme('ASC'),
  array_repeat: repeat,
  array_size: size,
  array_compact: ([x]) => `list_filter(${x!.sql}, lambda c: c IS NOT NULL)`,
  sort_array: sortArray,
  arrays_overlap: overlap,
  arrays_zip: zip,
  size,
  element_at: elementAt('ansi'),
  try_element_at: elementAt('try'),
  get,
  array_item: item,
  flatten,
  sequence,
  shuffle,
  slice,
  map: mapOfArguments,
  map_from_arrays: mapFromArrays,
  map_from_entries: mapFromEntries,
  map_entries: ([map], type) => typed(`map_entries(${map!.sql})`, type),
  map_keys: plain('map_keys'),
  map_values: plain('map_values'),
  map_concat: mapConcat,
  map_contains_key: containsKey,
  str_to_map: strToMap,
}
