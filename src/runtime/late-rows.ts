import { assert, InternalError } from '../base/errors.ts'
import { emptyColumns, type FixedColumn } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import { type Account, lateRowFields } from '../data/side-rows.ts'
import type { Field } from '../data/types.ts'
import type { StepMetrics } from '../operators/step.ts'
import type { LateInput, StatefulNode } from '../planner/streaming-plan.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'

/** How many rows of a step's inputs were late. */
export interface LateCount {
  /** Rows of which at least one window was late. */
  readonly rows: number
  /** Those of them that another window has taken. */
  readonly partly: number
}

const numberSchema = new Schema([{ name: 'count', type: 'long', nullable: false }])
const countsSchema = new Schema([
  { name: 'rows', type: 'long', nullable: false },
  { name: 'partly', type: 'long', nullable: false },
])

/** The late rows of one batch: found step by step, and given out as one relation. */
export class LateRows {
  readonly #sql: SqlBatch
  readonly #columns: readonly Field[]
  readonly #batchId: number
  readonly #parts: Relation[] = []
  constructor(sql: SqlBatch, columns: readonly Field[], batchId: number) {
    this.#sql = sql
    this.#columns = columns
    this.#batchId = batchId
  }

  get schema(): Schema {
    return lateRowsSchema(this.#columns)
  }

  /** Rows of one input that a step has dropped or is about to drop. */
  async take(node: StatefulNode, late: LateInput, input: Relation, lateUs: bigint): Promise<LateCount & { readonly account: Account }> {
    const found = await this.#sql.materialize(this.#sql.fragment(withLate(late.rowsSql, lateUs), [input], late.rowsSchema))
    const partlyAt = late.rowsSchema.fields.length - 1
    const { columns, length } = await this.#sql.columnsAt(found, [partlyAt])
    const partly = (columns[0] as FixedColumn | undefined)?.data as Uint8Array | undefined
    const count = { rows: length, partly: partly === undefined ? 0 : partly.reduce((sum, flag) => sum + flag, 0) }
    if (length > 0) this.#parts.push(this.#judged(node, late, found, lateUs))
    const account = {
      at: `${node.operatorName} ${node.operatorId}${late.side === null ? '' : ` ${late.side}`}`,
      rowsIn: await countRows(this.#sql, input),
      rowsOn: await numberOf(this.#sql, withLate(late.inTimeSql, lateUs), input),
      lateRows: count.rows - count.partly,
      deadLetters: 0,
    }
    return { ...count, account }
  }

  /** Rows that are stamped after `boundUs`: the columns that the user asked for, and their event time. */
  addFuture(found: Relation, boundUs: bigint): void {
    const nothing = ['CAST(NULL AS INTEGER)', 'CAST(NULL AS VARCHAR)', 'CAST(NULL AS VARCHAR)']
    const times = [`t0.c${this.#columns.length}`, `make_timestamp(${boundUs})`]
    this.#parts.push(this.#with(found, ["'future'", ...nothing, ...times, 'CAST(0 AS INTEGER)', 'false', this.#batch]))
  }

  #judged({ operatorId, operatorName }: StatefulNode, { side, rowsSchema }: LateInput, found: Relation, lateUs: bigint): Relation {
    const at = rowsSchema.fields.length - 3
    const judgement = [
      "'late'",
      `CAST(${operatorId} AS INTEGER)`,
      `'${operatorName}'`,
      side === null ? 'CAST(NULL AS VARCHAR)' : `'${side}'`,
      `t0.c${at}`,
      `make_timestamp(${lateUs})`,
      `t0.c${at + 1}`,
      `t0.c${at + 2}`,
      this.#batch,
    ]
    return this.#with(found, judgement)
  }

  get #batch(): string {
    return `CAST(${this.#batchId} AS BIGINT)`
  }
  /** Rows whose first columns are those that the user asked for. */
  #with(found: Relation, judgement: readonly string[]): Relation {
    const list = [...this.#columns.map((_, i) => `t0.c${i}`), ...judgement].map((sql, i) => `${sql} AS c${i}`)
    return this.#sql.fragment(`SELECT ${list.join(', ')} FROM ⟦0⟧ AS t0`, [found], this.schema)
  }

  /** All of them, with what made them late. */
  async relation(): Promise<Relation> {
    return unionOf(this.#sql, this.#parts, this.schema)
  }
}

/** The columns of the side output. */
export function lateRowsSchema(columns: readonly Field[]): Schema {
  return new Schema([...columns.map((field) => ({ ...field, nullable: true })), ...lateRowFields])
}

/** How many of an input's rows an aggregation has dropped groups of, counted where it has dropped any. */
export async function countLate(sql: SqlBatch, late: LateInput, input: Relation, lateUs: bigint): Promise<LateCount> {
  const partlyAt = late.rowsSchema.fields.length - 1
  const counted = sql.fragment(
    `SELECT count(*) AS c0, count(*) FILTER (t.c${partlyAt}) AS c1 FROM (${withLate(late.rowsSql, lateUs)}) AS t`,
    [input],
    countsSchema,
  )
  const { columns } = await sql.columnsAt(counted, [0, 1])
  const [rows, partly] = columns.map((column) => Number((column as FixedColumn).data[0]))
  return { rows: rows!, partly: partly! }
}

/** What a step that drops rows says it has dropped must be what was set aside. */
export function checkLateCount(node: StatefulNode, count: LateCount, { rowsDroppedByWatermark }: StepMetrics): void {
  // an aggregation drops groups: some of them exactly where some rows are late
  const agrees = node.kind === 'aggregate' ? count.rows > 0 === rowsDroppedByWatermark > 0 : count.rows === rowsDroppedByWatermark
  if (agrees) return
  throw new InternalError('INTERNAL_ERROR', {
    what: `the operator ${node.operatorName} ${node.operatorId} dropped ${rowsDroppedByWatermark} by the watermark, and ${count.rows} of its input rows are late`,
    todo: 'report this with the query and the progress of the batch before; the batch is not committed',
  })
}

export function unionOf(sql: SqlBatch, parts: readonly Relation[], schema: Schema): Promise<Relation> {
  if (parts.length === 0) return sql.load(emptyColumns(schema))
  const text = parts.map((_, i) => `SELECT * FROM ⟦${i}⟧`).join(' UNION ALL ')
  return sql.materialize(parts.length === 1 ? parts[0]! : sql.fragment(text, parts, schema))
}

/** Of rows that were computed. */
export async function countRows(sql: SqlBatch, relation: Relation): Promise<number> {
  return (await sql.columnsAt(relation, [])).length
}
async function numberOf(sql: SqlBatch, text: string, input: Relation): Promise<number> {
  const { columns } = await sql.columnsAt(sql.fragment(text, [input], numberSchema), [0])
  const column = columns[0]
  assert(column?.kind === 'fixed', 'a count is a number')
  return Number(column.data[0])
}

function withLate(text: string, lateUs: bigint): string {
  return text.replaceAll('⟦late⟧', `make_timestamp(${lateUs})`)
}
