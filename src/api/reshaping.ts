/** transpose, sampleBy and isLocal of frames. */
import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { cellText } from '../data/show-table.ts'
import { type Field, typeText } from '../data/types.ts'
import { rowsToColumns } from '../data/values.ts'
import { filter, localRelation, project, sample, sort, union } from '../plan/analyze.ts'
import { commonTypeOf } from '../plan/coercion.ts'
import type { UnresolvedExpression } from '../plan/expression.ts'
import { inputsOf, type LogicalPlan } from '../plan/logical-plan.ts'
import { quoteName } from '../plan/schema-text.ts'
import type { EnginePort } from '../query/engine-port.ts'
import { literalOf } from './literal.ts'

/** Whether the rows are the program's own: nothing is read from outside. */
export function isLocalPlan(plan: LogicalPlan): boolean {
  if (plan.kind === 'scan' || plan.kind === 'stream-scan') return false
  return inputsOf(plan).every(isLocalPlan)
}

/** Of the rows with each key about that fraction; rows with other keys go. */
export function sampleBy(
  plan: LogicalPlan,
  column: UnresolvedExpression,
  fractions: ReadonlyMap<unknown, number> | Readonly<Record<string, number>>,
  seed: bigint,
): LogicalPlan {
  const entries = fractions instanceof Map ? [...fractions] : Object.entries(fractions)
  const parts = entries.map(([key, fraction], i) => {
    const isKey: UnresolvedExpression = { kind: 'call', name: '<=>', args: [column, literalOf(key)] }
    return sample(filter(plan, isKey), fraction as number, false, seed + BigInt(i))
  })
  if (parts.length === 0) return filter(plan, { kind: 'literal', value: false, type: 'boolean' })
  return parts.length === 1 ? parts[0]! : union(parts as [LogicalPlan, ...LogicalPlan[]])
}

const maxTransposed = 500
/** Columns become rows: `key` is the column's name, and there is a column for each value of the index column, in its order. */
export async function transposed(engine: EnginePort, plan: LogicalPlan, indexColumn: string | undefined): Promise<LogicalPlan> {
  const { fields } = plan.schema
  const index = indexColumn === undefined ? 0 : fields.findIndex((field) => field.name.toLowerCase() === indexColumn.toLowerCase())
  const by = fields[index]
  if (!by)
    throw new InvalidQueryError('TRANSPOSE_INVALID_INDEX_COLUMN', {
      what: `the index column ${indexColumn ?? ''} is not there`,
      todo: `name one of ${plan.schema.names.join(', ')}`,
    })
  const values = fields.filter((_, i) => i !== index)
  // text is not read as numbers here, nor numbers written as text
  const isMixed = values.some((field) => field.type === 'string') && !values.every((field) => field.type === 'string')
  const type = isMixed ? undefined : values.length === 0 ? 'string' : commonTypeOf(values.map((field) => field.type))
  if (type === undefined)
    throw new InvalidQueryError('TRANSPOSE_NO_LEAST_COMMON_TYPE', {
      what: `transpose requires non-index columns of one type, but they are ${values.map((field) => `\`${field.name}\` ${typeText(field.type)}`).join(', ')}`,
      todo: 'cast them to one type first',
    })
  const maxRows = Number(engine.conf('spark.sql.transposeMaxValues') ?? maxTransposed)
  const cast = (field: Field, name: string): UnresolvedExpression => ({
    kind: 'alias',
    input: { kind: 'cast', input: { kind: 'attribute', name: quoteName(field.name) }, type, mode: 'ansi' },
    name,
  })
  const shown = sort(
    project(plan, [
      { kind: 'alias', input: { kind: 'attribute', name: quoteName(by.name) }, name: 'i' },
      ...values.map((field, i) => cast(field, `v${i}`)),
    ]),
    [{ kind: 'attribute', name: 'i' }],
  )
  const rows = (await engine.runBatch(shown, (found) => found.toObjects())).filter((row) => row['i'] !== null)
  if (rows.length > maxRows)
    throw new InvalidQueryError('TRANSPOSE_EXCEED_ROW_LIMIT', {
      what: `transpose found ${rows.length} rows, and the limit is ${maxRows}`,
      todo: 'set spark.sql.transposeMaxValues to at least their number',
    })
  const columns = rows.map((row) => cellText(by.type, row['i']))
  const schema = new Schema([{ name: 'key', type: 'string', nullable: false }, ...columns.map((name) => ({ name, type, nullable: true }))])
  const cells = values.map((field, v) => Object.fromEntries([['key', field.name], ...rows.map((row, r) => [columns[r]!, row[`v${v}`]])]))
  return localRelation(rowsToColumns(schema, cells))
}
