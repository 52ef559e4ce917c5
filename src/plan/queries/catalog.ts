import type { NamedUserFunctions } from '../bind-user-functions.ts'
import type { UnresolvedExpression } from '../expression.ts'
import type { LogicalPlan } from '../logical-plan.ts'
import type { Query, SelectQuery } from '../sql/query-ast.ts'

/** What names in a query can mean besides columns. */
export interface QueryCatalog {
  /** The view or table of that name. TABLE_OR_VIEW_NOT_FOUND. */
  relation(name: readonly string[]): LogicalPlan
  readonly userFunctions: NamedUserFunctions
}

/** What a query is built in. */
export interface QueryContext {
  readonly catalog: QueryCatalog
  /** The tables of WITH around it, by name in lower case: they come before views. */
  readonly tables: ReadonlyMap<string, LogicalPlan>
}

/** What the parts of the builder call of each other, since they go round in a circle: a query has relations, which have queries. */
export interface QueryParts {
  query(query: Query, context: QueryContext): LogicalPlan
  /** A select over rows that are there: its FROM and WHERE have been seen to. */
  selectOver(input: LogicalPlan, select: SelectQuery, context: QueryContext): LogicalPlan
  relation(from: SelectQuery['from'], context: QueryContext): LogicalPlan
  where(input: LogicalPlan, condition: UnresolvedExpression, context: QueryContext): LogicalPlan
}
