export { ManualClock } from '../base/clock.ts'
export { differenceOfRows, type ExpectedRow } from './compare-rows.ts'
export * from './test-stream.ts'
export { TestSink } from './test-sink.ts'
