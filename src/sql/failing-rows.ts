/**
 * Which rows make a statement fail. A statement that fails tells that some row has no value under an expression, and not which. The statement is a tree of SELECTs,
 * and most of them compute each row by itself: those are run over halves of the rows that they read, and over halves of the halves that fail, down to single
 * rows. That costs about 2 log2(rows) statements for each row that is found, and nothing in a batch without one. What is found does not depend on the order of rows.
 */
import { InvalidQueryError } from '../base/errors.ts'
import { SqlRelation } from './relation.ts'
import { numberOf } from './scalars.ts'
import type { Session } from './session.ts'

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

/** What the checks read besides: it is made a table once, since every check reads it whole. */
export function readBeside(checks: RowChecks): SqlRelation[] {
  const all = new Set([...checks.values()].flatMap((each) => [...each]).flatMap(inputsFirst))
  return [...all].filter((relation) => relation.form.kind !== 'table' && rowInputs(relation).length === 0 && !isCheck(relation, checks))
}
function isCheck(relation: SqlRelation, checks: RowChecks): boolean {
  return [...checks.values()].some((each) => each.has(relation))
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
  const failed: number[] = []
  const errors: InvalidQueryError[] = []
  try {
    for (const relation of aside) relation.form = { kind: 'table', name: `(SELECT * FROM ${relation.text} LIMIT 0)`, rows: 0 }
    const errorIn = async (from: number, to: number): Promise<InvalidQueryError | null> => {
      base.form = { kind: 'table', name: `(SELECT * FROM ${rows} WHERE rowid >= ${from} AND rowid < ${to})`, rows: undefined }
      for (const check of checks) {
        try {
          // ANALYZE computes every column of every row and throws them away
          await session.run(`EXPLAIN (ANALYZE, FORMAT json) ${check.select}`)
        } catch (error) {
          if (error instanceof InvalidQueryError) return error
          throw error
        }
      }
      return null
    }
    const search = async (from: number, to: number, known: InvalidQueryError | null): Promise<void> => {
      const error = known ?? (await errorIn(from, to))
      if (error === null) return
      if (to - from === 1) {
        failed.push(from)
        errors.push(error)
        return mayFail(failed.length)
      }
      const middle = (from + to) >> 1
      const first = await errorIn(from, middle)
      if (first) await search(from, middle, first)
      // where the first half is well, it is the second that fails; of one row it must be known why
      await search(middle, to, first === null && to - middle > 1 ? error : null)
    }
    if ((await errorIn(0, 0)) === null) await search(0, rowsIn, null)
  } finally {
    ;[base, ...aside].forEach((relation, i) => {
      relation.form = before[i]!
    })
  }
  if (failed.length === 0) return null
  const [bad, good] = [session.nextTable(), session.nextTable()]
  const list = `(SELECT unnest([${failed.join(', ')}]::BIGINT[]) AS n)`
  await session.run(`CREATE TEMP TABLE ${bad} AS SELECT r.* FROM ${rows} AS r WHERE r.rowid IN ${list} ORDER BY r.rowid`)
  await session.run(`CREATE TEMP TABLE ${good} AS SELECT r.* FROM ${rows} AS r WHERE r.rowid NOT IN ${list} ORDER BY r.rowid`)
  return { failed: bad, others: good, rowsIn, errors }
}
