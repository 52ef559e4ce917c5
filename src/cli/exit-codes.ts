import { CorruptCheckpointError, FencedError } from '../base/errors.ts'

/** What `millrace` exits with. A supervisor restarts on 1, and must not on the others. */
export const exitCodes = {
  /** Every query ended by itself, or was drained after the first signal. */
  done: 0,
  /** A query failed, or the module did. */
  failed: 1,
  /** The command line or the module can't be run as it is. */
  usage: 2,
  /** Another run owns the checkpoint. */
  fenced: 3,
  /** The checkpoint or the output can't be trusted: restore it. */
  corrupt: 4,
  /** Plus the signal's number: a second signal, the batch was left off. */
  signal: 128,
} as const

export function exitCodeOf(error: unknown): number {
  if (error instanceof FencedError) return exitCodes.fenced
  if (error instanceof CorruptCheckpointError) return exitCodes.corrupt
  return exitCodes.failed
}
