/** The words in which the function table says what a function takes and gives. */
import type { InvalidQueryError } from '../base/errors.ts'
import { isInterval } from '../data/intervals.ts'
import { type DataType, sameType, typeText } from '../data/types.ts'
import { quoteType, typeMismatch, wrongArgumentCount } from './analysis-errors.ts'
import { canStoreAs, castTo, commonTypeOf, isIntegral, isNumeric, isOrderable, isTimestamp } from './coercion.ts'
import type { Call, Expression } from './expression.ts'
import { expressionText } from './expression-tree.ts'

/** What an argument may be; anything else is cast implicitly, or refused. */
export type Wanted =
  | 'any'
  | 'orderable'
  | 'numeric'
  | 'integral'
  | 'measure'
  | 'text'
  | 'bytes'
  | 'number'
  | 'instant'
  | 'array'
  | 'map'
  | DataType

interface Want {
  readonly accepts: (type: DataType) => boolean
  /** What an argument of another type is cast to, if that may be done implicitly. */
  readonly otherwise?: DataType
  readonly says: string
}
const wants: Readonly<Record<string, Want>> = {
  any: { accepts: () => true, says: 'ANY' },
  orderable: { accepts: isOrderable, says: 'ORDERABLE' },
  numeric: { accepts: isNumeric, otherwise: 'double', says: 'NUMERIC' },
  integral: { accepts: isIntegral, otherwise: 'int', says: 'INTEGRAL' },
  /** a number or an interval */
  measure: { accepts: (type) => isNumeric(type) || isInterval(type), otherwise: 'double', says: 'NUMERIC OR INTERVAL' },
  /** double, decimal or long (floor and ceil) */
  number: { accepts: (type) => type === 'double' || type === 'long' || isDecimalType(type), otherwise: 'double', says: 'NUMERIC' },
  /** string or binary */
  text: { accepts: (type) => type === 'string' || type === 'binary', otherwise: 'string', says: 'STRING' },
  bytes: { accepts: (type) => type === 'binary' || type === 'string', says: 'BINARY' },
  /** timestamp with or without a zone */
  instant: { accepts: isTimestamp, otherwise: 'timestamp', says: 'TIMESTAMP' },
  array: { accepts: (type) => typeof type !== 'string' && type.kind === 'array', says: 'ARRAY' },
  map: { accepts: (type) => typeof type !== 'string' && type.kind === 'map', says: 'MAP' },
}
function isDecimalType(type: DataType): boolean {
  return typeof type !== 'string' && type.kind === 'decimal'
}

/** Argument number `index` as the function takes it. DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE otherwise. */
export function argumentAs(name: string, arg: Expression, index: number, wanted: Wanted): Expression {
  const want: Want =
    typeof wanted === 'string' && wanted in wants
      ? wants[wanted]!
      : {
          accepts: (type) => sameType(type, wanted as DataType),
          otherwise: wanted as DataType,
          says: typeText(wanted as DataType).toUpperCase(),
        }
  if (want.accepts(arg.type) && arg.type !== 'void') return arg
  if (arg.type === 'void') return want.otherwise === undefined ? arg : castTo(arg, want.otherwise)
  if (want.otherwise !== undefined && isImplicit(arg.type, want.otherwise, wanted)) return castTo(arg, want.otherwise)
  throw unexpectedInput(name, arg, index, want.otherwise, want.says)
}

/** DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE. `type`: what the argument may be cast to, where there is one such type. */
export function unexpectedInput(
  name: string,
  arg: Expression,
  index: number,
  type: DataType | undefined,
  says: string = type === undefined ? '' : typeText(type).toUpperCase(),
): InvalidQueryError {
  return typeMismatch(
    'UNEXPECTED_INPUT_TYPE',
    `the ${ordinal(index)} parameter of ${name} requires the "${says}" type, however "${expressionText(arg)}" has the type ${quoteType(arg.type)}`,
    type === undefined ? `give ${name} a value of type ${says}` : `cast it first: cast(${expressionText(arg)} as ${typeText(type)})`,
  )
}

/** Spark's implicit casts: what may be stored may be taken, a string for any atomic type, but no fraction for an integer of any size. */
function isImplicit(from: DataType, to: DataType, wanted: Wanted): boolean {
  if (wanted === 'integral' && !isIntegral(from)) return from === 'string'
  return from === 'string' ? typeof to === 'string' || to.kind === 'decimal' : canStoreAs(from, to)
}

export function ordinal(index: number): string {
  return ['first', 'second', 'third', 'fourth', 'fifth'][index] ?? `${index + 1}th`
}

/** Checks how many arguments there are; `max` may be Infinity. */
export function checkCount(name: string, count: number, min: number, max: number): void {
  if (count >= min && count <= max) return
  throw wrongArgumentCount(name, min === max ? String(min) : max === Infinity ? `at least ${min}` : `${min} to ${max}`, count)
}

/** All arguments in the type that they have in common. DATATYPE_MISMATCH.DATA_DIFF_TYPES where there is none. */
export function toCommonType(name: string, args: readonly Expression[]): { readonly type: DataType; readonly args: readonly Expression[] } {
  const type = commonTypeOf(args.map((arg) => arg.type))
  if (type === undefined) {
    throw typeMismatch(
      'DATA_DIFF_TYPES',
      `the input to ${name} should all be the same type, but it is [${args.map((arg) => quoteType(arg.type)).join(', ')}]`,
      'cast the values to one type',
    )
  }
  return { type, args: args.map((arg) => castTo(arg, type)) }
}

export function call(name: string, args: readonly Expression[], type: DataType, nullable: boolean, deterministic = true): Call {
  return { kind: 'call', name, args, type, nullable, deterministic }
}
export function anyNullable(args: readonly Expression[]): boolean {
  return args.some((arg) => arg.nullable)
}
