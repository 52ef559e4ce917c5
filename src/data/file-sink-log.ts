import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import { CompactibleLog, compactibleLogSettings } from '../base/compactible-log.ts'
import type { Files } from '../base/files.ts'
import { pathToUri, uriToPath } from './file-uri.ts'

/** The folder beside an output's files that says which of them count. Readers that see it list the log in place of the folder. */
export const sinkLogFolder = '_spark_metadata'

/** One line of the log of a file sink, as Spark writes it. */
export interface SinkFileEntry {
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly action: 'add' | 'delete'
}

/** Opens (does not create) the log of the output in `folder`. */
export function openSinkLog(
  folder: string,
  files: Files,
  clock: Clock = systemClock,
  conf: (key: string) => string | undefined = () => undefined,
): Promise<CompactibleLog<SinkFileEntry>> {
  return CompactibleLog.open<SinkFileEntry>({
    files,
    clock,
    folder: join(folder, sinkLogFolder),
    encode: encodeEntry,
    decode: decodeEntry,
    ...compactibleLogSettings('fileSink', conf),
  })
}

/** The files that a log stands for: those added and not deleted later, in the log's order. */
export function liveFiles(entries: readonly SinkFileEntry[]): SinkFileEntry[] {
  const live = new Map<string, SinkFileEntry>()
  for (const entry of entries) {
    if (entry.action === 'add') live.set(entry.path, entry)
    else live.delete(entry.path)
  }
  return [...live.values()]
}

/** The key by which output folders are listed, and not read by their logs. */
export const ignoreMetadataKey = 'spark.sql.streaming.fileStreamSink.ignoreMetadata'

/** The files of an output folder by its log, or undefined where it has none. CorruptCheckpointError where the log can't be read. */
export async function filesOfSinkLog(folder: string, files: Files): Promise<SinkFileEntry[] | undefined> {
  const log = await openSinkLog(folder, files)
  if (log.latestId >= 0) return liveFiles(await log.readAll())
  return (await files.stat(join(folder, sinkLogFolder))) === undefined ? undefined : []
}

function encodeEntry({ path, sizeBytes, modifiedMs, action }: SinkFileEntry): object {
  // 32 MiB and one replica are what Hadoop reports of a local file
  return {
    path: pathToUri(path),
    size: sizeBytes,
    isDir: false,
    modificationTime: Math.floor(modifiedMs),
    blockReplication: 1,
    blockSize: 33554432,
    action,
  }
}
function decodeEntry(json: Readonly<Record<string, unknown>>): SinkFileEntry | undefined {
  const { path, size, modificationTime, action } = json
  if (
    typeof path !== 'string' ||
    typeof size !== 'number' ||
    typeof modificationTime !== 'number' ||
    (action !== 'add' && action !== 'delete')
  )
    return undefined
  return { path: uriToPath(path), sizeBytes: size, modifiedMs: modificationTime, action }
}
