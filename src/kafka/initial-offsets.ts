import { CorruptCheckpointError } from '../base/errors.ts'
import type { SourceContext } from '../sources/provider.ts'
import { offsetJson, type PartitionOffsets, parseOffsets } from './offsets.ts'

/** Where a new query began: `sources/<name>/0`, Spark's form, a zero byte, `v1`, and the offsets. Written once, before the first batch. */
function fileOf({ metadataFolder }: SourceContext): string {
  return `${metadataFolder}/0`
}

/** Undefined where the query has not begun. CorruptCheckpointError. */
export async function readInitialOffsets(context: SourceContext): Promise<PartitionOffsets | undefined> {
  let text: string
  try {
    text = Buffer.from(await context.files.read(fileOf(context))).toString('utf8')
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined
    throw error
  }
  const match = /^\0?v1\n(.*)$/s.exec(text)
  const offsets = match ? parseOffsets(jsonOf(match[1]!), 0) : undefined
  if (offsets) {
    // the run that wrote it may have been killed before it was durable
    await context.files.sync([fileOf(context)])
    return offsets
  }
  throw new CorruptCheckpointError('MALFORMED_LOG_FILE', {
    what: `${fileOf(context)} holds ${JSON.stringify(text.slice(0, 80))}, and not v1 and the offsets of topics and partitions`,
    todo: 'restore it from a backup; nothing was overwritten',
  })
}

export async function writeInitialOffsets(context: SourceContext, offsets: PartitionOffsets): Promise<PartitionOffsets> {
  await context.checkFence()
  if (await context.files.createExclusive(fileOf(context), `\0v1\n${JSON.stringify(offsetJson(offsets))}`)) return offsets
  const written = await readInitialOffsets(context)
  if (written) return written
  throw new CorruptCheckpointError('BATCH_METADATA_NOT_FOUND', {
    what: `${fileOf(context)} was there and is missing now, and with it the offsets at which the source began`,
    todo: 'restore it from a backup; Millrace will not guess which rows were read',
  })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
