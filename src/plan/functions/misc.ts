/** What fits nowhere else. */
import { userInfo } from 'node:os'
import { InvalidQueryError } from '../../base/errors.ts'
import { type DataType, decimal, typeText } from '../../data/types.ts'
import { quoteType } from '../analysis-errors.ts'
import { canCast, castTo } from '../coercion.ts'
import { expressionText } from '../expression-tree.ts'
import { type FunctionRow, scalar, special, text } from './row.ts'

/** A type's name as a function: `int(x)` is CAST(x AS INT). */
function castFunction(name: string, type: DataType): FunctionRow {
  const row = special(name, [1, 1], ([given]) => {
    if (canCast(given!.type, type)) return castTo(given!, type)
    throw new InvalidQueryError('DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION', {
      what: `cannot cast ${quoteType(given!.type)} to ${typeText(type).toUpperCase()} in "${name}(${expressionText(given!)})"`,
      todo: 'use a function that makes the one from the other, or cast in two steps',
    })
  })
  return { ...row, internal: true }
}
const castTypes: Readonly<Record<string, DataType>> = {
  bigint: 'long',
  binary: 'binary',
  boolean: 'boolean',
  date: 'date',
  decimal: decimal(10, 0),
  double: 'double',
  float: 'float',
  int: 'int',
  smallint: 'short',
  string: 'string',
  timestamp: 'timestamp',
  tinyint: 'byte',
}

export const misc: readonly FunctionRow[] = [
  scalar('uuid', { takes: [], gives: 'string', nullable: false, deterministic: false }),
  special('current_catalog', [0, 0], () => text('spark_catalog')),
  special('current_database', [0, 0], () => text('default'), ['current_schema']),
  // whose name it is depends on the machine, so that there can be no example
  { ...special('current_user', [0, 0], () => text(userInfo().username), ['user', 'session_user']), internal: true },
  ...Object.entries(castTypes).map(([name, type]) => castFunction(name, type)),
]
