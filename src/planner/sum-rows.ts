import { Schema } from '../data/schema.ts'
import type { StateValue } from '../data/state-schema.ts'
import type { Field } from '../data/types.ts'
import type { Aggregate } from '../plan/logical-plan.ts'
import { keyIdSql } from './key-encoding-sql.ts'
import { type Compilation, groupedRows } from './plan-sql.ts'
import { newNames, renderSelect, selectFrom } from './select-sql.ts'
import { type PlannedAccumulators, planAccumulators } from './streaming-aggregate.ts'
import type { PhysicalNode, SumRows } from './streaming-plan.ts'

interface Sums {
  readonly plan: Aggregate
  /** What the aggregation reads; column i of the plan's input lies at `positions[i]`. */
  readonly input: PhysicalNode
  readonly positions: readonly (number | undefined)[]
  readonly keyCount: number
  readonly values: readonly StateValue[]
  readonly partials: PlannedAccumulators['partials']
  /** Whether groups are late by one of the keys. */
  readonly isJudged: boolean
  readonly lineageOf: (aggregate: number) => string | undefined
}

/** How the rows are found that take a sum out of its type; `fittingSql` makes the partial aggregates without errors. */
export function sumsOf(
  { plan, input, positions, keyCount, values, partials, isJudged, lineageOf }: Sums,
  fittingSql: () => string,
): SumRows | null {
  const at = partials.flatMap(({ mayOverflow }, i) => (mayOverflow ? [i] : []))
  if (at.length === 0) return null
  const number = input.schema.fields.length
  const rowNumber = plan.input.schema.fields.length
  const c: Compilation = {
    names: newNames(),
    inputs: [],
    boundary: (node, _needed, inner) =>
      node === plan.input
        ? selectFrom(`(SELECT x.*, row_number() OVER () - 1 AS c${number} FROM ⟦0⟧ AS x)`, [...positions, number], inner.names)
        : undefined,
  }
  const { select, keys, scope } = groupedRows(plan, c, [rowNumber])
  // planned over other names, the accumulators are the same ones in the same order
  const rows = planAccumulators(plan, scope, new Set(), lineageOf).partials.flatMap(({ mayOverflow }) =>
    mayOverflow ? [mayOverflow.row] : [],
  )
  const parts = keys.flatMap((key) =>
    key.parts.map((part, i) => ({
      sql: part.sql(key.grouped),
      type: part.type,
      isNeverNull: key.isNeverNull,
      isTime: isJudged && i === key.eventTimePart,
    })),
  )
  const time = parts.find(({ isTime }) => isTime)
  const list = [
    keyIdSql(parts),
    `CAST(${select.columns[rowNumber]!.sql} AS INTEGER)`,
    time === undefined ? 'false' : `coalesce(${time.sql} <= ⟦late⟧, false)`,
    ...rows,
  ]
  const names = at.map((i) => values[i]!.name)
  return {
    rowsSql: renderSelect({ ...select, columns: list.map((sql) => ({ sql, plain: false })) }).sql,
    rowsSchema: new Schema([
      { name: 'row', type: 'int', nullable: false },
      { name: 'late', type: 'boolean', nullable: false },
      ...at.map((i): Field => ({ name: values[i]!.name, type: values[i]!.type, nullable: true })),
    ]),
    columns: at.map((i) => keyCount + i),
    names,
    partialSql: fittingSql(),
  }
}
