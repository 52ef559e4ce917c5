/** Operators: arithmetic, comparison, logic. */
import type { DataType } from '../../data/types.ts'
import { type ArithmeticName, resolveArithmetic } from '../arithmetic.ts'
import { castTo, comparedType, isOrderable } from '../coercion.ts'
import type { Expression } from '../expression.ts'
import { anyNullable, call, toCommonType } from '../signatures.ts'
import { differentTypes, type FunctionRow, literal, notOrderable, type Resolve, scalar, special } from './row.ts'

function arithmetic(name: ArithmeticName, aliases: readonly string[] = []): FunctionRow {
  return special(name, [2, 2], ([a, b]) => resolveArithmetic(name, a!, b!), aliases)
}

function comparison(name: string, aliases: readonly string[] = []): FunctionRow {
  return special(name, [2, 2], ([a, b]) => compare(name, a!, b!), aliases)
}
export function compare(name: string, a: Expression, b: Expression): Expression {
  const type = comparedType(a.type, b.type)
  if (type === undefined) throw differentTypes(name, a, b)
  if (!isOrderable(type)) throw notOrderable(name, a)
  return call(name, [castTo(a, type), castTo(b, type)], 'boolean', name === '<=>' ? false : a.nullable || b.nullable)
}

const resolveIn: Resolve = (given) => {
  if (given.length === 1) return literal(false, 'boolean')
  const type = given.reduce<DataType | undefined>((all, { type }) => all && comparedType(all, type), 'void')
  const args = type === undefined ? toCommonType('in', given).args : given.map((arg) => castTo(arg, type))
  return call('in', args, 'boolean', anyNullable(args))
}

const resolveBetween: Resolve = ([value, lower, upper]) => {
  const [low, high] = [compare('>=', value!, lower!), compare('<=', value!, upper!)]
  return call('and', [low, high], 'boolean', low.nullable || high.nullable)
}

export const operators: readonly FunctionRow[] = [
  arithmetic('+'),
  arithmetic('-'),
  arithmetic('*'),
  arithmetic('/'),
  arithmetic('%', ['mod']),
  comparison('==', ['=']),
  comparison('!=', ['<>']),
  comparison('<=>', ['equal_null']),
  comparison('<'),
  comparison('<='),
  comparison('>'),
  comparison('>='),
  scalar('and', { takes: ['boolean', 'boolean'], gives: 'boolean' }),
  scalar('or', { takes: ['boolean', 'boolean'], gives: 'boolean' }),
  scalar('not', { takes: ['boolean'], gives: 'boolean', aliases: ['!'] }),
  special('between', [3, 3], resolveBetween),
  special('in', [1, Infinity], resolveIn),
]
