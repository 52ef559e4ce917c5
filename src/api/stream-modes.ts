/** Which output modes a streaming query has left, by what it was made of, at type level. */

/** What a streaming query may have been made of, and the output modes that are left. */
export interface ModesOf {
  rows: 'append' | 'update'
  aggregated: 'append' | 'update' | 'complete'
  'aggregated without watermark': 'update' | 'complete'
  'sorted aggregate': 'complete'
  'sorted rows': never
  'limited rows': 'append'
  'distinct rows': 'append' | 'update'
  'joined streams': 'append' | 'update'
  'outer joined streams': 'append'
  'several stateful steps': 'append'
  'limited aggregate': 'append' | 'complete'
  sessions: 'append' | 'complete'
  'sessions without watermark': 'complete'
  'updated groups': 'update'
  'appended groups': 'append'
  'transformed groups': 'append' | 'update'
}
export type StreamState = keyof ModesOf
export type Kind = 'batch' | StreamState
/** Says in the error why a mode is not possible. No string: a string would be offered as a completion of outputMode(''). */
export interface Unsupported<Reason extends string> {
  readonly unsupported: Reason
}
type NoWatermark =
  Unsupported<"outputMode('append') (the default) after an aggregation needs a watermarked event-time key: call .withWatermark(column, delay) and group by that column or window(column, ...), or say outputMode('update') or 'complete'">
export type WhyNot<Q extends StreamState, M> = Q extends 'sorted rows'
  ? Unsupported<"a stream of rows has no order: only an aggregated stream in outputMode('complete') can be sorted">
  : Q extends 'sorted aggregate'
    ? Unsupported<"a sorted or limited aggregation needs outputMode('complete')">
    : Q extends 'sessions' | 'sessions without watermark'
      ? M extends 'update'
        ? Unsupported<"sessions may still grow into one: a query that groups by session_window supports outputMode('append') and 'complete' only">
        : NoWatermark
      : M extends 'complete'
        ? Unsupported<"outputMode('complete') needs an aggregation: add .groupBy(...).agg(...)">
        : Q extends 'updated groups'
          ? Unsupported<"mapGroupsWithState, and flatMapGroupsWithState with outputMode: 'update', need outputMode('update') of the query">
          : Q extends 'aggregated without watermark'
            ? NoWatermark
            : Unsupported<"this query has a step that supports outputMode('append') only">
