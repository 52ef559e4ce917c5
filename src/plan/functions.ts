/**
 * The function table: for each of Spark's names what it takes (arguments of other types are cast, explicitly), what it gives, and when it
 * gives null. Operators are functions here. Which SQL a function becomes is the planner's business.
 * A resolved call carries the row's own name, whatever alias was used, and all optional arguments filled in.
 */
import { InvalidQueryError } from '../base/errors.ts'
import { notSupportedYet, unresolvedRoutine } from './analysis-errors.ts'
import type { Expression } from './expression.ts'
import { aggregates } from './functions/aggregates.ts'
import { bitwise } from './functions/bitwise.ts'
import { collections } from './functions/collections.ts'
import { conditional } from './functions/conditional.ts'
import { csv } from './functions/csv.ts'
import { datetime } from './functions/datetime.ts'
import { hash } from './functions/hash.ts'
import { higherOrder } from './functions/higher-order.ts'
import { intervals } from './functions/intervals.ts'
import { json } from './functions/json.ts'
import { math } from './functions/math.ts'
import { misc } from './functions/misc.ts'
import { operators } from './functions/operators.ts'
import { regexp } from './functions/regexp.ts'
import type { FunctionRow, LambdaArgument } from './functions/row.ts'
import { strings } from './functions/strings.ts'
import { url } from './functions/url.ts'
import { checkCount } from './signatures.ts'
import { ranking, rowIdName } from './window-names.ts'

export { type FunctionRow, type LambdaArgument, literal } from './functions/row.ts'

/** The row for a name or alias, in any case. */
export function findFunction(name: string): FunctionRow | undefined {
  return byName.get(name.toLowerCase())
}

/** Types a call: casts its arguments and finds the result's type. UNRESOLVED_ROUTINE, WRONG_NUM_ARGS, DATATYPE_MISMATCH. */
export function resolveCall(name: string, args: readonly (Expression | LambdaArgument)[], distinct = false): Expression {
  const row = findFunction(name)
  if (!row)
    throw later.has(name.toLowerCase())
      ? notSupportedYet(`the function ${name.toLowerCase()}`, `use another function for now; there are ${functionNames.length}`)
      : unresolvedRoutine(name, functionNames)
  checkCount(row.name, args.length, ...row.arity)
  if (distinct && row.kind === 'scalar')
    throw new InvalidQueryError('INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX', {
      what: `the function ${row.name} does not support DISTINCT`,
      todo: 'leave DISTINCT out',
    })
  if (row.resolveLambdas) return row.resolveLambdas(args)
  return row.resolve(
    args.map((arg) => (arg.kind === 'unresolved-lambda' ? noLambda(row.name, arg) : arg)),
    distinct,
  )
}
function noLambda(name: string, { text }: LambdaArgument): never {
  throw new InvalidQueryError('INVALID_LAMBDA_FUNCTION_CALL.NON_HIGHER_ORDER_FUNCTION', {
    what: `a lambda function should only be used in a higher-order function, but ${name} is none: "${text}"`,
    todo: 'give it to a higher-order function: transform(items, x -> x + 1)',
  })
}

/** The families, each a file of `functions/`. */
export const functionFamilies: Readonly<Record<string, readonly FunctionRow[]>> = {
  operators,
  conditional,
  strings,
  regexp,
  url,
  hash,
  json,
  csv,
  math,
  bitwise,
  datetime,
  intervals,
  collections,
  'higher-order': higherOrder,
  aggregates,
  misc,
}
/** Every row of the table, by its own name. */
export const functionTable: readonly FunctionRow[] = Object.values(functionFamilies).flat()

/** Functions of Spark that are known by name and come later. */
const later = new Set([
  'make_interval',
  'try_make_interval',
  'parse_json',
  'try_parse_json',
  'variant_get',
  'try_variant_get',
  'to_variant_object',
  'is_variant_null',
  'schema_of_variant',
])

const byName = new Map(functionTable.flatMap((row) => [row.name, ...row.aliases].map((name) => [name, row] as const)))
const functionNames = [...byName.keys(), 'window', 'session_window', rowIdName, ...Object.keys(ranking)]
