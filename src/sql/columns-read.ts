import type { SourceBatch } from '../data/source-batch.ts'
import { columnName, duckType } from './duck-types.ts'
import type { FieldsNeeded } from './read-request.ts'
import { SqlRelation } from './relation.ts'

type Files = Extract<SourceBatch, { readonly kind: 'files' }>

/** Of a record of Parquet every column is a value of its own, and the others can be had again where dead letters need them. */
export function readAlone(keepsDeadLetters: boolean, { format, read }: Files): FieldsNeeded | undefined {
  return keepsDeadLetters && format === 'parquet' && read !== undefined ? { columns: read, fields: [] } : undefined
}

/**
 * The rows of a scan of which all columns are read, since each decides whether a record is malformed, and only those kept that somebody reads: the text of a record can be had again. Others are null; a
 * condition on their hash, which is there for every value and for null, keeps them from being passed over. Undefined where all are kept.
 */
export function onlyRead(relation: SqlRelation, { format, read }: Files): SqlRelation | undefined {
  const { fields } = relation.schema
  if (format === 'parquet' || read === undefined || fields.every((_, i) => read.has(i))) return undefined
  const list = fields.map(({ type }, i) => `${read.has(i) ? columnName(i) : `NULL::${duckType(type)}`} AS ${columnName(i)}`)
  const others = fields.flatMap((_, i) => (read.has(i) ? [] : [columnName(i)]))
  const sql = `SELECT ${list.join(', ')} FROM ⟦0⟧ WHERE hash(${others.join(', ')}) IS NOT NULL`
  return new SqlRelation(relation.schema, { kind: 'select', sql, inputs: [relation] })
}
