import type { Row } from './row-set.ts'

/** Who wants to know what a batch has observed: told once the batch's rows have been used without an error. */
export interface Observed {
  readonly report: (metrics: Row) => void
}
