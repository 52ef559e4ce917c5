import type { Clock } from '../base/clock.ts'
import type { BatchHistory } from '../checkpoint/batch-history.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { WatermarkPolicy } from '../operators/watermark-tracker.ts'
import type { BatchScan } from '../plan/logical-plan.ts'
import type { StreamingPlan } from '../planner/streaming-plan.ts'
import type { Trigger } from '../query/engine-port.ts'
import type { QueryProgress } from '../query/query-progress.ts'
import type { StepObserver } from '../query/steps.ts'
import type { Sink } from '../sinks/sink.ts'
import type { Source } from '../sources/source.ts'
import type { Relation, SqlBatch, SqlBatchParameters } from '../sql/sql-batch.ts'
import type { QueryState } from '../state/state-store.ts'
import type { WithRelation } from './open-sink.ts'
import type { OutputsSink } from './outputs.ts'
import type { QueryIdentity } from './progress-reporter.ts'
import type { ReadLimits } from './read-limits.ts'
import type { SetAsideSettings } from './set-aside.ts'
import type { WakeUp } from './wake.ts'

/** Everything a run works with, opened and checked by startQuery. */
export interface ExecutionParts {
  readonly identity: QueryIdentity
  readonly plan: StreamingPlan
  readonly checkpoint: Checkpoint
  /** What each new offsets entry pins. */
  readonly pinnedConf: Readonly<Record<string, string>>
  readonly salt: string
  readonly sources: ReadonlyMap<string, Source>
  readonly sink: Sink
  /** Null where the query sets no rows aside. */
  readonly setAside: SetAsideSettings | null
  /** The rows of a bounded table that is no file. */
  readonly readTable: (scan: BatchScan, columns: ReadonlySet<number>, sql: SqlBatch) => Promise<Relation | undefined>
  readonly beginBatch: (parameters: SqlBatchParameters) => Promise<SqlBatch>
  /** Opens the state as it stood before the given batch; null for a query without stateful operators. */
  readonly openState: ((batchId: number) => Promise<QueryState>) | null
  readonly clock: Clock
  readonly trigger: Trigger
  readonly settings: ExecutionSettings
  readonly limits: ReadLimits
  readonly observeStep?: StepObserver | undefined
  /** foreachBatch: the batch's relation becomes visible to user code under a name while the sink works. */
  readonly withRelation?: WithRelation | undefined
  /** Where the sink is several outputs. */
  readonly outputs?: OutputsSink | undefined
  /** Is told of each batch once it is committed; null where none is kept. */
  readonly history: BatchHistory | null
  /** Ends the wait between two looks at the sources: a source calls it that has heard of something new. */
  readonly wake: WakeUp
  readonly onProgress: (progress: QueryProgress) => void
  /** There was nothing to do for a while; `isFirst`: and there has not been since this run began. */
  readonly onIdle: (progress: QueryProgress, isFirst: boolean) => void
  readonly warn: (text: string) => void
}
export interface ExecutionSettings {
  readonly noDataMicroBatches: boolean
  readonly watermarkPolicy: WatermarkPolicy
  readonly pollingDelayMs: number
  readonly noDataProgressEventIntervalMs: number
  readonly minBatchesToRetain: number
  readonly skipsInitialKeys: boolean
  /** millrace.readAhead */
  readonly readsAhead: boolean
}
