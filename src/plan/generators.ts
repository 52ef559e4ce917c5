/** Functions that make several rows of one: what they take and which columns they give. */
import { InvalidQueryError } from '../base/errors.ts'
import type { DataType, Field } from '../data/types.ts'
import { quoteType, typeMismatch } from './analysis-errors.ts'
import { canCast, castTo, commonTypeOf } from './coercion.ts'
import type { Expression, UnresolvedExpression } from './expression.ts'
import { expressionText } from './expression-tree.ts'
import { argumentAs, checkCount } from './signatures.ts'
import { unresolvedChildren } from './unresolved-tree.ts'

/** How the engine makes the rows; `explode_outer` and its like are these with Generate.outer. */
export type GeneratorName = 'explode' | 'posexplode' | 'inline' | 'stack' | 'json_tuple'

export interface ResolvedGenerator {
  readonly name: GeneratorName
  readonly args: readonly Expression[]
  /** One row of nulls where there would be none. */
  readonly outer: boolean
  /** The columns that it gives, under the names that they have unless others are given. */
  readonly fields: readonly Field[]
}
interface Signature {
  readonly name: GeneratorName
  readonly arity: readonly [number, number]
  readonly resolve: (args: readonly Expression[]) => { readonly args?: readonly Expression[]; readonly fields: readonly Field[] }
}

const position: Field = { name: 'pos', type: 'int', nullable: false }
const signatures: readonly Signature[] = [
  { name: 'explode', arity: [1, 1], resolve: ([arg]) => ({ fields: elementsOf('explode', arg!) }) },
  { name: 'posexplode', arity: [1, 1], resolve: ([arg]) => ({ fields: [position, ...elementsOf('posexplode', arg!)] }) },
  { name: 'inline', arity: [1, 1], resolve: ([arg]) => ({ fields: structsOf(arg!) }) },
  { name: 'stack', arity: [2, Infinity], resolve: stack },
  { name: 'json_tuple', arity: [2, Infinity], resolve: jsonTuple },
]
const byName = new Map<string, { readonly signature: Signature; readonly outer: boolean }>()
for (const signature of signatures) {
  byName.set(signature.name, { signature, outer: false })
  if (signature.arity[1] === 1) byName.set(`${signature.name}_outer`, { signature, outer: true })
}
export type GeneratorCall = Extract<UnresolvedExpression, { kind: 'call' }>
export function isGeneratorName(name: string): boolean {
  return byName.has(name.toLowerCase())
}
export function isGenerator(e: UnresolvedExpression): e is GeneratorCall {
  return e.kind === 'call' && isGeneratorName(e.name)
}

/** Types a generator's call. WRONG_NUM_ARGS, DATATYPE_MISMATCH. */
export function resolveGenerator(name: string, args: readonly Expression[], outer = false): ResolvedGenerator {
  const { signature, outer: named } = byName.get(name.toLowerCase())!
  checkCount(name, args.length, ...signature.arity)
  const { args: cast = args, fields } = signature.resolve(args)
  const filled = outer || named
  return {
    name: signature.name,
    args: cast,
    outer: filled,
    fields: filled ? fields.map((field) => ({ ...field, nullable: true })) : fields,
  }
}

function elementsOf(name: string, arg: Expression): Field[] {
  const { type } = arg
  if (typeof type !== 'string' && type.kind === 'array') return [{ name: 'col', type: type.element, nullable: type.containsNull }]
  if (typeof type !== 'string' && type.kind === 'map')
    return [
      { name: 'key', type: type.key, nullable: false },
      { name: 'value', type: type.value, nullable: type.valueContainsNull },
    ]
  throw typeMismatch(
    'UNEXPECTED_INPUT_TYPE',
    `the first parameter of ${name} requires the ("ARRAY" or "MAP") type, however "${expressionText(arg)}" has the type ${quoteType(type)}`,
    `give ${name} an array or a map; split(text, ',') makes an array of text`,
  )
}

function structsOf(arg: Expression): readonly Field[] {
  const { type } = arg
  const element = typeof type !== 'string' && type.kind === 'array' ? type : undefined
  if (element && typeof element.element !== 'string' && element.element.kind === 'struct')
    return element.element.fields.map((field) => ({ ...field, nullable: field.nullable || element.containsNull }))
  throw typeMismatch(
    'UNEXPECTED_INPUT_TYPE',
    `the first parameter of inline requires the "ARRAY<STRUCT>" type, however "${expressionText(arg)}" has the type ${quoteType(type)}`,
    'use explode for arrays of anything else',
  )
}

/** `stack(rows, a, b, …)`: the values in that many rows, the last ones filled up with nulls. */
function stack([given, ...values]: readonly Expression[]): ReturnType<Signature['resolve']> {
  const count = argumentAs('stack', given!, 0, 'int')
  if (count.kind !== 'literal' || typeof count.value !== 'number')
    throw typeMismatch(
      'NON_FOLDABLE_INPUT',
      `the number of rows of stack must be a constant, but is "${expressionText(given!)}"`,
      'give a number',
    )
  if (count.value < 1)
    throw typeMismatch(
      'VALUE_OUT_OF_RANGE',
      `the number of rows of stack must be at least 1, but is ${count.value}`,
      'give how many rows to make',
    )
  const width = Math.ceil(values.length / count.value)
  const columns = Array.from({ length: width }, (_, column) => values.filter((_, i) => i % width === column))
  const fields = columns.map((column, i) => stackField(column, i, count.value as number))
  return { args: [count, ...values.map((value, i) => castTo(value, fields[i % width]!.type))], fields }
}
function stackField(values: readonly Expression[], column: number, rows: number): Field {
  const types = values.map((value) => value.type)
  const type = commonTypeOf(types)
  if (type !== undefined && types.every((each) => each === 'void' || each === type || (canCast(each, type) && sameShape(each, type))))
    return { name: `col${column}`, type, nullable: values.length < rows || values.some((value) => value.nullable) }
  throw typeMismatch(
    'STACK_COLUMN_DIFF_TYPES',
    `the values of column ${column} of stack should all have one type, but have [${types.map(quoteType).join(', ')}]`,
    'cast the values to one type',
  )
}
/** Spark widens nothing here but nulls. */
function sameShape(a: DataType, b: DataType): boolean {
  return quoteType(a) === quoteType(b)
}

function jsonTuple(given: readonly Expression[]): ReturnType<Signature['resolve']> {
  const args = given.map((arg, i) => argumentAs('json_tuple', arg, i, 'string'))
  return { args, fields: args.slice(1).map((_, i): Field => ({ name: `c${i}`, type: 'string', nullable: true })) }
}

/** UNSUPPORTED_GENERATOR.<kind>. */
function unsupportedGenerator(kind: string, what: string, todo: string): InvalidQueryError {
  return new InvalidQueryError(`UNSUPPORTED_GENERATOR.${kind}`, { what, todo })
}

export function nestedGenerator(call: GeneratorCall): InvalidQueryError {
  return unsupportedGenerator(
    'NESTED_IN_EXPRESSIONS',
    `the generator ${call.name} stands inside another expression`,
    'let the generator make a column of its own first, and compute with that column in a second step',
  )
}

/** UNSUPPORTED_GENERATOR.OUTSIDE_SELECT where an expression that is no column of a select holds a generator. */
export function refuseGenerator(e: UnresolvedExpression, place: string): void {
  const call = findGenerator(e)
  if (!call) return
  throw unsupportedGenerator(
    'OUTSIDE_SELECT',
    `the generator ${call.name} stands in ${place}, outside of a select`,
    'make it a column first, and use that column here',
  )
}
function findGenerator(e: UnresolvedExpression): GeneratorCall | undefined {
  if (isGenerator(e)) return e
  for (const child of unresolvedChildren(e)) {
    const found = findGenerator(child)
    if (found) return found
  }
  return undefined
}
