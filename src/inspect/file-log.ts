/** The log of the files that a file source has taken, line by line as it is. */
import { systemClock } from '../base/clock.ts'
import { CompactibleLog } from '../base/compactible-log.ts'
import type { Files } from '../base/files.ts'

/** A line without its checksum. */
export interface FileLogLine {
  readonly path: string
  readonly batchId: number
  readonly [field: string]: unknown
}

/** Opens (does not create) the log in `folder`, which belongs to the query. */
export function openFileLog(files: Files, folder: string, queryId: string): Promise<CompactibleLog<FileLogLine>> {
  return CompactibleLog.open<FileLogLine>({
    files,
    folder,
    clock: systemClock,
    owner: queryId,
    encode: ({ crc32: _, last: __, ...fields }) => fields,
    decode: (json) =>
      typeof json['path'] === 'string' && typeof json['batchId'] === 'number' ? (json as unknown as FileLogLine) : undefined,
    idOf: ({ batchId }) => batchId,
    compactInterval: 10,
    deleteExpired: false,
    cleanupDelayMs: 0,
    minBatchesToRetain: 100,
  })
}

/** The log offset of a file source; undefined for offsets of other sources. */
export function logOffsetOf(offset: unknown): number | undefined {
  const { logOffset } = (typeof offset === 'object' && offset !== null ? offset : {}) as { logOffset?: unknown }
  return typeof logOffset === 'number' ? logOffset : undefined
}
