import { InvalidQueryError } from '../base/errors.ts'
import { type AggregateItem, groupBy } from '../plan/analyze.ts'
import type { UnresolvedExpression } from '../plan/expression.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import { columnsOf, namedExpressions } from './column.ts'
import type { PlannedFrame } from './data-frame.ts'

/** What groupBy gives: waits for the aggregates. */
export class Grouping {
  readonly #input: LogicalPlan
  readonly #keys: readonly AggregateItem[]
  readonly #frameOf: (plan: LogicalPlan) => PlannedFrame
  constructor(input: LogicalPlan, keys: readonly AggregateItem[], frameOf: (plan: LogicalPlan) => PlannedFrame) {
    this.#input = input
    this.#keys = keys
    this.#frameOf = frameOf
  }
  agg(f: unknown): PlannedFrame {
    return this.#aggregate(namedExpressions('agg', typeof f === 'function' ? f(columnsOf(this.#input.schema)) : f))
  }
  count(): PlannedFrame {
    return this.#aggregate([{ name: 'count', expression: { kind: 'call', name: 'count', args: [] } }])
  }
  sum(...columns: string[]): PlannedFrame {
    return this.#each('sum', columns)
  }
  avg(...columns: string[]): PlannedFrame {
    return this.#each('avg', columns)
  }
  min(...columns: string[]): PlannedFrame {
    return this.#each('min', columns)
  }
  max(...columns: string[]): PlannedFrame {
    return this.#each('max', columns)
  }

  #each(name: string, columns: readonly string[]): PlannedFrame {
    if (columns.length === 0)
      throw new InvalidQueryError('WRONG_NUM_ARGS.WITHOUT_SUGGESTION', {
        what: `groupBy(…).${name}() was given no columns`,
        todo: `name the columns: groupBy(…).${name}('a', 'b')`,
      })
    const callOf = (column: string): UnresolvedExpression => ({ kind: 'call', name, args: [{ kind: 'attribute', name: column }] })
    return this.#aggregate(columns.map((column) => ({ name: `${name}(${column})`, expression: callOf(column) })))
  }
  #aggregate(items: readonly AggregateItem[]): PlannedFrame {
    return this.#frameOf(groupBy(this.#input, this.#keys, items))
  }
}
