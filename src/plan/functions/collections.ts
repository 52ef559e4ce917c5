/** Structs, arrays and maps. */
import type { DataType } from '../../data/types.ts'
import { typeMismatch } from '../analysis-errors.ts'
import { castTo, commonType } from '../coercion.ts'
import type { Expression } from '../expression.ts'
import { expressionText } from '../expression-tree.ts'
import { anyNullable, argumentAs, call, toCommonType } from '../signatures.ts'
import { arrayOf, differentTypes, type FunctionRow, mapTypeOf, type Resolve, scalar, special, text } from './row.ts'

const resolveNamedStruct: Resolve = (args) => {
  if (args.length % 2 !== 0)
    throw typeMismatch('WRONG_NUM_ARGS', 'named_struct takes pairs of name and value', 'give a value for each name')
  const fields = args.flatMap((name, i) => (i % 2 === 0 ? [structField(name, args[i + 1]!)] : []))
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
const resolveStruct: Resolve = (args) =>
  resolveNamedStruct(
    args.flatMap((arg, i) => [text(arg.kind === 'column' ? arg.name : arg.kind === 'field' ? arg.field : `col${i + 1}`), arg]),
    false,
  )
const resolveArray: Resolve = (given) => {
  const { type, args } = toCommonType('array', given)
  return call('array', args, arrayOf(type, anyNullable(args)), false)
}
const resolveSize: Resolve = ([arg]) => {
  if (typeof arg!.type === 'string' || (arg!.type.kind !== 'array' && arg!.type.kind !== 'map')) argumentAs('size', arg!, 0, 'array')
  return call('size', [arg!], 'int', arg!.nullable)
}
const resolveElementAt: Resolve = ([input, key]) => {
  const type = input!.type
  if (typeof type !== 'string' && type.kind === 'map')
    return call('element_at', [input!, sameOrFail('element_at', key!, type.key)], type.value, true)
  const array = argumentAs('element_at', input!, 0, 'array')
  const index = castTo(argumentAs('element_at', key!, 1, 'integral'), 'int')
  const { element, containsNull } = array.type as Extract<DataType, { kind: 'array' }>
  return call('element_at', [array, index], element, containsNull || array.nullable || index.nullable)
}
const resolveArrayContains: Resolve = ([given, value]) => {
  const array = argumentAs('array_contains', given!, 0, 'array')
  const { element, containsNull } = array.type as Extract<DataType, { kind: 'array' }>
  const common = commonType(element, value!.type)
  if (common === undefined) throw differentTypes('array_contains', array, value!)
  const args = [castTo(array, arrayOf(common, containsNull)), castTo(value!, common)]
  return call('array_contains', args, 'boolean', anyNullable(args) || containsNull)
}
function sameOrFail(name: string, arg: Expression, type: DataType): Expression {
  if (commonType(arg.type, type) === undefined) throw differentTypes(name, arg, { ...arg, type })
  return castTo(arg, type)
}

export const collections: readonly FunctionRow[] = [
  special('struct', [0, Infinity], resolveStruct),
  special('named_struct', [0, Infinity], resolveNamedStruct),
  special('array', [0, Infinity], resolveArray),
  special('size', [1, 1], resolveSize, ['cardinality']),
  special('element_at', [2, 2], resolveElementAt),
  special('array_contains', [2, 2], resolveArrayContains),
  scalar('map_keys', { takes: ['map'], gives: ([map]) => arrayOf(mapTypeOf(map!).key, false) }),
  scalar('map_values', { takes: ['map'], gives: ([map]) => arrayOf(mapTypeOf(map!).value, mapTypeOf(map!).valueContainsNull) }),
]
