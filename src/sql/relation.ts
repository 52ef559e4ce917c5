import { assert } from '../base/errors.ts'
import { type ColumnBatch, emptyColumns } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import type { Result } from './bindings.ts'
import { emptySelect } from './duck-types.ts'
import { noRows } from './estimate.ts'
import type { FileScan } from './read-request.ts'
import type { Relation, RowsApart } from './sql-batch.ts'
import { countPlaceholders, fillPlaceholders } from './sql-text.ts'

/** Where a relation's rows are. A SELECT becomes a table when it is materialised, for all who hold the relation. */
export type Form =
  | {
      readonly kind: 'table' /** Or a call that gives its rows. */
      readonly name: string
      readonly rows: number | undefined
      readonly columns?: ColumnBatch
    }
  | { readonly kind: 'select'; readonly sql: string; readonly inputs: readonly SqlRelation[] }
  /** Files that are read where the text stands. */
  | { readonly kind: 'files'; readonly scan: FileScan; readonly source: string | null }

export class SqlRelation implements Relation {
  readonly schema: Schema
  form: Form
  /** Of a SELECT: the inputs of which every row is computed by itself. */
  rowWise: readonly number[] = []
  /** SELECTs over ⟦0⟧ that compute what the steps above compute of each row. */
  readonly checks: string[] = []
  /** What stands for the SELECT where it fails. */
  apart: RowsApart | undefined
  /** Whether the last column says where each row comes from (read-table-files.ts). */
  isPlaced = false
  /** What the books call rows that are no node's of the plan. */
  place: string | undefined
  /** Of a SELECT that calls functions of the program: which calls, and the same rows by another way where one of them can't be made in a statement. */
  calls: { readonly ids: readonly bigint[]; readonly outside: () => Promise<Relation> } | undefined
  /** The rows, where a prefetch has them already. */
  fetched: Result | undefined
  constructor(schema: Schema, form: Form) {
    this.schema = schema
    this.form = form
  }
  static of(relation: Relation): SqlRelation {
    assert(relation instanceof SqlRelation, 'a relation is used in the engine that made it')
    return relation
  }

  /** What stands for the relation behind FROM. */
  get text(): string {
    return this.#textBeside(false)
  }
  /** A SELECT of its rows. */
  get select(): string {
    return this.#selectBeside(false)
  }

  /** `isJoined`: whether a join above has to choose which of its sides it keeps in memory. */
  #textBeside(isJoined: boolean): string {
    return this.form.kind === 'table' ? this.form.name : `(${this.#selectBeside(isJoined)})`
  }
  #selectBeside(isJoined: boolean): string {
    const { form } = this
    switch (form.kind) {
      case 'table':
        return `SELECT * FROM ${form.name}`
      case 'files': {
        const { select, expected } = form.scan
        return isJoined && expected ? `${select} UNION ALL ${noRows(expected.types, expected.rows)}` : select
      }
      case 'select': {
        const joins = isJoined || / JOIN /.test(form.sql)
        return fillPlaceholders(form.sql, (name) => form.inputs[Number(name)]!.#textBeside(joins))
      }
    }
  }
}

/** Whether it is a table that is known to be empty. */
export function hasNoRows(relation: Relation): boolean {
  const { form } = SqlRelation.of(relation)
  return form.kind === 'table' && form.rows === 0
}
/** A table without rows. */
export function noRowsOf(schema: Schema): Form {
  return { kind: 'table', name: `(${emptySelect(schema)})`, rows: 0, columns: emptyColumns(schema) }
}

/** How often each relation that is not a table yet would be run by a statement over `roots`. */
export function countUses(roots: readonly SqlRelation[]): Map<SqlRelation, number> {
  const uses = new Map<SqlRelation, number>()
  const visit = (relation: SqlRelation, times: number) => {
    if (relation.form.kind === 'table' || times === 0) return
    const seen = uses.get(relation) ?? 0
    uses.set(relation, seen + times)
    if (seen > 0 || relation.form.kind !== 'select') return
    const { sql, inputs } = relation.form
    countPlaceholders(sql, inputs.length).forEach((count, i) => visit(inputs[i]!, count))
  }
  for (const root of roots) visit(root, 1)
  return uses
}

/** How many rows a statement over the relation reads at most, where they all lie in tables of known size; else infinity. */
export function rowsRead(relation: SqlRelation): number {
  const { form } = relation
  if (form.kind === 'table') return form.rows ?? Number.POSITIVE_INFINITY
  if (form.kind === 'files' || form.inputs.length === 0) return Number.POSITIVE_INFINITY
  return form.inputs.reduce((sum, input) => sum + rowsRead(input), 0)
}

/** Whether some row may have no value under what computes a relation; only texts of which it is plain are said not to. */
export function mayFail({ form }: SqlRelation): boolean {
  if (form.kind === 'table') return false
  if (form.kind === 'files') return true
  const rest = form.sql.replace(/'(?:[^']|'')*'/g, '').replace(harmless, '')
  return !/^[\s\d.,=<>()]*$/.test(rest) || form.inputs.some(mayFail)
}
/** Columns, constants, and numbers of rows; what else computes something has a name or a sign, and is left. */
const harmless =
  /\b(?:SELECT|FROM|AS|WHERE|AND|OR|NOT|IS|NULL|true|false)\b|(?:\b\w\d*\.rowid|row_number\(\) OVER \(\) - 1) \+ \d+\b|\bt\d+\.\*|\b(?:t\d+\.)?c\d+\b|\bt\d+\b|⟦\d+⟧/g
