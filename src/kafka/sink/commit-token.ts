import { CorruptCheckpointError } from '../../base/errors.ts'
import type { TopicFacts } from './topic-directory.ts'

/**
 * How far the output of a query has come, as it stands in Kafka itself: written in the transaction of the batch that it names, so that
 * both are there or neither is. docs/formats.md describes the form.
 */
export interface CommitToken {
  /** The last batch that was delivered; -1 before the first. */
  readonly batchId: number
  /** The run that writes now: its epoch in the checkpoint … */
  readonly epoch: number
  /** … and an id of its own. A run that finds another's here has been superseded. */
  readonly run: string
  /** Of the slowest transaction of late, for the check of the time-out at the next start. */
  readonly slowestMs: number
  /** What rows of this batch were refused by: what was known of their topics; null for one that was not there. */
  readonly refusedBy?: Readonly<Record<string, RefusingFacts | null>>
}
export type RefusingFacts = Pick<TopicFacts, 'partitionCount' | 'maxBatchBytes' | 'needsKey'>

const version = 1

export function encodeToken({ batchId, epoch, run, slowestMs, refusedBy }: CommitToken): string {
  return JSON.stringify({ version, batchId, epoch, run, slowestMs: Math.round(slowestMs), ...(refusedBy && { refusedBy }) })
}

/** CorruptCheckpointError KAFKA_COMMIT_TOKEN_UNREADABLE. `where`: "the group millrace-… ". */
export function decodeToken(text: string, where: string): CommitToken {
  const json = parse(text)
  const { version: written, batchId, epoch, run, slowestMs, refusedBy } = (json ?? {}) as Record<string, unknown>
  const isWhole =
    written === version &&
    [batchId, epoch, slowestMs].every((each) => Number.isSafeInteger(each)) &&
    typeof run === 'string' &&
    (refusedBy === undefined || (typeof refusedBy === 'object' && refusedBy !== null))
  if (isWhole) return { batchId, epoch, run, slowestMs, ...(refusedBy ? { refusedBy } : {}) } as unknown as CommitToken
  throw new CorruptCheckpointError('KAFKA_COMMIT_TOKEN_UNREADABLE', {
    what: `${where} holds ${JSON.stringify(text.slice(0, 200))}, which is not a commit token of version ${version}`,
    todo: 'use the version of Millrace that wrote it, or a newer one; where something else writes there, give the query another transactionalIdPrefix',
  })
}
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
