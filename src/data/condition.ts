/** What a source may leave rows out by: a part of a query's condition, over the columns of the source's schema. */
export type Condition =
  | { readonly kind: 'compare'; readonly column: number; readonly operator: ComparisonOperator; readonly value: ConditionValue }
  | { readonly kind: 'in'; readonly column: number; readonly values: readonly ConditionValue[] }
  | { readonly kind: 'null'; readonly column: number; readonly isNull: boolean }
  | { readonly kind: 'and'; readonly parts: readonly Condition[] }
  | { readonly kind: 'or'; readonly parts: readonly Condition[] }
export type ComparisonOperator = '=' | '<>' | '<' | '<=' | '>' | '>='

/** A constant, exact. number: `-12.50` · text: as it is · date: `2026-01-31` · timestamp (of UTC) and timestamp_ntz: `2026-01-31 12:34:56.123456`. */
export interface ConditionValue {
  readonly kind: 'number' | 'text' | 'date' | 'timestamp' | 'timestamp_ntz'
  readonly text: string
}
