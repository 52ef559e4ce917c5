/**
 * One template a function: arguments (already of the types that the function asks for) to DuckDB SQL with Spark's ANSI meaning.
 * A template may use an argument more than once: DuckDB computes equal expressions of a row once.
 * Where SQL's own function means the same, it stands alone, so that nothing slows down what is common.
 */
import { InvalidQueryError } from '../base/errors.ts'
import type { DataType } from '../data/types.ts'
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
import { strings } from './functions/strings.ts'
import type { SqlArgument, Template } from './functions/template.ts'
import { url } from './functions/url.ts'

export type { SqlArgument, SqlLambda } from './functions/template.ts'

/** The SQL of a call. InvalidQueryError UNRESOLVED_ROUTINE for a name that is not in the table, UNSUPPORTED_ARGUMENT for arguments the local engine can't run. */
export function functionSql(name: string, args: readonly SqlArgument[], type: DataType): string {
  const template = templates.get(name)
  if (!template) {
    throw new InvalidQueryError('UNRESOLVED_ROUTINE', {
      what: `the local engine has no function ${JSON.stringify(name)}`,
      todo: 'use one of the functions of the reference, or compute the value before the query',
    })
  }
  return template(args, type, name)
}

/** Every name that functionSql knows. */
export function functionNames(): readonly string[] {
  return [...templates.keys()]
}

const families = [
  operators,
  conditional,
  math,
  bitwise,
  strings,
  regexp,
  url,
  hash,
  json,
  csv,
  datetime,
  intervals,
  collections,
  higherOrder,
  misc,
]
// a Map, so that no name finds what every object inherits
const templates: ReadonlyMap<string, Template> = new Map(families.flatMap((family) => Object.entries(family)))
