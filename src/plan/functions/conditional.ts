/** Conditions, nulls and NaN. */
import { typeText } from '../../data/types.ts'
import { castTo, isOrderable } from '../coercion.ts'
import { expressionText } from '../expression-tree.ts'
import { anyNullable, argumentAs, call, toCommonType } from '../signatures.ts'
import { compare } from './operators.ts'
import { type FunctionRow, int, literal, notOrderable, type Resolve, scalar, special, text } from './row.ts'

const resolveCoalesce: Resolve = (given) => {
  const { type, args } = toCommonType('coalesce', given)
  return call(
    'coalesce',
    args,
    type,
    args.every((arg) => arg.nullable),
  )
}
const resolveNullif: Resolve = ([a, b]) => {
  const condition = compare('==', a!, b!)
  return { kind: 'case', branches: [{ condition, value: literal(null, a!.type) }], otherwise: a!, type: a!.type, nullable: true }
}
const resolveIf: Resolve = ([condition, a, b]) => {
  const { type, args } = toCommonType('if', [a!, b!])
  return call('if', [argumentAs('if', condition!, 0, 'boolean'), ...args], type, anyNullable(args))
}
function extreme(name: string): FunctionRow {
  return special(name, [2, Infinity], (given) => {
    const { type, args } = toCommonType(name, given)
    if (!isOrderable(type)) throw notOrderable(name, args[0]!)
    return call(
      name,
      args,
      type,
      args.every((arg) => arg.nullable),
    )
  })
}

const resolveNvl2: Resolve = ([value, a, b]) => resolveIf([call('isnotnull', [value!], 'boolean', false), a!, b!], false)
const resolveNullifZero: Resolve = ([value]) => resolveNullif([value!, int(0)], false)
const resolveZeroIfNull: Resolve = ([value]) => resolveCoalesce([value!.type === 'string' ? castTo(value!, 'long') : value!, int(0)], false)
const resolveNanvl: Resolve = ([a, b]) => {
  const both = a!.type === 'float' && b!.type === 'float' ? 'float' : 'double'
  const args = [argumentAs('nanvl', a!, 0, both), argumentAs('nanvl', b!, 1, both)]
  return call('nanvl', args, both, anyNullable(args))
}
const resolveAssertTrue: Resolve = ([condition, message]) => {
  const says = message ?? text(`'${expressionText(condition!)}' is not true!`)
  return call(
    'assert_true',
    [argumentAs('assert_true', condition!, 0, 'boolean'), argumentAs('assert_true', says, 1, 'string')],
    'void',
    true,
  )
}

export const conditional: readonly FunctionRow[] = [
  scalar('isnull', { takes: ['any'], gives: 'boolean', nullable: false }),
  scalar('isnotnull', { takes: ['any'], gives: 'boolean', nullable: false }),
  special('isnan', [1, 1], ([arg]) =>
    call('isnan', [arg!.type === 'float' ? arg! : argumentAs('isnan', arg!, 0, 'double')], 'boolean', false),
  ),
  special('coalesce', [1, Infinity], resolveCoalesce),
  special('nvl', [2, 2], resolveCoalesce, ['ifnull']),
  special('nullif', [2, 2], resolveNullif),
  extreme('greatest'),
  extreme('least'),
  special('if', [3, 3], resolveIf),
  special('nvl2', [3, 3], resolveNvl2),
  special('nullifzero', [1, 1], resolveNullifZero),
  special('zeroifnull', [1, 1], resolveZeroIfNull),
  special('nanvl', [2, 2], resolveNanvl),
  special('assert_true', [1, 2], resolveAssertTrue),
  { ...scalar('raise_error', { takes: ['string'], gives: 'void', nullable: true }), deterministic: false },
  special('typeof', [1, 1], ([arg]) => text(typeText(arg!.type))),
]
