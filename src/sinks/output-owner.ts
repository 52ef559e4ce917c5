import { join } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { sinkLogFolder } from '../data/file-sink-log.ts'
import { outputOwnerFile, readOutputOwner } from '../data/output-owner.ts'

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
  const owner = await readOutputOwner(folder, files)
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
  if (await files.createExclusive(join(folder, sinkLogFolder, outputOwnerFile), `v1\n${JSON.stringify({ queryId })}`)) return
  const owner = await readOutputOwner(folder, files)
  if (owner !== queryId) throw ownedByAnother(folder, owner ?? 'unknown', queryId)
}

function ownedByAnother(folder: string, owner: string, queryId: string): InvalidQueryError {
  return new InvalidQueryError('SINK_OWNED_BY_ANOTHER_QUERY', {
    what: `${folder} holds the output of query ${owner}, and this is query ${queryId}`,
    todo: 'give this query an output folder of its own, or start it with the checkpoint of the query that wrote there',
  })
}
