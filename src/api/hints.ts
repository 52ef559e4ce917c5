import { InvalidQueryError } from '../base/errors.ts'
import { nearest } from '../base/suggest.ts'
import type { AnyFrame } from './frame-types.ts'

/** Spark's hints: how a cluster should join and cut up rows. One process has nothing to choose by them, so they are accepted and say nothing. */
const hints = new Set([
  'broadcast',
  'broadcastjoin',
  'mapjoin',
  'merge',
  'shuffle_merge',
  'mergejoin',
  'shuffle_hash',
  'shuffle_replicate_nl',
  'coalesce',
  'repartition',
  'repartition_by_range',
  'rebalance',
  'skew',
])

export function checkHint(name: string): void {
  if (hints.has(String(name).toLowerCase())) return
  const near = nearest(String(name).toLowerCase(), [...hints], 3)
  throw new InvalidQueryError('UNRECOGNIZED_HINT', {
    what: `there is no hint ${JSON.stringify(name)}`,
    todo: near.length > 0 ? `did you mean ${near.join(', ')}?` : 'leave it out: hints change no results, and no plan of the local engine',
  })
}

export function checkPartitions(method: string, count: unknown): void {
  if (typeof count !== 'number' || (Number.isInteger(count) && count > 0)) return
  throw new InvalidQueryError('INVALID_PARAMETER_VALUE.NUM_PARTITIONS', {
    what: `${method} was given ${count}: the number of partitions must be positive`,
    todo: 'give an integer above 0, or leave it out: one process reads and writes without partitions',
  })
}

/** Spark's mark of a small side of a join; accepted without effect, as hint('broadcast'). */
export function broadcast<F extends AnyFrame<any, any>>(frame: F): F {
  return frame
}
