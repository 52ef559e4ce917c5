/** Conditions, nulls and NaN. */
import { isOrderable } from '../coercion.ts'
import { anyNullable, argumentAs, call, toCommonType } from '../signatures.ts'
import { compare } from './operators.ts'
import { type FunctionRow, literal, notOrderable, type Resolve, scalar, special } from './row.ts'

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
]
