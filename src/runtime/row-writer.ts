import type { Clock } from '../base/clock.ts'
import { rowsToColumns } from '../data/values.ts'
import type { SinkContext } from '../sinks/sink.ts'
import type { SqlEngine } from '../sql/sql-engine.ts'

/** Writes rows that a sink has made itself, such as the checkpoints of a log, on a connection of their own. */
export function rowWriter({ sql, clock }: { readonly sql: SqlEngine; readonly clock: Clock }): NonNullable<SinkContext['writeRows']> {
  return async (schema, rows, write) => {
    const batch = await sql.beginBatch({ batchTimestampMs: clock.nowMs(), salt: '' })
    try {
      return await batch.rowSet(await batch.load(rowsToColumns(schema, [...rows]))).writeFiles(write)
    } finally {
      await batch.close()
    }
  }
}
