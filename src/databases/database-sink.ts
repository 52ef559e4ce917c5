import { assert } from '../base/errors.ts'
import type { Sink, SinkBatch, SinkCommit, SinkContext } from '../sinks/sink.ts'
import { type BatchNote, BatchNotes, decideBatch, decideClaim, nameInNotes, type Run, withOwnName } from './batch-notes.ts'
import { newColumns, planWrite } from './compare-schema.ts'
import { createTable } from './create-table.ts'
import type { Database, Session, WritePlan } from './dialect.ts'
import { Reconnecting } from './retry.ts'
import type { SinkOptions } from './sink-options.ts'
import { quotedTable, tableText } from './table-name.ts'

/** A table of a SQL database. Each batch is one transaction, which notes the batch's id beside the rows: a batch that is delivered again finds it and writes nothing. */
export class DatabaseSink implements Sink {
  readonly description: string
  readonly guarantee = 'exactly-once'
  readonly #context: SinkContext
  readonly #options: SinkOptions
  readonly #connection: Reconnecting
  readonly #run: Run
  #plan: WritePlan | undefined
  #notes: BatchNotes | undefined

  constructor(context: SinkContext, database: Database, options: SinkOptions) {
    this.#context = context
    this.#options = options
    this.#connection = new Reconnecting(database, options.retries, context.clock)
    const { queryId, output, queryName, epoch } = context
    this.#run = { queryId: output === undefined ? queryId : `${queryId}/${output}`, queryName, epoch }
    this.description = `DatabaseSink[${database.address}/${tableText(options.table)}]`
  }

  /** Looks at the table or creates it, and claims it for this run. All before the first row. */
  async open(): Promise<void> {
    try {
      await this.#connection.use(`opening the table ${tableText(this.#options.table)}`, (session) => this.#prepare(session))
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async #prepare(session: Session): Promise<void> {
    const { schema, checkFence } = this.#context
    const { table, notesTable, sharing } = this.#options
    const { dialect } = session
    let shape = await session.describe(table)
    if (!shape) {
      await checkFence()
      await createTable(session, this.#options, newColumns(schema, this.#options, dialect))
      shape = await session.describe(table)
      assert(shape, 'a table that was created is there')
    }
    this.#plan = planWrite(schema, shape, this.#options, dialect)
    const name = nameInNotes(shape.table)
    const notes = new BatchNotes(notesTable, name, sharing === 'shared', dialect.quote)
    this.#notes = notes
    await BatchNotes.create(session, notesTable)
    await session.transaction(async () => {
      const { queryId, output } = this.#context
      const there = withOwnName(await notes.lock(session, this.#run.queryId, queryId), queryId, output)
      const { forget } = decideClaim(there, this.#run, sharing, name)
      for (const queryId of forget) await notes.forget(session, queryId)
      const own = there.find(({ queryId }) => queryId === this.#run.queryId)
      await notes.write(session, { batchId: -1, rows: 0, refused: [], ...own, ...this.#run })
      await checkFence()
    })
  }

  async addBatch(batch: SinkBatch): Promise<SinkCommit> {
    const before = this.#connection.retried
    let attempts = 0
    const note = await this.#connection.use(`writing batch ${batch.batchId} to ${tableText(this.#options.table)}`, (session) => {
      attempts++
      return session.transaction(() => this.#writeOnce(session, batch))
    })
    const retries = this.#connection.retried - before
    // a commit whose answer was lost is found by the repetition, under this run's own epoch
    const isOwn = note.isNew || (attempts > 1 && note.epoch === this.#run.epoch && note.batchId === batch.batchId)
    return {
      status: isOwn ? 'committed' : 'already-committed',
      numOutputRows: isOwn ? note.rows : -1,
      ...(note.batchId === batch.batchId && note.refused.length > 0 && { refused: note.refused }),
      ...(isOwn && { metrics: { numRetries: String(retries) } }),
    }
  }

  async #writeOnce(session: Session, batch: SinkBatch): Promise<BatchNote & { isNew: boolean }> {
    const { batchId, rows, outputMode, keepsDeadLetters, locate } = batch
    const { checkFence } = this.#context
    const { sharing, table } = this.#options
    const plan = this.#plan
    const notes = this.#notes
    assert(plan && notes, 'the sink was opened')
    const there = await notes.lock(session, this.#run.queryId)
    const own = there.find(({ queryId }) => queryId === this.#run.queryId)
    if (decideBatch(there, this.#run, batchId, sharing, tableText(table)) === 'written') return { ...own!, isNew: false }
    if (outputMode === 'complete') await session.run(`DELETE FROM ${quotedTable(plan.table, session.dialect.quote)}`)
    const { numRows, refused: found } = await session.write(plan, rows, keepsDeadLetters ?? false)
    // the note keeps them for a batch that comes again, whose rows may have another order
    const refused = found.length > 0 && locate ? await locate(found) : found
    const note: BatchNote = { ...this.#run, batchId, rows: numRows, refused }
    await notes.write(session, note)
    await checkFence()
    return { ...note, isNew: true }
  }

  async stop(): Promise<void> {
    await this.#connection.close()
  }
}
