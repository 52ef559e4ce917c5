import type { StreamingQuery } from 'millrace'

/** What the batches of a query took, by phase, in milliseconds. */
export function phasesOf({ recentProgress }: StreamingQuery): Record<string, number> {
  const phases: Record<string, number> = {}
  for (const { durationMs } of recentProgress) {
    for (const [phase, of] of Object.entries(durationMs)) phases[phase] = (phases[phase] ?? 0) + of
  }
  return phases
}
