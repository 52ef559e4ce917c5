import type { QueryProgress } from '../query/query-progress.ts'

/** One line about one batch, for people: `clicks  batch 12  1,000 rows  25,000 in/s  80,000 done/s  5.1 ms  watermark 2001-01-02 03:00:00  state 4,120`. */
export function progressLine(progress: QueryProgress): string {
  const { inputRowsPerSecond: into, processedRowsPerSecond: done, eventTime, stateOperators } = progress
  const stateRows = stateOperators.reduce((sum, operator) => sum + operator.numRowsTotal, 0)
  const late = stateOperators.reduce((sum, operator) => sum + operator.numRowsDroppedByWatermark, 0)
  return [
    progress.name ?? progress.id,
    `batch ${progress.batchId}`,
    `${count(progress.numInputRows)} rows`,
    into === undefined ? '' : `${count(into)} in/s`,
    done === undefined ? '' : `${count(done)} done/s`,
    `${count(progress.batchDuration)} ms`,
    eventTime['watermark'] ? `watermark ${timeText(eventTime['watermark'])}` : '',
    stateOperators.length > 0 ? `state ${count(stateRows)}` : '',
    late > 0 ? `late ${count(late)}` : '',
  ]
    .filter((part) => part !== '')
    .join('  ')
}

/** 1234567.8 → 1,234,568 */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}
/** 2001-01-02T03:00:00.000Z → 2001-01-02 03:00:00 */
export function timeText(iso: string): string {
  return iso.replace('T', ' ').replace(/(\.\d+)?Z$/, '')
}

/** JSON of anything that a progress may hold; a long that is a bigint becomes a number where it is exact, else a string. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value, (_key, each) => {
    if (typeof each !== 'bigint') return each
    return Number.isSafeInteger(Number(each)) ? Number(each) : String(each)
  })
}
