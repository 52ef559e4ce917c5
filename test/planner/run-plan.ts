/** Runs physical plans on DuckDB alone: enough of an engine to say whether the planner's SQL means what it should. */
import type { StateSchema } from '../../src/data/state-schema.ts'
import { sqlType } from '../../src/planner/sql-text.ts'
import type { PhysicalNode, StatefulAggregate, StreamingPlan } from '../../src/planner/streaming-plan.ts'
import { type DuckDb, fillIn } from './duckdb.ts'

/** Gives the rows of a leaf, or of an aggregation's state, as text that can stand in FROM. */
export type Relations = (node: PhysicalNode) => string

/** One SELECT for a node and everything below it. */
export function nestedSql(node: PhysicalNode, relations: Relations): string {
  switch (node.kind) {
    case 'fragment':
      return `(${fillIn(
        node.sql,
        node.inputs.map((input) => nestedSql(input, relations)),
      )})`
    case 'event-time':
      return nestedSql(node.input, relations)
    default:
      return relations(node)
  }
}

/** The rows of the last batch in complete mode: each batch's partial aggregates are merged into a table as the state would. */
export async function runComplete(duckdb: DuckDb, plan: StreamingPlan, batches: readonly Relations[]): Promise<(string | null)[][]> {
  for (const relations of batches) {
    for (const step of plan.stateful) if (step.kind === 'aggregate') await mergeBatch(duckdb, step, relations)
  }
  const tables: Relations = (node) => (node.kind === 'aggregate' ? stateTable(node) : batches.at(-1)!(node))
  return duckdb.texts(`SELECT * FROM ${nestedSql(plan.root, tables)}`)
}

function stateTable(node: StatefulAggregate): string {
  return `(SELECT * EXCLUDE (key_id) FROM state_${node.operatorId})`
}

async function mergeBatch(duckdb: DuckDb, node: StatefulAggregate, relations: Relations): Promise<void> {
  const name = `state_${node.operatorId}`
  const { keys, values } = node.stores[0]!.schema
  const columns = [...keys, ...values]
  const partial = `(${fillIn(node.partialSql, [nestedSql(node.inputs[0]!, relations)])})`
  await duckdb.run(
    `CREATE TABLE IF NOT EXISTS ${name} (key_id UHUGEINT, ${columns.map(({ type }, i) => `c${i} ${sqlType(type)}`).join(', ')})`,
  )
  const names = columns.map((_, i) => `c${i}`).join(', ')
  await duckdb.run(
    `CREATE OR REPLACE TABLE both_${name} AS SELECT 0 AS age, key_id, ${names} FROM ${name} UNION ALL SELECT 1 AS age, * FROM ${partial}`,
  )
  await duckdb.run(
    `CREATE OR REPLACE TABLE ${name} AS SELECT key_id, ${[...keys.map((_, i) => `first(c${i}) AS c${i}`), ...mergedValues(node.stores[0]!.schema)].join(', ')} FROM both_${name} GROUP BY key_id`,
  )
}

function mergedValues({ keys, values }: StateSchema): string[] {
  const firstMoment = values.findIndex((value) => value.merge === 'moments')
  return values.map(({ merge, type }, i): string => {
    const column = `c${keys.length + i}`
    switch (merge) {
      case 'sum':
        return `CAST(sum(${column}) AS ${sqlType(type)}) AS ${column}`
      case 'min':
      case 'max':
        return `${merge}(${column}) AS ${column}`
      case 'first':
        return `arg_min(${column}, age) AS ${column}`
      case 'last':
        return `arg_max(${column}, age) AS ${column}`
      case 'replace':
        return `arg_max_null(${column}, age) AS ${column}`
      default:
        return `${mergedMoment(keys.length + i, (i - firstMoment) % 3)} AS c${keys.length + i}`
    }
  })
}

/** n, mean or m2 (`which` of three neighbours) of two sides, as data/state-schema.ts says. */
function mergedMoment(at: number, which: number): string {
  const [n, mean, m2] = [0, 1, 2].map((k) => `c${at - which + k}`)
  const side = (column: string, age: number) => `coalesce(any_value(${column}) FILTER (WHERE age = ${age} AND ${n} > 0), 0)`
  const [n0, n1] = [side(n!, 0), side(n!, 1)]
  const d = `(${side(mean!, 1)} - ${side(mean!, 0)})`
  if (which === 0) return `${n0} + ${n1}`
  if (which === 1)
    return `CASE WHEN ${n0} + ${n1} > 0 THEN ${side(mean!, 0)} + CASE WHEN ${n0} = 0 THEN ${d} ELSE ${d} * ${n1} / (${n0} + ${n1}) END END`
  const between = `CASE WHEN ${n0} = 0 OR ${n1} = 0 THEN 0 ELSE ${d} * ${d} * ${n0} * ${n1} / (${n0} + ${n1}) END`
  return `CASE WHEN ${n0} + ${n1} > 0 THEN ${side(m2!, 0)} + ${side(m2!, 1)} + ${between} END`
}
