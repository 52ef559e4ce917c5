/**
 * The table in which a database keeps how far each query has come, in the same transaction as the rows (docs/formats.md). Its meaning is here;
 * statements are plain SQL that every server understands.
 */
import { CorruptCheckpointError, FencedError, InvalidQueryError } from '../base/errors.ts'
import type { RefusedRecord } from '../data/side-rows.ts'
import type { Session } from './dialect.ts'
import { quoted, quotedTable, type TableName, tableText } from './table-name.ts'

/** 2: refused rows may say where they come from. Notes that need no more have version 1, for releases that know no other. */
export const notesVersion = 2
export const defaultNotesTable = 'millrace_batches'

/** How far a query has come with a table. */
export interface BatchNote {
  readonly queryId: string
  readonly queryName: string | null
  /** The newest run that has claimed the table. */
  readonly epoch: number
  /** The last batch that is in the table; -1 before the first. */
  readonly batchId: number
  /** Rows that this batch wrote. */
  readonly rows: number
  /** What the table refused of this batch. */
  readonly refused: readonly RefusedRecord[]
  /** Whether it goes on under another name (withOwnName), and is to go. */
  readonly isTaken?: boolean
}
/** The run that asks. */
export interface Run {
  readonly queryId: string
  readonly queryName: string | null
  readonly epoch: number
}
/**
 * The notes as they are for an output of a query that has several. Releases that gave all outputs one name have left a note under the query's id alone, and so has the query
 * where it had one output: the first output that finds it goes on from there.
 */
export function withOwnName(notes: readonly BatchNote[], queryId: string, output: string | undefined): readonly BatchNote[] {
  const own = `${queryId}/${output}`
  const old = notes.find((note) => note.queryId === queryId)
  if (output === undefined || !old || notes.some((note) => note.queryId === own)) return notes
  return [...notes.filter((note) => note !== old), { ...old, isTaken: true }, { ...old, queryId: own }]
}
/** The query's id without the name of an output. */
function queryOf(id: string): string {
  return id.split('/')[0]!
}

/** What to do about a table that other queries have written to. */
export type Sharing = 'own' | 'shared' | 'adopt'

/** Whether a run may have the table, from the notes of all queries about it, and whose notes go. Pure. FencedError; InvalidQueryError SINK_OWNED_BY_ANOTHER_QUERY. */
export function decideClaim(
  notes: readonly BatchNote[],
  run: Run,
  sharing: Sharing,
  table: string,
): { readonly forget: readonly string[] } {
  const own = notes.find(({ queryId }) => queryId === run.queryId)
  if (own && own.epoch > run.epoch) throw superseded(own, run, table)
  const others = notes.filter(({ queryId }) => queryId !== run.queryId)
  const taken = others.filter(({ isTaken }) => isTaken).map(({ queryId }) => queryId)
  if (sharing === 'shared') return { forget: taken }
  // two outputs of one start: the other one has claimed the table a moment ago
  const sister = others.find(({ queryId, epoch }) => epoch === run.epoch && queryOf(queryId) === queryOf(run.queryId))
  if (sister) throw twoOutputs(sister, run, table)
  const writer = others.find(({ batchId, isTaken }) => batchId >= 0 && !isTaken)
  if (writer && sharing === 'own') throw ownedByAnother(writer, run, table)
  return { forget: others.map(({ queryId }) => queryId) }
}

/** What a batch means, from the notes as they stand under the transaction's lock. Pure. Errors as decideClaim, and InvalidQueryError DATABASE_BATCHES_MISSING. */
export function decideBatch(notes: readonly BatchNote[], run: Run, batchId: number, sharing: Sharing, table: string): 'write' | 'written' {
  const own = notes.find(({ queryId }) => queryId === run.queryId)
  if (!own) {
    throw new FencedError('CONCURRENT_STREAM_LOG_UPDATE', {
      what: `the note of query ${run.queryId} about the table ${table} is gone: another query has adopted the table, or somebody has removed the note`,
      todo: 'let only one query write to the table; or start this query again, with adoptOutput = true where it is to have the table back',
    })
  }
  if (own.epoch > run.epoch) throw superseded(own, run, table)
  if (own.batchId >= batchId) return 'written'
  const writer = notes.find((note) => note.queryId !== run.queryId && note.batchId >= 0)
  if (writer && sharing === 'own') throw ownedByAnother(writer, run, table)
  if (own.batchId >= 0 && own.batchId < batchId - 1 && sharing !== 'adopt') {
    throw new InvalidQueryError('DATABASE_BATCHES_MISSING', {
      what: `the table ${table} holds batches up to ${own.batchId} of query ${run.queryId}, and the next one is ${batchId}: the database is older than the checkpoint`,
      todo: 'restore the database and the checkpoint from one backup; or set adoptOutput = true once to go on without the batches between',
    })
  }
  return 'write'
}

/** The notes about one table, within the transactions of a session. */
export class BatchNotes {
  readonly #notesTable: string
  readonly #table: string
  readonly #isShared: boolean
  constructor(notesTable: TableName, table: string, isShared: boolean, quote: string) {
    this.#notesTable = quotedTable(notesTable, quote)
    this.#table = table
    this.#isShared = isShared
  }

  /** Creates the table where it is missing. */
  static async create(session: Session, notesTable: TableName): Promise<void> {
    if (await session.describe(notesTable)) return
    const { quote, types } = session.dialect
    const columns = [
      `query_id ${types.key} NOT NULL`,
      `table_name ${types.key} NOT NULL`,
      `version ${types.long} NOT NULL`,
      `query_name ${types.text}`,
      `epoch ${types.long} NOT NULL`,
      `batch_id ${types.long} NOT NULL`,
      `num_rows ${types.long} NOT NULL`,
      `refused ${types.text}`,
      'PRIMARY KEY (query_id, table_name)',
    ]
    await session.run(`CREATE TABLE IF NOT EXISTS ${quotedTable(notesTable, quote)} (${columns.join(', ')})`)
  }

  /** Reads and locks the notes about the table; where it is shared, only those under these names, so that queries don't wait for each other. */
  async lock(session: Session, ...queryIds: readonly string[]): Promise<BatchNote[]> {
    const { dialect } = session
    const names = [...new Set(queryIds)]
    const own = this.#isShared ? ` AND query_id IN (${names.map((_, i) => dialect.parameter(i + 2)).join(', ')})` : ''
    const { rows } = await session.run(
      `SELECT version, query_id, query_name, epoch, batch_id, num_rows, refused FROM ${this.#notesTable} WHERE table_name = ${dialect.parameter(1)}${own} ORDER BY query_id${dialect.lockClause}`,
      this.#isShared ? [this.#table, ...names] : [this.#table],
    )
    return rows.map((row) => this.#noteOf(row))
  }

  async write(session: Session, note: BatchNote): Promise<void> {
    const { dialect } = session
    const p = (n: number) => dialect.parameter(n)
    const refused = note.refused.length === 0 ? null : refusedText(note.refused)
    const version = note.refused.some((record) => record.source !== undefined) ? notesVersion : 1
    const values = [note.queryName, note.epoch, note.batchId, note.rows, refused, version]
    const { changed } = await session.run(
      `UPDATE ${this.#notesTable} SET query_name = ${p(1)}, epoch = ${p(2)}, batch_id = ${p(3)}, num_rows = ${p(4)}, refused = ${p(5)}, version = ${p(6)} WHERE query_id = ${p(7)} AND table_name = ${p(8)}`,
      [...values, note.queryId, this.#table],
    )
    if (changed > 0) return
    await session.run(
      `INSERT INTO ${this.#notesTable} (query_name, epoch, batch_id, num_rows, refused, version, query_id, table_name) VALUES (${[1, 2, 3, 4, 5, 6, 7, 8].map(p).join(', ')})`,
      [...values, note.queryId, this.#table],
    )
  }

  async forget(session: Session, queryId: string): Promise<void> {
    const { dialect } = session
    await session.run(`DELETE FROM ${this.#notesTable} WHERE query_id = ${dialect.parameter(1)} AND table_name = ${dialect.parameter(2)}`, [
      queryId,
      this.#table,
    ])
  }

  #noteOf([version, queryId, queryName, epoch, batchId, rows, refused]: readonly unknown[]): BatchNote {
    if (Number(version) > notesVersion) {
      throw new CorruptCheckpointError('INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION', {
        what: `${this.#notesTable} has a note of version ${Number(version)} about ${this.#table}, and this program knows versions up to ${notesVersion}`,
        todo: 'run a newer release of Millrace',
      })
    }
    return {
      queryId: String(queryId),
      queryName: queryName === null ? null : String(queryName),
      epoch: Number(epoch),
      batchId: Number(batchId),
      rows: Number(rows),
      refused: refused === null ? [] : refusedOf(String(refused)),
    }
  }
}

/** JSON that holds the bytes of rows as base64: PostgreSQL's text takes no \u0000. */
function refusedText(refused: readonly RefusedRecord[]): string {
  return JSON.stringify(
    refused.map(({ reason, message, raw, row, offset, ...place }) => ({
      reason,
      message: message.replaceAll('\0', '\\0'),
      ...place,
      ...(offset !== undefined && { offset: String(offset) }),
      ...(raw && { raw: Buffer.from(raw).toString('base64') }),
    })),
  )
}
function refusedOf(text: string): RefusedRecord[] {
  const stored = JSON.parse(text) as (Omit<RefusedRecord, 'raw' | 'offset'> & { raw?: string; offset?: string })[]
  return stored.map(({ raw, offset, ...said }) => ({
    ...said,
    ...(offset !== undefined && { offset: BigInt(offset) }),
    ...(raw !== undefined && { raw: new Uint8Array(Buffer.from(raw, 'base64')) }),
  }))
}

/** Where notes lie unless an option says otherwise: beside the table. */
export function notesTableOf(table: TableName, name: string): TableName {
  return { schema: table.schema, name }
}

function superseded(own: BatchNote, run: Run, table: string): FencedError {
  return new FencedError('CONCURRENT_STREAM_LOG_UPDATE', {
    what: `run ${own.epoch} of query ${run.queryId} has claimed the table ${table}, and this is run ${run.epoch}`,
    todo: 'nothing: the newer run goes on; stop this one',
  })
}
function ownedByAnother(writer: BatchNote, run: Run, table: string): InvalidQueryError {
  const name = writer.queryName === null ? '' : ` (${quoted(writer.queryName)})`
  return new InvalidQueryError('SINK_OWNED_BY_ANOTHER_QUERY', {
    what: `the table ${table} holds the output of query ${writer.queryId}${name} up to its batch ${writer.batchId}, and this is query ${run.queryId}`,
    todo: 'give this query a table of its own; or set sharedTable = true in both where both are to write there, or adoptOutput = true once where the other one is over',
  })
}

function twoOutputs({ queryId }: BatchNote, run: Run, table: string): InvalidQueryError {
  const names = [queryId, run.queryId].map((id) => quoted(id.slice(queryOf(id).length + 1) || 'the query itself'))
  return new InvalidQueryError('OUTPUTS_SHARE_DESTINATION', {
    what: `two outputs of the query go into the table ${table}: ${names.join(' and ')}`,
    todo: 'give each a table of its own; or set sharedTable = true in both where their rows are to lie together',
  })
}

/** For the notes and messages. */
export function nameInNotes(table: TableName): string {
  return tableText(table)
}
