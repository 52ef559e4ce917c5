/** What fits nowhere else. */
import { type FunctionRow, scalar, special, text } from './row.ts'

export const misc: readonly FunctionRow[] = [
  scalar('uuid', { takes: [], gives: 'string', nullable: false, deterministic: false }),
  special('current_catalog', [0, 0], () => text('spark_catalog')),
  special('current_database', [0, 0], () => text('default'), ['current_schema']),
]
