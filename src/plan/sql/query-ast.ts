/** What SQL text says, before any name is looked up. Expressions in it are unresolved, and may hold queries themselves. */
import type { UnresolvedExpression, UnresolvedOver } from '../expression.ts'
import type { JoinType, LogicalPlan } from '../logical-plan.ts'

type E = UnresolvedExpression

export type Query = SelectQuery | ValuesQuery | SetQuery | OrderedQuery | WithQuery | TableQuery | PlanQuery

export interface SelectQuery {
  readonly kind: 'select'
  readonly distinct: boolean
  readonly items: readonly E[]
  readonly from: Relation | undefined
  readonly where: E | undefined
  readonly groupBy: GroupBy | undefined
  readonly having: E | undefined
  readonly windows: ReadonlyMap<string, WindowSpec>
}
export type WindowSpec = Omit<UnresolvedOver, 'kind' | 'call'>
/** GROUP BY ALL, or elements that are each one key set or several; the sets of the whole are their combinations. */
export type GroupBy = { readonly all: true } | { readonly all: false; readonly elements: readonly (readonly (readonly E[])[])[] }

export interface ValuesQuery {
  readonly kind: 'values'
  readonly rows: readonly (readonly E[])[]
}
export interface SetQuery {
  readonly kind: 'set'
  readonly operation: 'union' | 'intersect' | 'except'
  readonly all: boolean
  readonly left: Query
  readonly right: Query
}
export interface OrderedQuery {
  readonly kind: 'ordered'
  readonly input: Query
  readonly orderBy: readonly E[] | 'all'
  readonly limit: E | undefined
  readonly offset: E | undefined
}
export interface WithQuery {
  readonly kind: 'with'
  readonly tables: readonly { readonly name: string; readonly columns: readonly string[] | undefined; readonly query: Query }[]
  readonly input: Query
}
/** `TABLE t` */
export interface TableQuery {
  readonly kind: 'table'
  readonly name: readonly string[]
}
/** A plan that is there already: of a DataFrame used as a subquery. */
export interface PlanQuery {
  readonly kind: 'plan'
  readonly plan: LogicalPlan
}

interface Aliased {
  readonly alias?: string
  readonly columns?: readonly string[]
}
export type Relation =
  /** With STREAM in front it must be a stream. */
  | ({ readonly kind: 'named'; readonly name: readonly string[]; readonly isStream?: true } & Aliased)
  | ({ readonly kind: 'query'; readonly query: Query; readonly lateral: boolean } & Aliased)
  | ({ readonly kind: 'function'; readonly name: string; readonly args: readonly E[]; readonly lateral: boolean } & Aliased)
  | ({ readonly kind: 'nested'; readonly input: Relation } & Aliased)
  | JoinRelation
  | LateralView
  | PivotRelation
  | UnpivotRelation
  | SampleRelation
  | WatermarkRelation

export interface JoinRelation {
  readonly kind: 'join'
  readonly left: Relation
  readonly right: Relation
  readonly how: JoinType
  readonly on: E | undefined
  readonly using: readonly string[] | undefined
  readonly natural: boolean
}
export interface LateralView {
  readonly kind: 'lateral-view'
  readonly input: Relation
  readonly outer: boolean
  readonly name: string
  readonly args: readonly E[]
  readonly alias: string
  readonly columns: readonly string[] | undefined
}
export interface PivotRelation extends Aliased {
  readonly kind: 'pivot'
  readonly input: Relation
  /** With or without an alias each. */
  readonly aggregates: readonly E[]
  readonly column: E
  readonly values: readonly E[]
}
export interface UnpivotRelation extends Aliased {
  readonly kind: 'unpivot'
  readonly input: Relation
  readonly includeNulls: boolean
  readonly valueColumn: string
  readonly nameColumn: string
  /** Attributes, each with an alias where the text gives one. */
  readonly values: readonly E[]
}
export interface SampleRelation extends Aliased {
  readonly kind: 'sample'
  readonly input: Relation
  readonly size: { readonly fraction: number } | { readonly rows: number }
  readonly seed: bigint | undefined
}

/** The relation with an event time, a column of its own or one that is computed. */
export interface WatermarkRelation extends Aliased {
  readonly kind: 'watermark'
  readonly input: Relation
  /** With an alias where the text gives one. */
  readonly column: E
  /** Interval text. */
  readonly delay: string
}

export type Statement =
  | { readonly kind: 'query'; readonly query: Query }
  | {
      readonly kind: 'create-view'
      readonly name: string
      readonly global: boolean
      readonly replace: boolean
      readonly columns: readonly string[] | undefined
      readonly query: Query
    }
  | { readonly kind: 'drop-view'; readonly name: readonly string[]; readonly ifExists: boolean }
  | { readonly kind: 'show-tables'; readonly views: boolean; readonly database: string | undefined; readonly pattern: string | undefined }
  | { readonly kind: 'show-columns'; readonly name: readonly string[] }
  | { readonly kind: 'show-functions'; readonly pattern: string | undefined }
  | { readonly kind: 'describe'; readonly query: Query }
  | { readonly kind: 'explain'; readonly query: Query; readonly mode: 'simple' | 'extended' | 'formatted' | 'cost' }
  | { readonly kind: 'set'; readonly key: string | undefined; readonly value: string | undefined }
