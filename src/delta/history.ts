/** What was done to a table, and what it is made of: one row for each commit, one for the table. */
import type { Files } from '../base/files.ts'
import type { Row } from '../data/row-set.ts'
import { parseDdl } from '../plan/schema-text.ts'
import { listLog } from './log-files.ts'
import { readCommit } from './read-actions.ts'
import { commitTimes, type Snapshot } from './snapshot.ts'

export const historySchema = parseDdl(
  'version bigint NOT NULL, timestamp timestamp NOT NULL, userId string, userName string, operation string, operationParameters map<string, string>, clusterId string, readVersion bigint, isolationLevel string, isBlindAppend boolean, operationMetrics map<string, string>, userMetadata string, engineInfo string',
)

/** Newest first. */
export async function historyRows(files: Files, table: string, limit: number | undefined): Promise<Row[]> {
  const log = await listLog(files, table)
  if (log === null) return []
  const times = await commitTimes(files, table, log)
  const rows: Row[] = []
  for (const [i, { path }] of [...log.commits.entries()].reverse()) {
    if (rows.length === limit) break
    const info = (await readCommit(files, table, path)).find(({ commitInfo }) => commitInfo)?.commitInfo ?? {}
    const { version, timestampMs } = times[i]!
    rows.push({
      version: BigInt(version),
      timestamp: new Date(timestampMs),
      userId: textOf(info['userId']),
      userName: textOf(info['userName']),
      operation: info.operation ?? null,
      operationParameters: mapOf(info.operationParameters),
      clusterId: textOf(info['clusterId']),
      readVersion: typeof info['readVersion'] === 'number' ? BigInt(info['readVersion']) : null,
      isolationLevel: textOf(info['isolationLevel']),
      isBlindAppend: typeof info['isBlindAppend'] === 'boolean' ? info['isBlindAppend'] : null,
      operationMetrics: mapOf(info['operationMetrics']),
      userMetadata: textOf(info['userMetadata']),
      engineInfo: textOf(info['engineInfo']),
    })
  }
  return rows
}

export const detailSchema = parseDdl(
  'format string NOT NULL, id string, name string, description string, location string NOT NULL, createdAt timestamp, lastModified timestamp, partitionColumns array<string>, numFiles bigint NOT NULL, sizeInBytes bigint NOT NULL, properties map<string, string>, minReaderVersion int, minWriterVersion int, tableFeatures array<string>',
)

export function detailRow({ table, metadata, protocol, files, timestampMs }: Snapshot): Row {
  return {
    format: 'delta',
    id: metadata.id,
    name: metadata.name ?? null,
    description: metadata.description ?? null,
    location: table,
    createdAt: metadata.createdTime == null ? null : new Date(metadata.createdTime),
    lastModified: new Date(timestampMs),
    partitionColumns: metadata.partitionColumns,
    numFiles: BigInt(files.length),
    sizeInBytes: BigInt(files.reduce((sum, { size }) => sum + size, 0)),
    properties: mapOf(metadata.configuration) ?? new Map(),
    minReaderVersion: protocol.minReaderVersion,
    minWriterVersion: protocol.minWriterVersion,
    tableFeatures: [...new Set([...(protocol.readerFeatures ?? []), ...(protocol.writerFeatures ?? [])])].sort(),
  }
}

function textOf(value: unknown): string | null {
  return value === undefined || value === null ? null : String(value)
}
function mapOf(value: unknown): Map<string, string> | null {
  if (typeof value !== 'object' || value === null) return null
  return new Map(Object.entries(value).map(([key, of]) => [key, typeof of === 'string' ? of : JSON.stringify(of)]))
}
