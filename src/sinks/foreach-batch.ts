import { InvalidQueryError, MillraceError, UserFunctionError } from '../base/errors.ts'
import { type ForeachBatchContext, Refusals } from '../data/refusing-context.ts'
import type { RowSet } from '../data/row-set.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import type { Sink, SinkBatch, SinkCommit, SinkProvider } from './sink.ts'

/** The user's function: gets the rows, valid until it is done, and the batch id, by which it can tell a batch that is delivered again. */
export type ForeachBatchFunction = (
  rows: RowSet,
  batchId: number,
  context: ForeachBatchContext,
  /** The rows as a plan, where the sink is given one. */
  plan: LogicalPlan | undefined,
) => Promise<void> | void

/** At least once: the batch that was running at a crash is delivered again under the same id, and the function decides what that means. */
export function foreachBatchSink(call: ForeachBatchFunction): Sink {
  return {
    description: 'ForeachBatchSink',
    guarantee: 'at-least-once',
    async addBatch({ batchId, rows, plan, keepsDeadLetters = false }: SinkBatch): Promise<SinkCommit> {
      const context = new Refusals(keepsDeadLetters, batchId)
      try {
        await call(rows, batchId, context, plan)
      } catch (cause) {
        // what the engine refused or failed at inside the function says best itself what to do
        if (cause instanceof MillraceError) throw cause
        throw new UserFunctionError('FOREACH_BATCH_USER_FUNCTION_ERROR', {
          what: `the function of foreachBatch threw in batch ${batchId}: ${cause instanceof Error ? cause.message : String(cause)}`,
          todo: 'see the cause; the batch is delivered again, under the same id, when the query is started again. It ends the query by design: rows that the function can’t take it may give to the dead letters, by context.deadLetter(row, reason, message), its third argument',
          cause,
        })
      }
      const refused = context.done()
      return { status: 'committed', numOutputRows: -1, ...(refused.length > 0 && { refused }) }
    },
    async stop() {},
  }
}

/** `foreachbatch`: the instance is the function. */
export const foreachBatchProvider: SinkProvider = {
  formats: ['foreachbatch'],
  outputModes: ['append', 'update', 'complete'],
  allowsTemporaryCheckpoint: true,
  async open({ instance }) {
    if (typeof instance === 'function') return foreachBatchSink(instance as ForeachBatchFunction)
    throw new InvalidQueryError('FOREACH_BATCH_FUNCTION_MISSING', {
      what: 'format "foreachBatch" was given no function',
      todo: 'use writeStream.foreachBatch(async (rows, batchId) => { … })',
    })
  },
}
