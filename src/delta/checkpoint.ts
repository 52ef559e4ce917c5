/** Checkpoints of a log: the state of a table in one Parquet file, so that a reader need not read every commit. */
import { basename, join } from 'node:path'
import type { Files } from '../base/files.ts'
import type { Row, WriteFiles, WrittenFile } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import { parseDdl } from '../plan/schema-text.ts'
import { cleanLog } from './clean-log.ts'
import { checkpointPath, logFolder } from './log-files.ts'
import { retentionMsOf } from './table-properties.ts'
import type { TableState } from './table-state.ts'

export type WriteRows = (schema: Schema, rows: readonly Row[], write: WriteFiles) => Promise<WrittenFile[]>

const vector = 'struct<storageType: string, pathOrInlineDv: string, offset: int, sizeInBytes: int, cardinality: bigint>'
const checkpointSchema = parseDdl(
  [
    'txn struct<appId: string, version: bigint, lastUpdated: bigint>',
    `add struct<path: string, partitionValues: map<string, string>, size: bigint, modificationTime: bigint, dataChange: boolean, tags: map<string, string>, deletionVector: ${vector}, stats: string>`,
    `remove struct<path: string, deletionTimestamp: bigint, dataChange: boolean, extendedFileMetadata: boolean, partitionValues: map<string, string>, size: bigint, deletionVector: ${vector}>`,
    'metaData struct<id: string, name: string, description: string, format: struct<provider: string, options: map<string, string>>, schemaString: string, partitionColumns: array<string>, configuration: map<string, string>, createdTime: bigint>',
    'protocol struct<minReaderVersion: int, minWriterVersion: int, readerFeatures: array<string>, writerFeatures: array<string>>',
    'domainMetadata struct<domain: string, configuration: string, removed: boolean>',
  ].join(', '),
)

/** Tag of `_last_checkpoint`: the metaData of the checkpoint, for who can't read Parquet at the moment. */
export const metadataTag = 'millrace.metaData'

/** Writes the state as it stands, then the hint where it is, and cleans the log. What was there already is left. */
export async function writeCheckpoint(files: Files, state: TableState, writeRows: WriteRows, nowMs: number): Promise<void> {
  const path = checkpointPath(state.table, state.version)
  if (await files.stat(path)) return
  const rows = rowsOf(state, nowMs)
  const temporary = `.${basename(path)}.${process.pid}-${nowMs}.tmp`
  const [written] = await writeRows(checkpointSchema, rows, {
    format: 'parquet',
    folder: logFolder(state.table),
    fileName: () => temporary,
    partitionBy: [],
    options: {},
  })
  const from = join(logFolder(state.table), written!.path)
  await files.sync([from])
  if (!(await files.move(from, path))) return files.delete(from)
  await files.replace(
    join(logFolder(state.table), '_last_checkpoint'),
    JSON.stringify({
      version: state.version,
      size: rows.length,
      sizeInBytes: written!.sizeBytes,
      numOfAddFiles: state.active.size,
      tags: { [metadataTag]: JSON.stringify(state.metadata) },
    }),
  )
  await cleanLog(files, { table: state.table, metadata: state.metadata! }, nowMs)
}

function rowsOf(state: TableState, nowMs: number): Row[] {
  const map = (object: Readonly<Record<string, string | null>> | null | undefined) => (object ? new Map(Object.entries(object)) : null)
  const { metadata, protocol } = state
  const rows: Row[] = [
    { protocol: { ...protocol } },
    {
      metaData: {
        ...metadata,
        format: { provider: metadata!.format?.provider ?? 'parquet', options: map(metadata!.format?.options ?? {}) },
        configuration: map(metadata!.configuration ?? {}),
      },
    },
  ]
  for (const [appId, version] of state.transactions) rows.push({ txn: { appId, version: BigInt(version) } })
  for (const [domain, configuration] of state.domains) rows.push({ domainMetadata: { domain, configuration, removed: false } })
  for (const add of state.active.values())
    rows.push({ add: { ...add, partitionValues: map(add.partitionValues), tags: map(add.tags), dataChange: false } })
  // so long VACUUM has to know when a file left the table
  const keptSince = nowMs - retentionMsOf(metadata!)
  for (const remove of state.removed.values()) {
    if ((remove.deletionTimestamp ?? 0) < keptSince) continue
    rows.push({ remove: { ...remove, partitionValues: map(remove.partitionValues), dataChange: false } })
  }
  return rows
}
