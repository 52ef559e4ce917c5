import { planOf } from '../api/data-frame.ts'
import type { DataFrame } from '../api/frame-types.ts'
import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import { alias } from '../plan/analyze.ts'
import type { NamedUserFunctions } from '../plan/bind-user-functions.ts'
import type { Expression } from '../plan/expression.ts'
import { isStreaming, type LogicalPlan } from '../plan/logical-plan.ts'
import { numbered } from '../plan/reshape.ts'
import { columnRef, sameName } from '../plan/resolve.ts'
import { type Condition, conditionOver, type Scope, storedAs, type ValuesOf, valuesOver } from './expressions.ts'
import { type Clause, planMerge, sourceNumber } from './merge-rows.ts'
import { scanOf } from './table-rows.ts'
import { changeTable, type TableAccess, type TableView, type TransactionId } from './transaction.ts'
import { transactionOf } from './write-options.ts'

/** `whenMatchedUpdate({ set: { price: 's.price' }, condition: 's.price > t.price' })` */
export interface UpdateClause {
  readonly set: ValuesOf
  readonly condition?: Condition
}
/** `whenNotMatchedInsert({ values: { id: 's.id' } })` */
export interface InsertClause {
  readonly values: ValuesOf
  readonly condition?: Condition
}
export interface MergeMetrics {
  /** The version that the merge has written; null where nothing changed. */
  readonly version: number | null
  readonly numTargetRowsInserted: number
  readonly numTargetRowsUpdated: number
  readonly numTargetRowsDeleted: number
  readonly numTargetRowsCopied: number
  readonly numTargetFilesAdded: number
  readonly numTargetFilesRemoved: number
}

type Given =
  | {
      readonly when: 'matched'
      readonly name: string
      readonly condition?: Condition | undefined
      readonly values: ValuesOf | 'all' | 'delete'
    }
  | { readonly when: 'not-matched'; readonly name: string; readonly condition?: Condition | undefined; readonly values: ValuesOf | 'all' }
  | { readonly when: 'by-source'; readonly name: string; readonly condition?: Condition | undefined; readonly values: ValuesOf | 'delete' }

interface Setup {
  readonly access: TableAccess
  readonly functions: NamedUserFunctions
  readonly alias: string | null
  // biome-ignore lint/suspicious/noExplicitAny: columns of a table that is known at run time
  readonly source: DataFrame<any>
  readonly condition: Condition
}

/**
 * MERGE INTO: each method gives a new builder, and `execute` does it. Of the clauses of one kind the first counts whose condition is true for a row. Text is SQL over the aliases
 * of both sides; functions get the columns of the table and of the source.
 */
export class DeltaMergeBuilder {
  readonly #setup: Setup
  readonly #clauses: readonly Given[]
  readonly #options: Readonly<Record<string, string>>
  constructor(setup: Setup, clauses: readonly Given[] = [], options: Readonly<Record<string, string>> = {}) {
    this.#setup = setup
    this.#clauses = clauses
    this.#options = options
  }

  whenMatchedUpdate(change: UpdateClause): DeltaMergeBuilder {
    const { set, condition } = change ?? {}
    return this.#with({ when: 'matched', name: 'whenMatchedUpdate', condition, values: set })
  }
  /** Every column of the table gets the source's value of that name. */
  whenMatchedUpdateAll(condition?: Condition): DeltaMergeBuilder {
    return this.#with({ when: 'matched', name: 'whenMatchedUpdateAll', condition, values: 'all' })
  }
  whenMatchedDelete(condition?: Condition): DeltaMergeBuilder {
    return this.#with({ when: 'matched', name: 'whenMatchedDelete', condition, values: 'delete' })
  }
  /** Conditions and values are over the source alone. A column of the table that gets no value is null. */
  whenNotMatchedInsert(row: InsertClause): DeltaMergeBuilder {
    const { values, condition } = row ?? {}
    return this.#with({ when: 'not-matched', name: 'whenNotMatchedInsert', condition, values })
  }
  whenNotMatchedInsertAll(condition?: Condition): DeltaMergeBuilder {
    return this.#with({ when: 'not-matched', name: 'whenNotMatchedInsertAll', condition, values: 'all' })
  }
  /** Conditions and values are over the table alone. */
  whenNotMatchedBySourceUpdate(change: UpdateClause): DeltaMergeBuilder {
    const { set, condition } = change ?? {}
    return this.#with({ when: 'by-source', name: 'whenNotMatchedBySourceUpdate', condition, values: set })
  }
  whenNotMatchedBySourceDelete(condition?: Condition): DeltaMergeBuilder {
    return this.#with({ when: 'by-source', name: 'whenNotMatchedBySourceDelete', condition, values: 'delete' })
  }
  /** `txnAppId` and `txnVersion`: the merge is done once for them, however often it is called: give a query's name and the batch id inside foreachBatch. */
  option(name: string, value: string | number | bigint): DeltaMergeBuilder {
    return new DeltaMergeBuilder(this.#setup, this.#clauses, { ...this.#options, [name]: String(value) })
  }

  /**
   * Changes the table. InvalidQueryError DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE, DELTA_MERGE_MISSING_WHEN, DELTA_NON_LAST_MATCHED_CLAUSE_OMIT_CONDITION,
   * DELTA_MERGE_UNRESOLVED_EXPRESSION and what the expressions are refused with; UnavailableError where other writers came first ten times.
   */
  async execute(): Promise<MergeMetrics> {
    const { access, source } = this.#setup
    const transaction: TransactionId | null = transactionOf('the merge', this.#options)
    this.#checkClauses()
    const plan = planOf(source)
    if (isStreaming(plan)) {
      throw new InvalidQueryError('DELTA_MERGE_SOURCE_STREAMING', {
        what: 'the source of a merge is a stream, which has no end',
        todo: 'merge each batch: writeStream.foreachBatch((rows, batchId) => table.merge(rows, …)…execute())',
      })
    }
    const { version, metrics } = await access.engine.holdRows(numbered(plan, sourceNumber), (held) =>
      changeTable(access, (view) => planMerge(access, view, this.#lookedUp(view, plan, held)), transaction),
    )
    const metric = (name: string) => metrics[name] ?? 0
    return {
      version,
      numTargetRowsInserted: metric('numTargetRowsInserted'),
      numTargetRowsUpdated: metric('numTargetRowsUpdated'),
      numTargetRowsDeleted: metric('numTargetRowsDeleted'),
      numTargetRowsCopied: metric('numTargetRowsCopied'),
      numTargetFilesAdded: metric('numTargetFilesAdded'),
      numTargetFilesRemoved: metric('numTargetFilesRemoved'),
    }
  }

  /** Names are looked up anew over the table of each attempt. */
  #lookedUp(view: TableView, sourcePlan: LogicalPlan, held: LogicalPlan) {
    const { access, functions, alias: name, condition } = this.#setup
    const scan = scanOf(access.files, view, [])
    const target = (name === null ? scan : alias(scan, name)).schema
    const both: Scope = { fields: [...target.fields, ...sourcePlan.schema.fields], targetCount: target.fields.length, functions }
    const onlySource: Scope = { fields: sourcePlan.schema.fields, targetCount: 0, functions }
    const onlyTarget: Scope = { fields: target.fields, targetCount: target.fields.length, functions }
    const table = new Schema(scan.schema.fields)
    const clauses = (when: Given['when'], scope: Scope, offset: number): Clause[] =>
      this.#clauses
        .filter((each) => each.when === when)
        .map((each) => ({
          condition: each.condition === undefined ? null : conditionOver(scope, `the condition of ${each.name}`, each.condition),
          values: each.values === 'delete' ? null : rowOf(each, scope, offset, table, sourcePlan.schema),
        }))
    return {
      source: held,
      condition: conditionOver(both, 'the condition of the merge', condition),
      matched: clauses('matched', both, target.fields.length),
      notMatched: clauses('not-matched', onlySource, 0),
      notMatchedBySource: clauses('by-source', onlyTarget, -1),
    }
  }

  #checkClauses(): void {
    if (this.#clauses.length === 0) {
      throw new InvalidQueryError('DELTA_MERGE_MISSING_WHEN', {
        what: 'the merge has no clause, and would change nothing',
        todo: 'say what is to be done: whenMatchedUpdateAll(), whenNotMatchedInsertAll(), …',
      })
    }
    for (const when of ['matched', 'not-matched', 'by-source'] as const) {
      const early = this.#clauses
        .filter((each) => each.when === when)
        .slice(0, -1)
        .find(({ condition }) => condition === undefined)
      if (early === undefined) continue
      throw new InvalidQueryError('DELTA_NON_LAST_MATCHED_CLAUSE_OMIT_CONDITION', {
        what: `${early.name} has no condition, and clauses of its kind behind it would never count`,
        todo: 'give it a condition, or put it last',
      })
    }
  }
  #with(clause: Given): DeltaMergeBuilder {
    return new DeltaMergeBuilder(this.#setup, [...this.#clauses, clause], this.#options)
  }
}

/** A value for every column of the table. */
function rowOf(given: Given, scope: Scope, sourceAt: number, table: Schema, source: Schema): readonly Expression[] {
  if (given.values === 'all') return table.fields.map((field) => storedAs(sourceColumn(given, field, sourceAt, source), field, given.name))
  const values = valuesOver(scope, given.name, given.values as ValuesOf, table)
  return table.fields.map((field, i) => {
    const value = values.get(field.name)
    if (value) return value
    if (given.when !== 'not-matched') return columnRef(field, i)
    return storedAs({ kind: 'literal', value: null, type: field.type, nullable: true }, field, given.name)
  })
}
function sourceColumn({ name }: Given, field: Field, sourceAt: number, source: Schema): Expression {
  const found = source.fields.flatMap((each, i) => (sameName(each.name, field.name) ? [i] : []))
  if (found.length === 1) return columnRef(source.fields[found[0]!]!, sourceAt + found[0]!)
  throw new InvalidQueryError('DELTA_MERGE_UNRESOLVED_EXPRESSION', {
    what: `${name} takes every column of the table from the source, which has ${found.length === 0 ? 'no' : 'more than one'} column "${field.name}"`,
    todo: `say which values there are: ${name.replace('All', '')}({ … })`,
  })
}
