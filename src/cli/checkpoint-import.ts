import { type ImportReport, importCheckpoint, MillraceError } from '../index.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import type { Terminal } from './report.ts'

export const checkpointHelp = `Usage: millrace checkpoint import <spark checkpoint> <new checkpoint> [options]

Makes a checkpoint with which a Millrace query goes on where a Spark query has stopped: no row is lost, none is read twice.
Stop the Spark query first. Its checkpoint is only read. Queries with state can't move over: Spark's state files can't be read.

Options:
  --move <prefix>=<path>   where files are now that Spark's log names under another prefix (hdfs://cluster/in=/mnt/in); may be repeated
  --json                   print the report as JSON
  --help                   show this text

Exit codes:
  0  the new checkpoint is there
  5  it can't be made; the message says why
  2  wrong usage
  4  Spark's checkpoint is damaged
`

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
