export type { Catalog, CatalogColumn, CatalogTable } from './api/catalog.ts'
export type {
  AnyFrame,
  Cols,
  DataFrame,
  DataFrameWriter,
  Frame,
  FrameOps,
  GroupedData,
  InferRow,
  Kind,
  ModesOf,
  OutputMode,
  OutputWriter,
  SaveMode,
  StreamFrame,
  StreamState,
  StreamWriter,
  TriggerInput,
} from './api/frame-types.ts'
export * from './api/functions.ts'
export { broadcast } from './api/hints.ts'
export { Observation } from './api/observation.ts'
export type { Session } from './api/session.ts'
export type {
  DeadLetterColumns,
  DeadLetterFrame,
  DeadLetterOptions,
  LateRowColumns,
  SideOutputs,
  WatermarkOptions,
} from './api/side-output-types.ts'
export type { SqlArguments } from './api/sql.ts'
export type { ColumnsOf, StandardSchema } from './api/standard-schema.ts'
export type {
  FlatMapGroupsOptions,
  GroupStateOptions,
  OutputColumns,
  StatefulProcessor,
  StatefulProcessorHandle,
  StateType,
  TransformWithStateOptions,
  TTLConfig,
} from './api/state-function-types.ts'
export type { Arr, Fields, Js, JsInput, MapOf, SchemaJson, Struct, TypeToken, Watermark } from './api/types.ts'
export { t } from './api/types.ts'
export type { UdfRegistry } from './api/udf-registry.ts'
export {
  column_udf,
  type NullSkippingFunction,
  type UdfOptions,
  type UserDefinedFunction,
  udf,
  type Vector,
  type VectorValues,
} from './api/user-functions.ts'
export { Window, type WindowSpec } from './api/window-spec.ts'
export type { Clock } from './base/clock.ts'
export {
  CorruptCheckpointError,
  FencedError,
  InternalError,
  InvalidQueryError,
  MillraceError,
  UnavailableError,
  UserFunctionError,
} from './base/errors.ts'
export type { FileEntry, Files } from './base/files.ts'
export type { Column as DataColumn, ColumnBatch } from './data/column-batch.ts'
export { Decimal } from './data/decimal.ts'
export type { ForeachWriter } from './data/foreach-writer.ts'
export type { ForeachBatchContext } from './data/refusing-context.ts'
export type { Row, RowSet, WriteFiles, WrittenFile } from './data/row-set.ts'
export { Schema } from './data/schema.ts'
export { showTable } from './data/show-table.ts'
export type { Account, Balance, RefusedRecord } from './data/side-rows.ts'
export type { SourceBatch } from './data/source-batch.ts'
export type {
  ExpiredTimerInfo,
  GroupState,
  GroupStateTimeout,
  ListState,
  MapState,
  OutputRows,
  QueryInfo,
  TimeMode,
  TimerValues,
  ValueState,
} from './data/state-function.ts'
export type { DataType, Field } from './data/types.ts'
export { activeEngines, Engine, MemoryStream, millrace } from './engine.ts'
export {
  collectCheckpointGarbage,
  type GarbageFile,
  type GarbageOptions,
  type GarbageReason,
  type GarbageReport,
} from './inspect/collect-garbage.ts'
export { type CopyOptions, type CopyReport, copyCheckpoint } from './inspect/copy-checkpoint.ts'
export { type BatchOverview, type CheckpointOverview, listCheckpoint, type RunInfo } from './inspect/list-batches.ts'
export { type BatchDetails, type BatchSource, type BatchStateChange, type BatchStateFile, showBatch } from './inspect/show-batch.ts'
export { type CheckpointProblem, type VerifyOptions, type VerifyReport, verifyCheckpoint } from './inspect/verify.ts'
export { readProgressHistory } from './query/progress-history.ts'
export { progressJson } from './query/progress-json.ts'
export type {
  QueryIdleEvent,
  QueryProgressEvent,
  QueryStartedEvent,
  QueryTerminatedEvent,
  StreamingQueryListener,
} from './query/query-listener.ts'
export type { StreamingQueryManager } from './query/query-manager.ts'
export type { QueryProgress, SinkProgress, SourceProgress, StateOperatorProgress } from './query/query-progress.ts'
export type { RuntimeConf } from './query/runtime-conf.ts'
export type { StreamingQuery, StreamingQueryStatus } from './query/streaming-query.ts'
export { explainedQueries } from './runtime/explained-query.ts'
export { type ImportedSource, type ImportReport, importCheckpoint } from './runtime/import-checkpoint.ts'
export { CheckpointState, type OpenStateOptions, type StateQueryResult, type StateTableInfo } from './runtime/inspect-state.ts'
export type { LocalOptions } from './runtime/local-engine.ts'
export { type MoveStateOptions, type MoveStateReport, moveState } from './runtime/move-state.ts'
export { type PlannedChange, type PlannedPart, type PlannedQuery, type PlanVerdict, plannedQueries } from './runtime/plan-query.ts'
export type { Sink, SinkBatch, SinkCommit, SinkContext, SinkGuarantee, SinkProvider } from './sinks/sink.ts'
export type { SourceContext, SourceProvider } from './sources/provider.ts'
export type { Offset, ReadLimit, Source } from './sources/source.ts'
export { version } from './version.ts'
