/** Nodes that look at all rows of a bounded table, or give a row several times. */
import { assert } from '../base/errors.ts'
import type { Expression } from '../plan/expression.ts'
import { sameExpression } from '../plan/expression-tree.ts'
import type { Deduplicate, Expand, Sample, SetOperation } from '../plan/logical-plan.ts'
import { expressionSql } from './expression-sql.ts'
import { canonicalNumber } from './group-sql.ts'
import { allColumns, type Compilation, compileSelect, type Needed, readBy } from './plan-sql.ts'
import { nest, renderSelect, type Select, type SelectColumn, scopeOf, selectFrom } from './select-sql.ts'

export function setOperationSql(plan: SetOperation, c: Compilation): Select {
  const sides = [plan.left, plan.right].map((side) => {
    const rows = compileSelect(side, allColumns(side.schema), c)
    const columns = rows.columns.map((column, i) => ({ sql: canonicalNumber(column!.sql, plan.schema.fields[i]!.type), plain: false }))
    return `(${renderSelect({ ...withoutNeedlessOrder(rows), columns }).sql})`
  })
  const text = sides.join(` ${plan.operation.toUpperCase()} ${plan.all ? 'ALL ' : ''}`)
  return selectFrom(
    `(${text})`,
    plan.schema.fields.map((_, i) => i),
    c.names,
  )
}
/** An order that only says which rows a limit keeps stays; any other is of no use here. */
function withoutNeedlessOrder(rows: Select): Select {
  return rows.limit === undefined ? { ...rows, orderBy: [] } : rows
}

/** The rows in their places, each with its number in the last column. */
function placedRows(rows: Select, c: Compilation): Select {
  const input = rows.limit === undefined && rows.orderBy.length === 0 ? rows : nest(rows, c.names)
  return nest({ ...input, columns: [...input.columns, { sql: 'row_number() OVER ()', plain: false }] }, c.names)
}

/** The first row of each key, in the order of the rows. */
export function deduplicateSql(plan: Deduplicate, needed: Needed, c: Compilation): Select {
  const placed = placedRows(compileSelect(plan.input, new Set([...needed, ...plan.keys]), c), c)
  const place = placed.columns.at(-1)!.sql
  const keys = plan.keys.map((key) => canonicalNumber(placed.columns[key]!.sql, plan.schema.fields[key]!.type))
  const kept = placed.columns.slice(0, -1).flatMap((column, i) => (column !== undefined && needed.has(i) ? [{ column, i }] : []))
  const list = kept.map(({ column }, at) => `${column.sql} AS c${at}`)
  const text = `SELECT DISTINCT ON (${keys.join(', ')}) ${list.length === 0 ? '1 AS c0' : list.join(', ')} FROM ${placed.from} ORDER BY ${place}`
  const positions = plan.schema.fields.map((_, i) => {
    const at = kept.findIndex((one) => one.i === i)
    return at < 0 ? undefined : at
  })
  return selectFrom(`(${text})`, positions, c.names)
}

/** A number from 0 to 1 for each row, by the seed and the row's place: 53 bits of a hash that no version changes. */
function chanceSql(seed: bigint, place: string): string {
  return `(CAST(md5_number_lower(concat('${seed}:', ${place})) >> 11 AS DOUBLE) * ${2 ** -53})`
}

export function sampleSql(plan: Sample, needed: Needed, c: Compilation): Select {
  const placed = placedRows(compileSelect(plan.input, needed, c), c)
  const columns = placed.columns.slice(0, -1)
  const chance = chanceSql(plan.seed, placed.columns.at(-1)!.sql)
  if (!plan.withReplacement) {
    const where = [...(plan.lower > 0 ? [`${chance} >= ${plan.lower}`] : []), ...(plan.upper < 1 ? [`${chance} < ${plan.upper}`] : [])]
    return { ...placed, columns, where }
  }
  const copies = `unnest(list_filter([${poissonSteps(plan.upper).join(', ')}]::DOUBLE[], lambda step: step <= ${chance}))`
  const repeated = nest({ ...placed, columns: [...columns, { sql: copies, plain: false }] }, c.names)
  return { ...repeated, columns: repeated.columns.slice(0, -1) }
}

/** The chances to be there at most 0, 1, 2, … times: a row is there once for each that its number reaches. */
function poissonSteps(mean: number): number[] {
  const steps: number[] = []
  let sum = 0
  let logFactorial = 0
  for (let k = 0; ; k++) {
    if (k > 0) logFactorial += Math.log(k)
    sum += mean === 0 ? Number(k === 0) : Math.exp(k * Math.log(mean) - mean - logFactorial)
    if (sum >= 1 - 2 ** -53 || (k > mean && k > mean + 12 * Math.sqrt(mean) + 20)) return steps
    steps.push(sum)
  }
}

export function expandSql(plan: Expand, needed: Needed, c: Compilation): Select {
  const read = plan.columns.filter((_, i) => needed.has(i)).flatMap(({ expressions }) => expressions)
  const input = nest(compileSelect(plan.input, readBy(read), c), c.names)
  const numbers = Array.from({ length: plan.copies }, (_, i) => i).join(', ')
  // copies of a row stay neighbours
  const copied = nest({ ...input, columns: [...input.columns, { sql: `unnest([${numbers}]::INTEGER[])`, plain: false }] }, c.names)
  const copy = copied.columns.at(-1)!.sql
  const scope = scopeOf(copied)
  const columnSql = (expressions: readonly Expression[]): SelectColumn => {
    const first = expressions[0]
    assert(first, 'a column of copies has an expression')
    if (expressions.every((e) => sameExpression(e, first))) {
      const sql = expressionSql(first, scope)
      return { sql, plain: first.kind === 'column' }
    }
    const branches = expressions.map((e, i) => `WHEN ${i} THEN ${expressionSql(e, scope)}`)
    return { sql: `CASE ${copy} ${branches.join(' ')} END`, plain: false }
  }
  return { ...copied, columns: plan.columns.map(({ expressions }, i) => (needed.has(i) ? columnSql(expressions) : undefined)) }
}
