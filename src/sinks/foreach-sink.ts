import { assert, InvalidQueryError, MillraceError, UserFunctionError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import type { ForeachWriter } from '../data/foreach-writer.ts'
import { rowJson } from '../data/refusing-context.ts'
import type { RowSet } from '../data/row-set.ts'
import type { RefusedRecord } from '../data/side-rows.ts'
import { queryOptions } from './file-sink-options.ts'
import type { Sink, SinkBatch, SinkCommit, SinkProvider } from './sink.ts'

/** `foreach`: the instance holds the user's writer. At least once: the batch that was running at a crash comes again under the same epoch id. */
export const foreachProvider: SinkProvider = {
  formats: ['foreach'],
  refusesRows: true,
  outputModes: ['append', 'update', 'complete'],
  allowsTemporaryCheckpoint: true,
  async open({ instance, options }) {
    new Options('foreach', options, queryOptions)
    const writer = (instance as { readonly writer?: ForeachWriter } | undefined)?.writer
    if (writer) return new ForeachSink(writer)
    throw new InvalidQueryError('FOREACH_WRITER_MISSING', {
      what: 'format "foreach" was given no writer',
      todo: 'use writeStream.foreach({ open, process, close }), or foreach((row) => …)',
    })
  },
}

class ForeachSink implements Sink {
  readonly description = 'ForeachWriterTable'
  readonly guarantee = 'at-least-once'
  readonly #writer: ForeachWriter
  constructor(writer: ForeachWriter) {
    this.#writer = writer
  }

  async addBatch({ batchId, rows, keepsDeadLetters = false }: SinkBatch): Promise<SinkCommit> {
    const writer = this.#writer
    const isWanted = await inUserCode('open', batchId, () => writer.open?.(0n, BigInt(batchId)))
    let count = 0
    const refused: RefusedRecord[] | null = keepsDeadLetters ? [] : null
    try {
      if (isWanted !== false) count = await this.#process(batchId, rows, refused)
    } catch (error) {
      // what stopped the batch is what is told, whatever close makes of it
      await Promise.resolve(writer.close?.(error instanceof UserFunctionError ? error.cause : error)).catch(() => {})
      throw error
    }
    await inUserCode('close', batchId, () => writer.close?.(null))
    return { status: isWanted === false ? 'already-committed' : 'committed', numOutputRows: count, ...(refused?.length && { refused }) }
  }

  /** Gives how many rows the writer has taken. With `refused` a row for which process throws goes there, and the next one follows. */
  async #process(batchId: number, rows: RowSet, refused: RefusedRecord[] | null): Promise<number> {
    const writer = this.#writer
    const objects = await rows.toObjects()
    if (writer.processBatch) {
      if (objects.length > 0) await inUserCode('processBatch', batchId, () => writer.processBatch!(objects))
      return objects.length
    }
    assert(writer.process, 'the writer has process or processBatch')
    for (const [at, row] of objects.entries()) {
      try {
        const pending = inUserCode(`process (row ${at} of ${objects.length})`, batchId, () => writer.process!(row), row)
        if (pending instanceof Promise) await pending
      } catch (error) {
        if (refused === null || !(error instanceof UserFunctionError)) throw error
        refused.push({ reason: error.code, message: error.what, row: at, raw: new TextEncoder().encode(rowJson(row)) })
      }
    }
    return objects.length - (refused?.length ?? 0)
  }

  async stop(): Promise<void> {}
}

/** Runs the user's code; waits only where it is async, since a million rows are a million calls. */
function inUserCode<T>(call: string, batchId: number, run: () => T | Promise<T>, row?: unknown): T | Promise<T> {
  try {
    const result = run()
    if (!(result instanceof Promise)) return result
    return result.catch((cause: unknown) => {
      throw failed(call, batchId, cause, row)
    })
  } catch (cause) {
    throw failed(call, batchId, cause, row)
  }
}

const shownRow = 200

function failed(call: string, batchId: number, cause: unknown, row: unknown): Error {
  if (cause instanceof MillraceError) return cause
  const shown = row === undefined ? '' : `; the row is ${text(row)}`
  return new UserFunctionError('FOREACH_USER_FUNCTION_ERROR', {
    what: `${call} of the foreach writer threw in batch ${batchId}: ${cause instanceof Error ? cause.message : String(cause)}${shown}`,
    todo: 'see the cause; the batch is delivered again, under the same epoch id, when the query is started again',
    cause,
  })
}
function text(row: unknown): string {
  const json = rowJson(row)
  return json.length > shownRow ? `${json.slice(0, shownRow)}…` : json
}
