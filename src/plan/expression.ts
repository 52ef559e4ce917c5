import type { DataType } from '../data/types.ts'
import type { UserFunction } from '../data/user-function.ts'
import type { Query } from './sql/query-ast.ts'

/** A literal's value as JavaScript holds it: bigint for long, string-backed decimals as `{unscaled, scale}`, timestamps and dates as numbers (µs as bigint, days). */
export type LiteralValue = null | boolean | number | bigint | string | Uint8Array | { readonly unscaled: bigint; readonly scale: number }

/** What the user writes: names are not looked up yet, types not known. Plain frozen data. */
export type UnresolvedExpression =
  /** `col('a.b')`: a qualifier and a column, or a column and a field; the analyser finds out which. `side` says which input of a join it belongs to. */
  | { readonly kind: 'attribute'; readonly name: string; readonly side?: 'left' | 'right' }
  /** All columns, those of one relation (`of`, a name as in attribute), without those of `except`; those whose whole name matches a pattern. */
  | { readonly kind: 'star'; readonly of?: string; readonly except?: readonly string[]; readonly matching?: string }
  | { readonly kind: 'literal'; readonly value: LiteralValue; readonly type: DataType }
  /** Any function or operator under Spark's name (`+`, `==`, `and`, `upper`, `sum`, `window`, …). */
  | ({
      readonly kind: 'call'
      readonly name: string
      readonly args: readonly UnresolvedExpression[]
      readonly distinct?: boolean
    } & CallClauses)
  | { readonly kind: 'cast'; readonly input: UnresolvedExpression; readonly type: DataType; readonly mode: 'ansi' | 'try' }
  | {
      readonly kind: 'case'
      readonly branches: readonly CaseBranch<UnresolvedExpression>[]
      readonly otherwise: UnresolvedExpression | null
    }
  /** A function of the program. */
  | { readonly kind: 'user-call'; readonly function: UserFunction; readonly args: readonly UnresolvedExpression[] }
  | { readonly kind: 'field'; readonly input: UnresolvedExpression; readonly field: string }
  | { readonly kind: 'alias'; readonly input: UnresolvedExpression; readonly name: string }
  /** Names for the several columns of a generator: `explode(m) AS (k, v)`. */
  | { readonly kind: 'multi-alias'; readonly input: UnresolvedExpression; readonly names: readonly string[] }
  /** `(x, y) -> …`, an argument of a higher-order function; in the body an attribute that starts with a parameter's name is the parameter. */
  | { readonly kind: 'lambda'; readonly params: readonly string[]; readonly body: UnresolvedExpression }
  /** `name => value` among the arguments of a call. */
  | { readonly kind: 'named-argument'; readonly name: string; readonly value: UnresolvedExpression }
  | { readonly kind: 'sort'; readonly input: UnresolvedExpression; readonly descending: boolean; readonly nullsFirst: boolean }
  /** A function over rows around this one: `f(…) OVER (…)`. */
  | UnresolvedOver
  /** A query inside an expression: its only value, whether `value` is among its rows, or whether it has a row. */
  | {
      readonly kind: 'subquery'
      readonly use: 'scalar' | 'in' | 'exists'
      readonly query: Query
      readonly value?: UnresolvedExpression
    }
  /** What is resolved already, over the input that the rest will be resolved over. */
  | { readonly kind: 'resolved'; readonly expression: Expression; readonly text: string }

export interface UnresolvedOver {
  readonly kind: 'over'
  readonly call: UnresolvedExpression
  readonly partitionBy: readonly UnresolvedExpression[]
  /** Each of kind sort. */
  readonly orderBy: readonly UnresolvedExpression[]
  readonly frame?: UnresolvedFrame
  /** The window of the query's WINDOW clause that it starts from. */
  readonly window?: string
}
export interface UnresolvedFrame {
  readonly unit: 'rows' | 'range'
  readonly start: FrameBound<UnresolvedExpression>
  readonly end: FrameBound<UnresolvedExpression>
}
export type FrameBound<E> =
  | { readonly kind: 'unbounded-preceding' | 'current-row' | 'unbounded-following' }
  | { readonly kind: 'preceding' | 'following'; readonly offset: E }

/** What SQL may write behind a call. */
export interface CallClauses {
  /** FILTER (WHERE …): only rows for which it is true go into the aggregate. */
  readonly filter?: UnresolvedExpression
  /** WITHIN GROUP (ORDER BY …): each of kind sort. */
  readonly withinGroup?: readonly UnresolvedExpression[]
  /** IGNORE NULLS, of a function that has no argument for it. */
  readonly ignoreNulls?: boolean
}
export interface CaseBranch<E> {
  readonly condition: E
  readonly value: E
}

/** What the analyser makes of it: columns are positions in the input's schema, every node has its type. */
export type Expression =
  | Literal
  | ColumnRef
  | Call
  | UserCall
  | Cast
  | CaseWhen
  | FieldAccess
  | AggregateCall
  | TimeWindow
  | SessionWindow
  | Lambda
  | LambdaVariable

interface Typed {
  readonly type: DataType
  readonly nullable: boolean
}
export interface Literal extends Typed {
  readonly kind: 'literal'
  readonly value: LiteralValue
}
/** Column number `index` of the input (in a join's condition: of the left input's columns followed by the right's). */
export interface ColumnRef extends Typed {
  readonly kind: 'column'
  readonly name: string
  readonly index: number
}
/** A scalar function; the arguments already have the types that its row in the function table asks for (casts are explicit). */
export interface Call extends Typed {
  readonly kind: 'call'
  readonly name: string
  readonly args: readonly Expression[]
  readonly deterministic: boolean
}
/** A call of a function of the program; the planner takes it out of the expression (user-calls.ts). */
export interface UserCall extends Typed {
  readonly kind: 'user-call'
  readonly function: UserFunction
  readonly args: readonly Expression[]
}
export interface Cast extends Typed {
  readonly kind: 'cast'
  readonly input: Expression
  readonly mode: 'ansi' | 'try'
}
export interface CaseWhen extends Typed {
  readonly kind: 'case'
  readonly branches: readonly CaseBranch<Expression>[]
  readonly otherwise: Expression | null
}
export interface FieldAccess extends Typed {
  readonly kind: 'field'
  readonly input: Expression
  readonly field: string
}
/** Only inside Aggregate.aggregates. */
export interface AggregateCall extends Typed {
  readonly kind: 'aggregate'
  readonly name: string
  readonly args: readonly Expression[]
  readonly distinct: boolean
  /** Only rows for which it is true count. */
  readonly filter?: Expression
}
/** `window(time, duration, slide, start)`: struct<start, end>; only as a grouping key or in a projection (where a sliding one multiplies rows). */
export interface TimeWindow extends Typed {
  readonly kind: 'window'
  readonly time: Expression
  readonly gap?: undefined
  readonly durationUs: bigint
  readonly slideUs: bigint
  readonly startUs: bigint
}

/** `session_window(time, gap)`: of one row, from its time to `gap` microseconds (a long) later. Grouping by it makes one of those that touch; a row without a time, or without a
 *  gap above 0, is in none. */
export interface SessionWindow extends Typed {
  readonly kind: 'window'
  readonly time: Expression
  readonly gap: Expression
}
/** One column that a WindowFunctions node adds: a function over the rows of a partition. */
export interface WindowCall extends Typed {
  readonly name: string
  /** An AggregateCall, or a function of windows only (row_number, lag, …). */
  readonly function: AggregateCall | RankingCall
  readonly partitionBy: readonly Expression[]
  readonly orderBy: readonly SortOrder[]
  readonly frame?: WindowFrame
}
export interface RankingCall extends Typed {
  readonly kind: 'ranking'
  readonly name: string
  readonly args: readonly Expression[]
  readonly ignoreNulls: boolean
}
export interface WindowFrame {
  readonly unit: 'rows' | 'range'
  readonly start: FrameBound<Expression>
  readonly end: FrameBound<Expression>
}

/** `(x, i) -> …`: an argument of a higher-order function. Its type is that of its body. */
export interface Lambda extends Typed {
  readonly kind: 'lambda'
  /** How many lambdas stand around it: its variables are told from theirs by it. */
  readonly level: number
  readonly params: readonly LambdaParam[]
  readonly body: Expression
}
export interface LambdaParam extends Typed {
  readonly name: string
}
/** Parameter number `index` of the lambda of that level around it. */
export interface LambdaVariable extends Typed {
  readonly kind: 'variable'
  readonly name: string
  readonly level: number
  readonly index: number
}

/** An output column: what it is called and what it is. `watermarkDelayMs` follows an event-time column that is passed through, and a window made from one. */
export interface NamedExpression {
  readonly name: string
  readonly expression: Expression
  readonly watermarkDelayMs?: number
}
export interface SortOrder {
  readonly expression: Expression
  readonly descending: boolean
  readonly nullsFirst: boolean
}
