import { type MillraceError, UserFunctionError } from '../base/errors.ts'
import type { Column, ColumnBatch } from '../data/column-batch.ts'
import { rowJson } from '../data/refusing-context.ts'
import { Schema } from '../data/schema.ts'
import { type Account, callsPlace, type DeadLetterStage } from '../data/side-rows.ts'
import { rowsToColumns } from '../data/values.ts'
import type { CallsThatFailed, RowError } from '../operators/step.ts'
import { callUserFunction, type FailedRows } from '../operators/user-calls.ts'
import type { RowsOrigin, UserCallsStep } from '../planner/streaming-plan.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'
import type { DeadLetters } from './dead-letters.ts'
import { countRows } from './late-rows.ts'
import { lettersOf, noted, type Place, placeIn } from './row-letters.ts'

/** As Evaluation's user calls, but a row for which a function fails becomes a dead letter: its JSON as it stood before the call, or what its source says of where it is from. */
export async function callKeepingLetters(
  sql: SqlBatch,
  node: UserCallsStep,
  input: Relation,
  letters: DeadLetters,
  { at, note, ofTable }: Place,
  checkStop: () => void,
): Promise<{ readonly rows: Relation; readonly account: Account }> {
  const used = [...new Set(node.calls.flatMap((call) => call.args))]
  const batch = await sql.columnsAt(input, used)
  const failed: FailedRows = new Map()
  const fields = node.schema.fields.slice(node.kept)
  const columns: Column[] = []
  for (const [i, call] of node.calls.entries()) {
    const over = { ...call, args: call.args.map((at) => used.indexOf(at)) }
    const mayFail = call.function.isOwn === true || letters.takesFunctions
    columns.push(await callUserFunction(over, batch, { nullable: fields[i]!.nullable, failed: mayFail ? failed : null, checkStop }))
  }
  const { length } = batch
  const results = (added: readonly Column[], schema: Schema, kept: number): Promise<Relation> =>
    sql.withColumns(input, kept, { schema, length, columns: added })
  const computed = failed.size === 0 ? await results(columns, new Schema(fields), node.kept) : await withoutFailed()
  const rowsOn = failed.size === 0 ? length : await countRows(sql, computed)
  // what a format refuses is no fault of the program's
  const stages = (['expression', 'function'] as const).filter((stage) => [...failed.values()].some((error) => stageOf(error) === stage))
  let deadLetters = 0
  for (const stage of stages) {
    const found = await failedRows(stage)
    deadLetters += ofTable ? await letters.takeOfTable(stage, at, found) : await letters.take(stage, found)
  }
  return { rows: computed, account: { at, rowsIn: ofTable ? rowsOn + deadLetters : length, rowsOn, lateRows: 0, deadLetters } }

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

  function failedRows(stage: DeadLetterStage): Promise<Relation> {
    const said = Array.from({ length }, (_, row) => {
      const error = failed.get(row)
      return error && stageOf(error) === stage ? { code: error.code, what: noted(error.what, note) } : undefined
    })
    return lettersOf(sql, input, said, node.origin, letters)
  }
}

/** Takes what a function with state has failed for to the dead letters: the rows of each call, or the key of a call without any. `input`: the columns of the step's input. Gives the books of both. */
export async function takeFailedCalls(
  sql: SqlBatch,
  step: string,
  { rows, errors, rowsGiven, callsWithoutRows, others: withoutRows }: CallsThatFailed,
  input: Schema,
  { origin, output, ofTable }: { readonly origin: RowsOrigin | undefined; readonly output: string | undefined; readonly ofTable: boolean },
  letters: DeadLetters,
): Promise<Account[]> {
  const { at, note } = placeIn(output, { at: `function of ${step}` })
  const said = ({ code, what }: RowError) => ({ code, what: noted(what, note) })
  const columns = rows.columns.slice(0, input.fields.length)
  const relation = await sql.load({ schema: input, length: rows.length, columns })
  const found = await lettersOf(sql, relation, errors.map(said), origin, letters)
  const take = () => (ofTable ? letters.takeOfTable('function', at, found) : letters.take('function', found))
  const deadLetters = rows.length === 0 ? 0 : await take()
  const encoder = new TextEncoder()
  const source = origin?.sources.length === 1 ? origin.sources[0]! : null
  const records = withoutRows.map(({ key, error }) => ({
    reason: error.code,
    message: said(error).what,
    raw: encoder.encode(rowJson(key)),
  }))
  const others = placeIn(output, { at: `${callsPlace}${step}` })
  const ofCalls = ofTable ? await letters.addOfTable('function', others.at, source, records) : records.length
  if (!ofTable) await letters.add('function', source, records)
  const account = (at: string, came: number, failed: number, dead: number) => {
    const rowsOn = came - failed
    return { at, rowsIn: rowsOn + dead, rowsOn, lateRows: 0, deadLetters: dead }
  }
  const ofRows = account(at, rowsGiven, rows.length, deadLetters)
  return callsWithoutRows === 0 ? [ofRows] : [ofRows, account(others.at, callsWithoutRows, records.length, ofCalls)]
}

function stageOf(error: MillraceError): DeadLetterStage {
  return error instanceof UserFunctionError ? 'function' : 'expression'
}

/** What the books call the place. */
export function callsText({ calls, ofTable }: UserCallsStep): string {
  return `function ${[...new Set(calls.map((call) => call.function.name))].join(', ')}${ofTable ? ' over a table' : ''}`
}

const flagSchema = new Schema([{ name: 'failed', type: 'boolean', nullable: false }])
