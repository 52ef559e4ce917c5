import { join } from 'node:path'
import { CorruptCheckpointError, InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { sinkLogFolder } from '../data/file-sink-log.ts'

/** Beside the log, hidden to Spark: the id of the query that the log belongs to. */
const ownerFile = '.millrace-query'

/**
 * The batch ids in a sink's log only mean something together with the query that counted them: for another query batch 7 in the log would
 * read as "my batch 7 is there already", and its rows would be dropped. So the output remembers its query.
 * InvalidQueryError SINK_OWNED_BY_ANOTHER_QUERY, or SINK_OWNER_UNKNOWN for a log without an id. Gives whether the id is written already.
 */
export async function checkOwner(
  folder: string,
  queryId: string,
  log: { readonly latestId: number },
  adopt: boolean,
  files: Files,
): Promise<boolean> {
  const owner = await readOwner(folder, files)
  if (owner !== undefined && owner !== queryId) throw ownedByAnother(folder, owner, queryId)
  if (owner === undefined && log.latestId >= 0 && !adopt) {
    throw new InvalidQueryError('SINK_OWNER_UNKNOWN', {
      what: `${join(folder, sinkLogFolder)} ends at batch ${log.latestId} and does not say which query wrote it, so batches of query ${queryId} could be taken for written`,
      todo: "choose an empty output folder; or, where this query goes on from the checkpoint that the log belongs to, set .option('adoptOutput', true) once",
    })
  }
  return owner !== undefined
}

/** Writes the query's id, durably, before its first output. Where another query was faster: InvalidQueryError. */
export async function claimOutput(folder: string, queryId: string, files: Files): Promise<void> {
  if (await files.createExclusive(join(folder, sinkLogFolder, ownerFile), `v1\n${JSON.stringify({ queryId })}`)) return
  const owner = await readOwner(folder, files)
  if (owner !== queryId) throw ownedByAnother(folder, owner ?? 'unknown', queryId)
}

async function readOwner(folder: string, files: Files): Promise<string | undefined> {
  const path = join(folder, sinkLogFolder, ownerFile)
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

function ownedByAnother(folder: string, owner: string, queryId: string): InvalidQueryError {
  return new InvalidQueryError('SINK_OWNED_BY_ANOTHER_QUERY', {
    what: `${folder} holds the output of query ${owner}, and this is query ${queryId}`,
    todo: 'give this query an output folder of its own, or start it with the checkpoint of the query that wrote there',
  })
}
