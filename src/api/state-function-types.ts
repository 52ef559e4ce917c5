/** Functions with state as the compiler sees them. */

import type { Schema } from '../data/schema.ts'
import type {
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
} from '../data/state-function.ts'
import type { AnyFrame, Frame, Kind, Row } from './frame-types.ts'
import type { ColumnsOf, StandardSchema } from './standard-schema.ts'
import type { InputRow, Js, JsInput, SchemaJson, TypeToken, Watermark } from './types.ts'

/** What a value of a state is: one value (`t.long()`, 'bigint'), or a row (`{ n: t.long(), last: t.timestamp() }`, 'n bigint, last timestamp', a schema of zod, a Schema). */
export type StateType = TypeToken<any> | Columns | StandardSchema | SchemaJson | Schema | string
/** The columns of an output: as a schema anywhere. */
export type OutputColumns = Columns | StandardSchema | SchemaJson | Schema | string
interface Columns {
  readonly [column: string]: TypeToken<any>
}

/** The schema that an OutputColumns stands for. */
export type Declared<D> = D extends string | Schema | SchemaJson
  ? any
  : D extends StandardSchema
    ? ColumnsOf<D>
    : { -readonly [P in keyof D]: D[P] extends TypeToken<infer T> ? T : never }
/** The values of a StateType, as they come out and as they go in. */
export type StateValue<D> = D extends string | Schema | SchemaJson ? any : D extends TypeToken<infer T> ? Js<T> : Row<Declared<D>>
export type StateInput<D> = D extends string | Schema | SchemaJson ? any : D extends TypeToken<infer T> ? JsInput<T> : InputRow<Declared<D>>

/** How long values of a variable live: in processing time, from their last update ('1 hour', or milliseconds). */
export interface TTLConfig {
  readonly ttlDuration: string | number
}

/** What a processor works with. Variables are declared in `init` and used in the other calls; a variable holds the values of the key that the call is about. */
export interface StatefulProcessorHandle {
  /** One value a key. With a TTL the value is gone so long after its last update. */
  getValueState<const D extends StateType>(name: string, type: D, ttl?: TTLConfig): ValueState<StateValue<D>, StateInput<D>>
  /** A list a key; with a TTL each element goes by itself. */
  getListState<const D extends StateType>(name: string, type: D, ttl?: TTLConfig): ListState<StateValue<D>, StateInput<D>>
  /** A map a key; with a TTL each entry goes by itself. */
  getMapState<const U extends StateType, const D extends StateType>(
    name: string,
    userKeyType: U,
    valueType: D,
    ttl?: TTLConfig,
  ): MapState<StateValue<U>, StateValue<D>, StateInput<U>, StateInput<D>>
  /** In init: removes a variable that an earlier version of the processor declared, with all its values. */
  deleteIfExists(name: string): void
  /** Calls handleExpiredTimer for this key once the time (processing time) or the watermark (event time) has come to it. Milliseconds since 1970; one that has passed fires in this batch. */
  registerTimer(expiryTimestampMs: number): void
  deleteTimer(expiryTimestampMs: number): void
  /** The timers of this key, the earliest first; in handleExpiredTimer also the one that is being called. */
  listTimers(): number[]
  getQueryInfo(): QueryInfo
}

/**
 * Code with state for each key, called for one key after the other, or for several at a time (`concurrency`). Every call may be asynchronous; what it gives are rows (or nothing), of which the state is only
 * changed by what the call does before the last of them. A replay of a batch calls the same with the same state, time and watermark: what the calls do elsewhere may be
 * done twice.
 */
export interface StatefulProcessor<K, V, O, I = any> {
  /** Declares the variables, the same each time. Called once when the query is written (to know the variables; then comes close), and once for each run. */
  init(handle: StatefulProcessorHandle): unknown
  /** The rows of a key in this batch. */
  handleInputRows(key: K, rows: readonly V[], timerValues: TimerValues): OutputRows<O>
  /** A timer of the key has expired. */
  handleExpiredTimer?(key: K, timerValues: TimerValues, expiredTimerInfo: ExpiredTimerInfo): OutputRows<O>
  /** A row of the initial state, before the first rows. */
  handleInitialState?(key: K, initialState: I, timerValues: TimerValues): unknown
  /** The run is over. */
  close?(): unknown
}

export interface TransformWithStateOptions<
  D extends OutputColumns,
  C extends string = never,
  M extends 'append' | 'update' = 'append' | 'update',
> {
  /** The columns of the rows that the processor gives. */
  readonly output: D
  /** What timers go by. Default None: no timers, no TTL. */
  readonly timeMode?: TimeMode
  /** Default append. */
  readonly outputMode?: M
  /** A table with the columns of the key, whose rows handleInitialState gets in the first batch. */
  readonly initialState?: AnyFrame<any, 'batch'>
  /** The column of the output that holds the event time, on which the watermark goes on: so that steps with state may follow. */
  readonly eventTimeColumnName?: C
  /**
   * How many calls of asynchronous functions may be under way at a time, each with another key: 1 (the default) to 4096. A key's calls follow one another, and rows and
   * state are those of one call after the other. With more than one a call must keep nothing in the processor's own fields while it waits.
   */
  readonly concurrency?: number
  /**
   * How long a call of an asynchronous function may take until all its rows are there, such as '30 seconds' (default: as long as it likes). One that takes longer ends the
   * query with USER_FUNCTION_TIMEOUT.
   */
  readonly callTimeout?: string
}
export interface GroupStateOptions<St extends StateType, D extends OutputColumns> {
  /** What the state of a key is. */
  readonly state: St
  /** The columns of the rows that the function gives. */
  readonly output: D
  /** Default NoTimeout. */
  readonly timeout?: GroupStateTimeout
  /** A table with the columns of the key and of the state, one row a key: the states to begin with. */
  readonly initialState?: AnyFrame<any, 'batch'>
  /**
   * How many calls of asynchronous functions may be under way at a time, each with another key: 1 (the default) to 4096. A key's calls follow one another, and rows and
   * state are those of one call after the other.
   */
  readonly concurrency?: number
  /**
   * How long a call of an asynchronous function may take until all its rows are there, such as '30 seconds' (default: as long as it likes). One that takes longer ends the
   * query with USER_FUNCTION_TIMEOUT.
   */
  readonly callTimeout?: string
}
export interface FlatMapGroupsOptions<St extends StateType, D extends OutputColumns, M extends 'append' | 'update'>
  extends GroupStateOptions<St, D> {
  /** What the rows mean: additions (append, the default) or new versions of rows (update). The query has the same mode. */
  readonly outputMode?: M
}

export type AfterGroups<K extends Kind, Q extends Kind> = K extends 'batch' ? 'batch' : K extends 'rows' ? Q : 'several stateful steps'
type Marked<O, C> = [C] extends [never] ? O : { [P in keyof O]: P extends C ? O[P] & Watermark : O[P] }

/** Functions of the program with state for each key. */
export interface StateFunctions<S, G, K extends Kind> {
  /**
   * Calls the function for each key that has rows (or whose timeout has passed) with the key, its rows in the order of their coming and its state; it gives one row. On a
   * stream in update mode only. May be asynchronous. What it throws is UserFunctionError FLATMAPGROUPSWITHSTATE_USER_FUNCTION_ERROR, with the key.
   */
  mapGroupsWithState<const St extends StateType, const D extends OutputColumns>(
    f: (
      key: Row<G>,
      rows: readonly Row<S>[],
      state: GroupState<StateValue<St>, StateInput<St>>,
    ) => InputRow<Declared<D>> | Promise<InputRow<Declared<D>>>,
    options: GroupStateOptions<St, D>,
  ): Frame<Declared<D>, AfterGroups<K, 'updated groups'>>
  /** As mapGroupsWithState; the function gives any number of rows: a list, a generator, or a promise of one. */
  flatMapGroupsWithState<const St extends StateType, const D extends OutputColumns, const M extends 'append' | 'update' = 'append'>(
    f: (key: Row<G>, rows: readonly Row<S>[], state: GroupState<StateValue<St>, StateInput<St>>) => OutputRows<InputRow<Declared<D>>>,
    options: FlatMapGroupsOptions<St, D, M>,
  ): Frame<Declared<D>, AfterGroups<K, M extends 'append' ? 'appended groups' : 'updated groups'>>
  /**
   * Runs a processor, which keeps any number of variables and timers for each key: `transformWithState(() => new Counter(), { output: { … } })`. The function makes
   * the processor: once to learn its variables, then once for each run. What it throws is UserFunctionError TRANSFORM_WITH_STATE_USER_FUNCTION_ERROR, with the key.
   */
  transformWithState<const D extends OutputColumns, const C extends keyof Declared<D> & string = never>(
    create: () => StatefulProcessor<Row<G>, Row<S>, InputRow<Declared<D>>>,
    options: TransformWithStateOptions<D, C>,
  ): Frame<Marked<Declared<D>, C>, AfterGroups<K, 'transformed groups'>>
}
