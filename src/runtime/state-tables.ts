/** Formats of `read` that are no files: the state of a checkpoint, and what it holds. */
import { resolve } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Schema } from '../data/schema.ts'
import { rowsToColumns } from '../data/values.ts'
import { CheckpointView } from '../inspect/checkpoint-view.ts'
import type { StructPart } from '../inspect/state-columns.ts'
import { metadataBatch, stateMetadata, stateMetadataSchema } from '../inspect/state-metadata.ts'
import { askedRead, pinnedOptions, required, stateReadOptions } from '../inspect/state-options.ts'
import type { StateOutput } from '../inspect/state-shapes.ts'
import { type StateTable, stateTable } from '../inspect/state-source.ts'
import type { BatchScan } from '../plan/logical-plan.ts'
import { quoteIdentifier } from '../planner/sql-text.ts'
import type { ResolvedTable } from '../query/engine-port.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'

type StateFormat = 'statestore' | 'state-metadata'
function stateFormat(format: string): StateFormat | undefined {
  const name = format.toLowerCase()
  return name === 'statestore' || name === 'state-metadata' ? name : undefined
}

/** The columns of such a table, and its options with the batch that it is read at; undefined for formats of files. Errors: STDS_…. */
export async function resolveStateTable(
  format: string,
  paths: readonly string[],
  options: Readonly<Record<string, string>>,
  files: Files,
): Promise<ResolvedTable | undefined> {
  const name = stateFormat(format)
  if (name === undefined) return undefined
  if (name === 'state-metadata') {
    const batchId = await metadataBatch(options, await openView(paths, files))
    return { schema: stateMetadataSchema, options: pinnedOptions(options, { batchId, changeFeed: null }) }
  }
  checkpointOf(paths)
  const asked = askedRead(options)
  const view = await openView(paths, files)
  const read = await stateReadOptions(asked, view)
  return { schema: (await stateTable(view, read)).schema, options: pinnedOptions(options, read) }
}

/** The rows of such a table; undefined for formats of files. */
export async function scanStateTable(scan: BatchScan, sql: SqlBatch, files: Files): Promise<Relation | undefined> {
  const name = stateFormat(scan.format)
  if (name === undefined) return undefined
  const view = await openView(scan.paths, files)
  if (name === 'state-metadata') {
    const rows = await stateMetadata(view, await metadataBatch(scan.options, view))
    return sql.load(rowsToColumns(stateMetadataSchema, rows))
  }
  const table = await stateTable(view, await stateReadOptions(askedRead(scan.options), view))
  checkSchema(scan.schema, table)
  const rows = await sql.loadAll(await table.batches(), table.flat)
  const flat = table.outputs.map((output, i) => `${outputSql(output)} AS c${i}`).join(', ')
  return sql.fragment(table.collect === null ? `SELECT ${flat} FROM ⟦0⟧ AS t0` : collectSql(table, flat), [rows], scan.schema)
}

/** A row a key, with its elements in order or its entries as a map. */
function collectSql({ outputs, collect, flat: { fields } }: StateTable, flat: string): string {
  const partition = outputs.length - 1
  const all = (each: string) => `list(${each} ORDER BY t1.row_number)`
  const collected = collect!.kind === 'list' ? all('t1.c1') : `map(${all('t1.c1')}, ${all('t1.c2')})`
  const rows = `SELECT ${flat}, t0.c${fields.length - 1} AS row_number FROM ⟦0⟧ AS t0`
  return `SELECT t1.c0 AS c0, ${collected} AS c1, any_value(t1.c${partition}) AS c2 FROM (${rows}) AS t1 GROUP BY t1.c0`
}

function openView(paths: readonly string[], files: Files): Promise<CheckpointView> {
  return CheckpointView.open(resolve(checkpointOf(paths)), files)
}
function checkpointOf([path, more]: readonly string[]): string {
  if (path === undefined) throw required('path')
  if (more !== undefined) {
    throw new InvalidQueryError('STDS_INVALID_OPTION_VALUE.WITH_MESSAGE', {
      what: `invalid value for source option 'path': one checkpoint is read at a time, and ${more} is another`,
      todo: 'read each on its own, and union the DataFrames',
    })
  }
  return path
}

/** The query may have been changed and started anew since the DataFrame was made. */
function checkSchema(expected: Schema, table: StateTable): void {
  if (table.schema.json() === expected.json()) return
  throw new InvalidQueryError('STDS_FAILED_TO_READ_STATE_SCHEMA', {
    what: 'the columns of the state are others now than when the DataFrame was made: the query was changed meanwhile',
    todo: "call read.format('statestore').load(…) again",
  })
}

function outputSql(output: StateOutput): string {
  if (output.kind === 'column') return `t0.c${output.column}`
  if (output.kind === 'millis') return partSql(output)
  const struct = structSql(output.shape.parts)
  return output.unlessDelete === undefined ? struct : `CASE WHEN t0.c${output.unlessDelete} <> 'delete' THEN ${struct} END`
}

function structSql(parts: readonly StructPart[]): string {
  return `struct_pack(${parts.map((part) => `${quoteIdentifier(part.field.name)} := ${partSql(part)}`).join(', ')})`
}

/** SQL of a part over the flat columns `t0.c0`, …. */
export function partSql(part: StructPart): string {
  switch (part.kind) {
    case 'column':
      return `t0.c${part.column}`
    case 'window': {
      const [start, end] = [`t0.c${part.start}`, `t0.c${part.end}`]
      return `CASE WHEN ${start} IS NOT NULL OR ${end} IS NOT NULL THEN struct_pack("start" := ${start}, "end" := ${end}) END`
    }
    case 'struct': {
      const all = structSql(part.parts)
      return part.where === undefined ? all : `CASE WHEN t0.c${part.where} THEN ${all} END`
    }
    case 'millis':
      return part.orElse === undefined ? `epoch_ms(t0.c${part.column})` : `coalesce(epoch_ms(t0.c${part.column}), ${part.orElse})`
    case 'micros':
      return `epoch_us(t0.c${part.column})`
    case 'nothing':
      return 'CAST(NULL AS BOOLEAN)'
  }
}
