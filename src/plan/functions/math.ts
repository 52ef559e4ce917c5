/** Numbers. */
import type { DataType } from '../../data/types.ts'
import { typeMismatch } from '../analysis-errors.ts'
import { boundedDecimal, castTo, isDecimal } from '../coercion.ts'
import type { Expression } from '../expression.ts'
import { expressionText } from '../expression-tree.ts'
import { argumentAs, call } from '../signatures.ts'
import { type FunctionRow, first, int, type Resolve, scalar, special } from './row.ts'

/** ceil and floor: decimals lose their digits after the point, doubles become long. */
const wholeType = ([arg]: readonly Expression[]): DataType =>
  isDecimal(arg!.type) ? (arg!.type.scale === 0 ? arg!.type : boundedDecimal(arg!.type.precision - arg!.type.scale + 1, 0)) : 'long'

const resolveRound: Resolve = ([given, givenScale = int(0)]) => {
  const arg = argumentAs('round', given!, 0, 'numeric')
  const scale = castTo(argumentAs('round', givenScale, 1, 'integral'), 'int')
  if (scale.kind !== 'literal' || typeof scale.value !== 'number') {
    throw typeMismatch(
      'NON_FOLDABLE_INPUT',
      `the second parameter of round must be a constant integer, but is "${expressionText(givenScale)}"`,
      'give a number',
    )
  }
  return call('round', [arg, scale], roundedType(arg.type, scale.value), arg.nullable)
}
function roundedType(type: DataType, scale: number): DataType {
  if (!isDecimal(type)) return type
  const whole = type.precision - type.scale + 1
  if (scale < 0) return boundedDecimal(Math.max(whole, -scale + 1), 0)
  const kept = Math.min(type.scale, scale)
  return boundedDecimal(whole + kept, kept)
}

export const math: readonly FunctionRow[] = [
  scalar('negative', { takes: ['measure'], gives: first }),
  scalar('abs', { takes: ['measure'], gives: first }),
  scalar('ceil', { takes: ['number'], gives: wholeType, aliases: ['ceiling'] }),
  scalar('floor', { takes: ['number'], gives: wholeType }),
  special('round', [1, 2], resolveRound),
  scalar('sqrt', { takes: ['double'], gives: 'double' }),
  scalar('exp', { takes: ['double'], gives: 'double' }),
  scalar('ln', { takes: ['double'], gives: 'double', nullable: true }), // null where there is no logarithm
  scalar('log10', { takes: ['double'], gives: 'double', nullable: true }),
  scalar('pow', { takes: ['double', 'double'], gives: 'double', aliases: ['power'] }),
  scalar('sign', { takes: ['double'], gives: 'double', aliases: ['signum'] }),
]
