import { join } from 'node:path'
import { CorruptCheckpointError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { sinkLogFolder } from './file-sink-log.ts'

/** Beside the log of an output, hidden to Spark: the id of the query that the log belongs to. */
export const outputOwnerFile = '.millrace-query'

/** The query that an output folder belongs to; undefined where nothing says it. CorruptCheckpointError MALFORMED_LOG_FILE. */
export async function readOutputOwner(folder: string, files: Files): Promise<string | undefined> {
  const path = join(folder, sinkLogFolder, outputOwnerFile)
  let text: string
  try {
    text = Buffer.from(await files.read(path)).toString('utf8')
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const [version, json = ''] = text.split('\n')
    const { queryId } = JSON.parse(json) as { queryId?: unknown }
    if (version === 'v1' && typeof queryId === 'string') return queryId
  } catch {
    // told below
  }
  throw new CorruptCheckpointError('MALFORMED_LOG_FILE', {
    what: `${path} holds ${JSON.stringify(text.slice(0, 80))}, and not v1 and the id of a query`,
    todo: 'restore it from a backup; nothing was overwritten',
  })
}
