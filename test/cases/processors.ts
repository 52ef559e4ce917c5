import { type OutputRows, type StatefulProcessor, type StatefulProcessorHandle, type TimerValues, t, type ValueState } from 'millrace'
import { assertOnQuery, type StreamAction } from 'millrace/testing'
import { expect } from 'vitest'

export const counted = { value: t.string(), count: t.string() }
export const values = (...of: string[]) => of.map((value) => ({ value }))
export interface Word {
  readonly value: string
}
export interface Counted {
  readonly value: string
  readonly count: string
}
export const metric = (name: string, expected: number): StreamAction =>
  assertOnQuery(`${name} is ${expected}`, (query) => {
    expect(query.lastProgress!.stateOperators[0]!.customMetrics[name]).toBe(expected)
  })

/** Counts words; at three the count goes, and nothing comes out. */
export class RunningCount implements StatefulProcessor<Word, Word, Counted> {
  protected handle!: StatefulProcessorHandle
  protected count!: ValueState<bigint, bigint | number>
  init(handle: StatefulProcessorHandle) {
    this.handle = handle
    this.count = handle.getValueState('countState', t.long())
  }
  handleInputRows({ value }: Word, rows: readonly Word[], _timerValues: TimerValues): OutputRows<Counted> {
    const count = (this.count.get() ?? 0n) + BigInt(rows.length)
    if (count === 3n) return this.count.clear()
    this.count.update(count)
    return [{ value, count: String(count) }]
  }
}
/** As RunningCount, with timers of five seconds for a and c. */
export class RunningCountWithTimer extends RunningCount {
  override handleInputRows(key: Word, rows: readonly Word[], timerValues: TimerValues) {
    if (key.value === 'a' || key.value === 'c') this.handle.registerTimer(timerValues.getCurrentProcessingTimeInMs() + 5000)
    return super.handleInputRows(key, rows, timerValues)
  }
  handleExpiredTimer({ value }: Word): Counted[] {
    this.count.clear()
    return [{ value, count: '-1' }]
  }
}
