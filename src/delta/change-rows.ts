/** DELETE and UPDATE: the files that hold such rows are written anew without them, or with their new values; or a deletion vector says that they are gone, and new values are added. */
import type { Schema } from '../data/schema.ts'
import { filter, groupBy, project, union } from '../plan/analyze.ts'
import type { Expression, UnresolvedExpression } from '../plan/expression.ts'
import { expressionText } from '../plan/expression-tree.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import type { Action, AddFile } from './actions.ts'
import { call, choose, columnAt, done, isTrue, named, not, text } from './expressions.ts'
import { filesFor } from './skipping.ts'
import { liveRows, placeFields, scanOf } from './table-rows.ts'
import { tableSchema } from './table-schema.ts'
import { checkMayRemove, type Planned, removal, type TableAccess, type TableView } from './transaction.ts'
import { added, type ChangeType, changeType, keepsChanges, writeChanges, writePlan } from './write-plan.ts'
import { rowsByFile, takesVector, withoutRows } from './write-vectors.ts'

/** What is done to rows of a table, looked up over its columns. */
export interface RowChange {
  /** Which rows; null: all. */
  readonly condition: Expression | null
  /** New values by column; null: the rows go. */
  readonly values: ReadonlyMap<string, Expression> | null
}

interface Touched {
  readonly add: AddFile
  readonly rows: number
}

export async function planRowChange(access: TableAccess, view: TableView, change: RowChange): Promise<Planned | null> {
  const { table, metadata, files } = view
  const { condition, values } = change
  checkMayRemove(table, metadata, values === null ? 'a delete' : 'an update')
  const mayMatch = condition === null ? () => true : filesFor(view, condition)
  const candidates = files.filter(mayMatch)
  const touched = await touchedFiles(access, view, candidates, condition)
  if (touched.length === 0) return null
  const goes = ({ add, rows }: (typeof touched)[number]) => values === null && liveRows(add) === rows
  const partly = touched.filter((each) => !goes(each)).map(({ add }) => add)
  const byVector = partly.filter((add) => takesVector(metadata, add))
  const keepTheirFile = new Set(byVector)
  const anew = partly.filter((add) => !keepTheirFile.has(add))
  const parts = [
    ...(anew.length > 0 ? [rewritten(access, view, anew, change)] : []),
    ...(byVector.length > 0 && values !== null ? [updatedRows(access, view, byVector, condition, values)] : []),
  ]
  const [first, ...others] = parts
  const written = first
    ? await writePlan(access, view, others.length > 0 ? union([first, ...others]) : first, 'dml')
    : { adds: [], numRows: 0, bytes: 0 }
  const places = byVector.length > 0 ? await rowsByFile(access, placesIn(access, view, byVector, condition)) : new Map<number, number[]>()
  const without = await withoutRows(
    access,
    view,
    byVector.map((add, i) => ({ add, rows: places.get(i)! })),
  )
  const changes: Action[] =
    keepsChanges(metadata) && partly.length > 0
      ? await writeChanges(
          access,
          view,
          changedRows(
            access,
            view,
            touched.map(({ add }) => add),
            change,
          ),
        )
      : []
  const nowMs = access.nowMs()
  const changed = touched.reduce((sum, { rows }) => sum + rows, 0)
  return {
    actions: [
      ...touched.filter(({ add }) => !keepTheirFile.has(add)).map(({ add }) => removal(add, nowMs)),
      ...without.actions,
      ...added(written.adds),
      ...changes,
    ],
    operation: values === null ? 'DELETE' : 'UPDATE',
    parameters: { predicate: condition === null ? '[]' : JSON.stringify([expressionText(condition)]) },
    metrics: {
      numRemovedFiles: touched.length - without.vectors,
      ...(byVector.length > 0 && { numDeletionVectorsAdded: without.vectors }),
      numAddedFiles: written.adds.length,
      numAddedChangeFiles: changes.length,
      [values === null ? 'numDeletedRows' : 'numUpdatedRows']: changed,
      numCopiedRows: written.numRows - (values === null ? 0 : changed),
    },
    read: candidates,
    mayRead: mayMatch,
  }
}

/** Files with such rows, and how many. */
async function touchedFiles(
  { engine, files }: TableAccess,
  view: TableView,
  candidates: readonly AddFile[],
  condition: Expression | null,
): Promise<Touched[]> {
  if (condition === null && candidates.every((add) => liveRows(add) !== undefined))
    return candidates.map((add) => ({ add, rows: liveRows(add)! }))
  if (candidates.length === 0) return []
  const scan = scanOf(files, view, candidates, [...candidates.keys()])
  const matching = condition === null ? scan : filter(scan, done(condition))
  const [file] = placeFields
  const at = columnAt(scan.schema.fields, scan.schema.indexOf(file.name))
  const counted = groupBy(
    matching,
    [{ name: 'file', expression: at }],
    [{ name: 'rows', expression: call('count', { kind: 'literal', value: 1, type: 'int' }) }],
  )
  const rows = await engine.runBatch(counted, (set) => set.toObjects())
  return rows.map((row) => ({ add: candidates[Number(row['file'])]!, rows: Number(row['rows']) }))
}

/** Where the rows lie. */
function placesIn({ files }: TableAccess, view: TableView, adds: readonly AddFile[], condition: Expression | null): LogicalPlan {
  const scan = scanOf(files, view, adds, [...adds.keys()])
  const matching = condition === null ? scan : filter(scan, done(condition))
  const { fields } = scan.schema
  return project(
    matching,
    placeFields.map(({ name }) => columnAt(fields, scan.schema.indexOf(name))),
  )
}

function updatedRows(
  { files }: TableAccess,
  view: TableView,
  adds: readonly AddFile[],
  condition: Expression | null,
  values: ReadonlyMap<string, Expression>,
): LogicalPlan {
  const scan = scanOf(files, view, adds)
  return project(condition === null ? scan : filter(scan, done(condition)), newValues(scan, values, null))
}

function rewritten({ files }: TableAccess, view: TableView, touched: readonly AddFile[], { condition, values }: RowChange): LogicalPlan {
  const scan = scanOf(files, view, touched)
  if (values === null) return filter(scan, not(isTrue(done(condition!))))
  return project(scan, newValues(scan, values, condition))
}

function newValues(scan: LogicalPlan, values: ReadonlyMap<string, Expression>, condition: Expression | null): UnresolvedExpression[] {
  const { fields } = scan.schema
  return fields.map(({ name }, i) => {
    const value = values.get(name)
    const changed =
      value && (condition === null ? done(value) : choose([{ condition: done(condition), value: done(value) }], columnAt(fields, i)))
    return named(name, changed ?? columnAt(fields, i))
  })
}

/** For the change data feed. */
function changedRows({ files }: TableAccess, view: TableView, touched: readonly AddFile[], { condition, values }: RowChange): LogicalPlan {
  const scan = scanOf(files, view, touched)
  const before = condition === null ? scan : filter(scan, done(condition))
  if (values === null) return withChangeType(before, 'delete')
  const after = project(before, newValues(scan, values, null))
  return union([withChangeType(before, 'update_preimage'), withChangeType(after, 'update_postimage')])
}

export function withChangeType(rows: LogicalPlan, type: ChangeType): LogicalPlan {
  const { fields } = rows.schema
  return project(rows, [...fields.map((_, i) => columnAt(fields, i)), named(changeType, text(type))])
}

/** The columns of a table, for looking up names. */
export function columnsOfTable({ table, metadata }: Pick<TableView, 'table' | 'metadata'>): Schema {
  return tableSchema(table, metadata).schema
}
