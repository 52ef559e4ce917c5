import type { SinkBatch, SinkCommit } from '../sinks/sink.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'
import type { ExecutionParts } from './execution-parts.ts'
import { heldRows, locate } from './held-rows.ts'
import { countRows } from './late-rows.ts'
import { type SetAside, sinkAccount } from './set-aside.ts'

/** A batch's result. */
export interface Delivery {
  readonly relation: Relation
  readonly batch: SinkBatch
}

/** Gives the rows of a batch to the sink, then what was set aside to its own. */
export async function deliverBatch(
  { checkpoint, outputs, sink, plan, withRelation }: ExecutionParts,
  sql: SqlBatch,
  { relation, batch }: Delivery,
  setAside: SetAside | undefined,
): Promise<SinkCommit> {
  await checkpoint.checkFence()
  const deadLetters = setAside?.deadLetters
  const within = (rows: Relation, use: () => Promise<SinkCommit>) => (withRelation ? withRelation(sql, rows, use) : use())
  if (!deadLetters || outputs) {
    if (withRelation) await sql.materialize(relation)
    const commit = await within(relation, () => sink.addBatch(batch))
    if (outputs) await setAside?.hasDelivered(commit, outputs.accounts)
    await setAside?.deliver()
    return commit
  }
  const held = await heldRows(sql, relation, plan.schema, plan.origin)
  const find: NonNullable<SinkBatch['locate']> = (refused) => locate(sql, held, refused, deadLetters)
  const given = await within(held.rows, () => sink.addBatch({ ...batch, rows: sql.rowSet(held.rows), locate: find }))
  const commit = given.refused ? { ...given, refused: await find(given.refused) } : given
  // what a function or a plan of the sink's own makes of the rows is theirs
  const counted = withRelation ? { ...commit, numOutputRows: -1 } : commit
  const account = await sinkAccount('sink', counted, () => countRows(sql, held.placed))
  await setAside.hasDelivered(commit, account ? [account] : [])
  await setAside.deliver()
  return commit
}
