import { CorruptCheckpointError } from '../base/errors.ts'
import { batchMetadataNotFound } from './metadata-log.ts'

export type StartDecision =
  /** Every planned batch is done: plan batch `batchId` from what the sources have now. */
  | { readonly kind: 'run'; readonly batchId: number }
  /** Run batch `batchId` exactly as offsets/`batchId` says. More than one commit missing is worth a warning: `missingCommits` counts those before it. */
  | { readonly kind: 'replay'; readonly batchId: number; readonly missingCommits: number }

/**
 * What to do on start, from the last batch of each log (an empty log ends at -1) and the first one of the offset log.
 * Pure: the caller reads the files. A commit log that ends early, or is gone, only means that the last planned batch is run again;
 * sinks make it count once. A batch starts where the one before ended, so that one's offsets must still be there.
 */
export function decideStart(planned = -1, committed = -1, oldestPlanned = 0): StartDecision {
  if (planned > 0 && oldestPlanned >= planned) throw batchMetadataNotFound(`offsets/${planned - 1}`)
  if (planned === committed) return { kind: 'run', batchId: planned + 1 }
  if (committed < planned) return { kind: 'replay', batchId: planned, missingCommits: planned - committed - 1 }
  throw new CorruptCheckpointError('LOGS_DISAGREE', {
    what: `the offset log ends at batch ${planned}, the commit log at batch ${committed}`,
    todo: 'restore both folders from one backup; Millrace will not guess which rows were read',
  })
}
