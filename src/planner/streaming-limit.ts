import type { Limit } from '../plan/logical-plan.ts'
import { keyIdSql } from './key-encoding-sql.ts'
import type { Needed } from './plan-sql.ts'
import type { StatefulPlanning } from './stateful-planning.ts'
import type { StatefulLimit } from './streaming-plan.ts'

/** limit(n) over a stream: a step whose state is one row, the number of rows that it has let through. */
export function planLimit(plan: Limit, needed: Needed, planning: StatefulPlanning) {
  const { node: input, positions } = planning.input(plan.input, needed)
  const node: StatefulLimit = {
    kind: 'limit',
    inputs: [input],
    operatorId: planning.nextOperatorId(),
    operatorName: 'globalLimit',
    stores: [
      {
        name: 'default',
        schema: { keys: [], values: [{ name: 'count', type: 'long', nullable: false, merge: 'sum' }], eventTime: null },
      },
    ],
    outputMode: planning.outputMode(),
    schema: input.schema,
    outputWatermark: { kind: 'same' },
    noDataBatches: 'never',
    count: plan.count,
    countSql: `SELECT ${keyIdSql([])} AS key_id, count(*) AS a0 FROM ⟦0⟧ AS t0`,
  }
  return { node, positions }
}
