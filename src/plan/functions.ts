/**
 * The function table: for each of Spark's names what it takes (arguments of other types are cast, explicitly), what it gives, and when it
 * gives null. Operators are functions here. Which SQL a function becomes is the planner's business.
 * A resolved call carries the row's own name, whatever alias was used, and all optional arguments filled in.
 */
import { InvalidQueryError } from '../base/errors.ts'
import { notSupportedYet, unresolvedRoutine } from './analysis-errors.ts'
import type { Expression } from './expression.ts'
import { aggregates } from './functions/aggregates.ts'
import { collections } from './functions/collections.ts'
import { conditional } from './functions/conditional.ts'
import { datetime } from './functions/datetime.ts'
import { hash } from './functions/hash.ts'
import { math } from './functions/math.ts'
import { operators } from './functions/operators.ts'
import { regexp } from './functions/regexp.ts'
import type { FunctionRow } from './functions/row.ts'
import { strings } from './functions/strings.ts'
import { checkCount } from './signatures.ts'

export { type FunctionRow, literal } from './functions/row.ts'

/** The row for a name or alias, in any case. */
export function findFunction(name: string): FunctionRow | undefined {
  return byName.get(name.toLowerCase())
}

/** Types a call: casts its arguments and finds the result's type. UNRESOLVED_ROUTINE, WRONG_NUM_ARGS, DATATYPE_MISMATCH. */
export function resolveCall(name: string, args: readonly Expression[], distinct = false): Expression {
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
  return row.resolve(args, distinct)
}

/** The families, each a file of `functions/`. */
export const functionFamilies: Readonly<Record<string, readonly FunctionRow[]>> = {
  operators,
  conditional,
  strings,
  regexp,
  hash,
  math,
  datetime,
  collections,
  aggregates,
}
/** Every row of the table, by its own name. */
export const functionTable: readonly FunctionRow[] = Object.values(functionFamilies).flat()

/** Functions of Spark that are known by name and come later. */
const later = new Set([
  'session_window',
  'from_json',
  'to_json',
  'transform',
  'filter',
  'exists',
  'aggregate',
  'from_unixtime',
  'date_format',
  'make_interval',
  'add_months',
  'months_between',
  'last_day',
  'map',
  'map_from_arrays',
  'rand',
  'uuid',
  'monotonically_increasing_id',
  'row_number',
  'rank',
  'lag',
  'lead',
  'sha1',
  'crc32',
  'hash',
  'xxhash64',
  'translate',
  'initcap',
  'array_distinct',
  'array_sort',
])

const byName = new Map(functionTable.flatMap((row) => [row.name, ...row.aliases].map((name) => [name, row] as const)))
const functionNames = [...byName.keys(), 'window']
