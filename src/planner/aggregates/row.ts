import { InvalidQueryError } from '../../base/errors.ts'
import type { MergeOp } from '../../data/state-schema.ts'
import type { DataType, DecimalType } from '../../data/types.ts'
import type { AggregateCall, LiteralValue } from '../../plan/expression.ts'

/** One column of state that an aggregate keeps for a group. */
export interface Accumulator {
  /** '' where the aggregate needs only one, else what it is: sum, count, … */
  readonly suffix: string
  readonly type: DataType
  readonly nullable: boolean
  readonly merge: MergeOp
  /** A SQL aggregate over the rows of a batch. */
  readonly partial: string
  /** The value of the column, from what `partial` gave; computed a group, not a row. */
  readonly settle?: (partial: string) => string
  /** Of a sum that may leave its type, which `settle` and merging are errors for. */
  readonly mayOverflow?: {
    /** What a single row adds, in the column's type. */
    readonly row: string
    /** As `settle`, and null where the sum has left the type. */
    readonly settleOrNull: (partial: string) => string
  }
}
/** An aggregate as accumulators, and its value from them. */
export interface LoweredAggregate {
  readonly accumulators: readonly Accumulator[]
  readonly final: (columns: readonly string[]) => string
}

/** What an aggregate becomes in SQL. */
export interface AggregateSql {
  /** Its value over all rows at once. For batches only, and on purpose not made from accumulators: it is what streams are compared with. */
  readonly batch: (a: AggregateInput) => string
  /** Accumulators that can be merged. InvalidQueryError for what a stream can't keep. */
  readonly lower: (a: AggregateInput) => LoweredAggregate
}

/** A call of an aggregate, with its arguments as SQL over the rows. */
export interface AggregateInput {
  readonly call: AggregateCall
  readonly args: readonly string[]
  /** The first argument and its type. */
  readonly x: string
  readonly type: DataType
  /** 'DISTINCT ' or nothing. */
  readonly distinct: string
  /** A SQL aggregate over the rows of the call's own FILTER, and of these conditions. */
  readonly over: (aggregate: string, ...conditions: readonly string[]) => string
  /** A value of those rows, null for others. */
  readonly given: (value: string) => string
}

/** `window`: the OVER clause, for an aggregate over a window of rows. */
export function aggregateInput(call: AggregateCall, args: readonly string[], filter: string | undefined, window = ''): AggregateInput {
  return {
    call,
    args,
    x: args[0] ?? '1',
    type: call.args[0]?.type ?? 'int',
    distinct: call.distinct ? 'DISTINCT ' : '',
    given: (value) => (filter === undefined ? value : `CASE WHEN ${filter} THEN ${value} END`),
    over(aggregate, ...conditions) {
      const all = filter === undefined ? conditions : [filter, ...conditions]
      return all.length === 0
        ? `${aggregate}${window}`
        : `${aggregate} FILTER (WHERE ${all.length === 1 ? all[0] : all.map((c) => `(${c})`).join(' AND ')})${window}`
    },
  }
}

/** An aggregate of one accumulator. */
export function one(accumulator: Omit<Accumulator, 'suffix'>, final = ([a]: readonly string[]) => a!): LoweredAggregate {
  return { accumulators: [{ suffix: '', ...accumulator }], final }
}
/** An aggregation without keys has a row even where its state has none. */
export const zeroIfNone = ([a]: readonly string[]) => `coalesce(${a}, 0)`

export const isDecimal = (type: DataType): type is DecimalType => typeof type !== 'string' && type.kind === 'decimal'
export const asDouble = (sql: string, type: DataType) => (type === 'double' ? sql : `CAST(${sql} AS DOUBLE)`)
export const nan = "CAST('nan' AS DOUBLE)"
export const isGiven = (sql: string) => `${sql} IS NOT NULL`
export const arrayOf = (element: DataType, containsNull = false): DataType => ({ kind: 'array', element, containsNull })
export const doubles = arrayOf('double')

/** The value of a constant argument. */
export function constant(a: AggregateInput, index: number): LiteralValue {
  const arg = a.call.args[index]
  return arg?.kind === 'literal' ? arg.value : null
}

/** Refuses DISTINCT for an aggregate of several arguments. */
export function noDistinct(a: AggregateInput): void {
  if (!a.call.distinct) return
  throw new InvalidQueryError('NOT_SUPPORTED_YET', {
    what: `${a.call.name}(DISTINCT …) over ${a.args.length} arguments is not supported yet`,
    todo: 'take the distinct rows first: select(…).distinct()',
  })
}
