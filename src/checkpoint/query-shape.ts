/** What of a query matters to a checkpoint: kept in `runs/<epoch>` by each start, and compared by the next. Plain data; types as text. */
export interface QueryShape {
  readonly sources: readonly SourceShape[]
  readonly sink: { readonly format: string; readonly path: string | null }
  readonly outputMode: string
  /** The columns that go to the sink. */
  readonly columns: readonly ColumnShape[]
  readonly watermarks: readonly { readonly column: string; readonly delayMs: number }[]
  readonly operators: readonly OperatorShape[]
}
export interface SourceShape {
  /** The user's name, or its place in the plan: '0', '1', … */
  readonly name: string
  readonly format: string
  readonly path: string | null
  readonly columns: readonly ColumnShape[]
}
export interface ColumnShape {
  readonly name: string
  readonly type: string
}
/** A stateful operator and the columns of its state. */
export interface OperatorShape {
  readonly operatorId: number
  readonly operator: string
  readonly keys: readonly ColumnShape[]
  readonly values: readonly ColumnShape[]
  /** Of an aggregation: what it groups by, and what it computes, as text. */
  readonly groupedBy?: readonly string[]
  readonly computes?: readonly string[]
  /** The aggregate functions in their order. */
  readonly functions?: readonly string[]
  /** Of a function of the program with state. */
  readonly stateFunction?: StateFunctionShape
}
export interface StateFunctionShape {
  readonly outputMode: string
  /** What timeouts or timers go by. */
  readonly timeMode: string
  /** Of transformWithState. */
  readonly variables: readonly VariableShape[]
}
export interface VariableShape {
  readonly name: string
  readonly kind: string
  readonly columns: readonly ColumnShape[]
}

/** Whether the user gave a source its name. */
export function isNamed(source: string): boolean {
  return !/^\d+$/.test(source)
}

/** A shape out of a run record, or undefined where it holds none (an older release) or something else. */
export function shapeOf(value: unknown): QueryShape | undefined {
  const shape = value as QueryShape | undefined
  const lists = [shape?.sources, shape?.columns, shape?.watermarks, shape?.operators]
  return lists.every(Array.isArray) && typeof shape?.sink?.format === 'string' && typeof shape.outputMode === 'string' ? shape : undefined
}
