import type { Paint } from './colours.ts'
import { count, timeText } from './progress-line.ts'
import type { QueryView } from './query-events.ts'

const headings = ['query', 'batch', 'rows', 'in/s', 'done/s', 'ms', 'watermark', 'late', 'state', '']

/** Every query of a process as a table, a line each. */
export function liveTable(queries: readonly QueryView[], paint: Paint): string {
  const rows = queries.map(({ name, id, state, progress, lateRows, message }) => {
    const operators = progress?.stateOperators ?? []
    const watermark = progress?.eventTime['watermark']
    return [
      name ?? id.slice(0, 8),
      progress ? String(progress.batchId) : '–',
      progress ? count(progress.numInputRows) : '–',
      progress?.inputRowsPerSecond === undefined ? '–' : count(progress.inputRowsPerSecond),
      progress?.processedRowsPerSecond === undefined ? '–' : count(progress.processedRowsPerSecond),
      progress ? count(progress.batchDuration) : '–',
      watermark ? timeText(watermark) : '–',
      operators.length > 0 ? count(lateRows) : '–',
      operators.length > 0 ? count(operators.reduce((sum, { numRowsTotal }) => sum + numRowsTotal, 0)) : '–',
      state === 'failed' ? `failed: ${message?.split('\n')[0]}` : state,
    ]
  })
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]!.length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === 0 || i === cells.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd()
  return [
    paint('dim', line(headings)),
    ...rows.map((row, i) => paint(queries[i]!.state === 'failed' ? 'red' : queries[i]!.state === 'running' ? 'green' : 'dim', line(row))),
  ].join('\n')
}
