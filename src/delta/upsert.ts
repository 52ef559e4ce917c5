/** Output mode update: a batch's rows take the place of those with the same key, or are added. */
import { FencedError, InvalidQueryError, UnavailableError } from '../base/errors.ts'
import type { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import { filter, groupBy } from '../plan/analyze.ts'
import type { Expression } from '../plan/expression.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import { numbered } from '../plan/reshape.ts'
import { columnRef, resolveExpression, sameName } from '../plan/resolve.ts'
import type { DeleteColumn } from '../sinks/delete-column.ts'
import type { Action } from './actions.ts'
import { columnsOfTable } from './change-rows.ts'
import { commitChange } from './commit.ts'
import { call, columnNamed, done, int, not } from './expressions.ts'
import { inTable } from './in-table.ts'
import { planMerge, sourceNumber } from './merge-rows.ts'
import { changeTable, type Outcome, type TableAccess, type TableView, type TransactionId } from './transaction.ts'

/** The columns of the option `key`, as the rows have them. InvalidQueryError COLUMN_NOT_FOUND. */
export function keyColumns(text: string, schema: Schema): string[] {
  return text.split(',').map((part) => {
    const name = part.trim()
    const field = schema.fields.find((each) => sameName(each.name, name))
    if (field) return field.name
    throw new InvalidQueryError('COLUMN_NOT_FOUND', {
      what: `the option key of the Delta sink names "${name}", and the columns are ${schema.names.join(', ')}`,
      todo: 'name columns of the rows, with commas between them',
    })
  })
}

/** Makes the table, or gives it the rows' new columns: a commit of its own, which a batch that is run again finds done. */
export async function prepareTable(access: TableAccess, preparations: () => readonly Action[]): Promise<void> {
  await commitChange(
    access,
    () => {
      const actions = preparations()
      return actions.length === 0 ? null : actions
    },
    { operation: access.state.version < 0 ? 'CREATE TABLE' : 'ADD COLUMNS', operationParameters: {}, isBlindAppend: false },
  )
}

export interface UpsertKey {
  readonly key: readonly string[]
  /** Which rows take the one with their key away, in place of being written. */
  readonly deletes: DeleteColumn | null
}

/** `rows`: the batch's, in any order. Nulls are equal to each other in keys. */
export async function upsert(access: TableAccess, rows: LogicalPlan, by: UpsertKey, transaction: TransactionId): Promise<Outcome> {
  const { engine, state } = access
  const { table } = state
  await checkKeys(access, rows, by.key)
  try {
    return await engine.holdRows(numbered(inTable(rows, table, state.metadata!, by.deletes), sourceNumber), (held) =>
      changeTable(access, (view) => planMerge(access, view, mergeByKey(view, held, by)), transaction),
    )
  } catch (error) {
    if (!(error instanceof UnavailableError && error.code === 'DELTA_CONCURRENT_TRANSACTION')) throw error
    throw new FencedError('CONCURRENT_STREAM_LOG_UPDATE', {
      what: `another run committed a batch of query ${transaction.appId} to ${table} while batch ${transaction.version} was written`,
      todo: 'stop one of the two runs, or give each its own checkpoint',
    })
  }
}

function mergeByKey(view: TableView, source: LogicalPlan, { key, deletes }: UpsertKey) {
  const { fields } = columnsOfTable(view)
  const width = fields.length
  const both = [...fields, ...source.schema.fields]
  const at = (name: string) => fields.findIndex((field) => sameName(field.name, name))
  const equals = key.map((name) =>
    call('<=>', done(columnRef(both[at(name)]!, at(name))), done(columnRef(both[width + at(name)]!, width + at(name)))),
  )
  const condition = resolveExpression(
    equals.reduce((a, b) => call('and', a, b)),
    { fields: both },
  )
  // right behind the table's columns
  const goes = (fields: readonly Field[], at: number) => (deletes === null ? null : columnRef(fields[at]!, at))
  const stays = (gone: Expression | null) => gone && resolveExpression(not(done(gone)), { fields: both })
  const isDeletion = goes(both, 2 * width)
  return {
    source,
    condition,
    matched: [
      ...(isDeletion ? [{ condition: isDeletion, values: null }] : []),
      { condition: null, values: fields.map((_, i) => columnRef(both[width + i]!, width + i)) },
    ],
    notMatched: [
      { condition: stays(goes(source.schema.fields, width)), values: fields.map((_, i) => columnRef(source.schema.fields[i]!, i)) },
    ],
    notMatchedBySource: [],
  }
}

/** Two rows of a batch with one key: nobody could say which of them counts. */
async function checkKeys({ engine, state }: TableAccess, rows: LogicalPlan, key: readonly string[]): Promise<void> {
  const { fields } = rows.schema
  const counted = groupBy(
    rows,
    key.map((name, i) => ({ name: `k${i}`, expression: columnNamed(fields, name) })),
    [{ name: 'n', expression: call('count', int(1)) }],
  )
  const twice = await engine.runBatch(filter(counted, call('>', columnNamed(counted.schema.fields, 'n'), int(1))), (set) => set.count())
  if (twice === 0) return
  throw new InvalidQueryError('DELTA_DUPLICATE_KEY_IN_BATCH', {
    what: `${twice} keys (${key.join(', ')}) are there more than once among the rows of one batch that go into the Delta table ${state.table} by key`,
    todo: 'name all columns by which the query groups its rows, or aggregate by the key',
  })
}
