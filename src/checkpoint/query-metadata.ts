import { join } from 'node:path'
import { CorruptCheckpointError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Random } from '../base/random.ts'

/** The query id in `metadata`, or undefined where there is no such file. */
export async function readQueryId(files: Files, checkpointFolder: string): Promise<string | undefined> {
  const path = join(checkpointFolder, 'metadata')
  let text: string
  try {
    text = Buffer.from(await files.read(path)).toString()
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code === 'EISDIR') throw malformed(path, 'files (it is a folder)')
    throw error
  }
  const id = parseId(text)
  if (id !== undefined) return id
  throw malformed(path, JSON.stringify(text.slice(0, 80)))
}
function malformed(path: string, found: string): CorruptCheckpointError {
  return new CorruptCheckpointError('MALFORMED_METADATA_FILE', {
    what: `${path} holds ${found} and not {"id":"<uuid>"}`,
    todo: 'restore the checkpoint from a backup, or start the query with a new checkpoint; nothing was overwritten',
  })
}

/** Gives the checkpoint its id, once for all; where another start was first, that one's id. */
export async function createQueryId(files: Files, checkpointFolder: string, random: Random): Promise<string> {
  const id = random.uuid()
  if (await files.createExclusive(join(checkpointFolder, 'metadata'), JSON.stringify({ id }))) return id
  return (await readQueryId(files, checkpointFolder)) ?? createQueryId(files, checkpointFolder, random)
}

function parseId(text: string): string | undefined {
  try {
    const { id } = JSON.parse(text) as { id?: unknown }
    return typeof id === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id) ? id : undefined
  } catch {
    return undefined
  }
}
