/** Functions that take a lambda: `transform(items, x -> x + 1)`. */
import { InvalidQueryError } from '../../base/errors.ts'
import { type ArrayType, type DataType, type MapType, sameType } from '../../data/types.ts'
import { quoteType, typeMismatch } from '../analysis-errors.ts'
import { castTo, commonType } from '../coercion.ts'
import type { Expression, Lambda } from '../expression.ts'
import { expressionText } from '../expression-tree.ts'
import { argumentAs, call, ordinal } from '../signatures.ts'
import { arrayOf, type FunctionRow, type LambdaArgument, notOrderable } from './row.ts'

type Arg = Expression | LambdaArgument
interface Param {
  readonly type: DataType
  readonly nullable: boolean
}
const param = (type: DataType, nullable: boolean): Param => ({ type, nullable })

function higher(
  name: string,
  arity: readonly [number, number],
  resolve: (args: readonly Arg[]) => Expression,
  aliases: readonly string[] = [],
) {
  const row: FunctionRow = { name, aliases, kind: 'scalar', deterministic: true, arity, resolve, resolveLambdas: resolve }
  return row
}

/** Argument number `index` as a value. */
function valueOf(name: string, args: readonly Arg[], index: number): Expression {
  const arg = args[index]!
  if (arg.kind !== 'unresolved-lambda') return arg
  throw new InvalidQueryError('INVALID_LAMBDA_FUNCTION_CALL.PARAMETER_DOES_NOT_ACCEPT_LAMBDA_FUNCTION', {
    what: `you passed a lambda function to the ${ordinal(index)} parameter of ${name}, which does not accept it: "${arg.text}"`,
    todo: 'give a value there',
  })
}

/** Argument number `index` as a lambda with the given parameters; it may leave out those behind the first `least`. */
function lambdaOf(name: string, args: readonly Arg[], index: number, params: readonly Param[], least = params.length): Lambda {
  const arg = args[index]!
  if (arg.kind !== 'unresolved-lambda')
    throw typeMismatch(
      'UNEXPECTED_INPUT_TYPE',
      `the ${ordinal(index)} parameter of ${name} must be a lambda function, not "${expressionText(arg)}" of type ${quoteType(arg.type)}`,
      'write it as x -> …',
    )
  if (arg.paramCount >= least && arg.paramCount <= params.length) return arg.resolve(params.slice(0, arg.paramCount))
  throw new InvalidQueryError('INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH', {
    what: `a higher order function expects ${arg.paramCount} arguments, but ${name} gives ${params.length}: "${arg.text}"`,
    todo: `write the lambda with ${least === params.length ? least : `${least} or ${params.length}`} parameters`,
  })
}
function condition(name: string, lambda: Lambda): Lambda {
  return { ...lambda, body: argumentAs(name, lambda.body, 1, 'boolean'), type: 'boolean' }
}
function arrayArg(name: string, args: readonly Arg[], index = 0): { readonly array: Expression; readonly element: Param } {
  const array = argumentAs(name, valueOf(name, args, index), index, 'array')
  const type: ArrayType = array.type === 'void' ? { kind: 'array', element: 'void', containsNull: true } : (array.type as ArrayType)
  return { array: castTo(array, type), element: param(type.element, type.containsNull) }
}
function mapArg(
  name: string,
  args: readonly Arg[],
  index = 0,
): { readonly map: Expression; readonly type: MapType; readonly entry: readonly Param[] } {
  const map = argumentAs(name, valueOf(name, args, index), index, 'map')
  const type: MapType = map.type === 'void' ? { kind: 'map', key: 'void', value: 'void', valueContainsNull: true } : (map.type as MapType)
  return { map: castTo(map, type), type, entry: [param(type.key, false), param(type.value, type.valueContainsNull)] }
}
const position = param('int', false)

function transform(args: readonly Arg[]): Expression {
  const { array, element } = arrayArg('transform', args)
  const body = lambdaOf('transform', args, 1, [element, position], 1)
  return call('transform', [array, body], arrayOf(body.type, body.nullable), array.nullable)
}
function filter(args: readonly Arg[]): Expression {
  const { array, element } = arrayArg('filter', args)
  return call('filter', [array, condition('filter', lambdaOf('filter', args, 1, [element, position], 1))], array.type, array.nullable)
}
function quantified(name: 'exists' | 'forall'): FunctionRow {
  return higher(name, [2, 2], (args) => {
    const { array, element } = arrayArg(name, args)
    const holds = condition(name, lambdaOf(name, args, 1, [element]))
    return call(name, [array, holds], 'boolean', array.nullable || holds.body.nullable)
  })
}

/** The accumulator has the type of the start, and what the lambda gives must fit into it. */
function aggregate(args: readonly Arg[]): Expression {
  const { array, element } = arrayArg('aggregate', args)
  const start = valueOf('aggregate', args, 1)
  const merge = lambdaOf('aggregate', args, 2, [param(start.type, true), element])
  if (!sameType(merge.type, start.type) && merge.type !== 'void') {
    throw typeMismatch(
      'UNEXPECTED_INPUT_TYPE',
      `the third parameter of aggregate requires the ${quoteType(start.type)} type, however "${expressionText(merge)}" has the type ${quoteType(merge.type)}`,
      'cast the start or the result, so that both have one type',
    )
  }
  const merged: Lambda = { ...merge, body: castTo(merge.body, start.type), type: start.type }
  if (args.length === 3) return call('aggregate', [array, start, merged], start.type, true)
  const finish = lambdaOf('aggregate', args, 3, [param(start.type, true)])
  return call('aggregate', [array, start, merged, finish], finish.type, true)
}

function zipWith(args: readonly Arg[]): Expression {
  const [a, b] = [arrayArg('zip_with', args, 0), arrayArg('zip_with', args, 1)]
  const body = lambdaOf('zip_with', args, 2, [param(a.element.type, true), param(b.element.type, true)])
  return call('zip_with', [a.array, b.array, body], arrayOf(body.type, body.nullable), a.array.nullable || b.array.nullable)
}
function mapFilter(args: readonly Arg[]): Expression {
  const { map, entry } = mapArg('map_filter', args)
  return call('map_filter', [map, condition('map_filter', lambdaOf('map_filter', args, 1, entry))], map.type, map.nullable)
}
function mapZipWith(args: readonly Arg[]): Expression {
  const [a, b] = [mapArg('map_zip_with', args, 0), mapArg('map_zip_with', args, 1)]
  const key = commonType(a.type.key, b.type.key)
  if (key === undefined) {
    throw typeMismatch(
      'MAP_ZIP_WITH_DIFF_TYPES',
      `the input to map_zip_with should be two maps with compatible key types, but they are ${quoteType(a.type.key)} and ${quoteType(b.type.key)}`,
      'cast the keys of one of them',
    )
  }
  const body = lambdaOf('map_zip_with', args, 2, [param(key, false), param(a.type.value, true), param(b.type.value, true)])
  const maps = [castTo(a.map, { ...a.type, key }), castTo(b.map, { ...b.type, key })]
  const type: MapType = { kind: 'map', key, value: body.type, valueContainsNull: body.nullable }
  return call('map_zip_with', [...maps, body], type, a.map.nullable || b.map.nullable)
}
function transformKeys(args: readonly Arg[]): Expression {
  const { map, type, entry } = mapArg('transform_keys', args)
  const body = lambdaOf('transform_keys', args, 1, entry)
  return call('transform_keys', [map, body], { ...type, key: body.type }, map.nullable)
}
function transformValues(args: readonly Arg[]): Expression {
  const { map, type, entry } = mapArg('transform_values', args)
  const body = lambdaOf('transform_values', args, 1, entry)
  return call('transform_values', [map, body], { ...type, value: body.type, valueContainsNull: body.nullable }, map.nullable)
}

function arraySort(args: readonly Arg[]): Expression {
  const { array, element } = arrayArg('array_sort', args)
  if (args.length === 1) {
    const [ordered] = [argumentAs('array_sort', array, 0, 'orderable')].filter((arg) => arg === array)
    if (!ordered) throw notOrderable('array_sort', array)
    return call('array_sort', [array], array.type, array.nullable)
  }
  const compare = lambdaOf('array_sort', args, 1, [element, element])
  if (compare.type !== 'int') {
    throw typeMismatch(
      'UNEXPECTED_RETURN_TYPE',
      `array_sort requires its comparison to give "INT", but "${expressionText(compare)}" gives ${quoteType(compare.type)}`,
      'give -1, 0 or 1',
    )
  }
  return call('array_sort', [array, compare], array.type, array.nullable)
}

export const higherOrder: readonly FunctionRow[] = [
  higher('transform', [2, 2], transform),
  higher('filter', [2, 2], filter),
  quantified('exists'),
  quantified('forall'),
  higher('aggregate', [3, 4], aggregate, ['reduce']),
  higher('zip_with', [3, 3], zipWith),
  higher('map_filter', [2, 2], mapFilter),
  higher('map_zip_with', [3, 3], mapZipWith),
  higher('transform_keys', [2, 2], transformKeys),
  higher('transform_values', [2, 2], transformValues),
]

/** Stands among the collections, as its lambda may be left out. */
export const arraySortRow: FunctionRow = higher('array_sort', [1, 2], arraySort)
