/**
 * Which rows make a statement fail. A statement that fails tells that some row has no value under an expression, and not which. The statement is a tree of SELECTs,
 * and most of them compute each row by itself. Where that is one SELECT over the rows, or one over one, DuckDB says in one statement which rows may fail (try-select.ts), and one more for each of them
 * says whether and why. Others (generators, joins with tables, chains of SELECTs) are run over halves of the rows that they read, and over halves of the halves that fail, down to single rows: about
 * 2 log2(rows) statements for each. Nothing of it costs anything in a batch without such a row, and what is found does not depend on the order of rows.
 */
import { InvalidQueryError, MillraceError } from '../base/errors.ts'
import type { FixedColumn } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { Result } from './bindings.ts'
import { readColumns } from './read-vectors.ts'
import { SqlRelation } from './relation.ts'
import { numberOf } from './scalars.ts'
import type { Session } from './session.ts'
import { tryExpression } from './try-select.ts'

/** What computes each row of a relation by itself: each SELECT reads it, through others of the kind. */
export type RowChecks = ReadonlyMap<SqlRelation, ReadonlySet<SqlRelation>>

/** By the relation whose rows are at fault, inputs first. */
export function rowChecks(root: SqlRelation): RowChecks {
  const relations = inputsFirst(root)
  const read = new Set(relations.flatMap(rowInputs))
  const found = new Map<SqlRelation, Set<SqlRelation>>()
  const descend = (check: SqlRelation, relation: SqlRelation): void => {
    const inputs = rowInputs(relation)
    for (const input of inputs) descend(check, input)
    if (inputs.length > 0) return
    const checks = found.get(relation) ?? new Set()
    found.set(relation, checks.add(check))
  }
  for (const relation of relations) {
    for (const sql of relation.checks) descend(new SqlRelation(relation.schema, { kind: 'select', sql, inputs: [relation] }), relation)
    if (rowInputs(relation).length > 0 && !read.has(relation)) descend(relation, relation)
  }
  return new Map([...found].sort(([a], [b]) => relations.indexOf(a) - relations.indexOf(b)))
}

/** What the SELECTs that compute rows by themselves read besides, whole: it is computed once, since every check reads it. */
export function readBeside(root: SqlRelation): SqlRelation[] {
  const whole = inputsFirst(root).flatMap((relation) => {
    const { form, rowWise } = relation
    return form.kind === 'select' && rowWise.length > 0 ? form.inputs.filter((_, at) => !rowWise.includes(at)) : []
  })
  return [...new Set(whole)].filter(({ form }) => form.kind !== 'table')
}

export function inputsFirst(root: SqlRelation): SqlRelation[] {
  const seen = new Set<SqlRelation>()
  const found: SqlRelation[] = []
  const visit = (relation: SqlRelation): void => {
    if (seen.has(relation)) return
    seen.add(relation)
    if (relation.form.kind === 'select') relation.form.inputs.forEach(visit)
    found.push(relation)
  }
  visit(root)
  return found
}
function rowInputs({ form, rowWise }: SqlRelation): SqlRelation[] {
  return form.kind === 'select' ? rowWise.map((at) => form.inputs[at]!) : []
}

export interface FoundRows {
  /** A table of the rows that were found, and one of all others, in their order. */
  readonly failed: string
  readonly others: string
  readonly rowsIn: number
  readonly errors: readonly InvalidQueryError[]
}

/**
 * Looks for the rows of `base`, which is a table, over which a check fails; null where there are none, or where the checks fail without any row. The rows of
 * `aside` are left out meanwhile: they have a search of their own.
 */
export async function findFailedRows(
  session: Session,
  base: SqlRelation,
  checks: Iterable<SqlRelation>,
  aside: readonly SqlRelation[],
  mayFail: (found: number) => void,
): Promise<FoundRows | null> {
  const before = [base, ...aside].map((relation) => relation.form)
  const rows = session.nextTable()
  await session.run(`CREATE TEMP TABLE ${rows} AS SELECT * FROM ${base.text}`)
  const rowsIn = numberOf(await session.run(`SELECT count(*) FROM ${rows}`))
  const own = [...checks]
  let found: Found | null
  try {
    for (const relation of aside) relation.form = { kind: 'table', name: `(SELECT * FROM ${relation.text} LIMIT 0)`, rows: 0 }
    const parts = new RowParts(session, base, rows, own)
    if ((await parts.errorIn(0, 0)) !== null) return null
    const suspects = await suspectRows(session, base, rows, own)
    found = suspects === null ? null : await errorsOf(parts, suspects, mayFail)
    if (found === null || found.rows.length === 0) found = await byHalves(parts, rowsIn, mayFail)
  } finally {
    ;[base, ...aside].forEach((relation, i) => {
      relation.form = before[i]!
    })
  }
  if (found.rows.length === 0) return null
  const [bad, good] = [session.nextTable(), session.nextTable()]
  const list = `(SELECT unnest([${found.rows.join(', ')}]::BIGINT[]) AS n)`
  await session.run(`CREATE TEMP TABLE ${bad} AS SELECT r.* FROM ${rows} AS r WHERE r.rowid IN ${list} ORDER BY r.rowid`)
  await session.run(`CREATE TEMP TABLE ${good} AS SELECT r.* FROM ${rows} AS r WHERE r.rowid NOT IN ${list} ORDER BY r.rowid`)
  return { failed: bad, others: good, rowsIn, errors: found.errors }
}

/** Rows by their number, with the error of each. */
interface Found {
  readonly rows: readonly number[]
  readonly errors: readonly InvalidQueryError[]
}

/** Runs checks over parts of a table. */
class RowParts {
  readonly #session: Session
  readonly #base: SqlRelation
  readonly #table: string
  readonly #checks: readonly SqlRelation[]
  /** Of each check over the rows from $1 up to $2; prepared, a statement costs a third. */
  #prepared: ((from: number, to: number) => Promise<unknown>)[] | undefined
  constructor(session: Session, base: SqlRelation, table: string, checks: readonly SqlRelation[]) {
    this.#session = session
    this.#base = base
    this.#table = table
    this.#checks = checks
  }

  /** Null where no check fails. */
  async errorIn(from: number, to: number): Promise<InvalidQueryError | null> {
    const few = to > from && to - from <= fewRows
    if (few) this.#prepared ??= await this.#prepareAll()
    for (const [i, check] of this.#checks.entries()) {
      try {
        if (few) await this.#prepared![i]!(from, to)
        else {
          this.#standFor(String(from), String(to))
          // ANALYZE computes every column of every row and throws them away
          await this.#session.run(`EXPLAIN (ANALYZE, FORMAT json) ${check.select}`)
        }
      } catch (error) {
        if (error instanceof InvalidQueryError) return error
        throw error
      }
    }
    return null
  }
  #standFor(from: string, to: string): void {
    this.#base.form = { kind: 'table', name: `(SELECT * FROM ${this.#table} WHERE rowid >= ${from} AND rowid < ${to})`, rows: undefined }
  }
  async #prepareAll() {
    this.#standFor('$1', '$2')
    const statements: ((from: number, to: number) => Promise<unknown>)[] = []
    for (const check of this.#checks) statements.push(await this.#session.prepareRange(check.select))
    return statements
  }
}
/** Rows of so few are computed and looked at no further. */
const fewRows = 1024

/** All rows for which a check may fail, by one statement; null where the checks are not of a kind for which that can be said. */
async function suspectRows(
  session: Session,
  base: SqlRelation,
  table: string,
  checks: readonly SqlRelation[],
): Promise<readonly number[] | null> {
  const tries: string[] = []
  for (const { form } of checks) {
    const text = form.kind === 'select' && form.inputs.length === 1 && form.inputs[0] === base ? tryExpression(form.sql) : null
    if (text === null) return null
    tries.push(text)
  }
  const list = tries.map((text, i) => `, ${text} AS k${i}`).join('')
  const failed = tries.map((_, i) => `k${i} IS NULL`).join(' OR ')
  let result: Result
  try {
    result = await session.run(`SELECT r AS c0 FROM (SELECT t0.rowid AS r${list} FROM ${table} AS t0) WHERE ${failed} ORDER BY r`)
  } catch (error) {
    // a function that TRY does not take: an error of ours, since nobody wrote the statement
    if (error instanceof MillraceError) return null
    throw error
  }
  const { columns, length } = readColumns(result, numberSchema)
  return Array.from((columns[0] as FixedColumn).data as BigInt64Array, Number).slice(0, length)
}

/** Those of the rows that do fail, each with its error. */
async function errorsOf(parts: RowParts, suspects: readonly number[], mayFail: (found: number) => void): Promise<Found> {
  const rows: number[] = []
  const errors: InvalidQueryError[] = []
  for (const row of suspects) {
    const error = await parts.errorIn(row, row + 1)
    if (error === null) continue
    rows.push(row)
    errors.push(error)
    mayFail(rows.length)
  }
  return { rows, errors }
}

async function byHalves(parts: RowParts, rowsIn: number, mayFail: (found: number) => void): Promise<Found> {
  const rows: number[] = []
  const errors: InvalidQueryError[] = []
  const search = async (from: number, to: number, known: InvalidQueryError | null): Promise<void> => {
    const error = known ?? (await parts.errorIn(from, to))
    if (error === null) return
    if (to - from === 1) {
      rows.push(from)
      errors.push(error)
      return mayFail(rows.length)
    }
    const middle = (from + to) >> 1
    const first = await parts.errorIn(from, middle)
    if (first) await search(from, middle, first)
    // where the first half is well, it is the second that fails; of one row it must be known why
    await search(middle, to, first === null && to - middle > 1 ? error : null)
  }
  await search(0, rowsIn, null)
  return { rows, errors }
}
const numberSchema = new Schema([{ name: 'n', type: 'long', nullable: false }])

/** Of the SELECTs that a statement over a relation runs, those that fail and can be split are. Gives whether there were any. */
export async function splitFailing(session: Session, relation: SqlRelation): Promise<boolean> {
  let any = false
  for (const used of inputsFirst(relation)) {
    const { apart, form } = used
    if (apart === undefined || form.kind !== 'select' || !(await fails(session, `EXPLAIN (ANALYZE, FORMAT json) ${used.select}`))) continue
    for (const { allSql, restSql } of apart.forms) {
      const name = session.nextTable()
      const all = new SqlRelation(apart.schema, { kind: 'select', sql: allSql, inputs: form.inputs })
      if (await fails(session, `CREATE TEMP TABLE ${name} AS ${all.select}`)) continue
      all.form = { kind: 'table', name, rows: numberOf(await session.run(`SELECT count(*) FROM ${name}`)) }
      all.place = apart.place
      used.form = { kind: 'select', sql: restSql, inputs: [all] }
      used.rowWise = [0]
      used.apart = undefined
      any = true
      break
    }
  }
  return any
}
/** Whether a statement fails on what the rows hold. */
async function fails(session: Session, statement: string): Promise<boolean> {
  try {
    await session.run(statement)
    return false
  } catch (error) {
    if (error instanceof InvalidQueryError) return true
    throw error
  }
}
