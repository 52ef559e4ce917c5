/**
 * How long a join of two streams has to keep the rows of a side. With the input's watermark at W every later row of the other side is newer than W, so that an
 * equality or a comparison of times says from when on a stored row has nothing left to wait for.
 */
import { isDayTime } from '../data/intervals.ts'
import type { Expression } from './expression.ts'
import { conjuncts } from './expression-tree.ts'
import { type JoinKey, joinKeys } from './join-keys.ts'
import type { Join } from './logical-plan.ts'

export type JoinSide = 'left' | 'right'

/** Rows of a side are done with when the value of a column is at or below the input's watermark moved by `offsetMs`. */
export interface RangeBound {
  /** A timestamp column of that side. */
  readonly column: number
  readonly offsetMs: number
}

/** The number of the first join key that is an event time or a window of one, on either side: both sides' rows go by it. */
export function eventTimeKey(join: Join, keys: readonly JoinKey[]): number | undefined {
  for (const side of ['left', 'right'] as const) {
    const { fields } = join[side].schema
    const found = keys.findIndex(({ [side]: e }) => e.kind === 'column' && fields[e.index]!.watermarkDelayMs !== undefined)
    if (found >= 0) return found
  }
  return undefined
}

/**
 * What the comparisons of times in the condition say about a side: `left.a > right.at - INTERVAL 5 MINUTES` bounds the left side, if `right.at` has a watermark.
 * Both may be moved by constant intervals of days and shorter. An inclusive comparison keeps a row one millisecond longer. Of several the one that keeps
 * rows longest counts, as in Spark.
 */
export function rangeBound(join: Join, side: JoinSide): RangeBound | undefined {
  if (join.condition === null) return undefined
  const bounds = conjuncts(join.condition)
    .flatMap((part) => boundOf(part, join, side) ?? [])
    .filter(moves)
  if (bounds.length === 0) return undefined
  // where two columns are bounded the one with a watermark decides
  const { fields } = join[side].schema
  const { column } = bounds.find((bound) => fields[bound.column]!.watermarkDelayMs !== undefined) ?? bounds[0]!
  const own = bounds.filter((bound) => bound.column === column)
  return { column, offsetMs: Math.min(...own.map(({ offsetMs }) => offsetMs)) }
}

/** Whether the condition allows an outer or semi join of two streams to give up waiting. */
export function hasStateWatermark(join: Join): boolean {
  if (eventTimeKey(join, joinKeys(join).keys) !== undefined && joinKeys(join).keys.length > 0) return true
  const sides: readonly JoinSide[] = join.how === 'full' ? ['left', 'right'] : join.how === 'right' ? ['right'] : ['left']
  return sides.some((side) => rangeBound(join, side) !== undefined || isBoundedByConstant(join, side))
}

/**
 * `CAST(left.at AS LONG) > 50` bounds the left side too, as Spark has it: a row that fails the condition waits for nothing. It lets a row go when it comes
 * and never afterwards, so nothing but the check of the query asks for it.
 */
function isBoundedByConstant(join: Join, side: JoinSide): boolean {
  return join.condition !== null && conjuncts(join.condition).some((part) => boundOf(part, join, side)?.isConstant)
}

/** What holds where a comparison does not, and neither side is null. */
const opposites: Readonly<Record<string, string>> = { '<': '>=', '<=': '>', '>': '<=', '>=': '<' }

/** A bound by the other side's watermark; else by a constant, `offsetMs` being the time itself. */
interface Bound extends RangeBound {
  readonly isConstant: boolean
}
function moves(bound: Bound): boolean {
  return !bound.isConstant
}

function boundOf(given: Expression, join: Join, side: JoinSide): Bound | undefined {
  const negated = given.kind === 'call' && given.name === 'not' ? given.args[0]! : undefined
  const part = negated ?? given
  if (part.kind !== 'call' || part.args.length !== 2) return undefined
  const [a, b] = part.args as readonly [Expression, Expression]
  switch (negated === undefined ? part.name : opposites[part.name]) {
    case '<':
      return solve(a, b, join, side, 0)
    case '<=':
      return solve(a, b, join, side, -1)
    case '>':
      return solve(b, a, join, side, 0)
    case '>=':
      return solve(b, a, join, side, -1)
    default:
      return undefined
  }
}

interface Term {
  readonly column: number
  readonly sign: 1 | -1
}
interface Sum {
  readonly terms: readonly Term[]
  readonly micros: bigint
}

/** `less < greater` solved for a column of the side: other + c < own, or c < own. */
function solve(less: Expression, greater: Expression, join: Join, side: JoinSide, inclusiveMs: number): Bound | undefined {
  const [a, b] = [sumOf(less), sumOf(greater)]
  if (!a || !b) return undefined
  const terms = [...a.terms, ...b.terms.map(({ column, sign }): Term => ({ column, sign: sign === 1 ? -1 : 1 }))]
  const leftCount = join.left.schema.fields.length
  const isOwn = ({ column }: Term) => column < leftCount === (side === 'left')
  const own = terms.filter(isOwn)
  const other = terms.filter((term) => !isOwn(term))
  if (own.length !== 1 || other.length > 1 || own[0]!.sign !== -1) return undefined
  const local = ({ column }: Term) => (column < leftCount ? column : column - leftCount)
  const bound = { column: local(own[0]!), offsetMs: floorToMs(a.micros - b.micros) + inclusiveMs }
  if (!isTime(join[side].schema.fields[bound.column]!.type)) return undefined
  if (other.length === 0) return { ...bound, isConstant: true }
  const otherField = join[side === 'left' ? 'right' : 'left'].schema.fields[local(other[0]!)]!
  if (other[0]!.sign !== 1 || otherField.watermarkDelayMs === undefined || !isTime(otherField.type)) return undefined
  return { ...bound, isConstant: false }
}

function isTime(type: unknown): boolean {
  return type === 'timestamp' || type === 'timestamp_ntz'
}
function floorToMs(us: bigint): number {
  const ms = us / 1000n
  return Number(us % 1000n < 0n ? ms - 1n : ms)
}

/** A sum of columns and constant durations; undefined for anything else. Numbers are seconds, as a time cast to a number is. */
function sumOf(e: Expression): Sum | undefined {
  if (e.kind === 'column') return { terms: [{ column: e.index, sign: 1 }], micros: 0n }
  if (e.kind === 'literal') return constantOf(e)
  if (e.kind === 'cast') return isTime(e.type) || isNumber(e.type) || isDayTime(e.type) ? sumOf(e.input) : undefined
  if (e.kind !== 'call') return undefined
  if (e.name === 'negative') return negated(sumOf(e.args[0]!))
  if (e.name !== '+' && e.name !== '-') return undefined
  const [a, b] = [sumOf(e.args[0]!), sumOf(e.args[1]!)]
  const second = e.name === '-' ? negated(b) : b
  return a && second && { terms: [...a.terms, ...second.terms], micros: a.micros + second.micros }
}

function negated(sum: Sum | undefined): Sum | undefined {
  return sum && { terms: sum.terms.map(({ column, sign }) => ({ column, sign: sign === 1 ? -1 : 1 })), micros: -sum.micros }
}

function constantOf({ value, type }: Extract<Expression, { kind: 'literal' }>): Sum | undefined {
  if (value === null) return undefined
  if (isDayTime(type)) return { terms: [], micros: BigInt(value as bigint) }
  if (!isNumber(type)) return undefined
  const seconds = typeof value === 'object' && 'unscaled' in value ? Number(value.unscaled) / 10 ** value.scale : Number(value)
  return { terms: [], micros: BigInt(Math.round(seconds * 1e6)) }
}

function isNumber(type: Expression['type']): boolean {
  return typeof type === 'string' ? ['byte', 'short', 'int', 'long', 'float', 'double'].includes(type) : type.kind === 'decimal'
}
