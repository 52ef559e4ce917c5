/**
 * MERGE. The source is computed once and kept; so are the pairs of source rows and table rows that match, each with what is to become of it. Then everything
 * follows by joins on the places of rows: files in which a row changes are written anew, and source rows without a partner are added.
 */
import { InvalidQueryError } from '../base/errors.ts'
import type { DataType } from '../data/types.ts'
import { filter, groupBy, join, project, union } from '../plan/analyze.ts'
import type { Expression, UnresolvedExpression } from '../plan/expression.ts'
import { expressionText, mapChildren } from '../plan/expression-tree.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import { conditionsOf } from '../plan/source-conditions.ts'
import type { Action, AddFile } from './actions.ts'
import { columnsOfTable, withChangeType } from './change-rows.ts'
import { call, choose, columnAt, columnNamed, done, int, named } from './expressions.ts'
import { filesWith } from './skipping.ts'
import { sourceConditions } from './source-values.ts'
import { placeFields, scanOf } from './table-rows.ts'
import { checkMayRemove, type Planned, removal, type TableAccess, type TableView } from './transaction.ts'
import { added, keepsChanges, writeChanges, writePlan } from './write-plan.ts'
import { rowsByFile, takesVector, withoutRows } from './write-vectors.ts'

/** A WHEN clause, looked up: of the rows that it is about the first clause counts whose condition is true. */
export interface Clause {
  readonly condition: Expression | null
  /** A new value for every column of the table; null: the row goes. */
  readonly values: readonly Expression[] | null
}
export interface Merge {
  /** The source's rows, kept, with their numbers in a last column. */
  readonly source: LogicalPlan
  /** Over the table's columns and then the source's. */
  readonly condition: Expression
  /** Over the same. */
  readonly matched: readonly Clause[]
  /** Over the source's columns. */
  readonly notMatched: readonly Clause[]
  /** Over the table's columns. */
  readonly notMatchedBySource: readonly Clause[]
}
export const sourceNumber = '__millrace_source'

const file = placeFields[0].name
const row = placeFields[1].name
const action = '__millrace_action'
const value = (i: number) => `__millrace_value_${i}`

export async function planMerge(access: TableAccess, view: TableView, merge: Merge): Promise<Planned | null> {
  const { table, metadata, files } = view
  const { matched, notMatchedBySource } = merge
  if (matched.length + notMatchedBySource.length > 0) checkMayRemove(table, metadata, 'a merge that updates or deletes')
  // a row that no source row matches is looked for in all files
  const mayMatch =
    notMatchedBySource.length > 0
      ? () => true
      : filesWith(view, [...conditionsOf(merge.condition), ...(await sourceConditions(access, view, merge))])
  const candidates = files.filter(mayMatch)
  return access.engine.holdRows(pairs(access, view, candidates, merge), (held) =>
    planWithPairs(new MergePlans(access, view, candidates, merge, held), mayMatch),
  )
}

async function planWithPairs(plans: MergePlans, mayMatch: (add: AddFile) => boolean): Promise<Planned | null> {
  const { access, view, candidates, merge } = plans
  await plans.checkOneMatch()
  const counts = await plans.touched()
  const inserted = await plans.countInserts()
  const indexOf = new Map([...counts.keys()].map((index) => [candidates[index]!, index]))
  const touched = [...indexOf.keys()]
  if (touched.length === 0 && inserted === 0) return null
  const sums = sumOf([...counts.values()])
  const byVector = touched.filter((add) => takesVector(view.metadata, add))
  const anew = touched.filter((add) => !takesVector(view.metadata, add))
  const plan = plans.newRows(touched, anew, inserted > 0, sums.updated > 0)
  const written = plan === null ? { adds: [], numRows: 0 } : await writePlan(access, view, plan, 'merge')
  const places = byVector.length > 0 ? await rowsByFile(access, plans.places(byVector)) : new Map<number, number[]>()
  const without = await withoutRows(
    access,
    view,
    byVector.map((add) => ({ add, rows: places.get(indexOf.get(add)!)! })),
  )
  // where nothing goes, what is added is what has changed
  const changes = keepsChanges(view.metadata) && touched.length > 0 ? await writeChanges(access, view, plans.changes(touched)) : []
  const nowMs = access.nowMs()
  const actions: Action[] = [...anew.map((add) => removal(add, nowMs)), ...without.actions, ...added(written.adds), ...changes]
  const clauses = (list: readonly Clause[]) =>
    JSON.stringify(
      list.map(({ condition, values }) => ({
        ...(condition && { predicate: expressionText(condition) }),
        actionType: values ? (list === merge.notMatched ? 'insert' : 'update') : 'delete',
      })),
    )
  return {
    actions,
    operation: 'MERGE',
    parameters: {
      predicate: JSON.stringify([expressionText(merge.condition)]),
      matchedPredicates: clauses(merge.matched),
      notMatchedPredicates: clauses(merge.notMatched),
      notMatchedBySourcePredicates: clauses(merge.notMatchedBySource),
    },
    metrics: {
      numTargetRowsInserted: inserted,
      numTargetRowsUpdated: sums.updated,
      numTargetRowsDeleted: sums.deleted,
      numTargetRowsCopied: written.numRows - inserted - sums.updated,
      numOutputRows: written.numRows,
      numTargetFilesAdded: written.adds.length,
      numTargetFilesRemoved: touched.length - without.vectors,
      ...(byVector.length > 0 && { numTargetDeletionVectorsAdded: without.vectors }),
      numTargetChangeFilesAdded: changes.length,
    },
    read: candidates,
    mayRead: mayMatch,
  }
}

interface Count {
  readonly updated: number
  readonly deleted: number
}
function sumOf(counts: readonly Count[]): Count {
  return {
    updated: counts.reduce((sum, { updated }) => sum + updated, 0),
    deleted: counts.reduce((sum, { deleted }) => sum + deleted, 0),
  }
}

/** Number of the first clause whose condition is true, -1 where there is none. */
function actionOf(clauses: readonly Clause[]): UnresolvedExpression {
  const truth: UnresolvedExpression = { kind: 'literal', value: true, type: 'boolean' }
  return choose(
    clauses.map(({ condition }, i) => ({ condition: condition ? done(condition) : truth, value: int(i) })),
    int(-1),
  )
}

/** Every pair of rows that match: places, the number of the clause, and the new values where it updates. */
function pairs({ files }: TableAccess, view: TableView, candidates: readonly AddFile[], merge: Merge): LogicalPlan {
  const { matched, condition, source } = merge
  const target = scanOf(files, view, candidates, [...candidates.keys()])
  const width = target.schema.fields.length - placeFields.length
  // conditions are over the table's columns and the source's: the places stand between them
  const joined = join(target, source, { condition: done(shifted(condition, width)) }, 'inner')
  const { fields } = joined.schema
  const clauses = matched.map((clause) => ({
    condition: clause.condition && shifted(clause.condition, width),
    values: clause.values?.map((each) => shifted(each, width)) ?? null,
  }))
  const numbered = project(joined, [...fields.map((_, i) => columnAt(fields, i)), named(action, actionOf(clauses))])
  const at = numbered.schema.fields
  const values = clauses.some((clause) => clause.values)
    ? columnsOfTable(view).fields.map((field, i) =>
        named(
          value(i),
          choose(
            clauses.flatMap((clause, number) =>
              clause.values ? [{ condition: call('==', columnAt(at, at.length - 1), int(number)), value: done(clause.values[i]!) }] : [],
            ),
            nothing(field.type),
          ),
        ),
      )
    : []
  return project(numbered, [columnNamed(at, file), columnNamed(at, row), columnNamed(at, sourceNumber), columnNamed(at, action), ...values])
}
function nothing(type: DataType): UnresolvedExpression {
  return { kind: 'literal', value: null, type }
}

/** The plans that follow from the pairs. */
class MergePlans {
  readonly access: TableAccess
  readonly view: TableView
  readonly candidates: readonly AddFile[]
  readonly merge: Merge
  readonly #pairs: LogicalPlan
  constructor(access: TableAccess, view: TableView, candidates: readonly AddFile[], merge: Merge, held: LogicalPlan) {
    this.access = access
    this.view = view
    this.candidates = candidates
    this.merge = merge
    this.#pairs = held
  }

  /** A row of the table that two source rows would change has no one next value. InvalidQueryError DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE. */
  async checkOneMatch(): Promise<void> {
    const { matched } = this.merge
    // deleted twice is deleted
    if (matched.length === 0 || (matched.length === 1 && matched[0]!.values === null && matched[0]!.condition === null)) return
    const acted = this.#acted()
    const { fields } = acted.schema
    const counted = groupBy(
      acted,
      [
        { name: 'f', expression: columnNamed(fields, file) },
        { name: 'r', expression: columnNamed(fields, row) },
      ],
      [{ name: 'n', expression: call('count', int(1)) }],
    )
    const twice = filter(counted, call('>', columnNamed(counted.schema.fields, 'n'), int(1)))
    const found = await this.#count(twice)
    if (found === 0) return
    throw new InvalidQueryError('DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE', {
      what: `${found} rows of the Delta table ${this.view.table} are matched by several rows of the source each, which would change them in different ways`,
      todo: 'leave one source row for each: aggregate or dropDuplicates by the columns of the condition, or make the condition narrower',
    })
  }

  /** By the number of a file: how many of its rows change. Files in which none does are not there. */
  async touched(): Promise<Map<number, Count>> {
    const { matched, notMatchedBySource } = this.merge
    const counts = new Map<number, Count>()
    const count = async (rows: LogicalPlan, clauses: readonly Clause[]) => {
      const { fields } = rows.schema
      // a row that is deleted by two source rows is one row
      const places = groupBy(
        rows,
        [
          { name: 'f', expression: columnNamed(fields, file) },
          { name: 'r', expression: columnNamed(fields, row) },
        ],
        [{ name: 'a', expression: call('max', columnNamed(fields, action)) }],
      )
      const grouped = groupBy(
        places,
        [
          { name: 'f', expression: columnNamed(places.schema.fields, 'f') },
          { name: 'a', expression: columnNamed(places.schema.fields, 'a') },
        ],
        [{ name: 'n', expression: call('count', int(1)) }],
      )
      for (const each of await this.access.engine.runBatch(grouped, (set) => set.toObjects())) {
        const [index, rowCount] = [Number(each['f']), Number(each['n'])]
        const before = counts.get(index) ?? { updated: 0, deleted: 0 }
        const updates = clauses[Number(each['a'])]!.values !== null
        counts.set(index, updates ? { ...before, updated: before.updated + rowCount } : { ...before, deleted: before.deleted + rowCount })
      }
    }
    if (matched.length > 0) await count(this.#acted(), matched)
    if (notMatchedBySource.length > 0) await count(this.#withoutSource(this.candidates), notMatchedBySource)
    return counts
  }

  async countInserts(): Promise<number> {
    return this.merge.notMatched.length === 0 ? 0 : this.#count(this.#insertedSource())
  }

  /** Where the rows lie that are deleted or updated, of these files at least. */
  places(adds: readonly AddFile[]): LogicalPlan {
    const parts: LogicalPlan[] = []
    if (this.merge.matched.length > 0) parts.push(this.#placesOf(this.#acted()))
    if (this.merge.notMatchedBySource.length > 0) parts.push(this.#placesOf(this.#withoutSource(adds)))
    return united(parts)
  }

  /** All rows of the files that are written anew, new values, and the rows that are added; null where there are none. */
  newRows(touched: readonly AddFile[], anew: readonly AddFile[], inserts: boolean, updates: boolean): LogicalPlan | null {
    const parts: LogicalPlan[] = []
    if (anew.length > 0) parts.push(this.#kept(anew))
    if (touched.length > 0 && updates) {
      if (this.merge.matched.some(({ values }) => values)) parts.push(this.#updated())
      if (this.merge.notMatchedBySource.some(({ values }) => values)) parts.push(this.#updatedWithoutSource(touched))
    }
    if (inserts) parts.push(this.#inserts())
    return parts.length === 0 ? null : united(parts)
  }

  /** For the change data feed. */
  changes(touched: readonly AddFile[]): LogicalPlan {
    const { matched, notMatched, notMatchedBySource } = this.merge
    const parts: LogicalPlan[] = []
    const before = (updates: boolean) => {
      const rows: LogicalPlan[] = []
      if (matched.some(({ values }) => (values !== null) === updates)) {
        const places = this.#placesOf(this.#withAction(this.#acted(), matched, updates))
        rows.push(this.#tableColumns(this.#atPlaces(this.#scan(touched), places, 'semi')))
      }
      if (notMatchedBySource.some(({ values }) => (values !== null) === updates))
        rows.push(this.#tableColumns(this.#withAction(this.#withoutSource(touched), notMatchedBySource, updates)))
      return rows
    }
    parts.push(...before(false).map((rows) => withChangeType(rows, 'delete')))
    parts.push(...before(true).map((rows) => withChangeType(rows, 'update_preimage')))
    if (matched.some(({ values }) => values)) parts.push(withChangeType(this.#updated(), 'update_postimage'))
    if (notMatchedBySource.some(({ values }) => values)) parts.push(withChangeType(this.#updatedWithoutSource(touched), 'update_postimage'))
    if (notMatched.length > 0) parts.push(withChangeType(this.#inserts(), 'insert'))
    return united(parts)
  }

  #count(plan: LogicalPlan): Promise<number> {
    return this.access.engine.runBatch(plan, (rows) => rows.count())
  }
  #scan(adds: readonly AddFile[]): LogicalPlan {
    // the numbers of files are those among the candidates
    const numbers = new Map(this.candidates.map((add, i) => [add, i]))
    return scanOf(
      this.access.files,
      this.view,
      adds,
      adds.map((add) => numbers.get(add)!),
    )
  }

  /** The pairs by which something is done. */
  #acted(): LogicalPlan {
    return filter(this.#pairs, call('>=', columnNamed(this.#pairs.schema.fields, action), int(0)))
  }
  #withAction(rows: LogicalPlan, clauses: readonly Clause[], updates: boolean): LogicalPlan {
    const numbers = clauses.flatMap(({ values }, i) => ((values !== null) === updates ? [int(i)] : []))
    return filter(rows, call('in', columnNamed(rows.schema.fields, action), ...numbers))
  }
  #placesOf(rows: LogicalPlan): LogicalPlan {
    const { fields } = rows.schema
    return project(rows, [named('f', columnNamed(fields, file)), named('r', columnNamed(fields, row))])
  }
  #atPlaces(rows: LogicalPlan, places: LogicalPlan, how: 'semi' | 'anti'): LogicalPlan {
    const fields = [...rows.schema.fields, ...places.schema.fields]
    const width = rows.schema.fields.length
    const same = (name: string, i: number) => call('==', columnNamed(fields, name), columnAt(fields, width + i))
    return join(rows, places, { condition: call('and', same(file, 0), same(row, 1)) }, how)
  }
  #tableColumns(rows: LogicalPlan): LogicalPlan {
    const { fields } = rows.schema
    return project(
      rows,
      columnsOfTable(this.view).fields.map((_, i) => columnAt(fields, i)),
    )
  }

  /** Rows that no source row matches, with the number of their clause. Those without a clause are not there. */
  #withoutSource(adds: readonly AddFile[]): LogicalPlan {
    const alone = this.#atPlaces(this.#scan(adds), this.#placesOf(this.#pairs), 'anti')
    const { fields } = alone.schema
    const numbered = project(alone, [...fields.map((_, i) => columnAt(fields, i)), named(action, actionOf(this.merge.notMatchedBySource))])
    return filter(numbered, call('>=', columnAt(numbered.schema.fields, fields.length), int(0)))
  }
  #updatedWithoutSource(touched: readonly AddFile[]): LogicalPlan {
    const clauses = this.merge.notMatchedBySource
    return this.#valuesOf(this.#withAction(this.#withoutSource(touched), clauses, true), clauses)
  }
  #updated(): LogicalPlan {
    const rows = this.#withAction(this.#acted(), this.merge.matched, true)
    const { fields } = rows.schema
    return project(
      rows,
      columnsOfTable(this.view).fields.map(({ name }, i) => named(name, columnNamed(fields, value(i)))),
    )
  }
  /** Rows of the files that stay as they are. */
  #kept(touched: readonly AddFile[]): LogicalPlan {
    let rows = this.#scan(touched)
    if (this.merge.matched.length > 0) rows = this.#atPlaces(rows, this.#placesOf(this.#acted()), 'anti')
    if (this.merge.notMatchedBySource.length > 0) rows = this.#atPlaces(rows, this.#placesOf(this.#withoutSource(touched)), 'anti')
    return this.#tableColumns(rows)
  }

  /** Source rows without a partner, with the number of their clause. Those without a clause are not there. */
  #insertedSource(): LogicalPlan {
    const { source, notMatched } = this.merge
    const { fields } = this.#pairs.schema
    const matched = project(this.#pairs, [named('s', columnNamed(fields, sourceNumber))])
    const all = [...source.schema.fields, ...matched.schema.fields]
    const same = call('==', columnNamed(all, sourceNumber), columnAt(all, all.length - 1))
    const alone = join(source, matched, { condition: same }, 'anti')
    const at = alone.schema.fields
    const numbered = project(alone, [...at.map((_, i) => columnAt(at, i)), named(action, actionOf(notMatched))])
    return filter(numbered, call('>=', columnAt(numbered.schema.fields, at.length), int(0)))
  }
  #inserts(): LogicalPlan {
    return this.#valuesOf(this.#insertedSource(), this.merge.notMatched)
  }
  /** The table's columns with the values of each row's clause. */
  #valuesOf(rows: LogicalPlan, clauses: readonly Clause[]): LogicalPlan {
    const { fields } = rows.schema
    const branch = (i: number) =>
      clauses.flatMap((clause, number) =>
        clause.values ? [{ condition: call('==', columnNamed(fields, action), int(number)), value: done(clause.values[i]!) }] : [],
      )
    return project(
      rows,
      columnsOfTable(this.view).fields.map(({ name }, i) => {
        const branches = branch(i)
        return named(name, choose(branches.slice(0, -1), branches.at(-1)!.value))
      }),
    )
  }
}

function united(parts: readonly LogicalPlan[]): LogicalPlan {
  const [first, ...rest] = parts
  return rest.length === 0 ? first! : union([first!, ...rest])
}

/** Columns from the `width`th on stand behind the places of the table's rows. */
function shifted(e: Expression, width: number): Expression {
  if (e.kind === 'column') return e.index < width ? e : { ...e, index: e.index + placeFields.length }
  return mapChildren(e, (child) => shifted(child, width))
}
