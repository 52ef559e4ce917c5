/** Structs, arrays and maps. */
import { InvalidQueryError } from '../../base/errors.ts'
import { isInterval } from '../../data/intervals.ts'
import { type ArrayType, type DataType, type MapType, type StructType, sameType } from '../../data/types.ts'
import { quoteType, typeMismatch, wrongArgumentCount } from '../analysis-errors.ts'
import { castTo, commonType, isIntegral, isOrderable, isTimestamp } from '../coercion.ts'
import type { Expression } from '../expression.ts'
import { expressionText } from '../expression-tree.ts'
import { anyNullable, argumentAs, call, ordinal, toCommonType } from '../signatures.ts'
import { arraySortRow } from './higher-order.ts'
import { arrayOf, type FunctionRow, literal, mapTypeOf, notOrderable, type Resolve, scalar, special, text } from './row.ts'

// ---- structs

const resolveNamedStruct: Resolve = (args) => {
  if (args.length % 2 !== 0 || args.length === 0) throw wrongArgumentCount('named_struct', '2n (n > 0)', args.length)
  const fields = args.flatMap((name, i) => (i % 2 === 0 ? [structField(name, args[i + 1]!)] : []))
  checkFieldNames(fields.map(({ name }) => name))
  return call('named_struct', args, { kind: 'struct', fields }, false)
}
function structField(name: Expression, value: Expression) {
  if (name.kind === 'literal' && typeof name.value === 'string') return { name: name.value, type: value.type, nullable: value.nullable }
  throw typeMismatch(
    'CREATE_NAMED_STRUCT_WITHOUT_FOLDABLE_STRING',
    `the names of named_struct must be constant strings, not "${expressionText(name)}"`,
    'give the names as text',
  )
}
/** DuckDB's structs have no two fields of one name, case aside. */
function checkFieldNames(names: readonly string[]): void {
  const lower = names.map((name) => name.toLowerCase())
  const at = lower.findIndex((name, i) => lower.indexOf(name) < i)
  if (at < 0) return
  throw new InvalidQueryError('COLUMN_ALREADY_EXISTS', {
    what: `the field \`${names[at]}\` is given twice in a struct`,
    todo: 'call one of them otherwise: struct(a.id AS left_id, b.id AS right_id)',
  })
}
const nameOf = (arg: Expression, otherwise: string) =>
  arg.kind === 'column' || arg.kind === 'variable' ? arg.name : arg.kind === 'field' ? arg.field : otherwise
const resolveStruct: Resolve = (args) =>
  resolveNamedStruct(
    args.flatMap((arg, i) => [text(nameOf(arg, `col${i + 1}`)), arg]),
    false,
  )

// ---- arrays

const asArray = (e: Expression) => e.type as ArrayType
/** Argument `index` as an array; a bare NULL is one of nothing. */
function arrayArg(name: string, args: readonly Expression[], index = 0): Expression {
  const array = argumentAs(name, args[index]!, index, 'array')
  return array.type === 'void' ? castTo(array, arrayOf('void', true)) : array
}
function elementsDiffer(name: string, a: Expression, b: Expression): Error {
  return typeMismatch(
    'ARRAY_FUNCTION_DIFF_TYPES',
    `the input to ${name} should have been "ARRAY" followed by a value with the same element type, but it is [${quoteType(a.type)}, ${quoteType(b.type)}]`,
    'cast the array or the value',
  )
}
/** The array and a value beside it, both of the type that they have in common. */
function withValue(name: string, given: Expression, value: Expression): readonly [Expression, Expression] {
  const { element, containsNull } = asArray(given)
  const common = commonType(element, value.type)
  if (common === undefined) throw elementsDiffer(name, given, value)
  return [castTo(given, arrayOf(common, containsNull)), castTo(value, common)]
}
/** As withValue, where no digits of either side may be lost: an int does not go with a fraction. */
function withElement(name: string, given: Expression, value: Expression): readonly [Expression, Expression] {
  const isFraction = (type: DataType) => type === 'float' || type === 'double' || (typeof type !== 'string' && type.kind === 'decimal')
  const element = asArray(given).element
  if (isFraction(value.type) !== isFraction(element) && value.type !== 'void' && element !== 'void')
    throw elementsDiffer(name, given, value)
  return withValue(name, given, value)
}
/** `f(array, value)` that gives an array. */
function adding(name: string): FunctionRow {
  return special(name, [2, 2], (given) => {
    const [array, value] = withElement(name, arrayArg(name, given), given[1]!)
    return call(name, [array, value], { ...asArray(array), containsNull: asArray(array).containsNull || value.nullable }, array.nullable)
  })
}
/** Both as arrays of one type. */
function setOperation(name: string, keepsNulls: (a: ArrayType, b: ArrayType) => boolean): FunctionRow {
  return special(name, [2, 2], (given) => {
    const [a, b] = bothArrays(name, given)
    return call(name, [a, b], arrayOf(asArray(a).element, keepsNulls(asArray(a), asArray(b))), a.nullable || b.nullable)
  })
}
function bothArrays(name: string, given: readonly Expression[]): readonly [Expression, Expression] {
  const [a, b] = [arrayArg(name, given, 0), arrayArg(name, given, 1)]
  const element = commonType(asArray(a).element, asArray(b).element)
  if (element === undefined) {
    throw typeMismatch(
      'BINARY_ARRAY_DIFF_TYPES',
      `the input to ${name} should have been two arrays with the same element type, but it is [${quoteType(a.type)}, ${quoteType(b.type)}]`,
      'cast one of them',
    )
  }
  return [castTo(a, arrayOf(element, asArray(a).containsNull)), castTo(b, arrayOf(element, asArray(b).containsNull))]
}
/** `f(array)` with a result that its type follows from. */
function ofArray(
  name: string,
  gives: (type: ArrayType) => DataType,
  options: { nullable?: boolean; orderable?: boolean; aliases?: readonly string[] } = {},
): FunctionRow {
  const resolve: Resolve = (given) => {
    const array = arrayArg(name, given)
    if (options.orderable && !isOrderable(asArray(array).element)) throw notOrderable(name, array)
    return call(name, [array], gives(asArray(array)), options.nullable === true || array.nullable)
  }
  return special(name, [1, 1], resolve, options.aliases)
}
const intArg = (name: string, args: readonly Expression[], index: number) =>
  castTo(argumentAs(name, args[index]!, index, 'integral'), 'int')

const resolveArray: Resolve = (given) => {
  const { type, args } = toCommonType('array', given)
  return call('array', args, arrayOf(type, anyNullable(args)), false)
}
const resolveSize: Resolve = ([arg]) => {
  if (arg!.type === 'void') return literal(null, 'int')
  if (typeof arg!.type === 'string' || (arg!.type.kind !== 'array' && arg!.type.kind !== 'map')) argumentAs('size', arg!, 0, 'array')
  return call('size', [arg!], 'int', arg!.nullable)
}
function elementAt(name: 'element_at' | 'try_element_at'): FunctionRow {
  return special(name, [2, 2], (given) => {
    const [input, key] = given as [Expression, Expression]
    if (typeof input.type !== 'string' && input.type.kind === 'map')
      return call(name, [input, mapKey(name, input, key)], input.type.value, true)
    const array = arrayArg(name, given)
    const index = intArg(name, given, 1)
    const nullable = name === 'try_element_at' || asArray(array).containsNull || array.nullable || index.nullable
    return call(name, [array, index], asArray(array).element, nullable)
  })
}
function mapKey(name: string, map: Expression, key: Expression): Expression {
  const { key: type } = mapTypeOf(map)
  const common = commonType(key.type, type)
  if (common !== undefined && sameType(common, type)) return castTo(key, type)
  throw typeMismatch(
    'MAP_FUNCTION_DIFF_TYPES',
    `the input to ${name} should have been "MAP" followed by a value with the same key type, but it is [${quoteType(map.type)}, ${quoteType(key.type)}]`,
    'cast the key',
  )
}
const resolveContains: Resolve = (given) => {
  const [array, value] = withValue('array_contains', arrayArg('array_contains', given), given[1]!)
  return call('array_contains', [array, value], 'boolean', array.nullable || value.nullable || asArray(array).containsNull)
}
const resolvePosition: Resolve = (given) => {
  const [array, value] = withValue('array_position', arrayArg('array_position', given), given[1]!)
  return call('array_position', [array, value], 'long', array.nullable || value.nullable)
}
const resolveRemove: Resolve = (given) => {
  const [array, value] = withValue('array_remove', arrayArg('array_remove', given), given[1]!)
  return call('array_remove', [array, value], array.type, array.nullable || value.nullable)
}
const resolveInsert: Resolve = (given) => {
  const position = given[1]!.type === 'void' ? undefined : intArg('array_insert', given, 1)
  if (position === undefined)
    throw typeMismatch(
      'UNEXPECTED_INPUT_TYPE',
      'the second parameter of array_insert requires the "INT" type, not a bare NULL',
      'give a position',
    )
  const [array, value] = withElement('array_insert', arrayArg('array_insert', given), given[2]!)
  return call('array_insert', [array, position, value], { ...asArray(array), containsNull: true }, array.nullable || position.nullable)
}
const resolveJoin: Resolve = (given) => {
  const array = castTo(arrayArg('array_join', given), arrayOf('string', true))
  const rest = given.slice(1).map((arg, i) => argumentAs('array_join', arg, i + 1, 'string'))
  return call('array_join', [array, ...rest], 'string', anyNullable([array, ...rest]))
}
const resolveRepeat: Resolve = (given) => {
  const count = intArg('array_repeat', given, 1)
  return call('array_repeat', [given[0]!, count], arrayOf(given[0]!.type, given[0]!.nullable), count.nullable)
}
const resolveSortArray: Resolve = (given) => {
  const array = arrayArg('sort_array', given)
  if (!isOrderable(asArray(array).element)) throw notOrderable('sort_array', array)
  const ascending = argumentAs('sort_array', given[1] ?? literal(true, 'boolean'), 1, 'boolean')
  return call('sort_array', [array, ascending], array.type, array.nullable || ascending.nullable)
}
const resolveOverlap: Resolve = (given) => {
  const [a, b] = bothArrays('arrays_overlap', given)
  return call('arrays_overlap', [a, b], 'boolean', a.nullable || b.nullable || asArray(a).containsNull || asArray(b).containsNull)
}
const resolveZip: Resolve = (given) => {
  const arrays = given.map((_, i) => arrayArg('arrays_zip', given, i))
  const fields = arrays.map((array, i) => ({ name: nameOf(array, String(i)), type: asArray(array).element, nullable: true }))
  return call('arrays_zip', arrays, arrayOf({ kind: 'struct', fields }, false), anyNullable(arrays))
}
const resolveGet: Resolve = (given) => {
  const array = arrayArg('get', given)
  return call('get', [array, intArg('get', given, 1)], asArray(array).element, true)
}
/** `xs[0]`: an index that is not there is an error. */
const resolveItem: Resolve = (given) => {
  const array = arrayArg('array_item', given)
  const index = intArg('array_item', given, 1)
  return call('array_item', [array, index], asArray(array).element, asArray(array).containsNull || array.nullable || index.nullable)
}
const resolveFlatten: Resolve = (given) => {
  const outer = arrayArg('flatten', given)
  const inner = asArray(outer).element
  if (typeof inner === 'string' || inner.kind !== 'array') {
    throw typeMismatch(
      'UNEXPECTED_INPUT_TYPE',
      `the first parameter of flatten requires the "ARRAY" of "ARRAY" type, however "${expressionText(outer)}" has the type ${quoteType(outer.type)}`,
      'give an array of arrays',
    )
  }
  return call('flatten', [outer], inner, outer.nullable || asArray(outer).containsNull)
}
const resolveSlice: Resolve = (given) => {
  const array = arrayArg('slice', given)
  const [start, length] = [intArg('slice', given, 1), intArg('slice', given, 2)]
  return call('slice', [array, start, length], array.type, anyNullable([array, start, length]))
}
const resolveShuffle: Resolve = (given) => {
  const array = arrayArg('shuffle', given)
  if (given.length === 1) return call('shuffle', [array], array.type, array.nullable, false)
  const seed = castTo(argumentAs('shuffle', given[1]!, 1, 'integral'), 'long')
  return call('shuffle', [array, seed], array.type, array.nullable, false)
}

/** Numbers of one integral type, or times with an interval; without a step it is one (a day) in the direction of the end. */
const resolveSequence: Resolve = ([givenStart, givenStop, givenStep]) => {
  const { type, args } = toCommonType('sequence', [givenStart!, givenStop!])
  const [start, stop] = args as [Expression, Expression]
  const isTime = type === 'date' || isTimestamp(type)
  const isNumber = isIntegral(type)
  const step = givenStep && (isNumber ? stepOf(givenStep, type) : givenStep.type === 'void' ? castTo(givenStep, 'interval day') : givenStep)
  const fits = isNumber ? step === undefined || sameType(step.type, type) : isTime && (step === undefined || isInterval(step.type))
  if (!fits) {
    throw typeMismatch(
      'SEQUENCE_WRONG_INPUT_TYPES',
      `sequence uses the wrong parameter types: ${[givenStart, givenStop, givenStep]
        .map((arg) => arg && quoteType(arg.type))
        .filter(Boolean)
        .join(', ')}`,
      'give whole numbers with a whole step, or dates or timestamps with an interval',
    )
  }
  const all = [start, stop, ...(step ? [step] : [])]
  return call('sequence', all, arrayOf(type, false), anyNullable(all))
}
function stepOf(step: Expression, type: DataType): Expression {
  return isIntegral(step.type) || step.type === 'void' ? castTo(step, type) : step
}

// ---- maps

const mapOf = (key: DataType, value: DataType, valueContainsNull: boolean): MapType => ({ kind: 'map', key, value, valueContainsNull })
const resolveMap: Resolve = (given) => {
  if (given.length % 2 !== 0) throw wrongArgumentCount('map', '2n', given.length)
  const keys = toCommonType(
    'map',
    given.filter((_, i) => i % 2 === 0),
  )
  const values = toCommonType(
    'map',
    given.filter((_, i) => i % 2 === 1),
  )
  const args = keys.args.flatMap((key, i) => [key, values.args[i]!])
  return call('map', args, mapOf(keys.type, values.type, anyNullable(values.args)), false)
}
const resolveMapFromArrays: Resolve = (given) => {
  const [keys, values] = [arrayArg('map_from_arrays', given, 0), arrayArg('map_from_arrays', given, 1)]
  const type = mapOf(asArray(keys).element, asArray(values).element, asArray(values).containsNull)
  return call('map_from_arrays', [keys, values], type, keys.nullable || values.nullable)
}
const resolveMapFromEntries: Resolve = (given) => {
  const entries = arrayArg('map_from_entries', given)
  const { element, containsNull } = asArray(entries)
  if (typeof element === 'string' || element.kind !== 'struct' || element.fields.length !== 2) {
    throw typeMismatch(
      'UNEXPECTED_INPUT_TYPE',
      `the first parameter of map_from_entries requires an array of pairs, however "${expressionText(entries)}" has the type ${quoteType(entries.type)}`,
      'give an array of structs of key and value',
    )
  }
  const [key, value] = element.fields
  return call('map_from_entries', [entries], mapOf(key!.type, value!.type, value!.nullable), entries.nullable || containsNull)
}
function mapArg(name: string, args: readonly Expression[], index = 0): Expression {
  const map = argumentAs(name, args[index]!, index, 'map')
  return map.type === 'void' ? castTo(map, mapOf('void', 'void', true)) : map
}
const resolveMapEntries: Resolve = (given) => {
  const map = mapArg('map_entries', given)
  const { key, value, valueContainsNull } = mapTypeOf(map)
  const entry: StructType = {
    kind: 'struct',
    fields: [
      { name: 'key', type: key, nullable: false },
      { name: 'value', type: value, nullable: valueContainsNull },
    ],
  }
  return call('map_entries', [map], arrayOf(entry, false), map.nullable)
}
const resolveMapConcat: Resolve = (given) => {
  if (given.length === 0) return call('map', [], mapOf('string', 'string', false), false)
  for (const [i, arg] of given.entries()) {
    if (typeof arg.type === 'string' || arg.type.kind !== 'map')
      throw typeMismatch(
        'MAP_CONCAT_DIFF_TYPES',
        `map_concat takes maps, but its ${ordinal(i)} argument is ${quoteType(arg.type)}`,
        'give maps',
      )
  }
  const keys = given.map((arg) => mapTypeOf(arg).key)
  const texts = keys.filter((key) => key === 'string').length
  if (texts > 0 && texts < keys.length)
    throw typeMismatch(
      'DATA_DIFF_TYPES',
      `the input to map_concat should all be the same type, but it is [${given.map((arg) => quoteType(arg.type)).join(', ')}]`,
      'cast the keys',
    )
  const { type, args } = toCommonType('map_concat', given)
  return call('map_concat', args, type, anyNullable(args))
}
const resolveContainsKey: Resolve = (given) => {
  const map = mapArg('map_contains_key', given)
  if (given[1]!.type === 'void')
    throw typeMismatch('NULL_TYPE', 'map_contains_key was given a bare NULL as the key', 'give a key: a map has no null key')
  return call('map_contains_key', [map, mapKey('map_contains_key', map, given[1]!)], 'boolean', map.nullable || given[1]!.nullable)
}
const sameElements = (type: ArrayType): DataType => type

export const collections: readonly FunctionRow[] = [
  special('struct', [0, Infinity], resolveStruct),
  special('named_struct', [0, Infinity], resolveNamedStruct),

  special('array', [0, Infinity], resolveArray),
  adding('array_append'),
  adding('array_prepend'),
  special('array_insert', [3, 3], resolveInsert),
  special('array_remove', [2, 2], resolveRemove),
  special('array_position', [2, 2], resolvePosition),
  special('array_contains', [2, 2], resolveContains),
  ofArray('array_distinct', sameElements),
  setOperation('array_union', (a, b) => a.containsNull || b.containsNull),
  setOperation('array_intersect', (a, b) => a.containsNull && b.containsNull),
  setOperation('array_except', (a) => a.containsNull),
  special('array_join', [2, 3], resolveJoin),
  ofArray('array_max', (type) => type.element, { nullable: true, orderable: true }),
  ofArray('array_min', (type) => type.element, { nullable: true, orderable: true }),
  special('array_repeat', [2, 2], resolveRepeat),
  ofArray('array_size', () => 'int'),
  ofArray('array_compact', (type) => arrayOf(type.element, false)),
  arraySortRow,
  special('sort_array', [1, 2], resolveSortArray),
  special('arrays_overlap', [2, 2], resolveOverlap),
  special('arrays_zip', [1, Infinity], resolveZip),
  special('size', [1, 1], resolveSize, ['cardinality']),
  elementAt('element_at'),
  elementAt('try_element_at'),
  special('get', [2, 2], resolveGet),
  { ...special('array_item', [2, 2], resolveItem), internal: true },
  special('flatten', [1, 1], resolveFlatten),
  special('sequence', [2, 3], resolveSequence),
  { ...special('shuffle', [1, 2], resolveShuffle), deterministic: false },
  special('slice', [3, 3], resolveSlice),

  special('map', [0, Infinity], resolveMap),
  special('map_from_arrays', [2, 2], resolveMapFromArrays),
  special('map_from_entries', [1, 1], resolveMapFromEntries),
  special('map_entries', [1, 1], resolveMapEntries),
  scalar('map_keys', { takes: ['map'], gives: ([map]) => arrayOf(mapTypeOf(map!).key, false) }),
  scalar('map_values', { takes: ['map'], gives: ([map]) => arrayOf(mapTypeOf(map!).value, mapTypeOf(map!).valueContainsNull) }),
  special('map_concat', [0, Infinity], resolveMapConcat),
  special('map_contains_key', [2, 2], resolveContainsKey),
  scalar('str_to_map', {
    takes: ['string', 'string', 'string'],
    min: 1,
    defaults: [undefined, text(','), text(':')],
    gives: mapOf('string', 'string', true),
  }),
]
