/**
 * The durable steps of a batch, in the order of the protocol (docs/architecture.md). A step observer is told before and after each,
 * so that a test can end the process there; it has no other influence.
 */
export type BatchStep = 'offset-log/write' | 'source/commit' | 'batch/run' | 'state/commit' | 'sink/commit' | 'commit-log/write'
export interface StepEvent {
  readonly step: BatchStep
  readonly when: 'before' | 'after'
  readonly batchId: number
  readonly queryName: string | null
}
export type StepObserver = (event: StepEvent) => void | Promise<void>
