import type { Column, ColumnBatch } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { Account } from '../data/side-rows.ts'
import { rowsToColumns } from '../data/values.ts'
import { callUserFunction, type FailedRows } from '../operators/user-calls.ts'
import type { UserCallsStep } from '../planner/streaming-plan.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'
import type { DeadLetters } from './dead-letters.ts'
import { countRows } from './late-rows.ts'

/** As Evaluation's user calls, but a row for which a function fails becomes a dead letter: its JSON as it stood before the call. */
export async function callKeepingLetters(
  sql: SqlBatch,
  node: UserCallsStep,
  input: Relation,
  letters: DeadLetters,
): Promise<{ readonly rows: Relation; readonly account: Account }> {
  const used = [...new Set(node.calls.flatMap((call) => call.args))]
  const batch = await sql.columnsAt(input, used)
  const failed: FailedRows = new Map()
  const fields = node.schema.fields.slice(node.kept)
  const columns: Column[] = []
  for (const [i, call] of node.calls.entries()) {
    const over = { ...call, args: call.args.map((at) => used.indexOf(at)) }
    columns.push(await callUserFunction(over, batch, fields[i]!.nullable, failed))
  }
  const { length } = batch
  const results = (added: readonly Column[], schema: Schema, kept: number): Promise<Relation> =>
    sql.withColumns(input, kept, { schema, length, columns: added })
  const computed = failed.size === 0 ? await results(columns, new Schema(fields), node.kept) : await withoutFailed()
  const at = `function ${[...new Set(node.calls.map((call) => call.function.name))].join(', ')}`
  const rowsOn = failed.size === 0 ? length : await countRows(sql, computed)
  const deadLetters = failed.size === 0 ? 0 : await letters.take('function', null, await failedRows())
  return { rows: computed, account: { at, rowsIn: length, rowsOn, lateRows: 0, deadLetters } }

  async function withoutFailed(): Promise<Relation> {
    const flags: ColumnBatch = rowsToColumns(
      flagSchema,
      Array.from({ length }, (_, row) => ({ failed: failed.has(row) })),
    )
    const nullable = fields.map((field) => ({ ...field, nullable: true }))
    const all = await results([...columns, ...flags.columns], new Schema([...nullable, ...flagSchema.fields]), node.kept)
    const width = node.kept + fields.length
    const list = Array.from({ length: width }, (_, i) => `t0.c${i}`).join(', ')
    return sql.materialize(sql.fragment(`SELECT ${list || '1 AS c0'} FROM ⟦0⟧ AS t0 WHERE NOT t0.c${width}`, [all], node.schema))
  }

  async function failedRows(): Promise<Relation> {
    const said = rowsToColumns(
      saidSchema,
      Array.from({ length }, (_, row) => ({ reason: failed.get(row)?.code ?? null, message: failed.get(row)?.what ?? null })),
    )
    const width = input.schema.fields.length
    const all = await results(said.columns, saidSchema, width)
    const names = input.schema.fields.map(({ name }, i) => `'${name.replaceAll("'", "''")}', t0.c${i}`)
    const list = [
      `t0.c${width}`,
      `t0.c${width + 1}`,
      'CAST(NULL AS VARCHAR)',
      'CAST(NULL AS BIGINT)',
      `encode(CAST(json_object(${names.join(', ')}) AS VARCHAR))`,
    ]
    return sql.fragment(
      `SELECT ${list.map((cell, i) => `${cell} AS c${i}`).join(', ')} FROM ⟦0⟧ AS t0 WHERE t0.c${width} IS NOT NULL`,
      [all],
      letterSchema,
    )
  }
}

const flagSchema = new Schema([{ name: 'failed', type: 'boolean', nullable: false }])
const saidSchema = new Schema([
  { name: 'reason', type: 'string', nullable: true },
  { name: 'message', type: 'string', nullable: true },
])
const letterSchema = new Schema([
  ...saidSchema.fields,
  { name: 'file', type: 'string', nullable: true },
  { name: 'line', type: 'long', nullable: true },
  { name: 'raw', type: 'binary', nullable: true },
])
