import type { Result } from './anomalies.ts'

/** What the worker writes of each record, or of each window. */
export interface ResultRow {
  readonly n: number
  readonly count: number
  readonly round: number
  readonly attempt: number
}
export function resultOf({ n, count, attempt }: ResultRow, place: string, isAborted: boolean): Result {
  return { n, count, attempt, place, isAborted }
}
