/**
 * Functions of the program with state for each key, as the engine calls them: what (flat)mapGroupsWithState and transformWithState take and give. The API types them by
 * the schemas of key, rows, state and output.
 */
import type { Row } from './row-set.ts'
import type { DeclaredVariable, StateShape } from './state-layout.ts'

/** What a function with state may give: nothing, rows, or rows as they come. */
export type OutputRows<O> = RowsOrNone<O> | Promise<RowsOrNone<O>>
// biome-ignore lint/suspicious/noConfusingVoidType: a function may have no return
type RowsOrNone<O> = Iterable<O> | AsyncIterable<O> | undefined | void

export type GroupStateTimeout = 'NoTimeout' | 'ProcessingTimeTimeout' | 'EventTimeTimeout'
export type TimeMode = 'None' | 'ProcessingTime' | 'EventTime'

/** The state of one key in a call of (flat)mapGroupsWithState. Times are milliseconds since 1970. */
export interface GroupState<S, SInput = S> {
  /** Whether there is a state. */
  readonly exists: boolean
  /** Whether the call is because of a timeout: without rows. */
  readonly hasTimedOut: boolean
  /** The state. InvalidQueryError STATE_NOT_DEFINED without one. */
  get(): S
  /** The state, or undefined. */
  getOption(): S | undefined
  /** Sets the state. */
  update(state: SInput): void
  /** Removes the state. A timeout may be set all the same. */
  remove(): void
  /** With ProcessingTimeTimeout: calls the function once so much time after this batch's has passed ('10 minutes', or milliseconds), unless rows come before. */
  setTimeoutDuration(duration: number | string): void
  /** With EventTimeTimeout: calls the function when the watermark has passed that time (and the duration more), unless rows come before. Not earlier than the watermark. */
  setTimeoutTimestamp(timestamp: number | Date, additionalDuration?: string): void
  /** The watermark of this batch. InvalidQueryError CANNOT_GET_EVENT_TIME_WATERMARK without withWatermark. */
  getCurrentWatermarkMs(): number
  /** The time of this batch: that of a replay is the same. */
  getCurrentProcessingTimeMs(): number
}

export interface TimerValues {
  /** The time of this batch: that of a replay is the same. */
  getCurrentProcessingTimeInMs(): number
  /** The watermark of this batch. InvalidQueryError CANNOT_GET_EVENT_TIME_WATERMARK without withWatermark. */
  getCurrentWatermarkInMs(): number
}
export interface ExpiredTimerInfo {
  /** When the timer was due, as it was registered. */
  getExpiryTimeInMs(): number
}
export interface QueryInfo {
  readonly queryId: string
  readonly runId: string
  readonly batchId: number
}

/** One value a key. */
export interface ValueState<V, VInput = V> {
  exists(): boolean
  /** The value, or null. */
  get(): V | null
  update(value: VInput): void
  clear(): void
}
/** Values in order, for each key. Adding does not read those that are there. */
export interface ListState<V, VInput = V> {
  exists(): boolean
  get(): V[]
  /** These values in place of all. At least one. */
  put(values: readonly VInput[]): void
  appendValue(value: VInput): void
  /** At least one. */
  appendList(values: readonly VInput[]): void
  clear(): void
}
/** Values by keys of the user's, for each key. An entry is read and written without the others. */
export interface MapState<K, V, KInput = K, VInput = V> {
  /** Whether there is any entry. */
  exists(): boolean
  /** The value of an entry, or null. */
  getValue(key: KInput): V | null
  containsKey(key: KInput): boolean
  updateValue(key: KInput, value: VInput): void
  /** All entries, in an order that is the same at a replay. */
  iterator(): IterableIterator<[K, V]>
  keys(): IterableIterator<K>
  values(): IterableIterator<V>
  removeKey(key: KInput): void
  clear(): void
}

/** What a processor's handle is to the engine. Variables are declared in `init` and used in the other calls. */
export interface ProcessorHandle {
  declare(variable: DeclaredVariable): ValueState<unknown> | ListState<unknown> | MapState<unknown, unknown>
  deleteIfExists(name: string): void
  registerTimer(expiryTimestampMs: number): void
  deleteTimer(expiryTimestampMs: number): void
  listTimers(): number[]
  getQueryInfo(): QueryInfo
}

/** A processor of transformWithState as the engine calls it: one call after the other, or with several keys at a time (ProcessorFunction.concurrency). */
export interface Processor {
  init(handle: ProcessorHandle): unknown
  handleInputRows(key: Row, rows: readonly Row[], timerValues: TimerValues): OutputRows<Row>
  handleExpiredTimer?(key: Row, timerValues: TimerValues, expiredTimerInfo: ExpiredTimerInfo): OutputRows<Row>
  handleInitialState?(key: Row, initialState: Row, timerValues: TimerValues): unknown
  close?(): unknown
}

/** The function of (flat)mapGroupsWithState. */
export interface GroupFunction {
  readonly kind: 'group-function'
  readonly name: string
  /** mapGroupsWithState: gives one row. */
  readonly isMap: boolean
  readonly timeout: GroupStateTimeout
  readonly state: StateShape
  /** Milliseconds of text such as '10 minutes'. */
  readonly durationMs: (text: string) => number
  /** How many calls, each with another key, may be under way at a time. */
  readonly concurrency: number
  /** How long a call may take; null: as long as it likes. */
  readonly timeoutMs: number | null
  readonly call: (key: Row, rows: readonly Row[], state: GroupState<unknown>) => unknown
}
/** A processor: made anew for every run of the query. */
export interface ProcessorFunction {
  readonly kind: 'processor'
  readonly name: string
  readonly timeMode: TimeMode
  readonly create: () => Processor
  /** How many calls, each with another key, may be under way at a time. */
  readonly concurrency: number
  /** How long a call may take; null: as long as it likes. */
  readonly timeoutMs: number | null
  readonly variables: readonly DeclaredVariable[]
  /** What deleteIfExists named. */
  readonly deleted: readonly string[]
  /** Column of the output that the watermark goes on with. */
  readonly eventTimeColumn: number | null
}
export type StateFunction = GroupFunction | ProcessorFunction
