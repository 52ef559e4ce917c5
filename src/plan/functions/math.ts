/** Numbers. */
import { isInterval } from '../../data/intervals.ts'
import { type DataType, decimal } from '../../data/types.ts'
import { quoteType, typeMismatch } from '../analysis-errors.ts'
import { type ArithmeticName, resolveArithmetic } from '../arithmetic.ts'
import { boundedDecimal, castTo, decimalFor, isDecimal, isIntegral, isNumeric } from '../coercion.ts'
import type { Expression, Literal } from '../expression.ts'
import { expressionText } from '../expression-tree.ts'
import { anyNullable, argumentAs, call, toCommonType } from '../signatures.ts'
import { type FunctionRow, first, int, type Resolve, scalar, special } from './row.ts'

/** ceil and floor: decimals lose their digits after the point, doubles become long. */
const wholeType = ([arg]: readonly Expression[]): DataType =>
  isDecimal(arg!.type) ? (arg!.type.scale === 0 ? arg!.type : boundedDecimal(arg!.type.precision - arg!.type.scale + 1, 0)) : 'long'

/** The scale of a rounding function, which must be a constant. */
function constantScale(name: string, given: Expression): Literal & { readonly value: number } {
  const scale = castTo(argumentAs(name, given, 1, 'integral'), 'int')
  if (scale.kind === 'literal' && typeof scale.value === 'number') return scale as Literal & { readonly value: number }
  throw typeMismatch(
    'NON_FOLDABLE_INPUT',
    `the second parameter of ${name} must be a constant integer, but is "${expressionText(given)}"`,
    'give a number',
  )
}
const rounding =
  (name: string): Resolve =>
  ([given, givenScale = int(0)]) => {
    const arg = argumentAs(name, given!, 0, 'numeric')
    const scale = constantScale(name, givenScale)
    return call(name, [arg, scale], roundedType(arg.type, scale.value), arg.nullable)
  }
/** floor and ceil: with a scale the result is a decimal. */
const wholeOrScaled =
  (name: string): Resolve =>
  ([given, givenScale]) => {
    if (givenScale === undefined) {
      const arg = argumentAs(name, given!, 0, 'number')
      return call(name, [arg], wholeType([arg]), arg.nullable)
    }
    const number = argumentAs(name, given!, 0, 'numeric')
    const exact = isDecimal(number.type) ? number : castTo(number, isIntegral(number.type) ? decimalFor(number.type) : decimal(30, 15))
    const scale = constantScale(name, givenScale)
    return call(`${name}_scaled`, [exact, scale], roundedType(exact.type, scale.value), exact.nullable)
  }
function roundedType(type: DataType, scale: number): DataType {
  if (!isDecimal(type)) return type
  const whole = type.precision - type.scale + 1
  if (scale < 0) return boundedDecimal(Math.max(whole, -scale + 1), 0)
  const kept = Math.min(type.scale, scale)
  return boundedDecimal(whole + kept, kept)
}

const real = (name: string, nullable?: true, aliases: readonly string[] = []): FunctionRow =>
  scalar(name, { takes: ['double'], gives: 'double', aliases, ...(nullable && { nullable }) })

const resolveLog: Resolve = (given) => {
  const args = given.map((arg, i) => argumentAs('log', arg, i, 'double'))
  return call(args.length === 1 ? 'ln' : 'log', args, 'double', true)
}
const resolveSign: Resolve = ([given]) => {
  const arg = isInterval(given!.type) ? given! : argumentAs('sign', given!, 0, 'double')
  return call('sign', [arg], 'double', arg.nullable)
}
const resolvePositive: Resolve = ([given]) => argumentAs('positive', given!, 0, 'measure')
/** Arithmetic of the same types under another name. */
function like(name: string, operator: ArithmeticName, nullable: boolean, aliases: readonly string[] = []): FunctionRow {
  const resolve: Resolve = ([a, b]) => {
    const typed = resolveArithmetic(operator, a!, b!)
    if (typed.kind !== 'call' || typed.name !== operator || !isNumeric(typed.type))
      throw typeMismatch(
        'BINARY_OP_WRONG_TYPE',
        `${name} takes numbers, not ${quoteType(a!.type)} and ${quoteType(b!.type)}`,
        'use numbers',
      )
    return { ...typed, name, nullable: nullable || typed.nullable }
  }
  return special(name, [2, 2], resolve, aliases)
}
const resolveDiv: Resolve = ([a, b]) => {
  const typed = resolveArithmetic('%', a!, b!)
  if (typed.kind !== 'call' || typed.name !== '%') return typed
  const [x, y] = typed.args as [Expression, Expression]
  if (x.type === 'double' || x.type === 'float')
    throw typeMismatch(
      'BINARY_OP_WRONG_TYPE',
      'div takes whole numbers and decimals, not doubles',
      'cast them to decimal first, or use floor(a / b)',
    )
  const args = isDecimal(x.type) ? [x, y] : [castTo(x, 'long'), castTo(y, 'long')]
  return call('div', args, 'long', true)
}
/** A random value; the seed is checked, and has no effect. */
function random(name: string): FunctionRow {
  const resolve: Resolve = ([seed]) => {
    if (seed !== undefined && seed.type !== 'void' && !isIntegral(seed.type))
      argumentAs(name, { ...seed, type: 'boolean' } as Expression, 0, 'integral')
    return call(name, [], 'double', false, false)
  }
  return { name, aliases: name === 'rand' ? ['random'] : [], kind: 'scalar', deterministic: false, arity: [0, 1], resolve }
}
const resolveUniform: Resolve = ([low, high]) => {
  for (const arg of [low!, high!])
    if (arg.kind !== 'literal' && arg.kind !== 'cast')
      throw typeMismatch('NON_FOLDABLE_INPUT', `uniform needs constant bounds, not "${expressionText(arg)}"`, 'give numbers')
  const { type, args } = toCommonType(
    'uniform',
    [low!, high!].map((arg, i) => argumentAs('uniform', arg, i, 'numeric')),
  )
  return call('uniform', args, type, anyNullable(args), false)
}

export const math: readonly FunctionRow[] = [
  scalar('negative', { takes: ['measure'], gives: first }),
  special('positive', [1, 1], resolvePositive),
  scalar('abs', { takes: ['measure'], gives: first }),
  special('ceil', [1, 2], wholeOrScaled('ceil'), ['ceiling']),
  special('floor', [1, 2], wholeOrScaled('floor')),
  special('round', [1, 2], rounding('round')),
  special('bround', [1, 2], rounding('bround')),
  real('rint'),
  special('sign', [1, 1], resolveSign, ['signum']),
  real('sqrt'),
  real('cbrt'),
  real('exp'),
  real('expm1'),
  real('ln', true), // null where there is no logarithm
  special('log', [1, 2], resolveLog),
  real('log10', true),
  real('log1p', true),
  real('log2', true),
  scalar('pow', { takes: ['double', 'double'], gives: 'double', aliases: ['power'] }),
  scalar('hypot', { takes: ['double', 'double'], gives: 'double' }),
  real('sin'),
  real('cos'),
  real('tan'),
  real('cot'),
  real('sec'),
  real('csc'),
  real('asin'),
  real('acos'),
  real('atan'),
  scalar('atan2', { takes: ['double', 'double'], gives: 'double' }),
  real('sinh'),
  real('cosh'),
  real('tanh'),
  real('asinh'),
  real('acosh'),
  real('atanh'),
  real('degrees'),
  real('radians'),
  scalar('pi', { takes: [], gives: 'double' }),
  scalar('e', { takes: [], gives: 'double' }),
  scalar('factorial', { takes: ['int'], gives: 'long', nullable: true }),
  scalar('bin', { takes: ['long'], gives: 'string' }),
  scalar('conv', { takes: ['string', 'int', 'int'], gives: 'string', nullable: true }),
  like('pmod', '%', true),
  special('div', [2, 2], resolveDiv),
  scalar('width_bucket', { takes: ['double', 'double', 'double', 'long'], gives: 'long', nullable: true }),
  like('try_add', '+', true),
  like('try_subtract', '-', true),
  like('try_multiply', '*', true),
  like('try_divide', '/', true),
  like('try_mod', '%', true),
  random('rand'),
  random('randn'),
  { ...special('uniform', [2, 3], resolveUniform), deterministic: false },
  {
    ...special('randstr', [1, 2], ([length]) => call('randstr', [argumentAs('randstr', length!, 0, 'int')], 'string', false, false)),
    deterministic: false,
  },
]
