import { exitCodes } from './exit-codes.ts'

/** How one run of the module's process ended. */
export interface RunEnd {
  /** Null where a signal ended it. */
  readonly code: number | null
  readonly signal: string | null
  readonly ranMs: number
}
export interface RestartSettings {
  /** Before the first restart; each further one in a row waits twice as long, up to a minute. */
  readonly firstDelayMs: number
  /** Short runs in a row after which it gives up; 0 never. */
  readonly maxRestarts: number
}
export type RestartDecision =
  | { readonly kind: 'end'; readonly code: number }
  | { readonly kind: 'restart'; readonly delayMs: number; readonly failures: number }
  | { readonly kind: 'crash-loop'; readonly failures: number }

const longestDelayMs = 60_000
/** A run that lasted so long has got over what the one before it failed of. */
export const soundRunMs = 60_000

/**
 * Whether to start again. What may pass (UnavailableError, a process that was killed or crashed) is tried again after a while, with jitter, so that
 * many processes that lost one service do not come back at one moment; everything else is the end. `failures`: short runs in a row before
 * this one. `random`: from 0 to 1.
 */
export function decideRestart(end: RunEnd, failures: number, settings: RestartSettings, random: number): RestartDecision {
  const mayPass = end.code === exitCodes.unavailable || (end.code === null && end.signal !== null)
  if (!mayPass) return { kind: 'end', code: end.code ?? exitCodes.failed }
  const inARow = end.ranMs >= soundRunMs ? 1 : failures + 1
  if (settings.maxRestarts > 0 && inARow > settings.maxRestarts) return { kind: 'crash-loop', failures: inARow }
  const delayMs = Math.min(longestDelayMs, settings.firstDelayMs * 2 ** (inARow - 1))
  return { kind: 'restart', delayMs: delayMs * (0.5 + random / 2), failures: inARow }
}
