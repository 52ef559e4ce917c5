/** Generators as DuckDB SQL: lists that are unnested side by side in a subquery. */
import type { DataType } from '../data/types.ts'
import type { Generate } from '../plan/logical-plan.ts'
import { fieldSql } from './cast-sql.ts'
import { expressionSql } from './expression-sql.ts'
import { type Compilation, compileSelect, type Needed, readBy } from './plan-sql.ts'
import { nest, type Select, type SelectColumn, scopeOf } from './select-sql.ts'

/** What a generator's columns are: lists of one length that are unnested together, and what each column is of the element. */
interface Lists {
  /** Over the arguments' columns. */
  readonly lists: readonly string[]
  /** Over the unnested elements. */
  readonly columns: (elements: readonly string[]) => readonly string[]
}

export function generateSql(plan: Generate, needed: Needed, c: Compilation): Select {
  const count = plan.input.schema.fields.length
  const kept = [...needed].filter((index) => index < count)
  const input = compileSelect(plan.input, readBy(plan.args, kept), c)
  const scope = scopeOf(input)
  const args = plan.args.map((arg): SelectColumn => ({ sql: expressionSql(arg, scope), plain: false }))
  const own = input.columns.map((column, i) => (needed.has(i) ? column : undefined))
  // each argument is computed once, however often its list is named
  const computed = nest({ ...input, columns: [...own, ...args] }, c.names)
  const cells = computed.columns.slice(count).map((column) => column!.sql)
  const passed = computed.columns.slice(0, count)
  if (plan.generator === 'json_tuple') return { ...computed, columns: [...passed, ...jsonTuple(cells).map(computedColumn)] }
  const { lists, columns } = listsOf(plan, cells)
  const unnested = lists.map((list) => computedColumn(`unnest(${plan.outer ? orOneNull(list, lists[0]!) : list})`))
  const rows = nest({ ...computed, columns: [...passed, ...unnested] }, c.names)
  const elements = rows.columns.slice(count).map((column) => column!.sql)
  return {
    ...rows,
    columns: [...rows.columns.slice(0, count), ...columns(elements).map((sql) => ({ sql, plain: elements.includes(sql) }))],
  }
}

function computedColumn(sql: string): SelectColumn {
  return { sql, plain: false }
}
function orOneNull(list: string, measured: string): string {
  return `CASE WHEN len(${measured}) > 0 THEN ${list} ELSE [NULL] END`
}

function listsOf(plan: Generate, args: readonly string[]): Lists {
  const type = plan.args[0]!.type
  const map = typeof type !== 'string' && type.kind === 'map'
  const values = map ? [`map_keys(${args[0]})`, `map_values(${args[0]})`] : [args[0]!]
  switch (plan.generator) {
    case 'posexplode': {
      const positions = `CAST(range(len(${values[0]})) AS INTEGER[])`
      return { lists: [...values, positions], columns: (elements) => [elements.at(-1)!, ...elements.slice(0, -1)] }
    }
    case 'inline':
      return {
        lists: values,
        columns: ([struct]) => plan.schema.fields.slice(plan.input.schema.fields.length).map((_, i) => inlined(struct!, type, i)),
      }
    case 'stack':
      return { lists: stackLists(plan, args), columns: (elements) => elements }
    default:
      return { lists: values, columns: (elements) => elements }
  }
}

/** Fields may have been renamed in the plan's schema: the struct's own names are in the argument's type. */
function inlined(struct: string, type: DataType, index: number): string {
  const element = typeof type !== 'string' && type.kind === 'array' ? type.element : undefined
  const fields = element !== undefined && typeof element !== 'string' && element.kind === 'struct' ? element.fields : []
  return fieldSql(struct, fields[index]!.name)
}

function stackLists(plan: Generate, [, ...values]: readonly string[]): string[] {
  const rows = plan.args[0]!
  const count = rows.kind === 'literal' ? Number(rows.value) : 0
  const width = plan.schema.fields.length - plan.input.schema.fields.length
  return Array.from({ length: width }, (_, column) => {
    const cells = Array.from({ length: count }, (_, row) => values[row * width + column] ?? 'NULL')
    return `[${cells.join(', ')}]`
  })
}

/** The members of a JSON object by name, as text; text itself without quotes. All are null where it is no object. */
function jsonTuple([json, ...names]: readonly string[]): string[] {
  const object = `CASE WHEN json_valid(${json}) THEN CASE WHEN json_type(${json}) = 'OBJECT' THEN ${json} END END`
  return names.map((name) => `json_extract_string(${object}, '/' || replace(replace(${name}, '~', '~0'), '/', '~1'))`)
}
