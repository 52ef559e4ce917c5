import { type ImportReport, importCheckpoint, MillraceError } from '../index.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import type { Terminal } from './report.ts'

export interface ImportRequest {
  readonly from: string
  readonly to: string
  /** `prefix=path` each. */
  readonly moves: readonly string[]
  readonly json: boolean
}

/** Runs the command; returns the exit code. */
export async function runImport({ from, to, moves, json }: ImportRequest, terminal: Terminal): Promise<number> {
  const moved = moves.map((move) => ({ from: move.slice(0, Math.max(0, move.indexOf('='))), to: move.slice(move.indexOf('=') + 1) }))
  const wrong = moves.find((_, i) => moved[i]!.from === '' || moved[i]!.to === '')
  if (wrong !== undefined) {
    terminal.err(`millrace: --move takes <prefix>=<path>, not ${JSON.stringify(wrong)}\n`)
    return exitCodes.usage
  }
  try {
    const report = await importCheckpoint(from, to, moved)
    terminal.out(json ? `${JSON.stringify(report)}\n` : reportText(report))
    return exitCodes.done
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    if (json) terminal.out(`${JSON.stringify({ error: error.code, what: error.what, todo: error.todo })}\n`)
    else terminal.err(`millrace: ${error.message}\n`)
    return exitCodeOf(error)
  }
}

function reportText(report: ImportReport): string {
  const next = report.replays
    ? `Batch ${report.nextBatchId}, which Spark had planned and not committed, is run again with the same offsets.`
    : `The next batch is ${report.nextBatchId}.`
  return [
    `Imported ${report.from} into ${report.to} (query ${report.queryId}).`,
    next,
    '',
    'Taken over:',
    ...report.sources.map((source) => `  source ${source.name}, ${JSON.stringify(source.offset)}: ${source.taken}`),
    'Not taken over:',
    ...report.notTaken.map((text) => `  ${text}`),
    '',
    'What to do now:',
    `  start the query with option('checkpointLocation', ${JSON.stringify(report.to)})`,
    '  sources go by their names; without names by their place in the query: 0, 1, …',
    "  where it writes files into the folder that Spark wrote: option('adoptOutput', true) at the first start",
    '',
  ].join('\n')
}
