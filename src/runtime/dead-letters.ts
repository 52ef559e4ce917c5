import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { type DeadLetterStage, deadLetterFields, type RefusedRecord } from '../data/side-rows.ts'
import { rowsToColumns } from '../data/values.ts'
import type { DeadLetterLimits } from '../query/engine-port.ts'
import { type Relation, recordSchema, type SqlBatch } from '../sql/sql-batch.ts'
import { countRows, unionOf } from './late-rows.ts'
import { TableLetters } from './table-letters.ts'

export const deadLetterSchema = new Schema(deadLetterFields)
/** What is known of a letter before it is the query's: reason, message, and from where. */
export const letterSchema = new Schema(
  deadLetterFields.filter(({ name }) => !['stage', 'batch_id', 'at'].includes(name)).map((field) => ({ ...field, nullable: true })),
)

const noOrigin = { file: null, line: null, topic: null, partition: null, offset: null, raw: null }

/**
 * Where the rows of a batch's sources come from. Each row has a number in the batch, of which the upper bits are its source's; the rest is the source's own. It is asked for only where there is a letter, so that a
 * row carries no more than the number.
 */
export class Records {
  readonly #sql: SqlBatch
  readonly #sources = new Map<string, () => Promise<Relation>>()
  readonly #found = new Map<string, Promise<Relation>>()
  #count = 0n
  constructor(sql: SqlBatch) {
    this.#sql = sql
  }

  /** The first number of the next source's rows. */
  next(): bigint {
    return this.#count++ << 52n
  }
  /** `find` gives the number of each of the source's rows and where it comes from, with the columns of recordSchema. */
  add(source: string, find: () => Promise<Relation>): void {
    this.#sources.set(source, find)
  }
  of(sources: readonly string[]): Promise<Relation> {
    const key = JSON.stringify(sources)
    const known = this.#found.get(key) ?? this.#find(sources)
    this.#found.set(key, known)
    return known
  }
  async #find(sources: readonly string[]): Promise<Relation> {
    const parts: Relation[] = []
    for (const source of sources) {
      const find = this.#sources.get(source)
      if (find) parts.push(await find())
    }
    if (parts.length === 1) return parts[0]!
    const text = parts.map((_, i) => `SELECT * FROM ⟦${i}⟧`).join(' UNION ALL ')
    return this.#sql.fragment(text, parts, recordSchema)
  }
}

/** The dead letters of one batch, as they come up. */
export class DeadLetters {
  readonly takesFunctions: boolean
  readonly records: Records
  readonly #sql: SqlBatch
  readonly #limits: DeadLetterLimits
  readonly #batchId: number
  readonly #batchTimestampMs: number
  readonly #parts: Relation[] = []
  readonly #ofTables: TableLetters
  #count = 0
  constructor(sql: SqlBatch, limits: DeadLetterLimits, batchId: number, batchTimestampMs: number, ofTables = new TableLetters()) {
    this.#ofTables = ofTables
    this.#sql = sql
    this.#limits = limits
    this.#batchId = batchId
    this.#batchTimestampMs = batchTimestampMs
    this.takesFunctions = limits.userFunctions
    this.records = new Records(sql)
  }

  /** Rows with the columns of letterSchema. Gives how many. */
  async take(stage: DeadLetterStage, found: Relation): Promise<number> {
    const list = [
      ...['t0.c0', 't0.c1'],
      `'${stage}'`,
      ...['t0.c2', 't0.c3', 't0.c4', 't0.c5', 't0.c6', 't0.c7', 't0.c8'],
      `CAST(${this.#batchId} AS BIGINT)`,
      `make_timestamp(${BigInt(this.#batchTimestampMs) * 1000n})`,
    ]
    const letters = await this.#sql.materialize(
      this.#sql.fragment(`SELECT ${list.map((sql, i) => `${sql} AS c${i}`).join(', ')} FROM ⟦0⟧ AS t0`, [found], deadLetterSchema),
    )
    const count = await countRows(this.#sql, letters)
    if (count > 0) this.#parts.push(letters)
    this.#count += count
    return count
  }

  /** The same of rows of a table at a place of the query, but for those that an earlier batch has taken. */
  async takeOfTable(stage: DeadLetterStage, place: string, found: Relation): Promise<number> {
    return this.take(stage, await this.#ofTables.newOnes(this.#sql, place, found))
  }

  /** As `add`, of a table at a place of the query, but for those that an earlier batch has taken. Gives how many are left. */
  async addOfTable(stage: DeadLetterStage, place: string, source: string | null, records: readonly RefusedRecord[]): Promise<number> {
    if (records.length === 0) return 0
    const rows = records.map(({ row, ...record }) => ({ ...noOrigin, source, ...record }))
    return this.takeOfTable(stage, place, await this.#sql.load(rowsToColumns(letterSchema, rows)))
  }

  /** All that was taken is delivered. */
  delivered(): void {
    this.#ofTables.remember()
  }

  /** Records that a source or sink has named. */
  async add(stage: DeadLetterStage, source: string | null, records: readonly RefusedRecord[]): Promise<void> {
    if (records.length === 0) return
    const at = new Date(this.#batchTimestampMs)
    const rows = records.map(({ row, ...record }) => ({ source, ...record, stage, batch_id: BigInt(this.#batchId), at }))
    this.#parts.push(
      await this.#sql.load(
        rowsToColumns(
          deadLetterSchema,
          rows.map((row) => ({ ...noOrigin, ...row })),
        ),
      ),
    )
    this.#count += records.length
  }

  /** So many more are at hand, and the search for others may end. InvalidQueryError DEAD_LETTER_LIMIT_EXCEEDED where a count was given. */
  mayTake(more: number): void {
    const { maxPerBatch } = this.#limits
    if (maxPerBatch === undefined || this.#count + more <= maxPerBatch) return
    throw exceeded(`batch ${this.#batchId} has more than ${maxPerBatch} dead letters`, `maxPerBatch = ${maxPerBatch}`)
  }

  /** Before anything of the batch is delivered, and again when the sink has spoken. InvalidQueryError DEAD_LETTER_LIMIT_EXCEEDED. */
  checkLimits(rowsIn: number): void {
    const { maxPerBatch, maxShare } = this.#limits
    const share = this.#count === 0 ? 0 : this.#count / Math.max(this.#count, rowsIn)
    const limit =
      maxPerBatch !== undefined && this.#count > maxPerBatch
        ? `maxPerBatch = ${maxPerBatch}`
        : maxShare !== undefined && share > maxShare
          ? `maxShare = ${maxShare}`
          : undefined
    if (limit !== undefined) throw exceeded(`batch ${this.#batchId} has ${this.#count} dead letters among ${rowsIn} rows`, limit)
  }

  relation(): Promise<Relation> {
    return unionOf(this.#sql, this.#parts, deadLetterSchema)
  }
}

function exceeded(what: string, limit: string): InvalidQueryError {
  return new InvalidQueryError('DEAD_LETTER_LIMIT_EXCEEDED', {
    what: `${what}, and deadLetters was given ${limit}`,
    todo: 'look at the input: so many broken rows are seldom its rows’ fault; the batch is not committed, and is run again when the query is started again, with a higher limit if that is what is meant',
  })
}
