/** Aggregates. */
import type { DataType } from '../../data/types.ts'
import { typeMismatch } from '../analysis-errors.ts'
import { boundedDecimal, isDecimal, isIntegral } from '../coercion.ts'
import type { Expression } from '../expression.ts'
import { expressionText } from '../expression-tree.ts'
import { argumentAs } from '../signatures.ts'
import { aggregate, aggregateCall, type FunctionRow, int, type Resolve } from './row.ts'

const sumType = (arg: Expression): DataType =>
  isDecimal(arg.type) ? boundedDecimal(arg.type.precision + 10, arg.type.scale) : isIntegral(arg.type) ? 'long' : 'double'
const avgType = (arg: Expression): DataType => (isDecimal(arg.type) ? boundedDecimal(arg.type.precision + 4, arg.type.scale + 4) : 'double')

const resolveCount: Resolve = (given, distinct) => aggregateCall('count', given.length === 0 ? [int(1)] : given, 'long', false, distinct)

/** first, last, any_value: a second argument says whether nulls are passed over. It is there only where they are. */
function picking(name: string, aliases: readonly string[]): FunctionRow {
  const resolve: Resolve = ([arg, ignoreNulls], distinct) => {
    const flag = ignoreNulls && argumentAs(name, ignoreNulls, 1, 'boolean')
    if (flag && flag.kind !== 'literal')
      throw typeMismatch(
        'NON_FOLDABLE_INPUT',
        `the second parameter of ${name} must be true or false, but is "${expressionText(flag)}"`,
        'give a constant',
      )
    return aggregateCall(name, flag?.kind === 'literal' && flag.value === true ? [arg!, flag] : [arg!], arg!.type, true, distinct)
  }
  return { name, aliases, kind: 'aggregate', deterministic: true, arity: [1, 2], resolve }
}

export const aggregates: readonly FunctionRow[] = [
  { name: 'count', aliases: [], kind: 'aggregate', deterministic: true, arity: [0, Infinity], resolve: resolveCount },
  aggregate('sum', 'numeric', sumType),
  aggregate('avg', 'numeric', avgType, { aliases: ['mean'] }),
  aggregate('min', 'orderable', (arg) => arg.type),
  aggregate('max', 'orderable', (arg) => arg.type),
  picking('first', ['first_value']),
  picking('last', ['last_value']),
  picking('any_value', []),
  aggregate('count_if', 'boolean', 'long', { nullable: false }),
  aggregate('bool_and', 'boolean', 'boolean', { aliases: ['every'] }),
  aggregate('bool_or', 'boolean', 'boolean', { aliases: ['some', 'any'] }),
  aggregate('stddev_samp', 'double', 'double', { aliases: ['stddev', 'std'] }),
  aggregate('stddev_pop', 'double', 'double'),
  aggregate('var_samp', 'double', 'double', { aliases: ['variance'] }),
  aggregate('var_pop', 'double', 'double'),
]
