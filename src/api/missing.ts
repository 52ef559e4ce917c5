/** What `df.na` and fillna, dropna, replace take, in the forms that PySpark takes. */
import { InvalidQueryError } from '../base/errors.ts'
import type { Literal } from '../plan/expression.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import { dropMissing, fillMissing, fillMissingBy, replaceValues } from '../plan/missing-values.ts'
import { literalOf } from './literal.ts'

function constant(method: string, value: unknown): Literal {
  const found = literalOf(value)
  if (found.kind === 'literal') return { ...found, nullable: found.value === null }
  throw new InvalidQueryError('INVALID_LITERAL', { what: `${method} was given a value that is no constant`, todo: 'give plain values' })
}
function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
function namesOf(subset: unknown): readonly string[] | null {
  if (subset === undefined || subset === null) return null
  return typeof subset === 'string' ? [subset] : (subset as readonly string[])
}

/** A value for all columns of its kind, or an object of values by column. */
export function fill(plan: LogicalPlan, value: unknown, subset: unknown): LogicalPlan {
  if (!isPlainObject(value)) return fillMissing(plan, constant('fillna', value), namesOf(subset))
  return fillMissingBy(plan, new Map(Object.entries(value).map(([name, one]) => [name, constant('fillna', one)])))
}

export interface DropOptions {
  readonly how?: 'any' | 'all'
  readonly thresh?: number | null
  readonly subset?: string | readonly string[]
}
/** `dropna('all')`, or `dropna({ how, thresh, subset })`. */
export function dropRows(plan: LogicalPlan, given: unknown): LogicalPlan {
  const options = (isPlainObject(given) ? given : { how: given }) as DropOptions
  return dropMissing(plan, options.how ?? 'any', options.thresh ?? null, namesOf(options.subset))
}

/** `replace(from, to, subset)`, `replace([a, b], [c, d], subset)` or `replace([a, b], c, subset)`, `replace(new Map([[from, to]]), subset)` or an object of texts. */
export function replace(plan: LogicalPlan, args: readonly unknown[]): LogicalPlan {
  const [from, to, third] = args
  const isMap = from instanceof Map || isPlainObject(from)
  const entries: (readonly [unknown, unknown])[] = isMap
    ? [...(from instanceof Map ? from : Object.entries(from as object))]
    : Array.isArray(from)
      ? from.map((value, i) => [value, Array.isArray(to) ? to[i] : to] as const)
      : [[from, to]]
  if (!isMap && Array.isArray(from) && Array.isArray(to) && from.length !== to.length)
    throw new InvalidQueryError('LENGTH_SHOULD_BE_THE_SAME', {
      what: `replace was given ${from.length} values and ${to.length} replacements`,
      todo: 'give as many replacements as values, or one for all',
    })
  const pairs = entries.map(([a, b]) => [constant('replace', a), constant('replace', b)] as const)
  return replaceValues(plan, pairs, namesOf(isMap ? to : third))
}
