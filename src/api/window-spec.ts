/** Windows of rows, for `column.over(…)`: `Window.partitionBy('user').orderBy('at')`. */
import { InvalidQueryError } from '../base/errors.ts'
import type { FrameBound, UnresolvedExpression, UnresolvedFrame, UnresolvedOver } from '../plan/expression.ts'
import { Column, columnExpression, expressionOf } from './column.ts'
import type { Expr, Sorted } from './column-types.ts'

/** Which rows a window function looks at, and in which order. Every method gives a new one. */
export interface WindowSpec {
  /** Rows that are equal in these are looked at together. */
  partitionBy(...keys: WindowKey[]): WindowSpec
  /** The order within a partition. With it, and without a frame, the rows up to this one and those equal to it count; without, all of the partition. */
  orderBy(...keys: (WindowKey | Sorted)[]): WindowSpec
  /** Rows from so many before (negative) or behind this one to so many; 0 is this row. */
  rowsBetween(start: number | bigint, end: number | bigint): WindowSpec
  /** Rows whose order value is within this distance of this row's: numbers, or columns of intervals. */
  rangeBetween(start: number | bigint | Expr<any>, end: number | bigint | Expr<any>): WindowSpec
}
type WindowKey = string | Expr<any>

const unbounded = Number.MAX_SAFE_INTEGER
class Spec implements WindowSpec {
  readonly #over: Omit<UnresolvedOver, 'kind' | 'call'>
  constructor(over: Omit<UnresolvedOver, 'kind' | 'call'>) {
    this.#over = over
  }
  static overOf(spec: Spec): Omit<UnresolvedOver, 'kind' | 'call'> {
    return spec.#over
  }
  partitionBy(...keys: unknown[]): WindowSpec {
    return new Spec({ ...this.#over, partitionBy: keys.flat().map((key) => keyOf('partitionBy', key)) })
  }
  orderBy(...keys: unknown[]): WindowSpec {
    const sorted = keys.flat().map((key): UnresolvedExpression => {
      const e = keyOf('orderBy', key)
      return e.kind === 'sort' ? e : { kind: 'sort', input: e, descending: false, nullsFirst: true }
    })
    return new Spec({ ...this.#over, orderBy: sorted })
  }
  rowsBetween(start: number | bigint, end: number | bigint): WindowSpec {
    return this.#framed('rows', start, end)
  }
  rangeBetween(start: unknown, end: unknown): WindowSpec {
    return this.#framed('range', start, end)
  }
  #framed(unit: UnresolvedFrame['unit'], start: unknown, end: unknown): WindowSpec {
    return new Spec({ ...this.#over, frame: { unit, start: boundOf(start), end: boundOf(end) } })
  }
}

function keyOf(method: string, key: unknown): UnresolvedExpression {
  return typeof key === 'string' ? { kind: 'attribute', name: key } : columnExpression(`a key of ${method}`, key)
}
function boundOf(given: unknown): FrameBound<UnresolvedExpression> {
  if (given instanceof Column) return { kind: 'following', offset: expressionOf(given) }
  const number = Number(given)
  if ((typeof given !== 'number' && typeof given !== 'bigint') || Number.isNaN(number))
    throw new InvalidQueryError('INVALID_WINDOW_BOUND', {
      what: `the bound ${String(given)} of a window's frame is no number`,
      todo: 'give a number of rows, Window.unboundedPreceding, Window.unboundedFollowing or Window.currentRow',
    })
  if (number <= -unbounded) return { kind: 'unbounded-preceding' }
  if (number >= unbounded) return { kind: 'unbounded-following' }
  if (number === 0) return { kind: 'current-row' }
  const offset = expressionOf(typeof given === 'bigint' ? (given < 0n ? -given : given) : Math.abs(number))
  return { kind: number < 0 ? 'preceding' : 'following', offset }
}

const empty = new Spec({ partitionBy: [], orderBy: [] })
/** Begins a window: `Window.partitionBy('user').orderBy(col('at').desc())`. */
export const Window = {
  partitionBy: (...keys: WindowKey[]): WindowSpec => empty.partitionBy(...keys),
  orderBy: (...keys: (WindowKey | Sorted)[]): WindowSpec => empty.orderBy(...keys),
  rowsBetween: (start: number | bigint, end: number | bigint): WindowSpec => empty.rowsBetween(start, end),
  rangeBetween: (start: number | bigint | Expr<any>, end: number | bigint | Expr<any>): WindowSpec => empty.rangeBetween(start, end),
  /** The first row of the partition. */
  unboundedPreceding: -unbounded,
  /** The last row of the partition. */
  unboundedFollowing: unbounded,
  currentRow: 0,
} as const

/** `function` over a window. */
export function overWindow(call: UnresolvedExpression, spec: unknown): UnresolvedExpression {
  if (spec instanceof Spec) return { kind: 'over', call, ...Spec.overOf(spec) }
  throw new InvalidQueryError('NOT_WINDOWSPEC', {
    what: `over was given a value of type ${typeof spec}`,
    todo: "give a window: over(Window.partitionBy('user').orderBy('at'))",
  })
}
