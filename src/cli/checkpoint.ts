import { collectCheckpointGarbage, copyCheckpoint, listCheckpoint, MillraceError, showBatch, verifyCheckpoint } from '../index.ts'
import { runImport } from './checkpoint-import.ts'
import { batchText, copyText, garbageText, overviewText, verifyText } from './checkpoint-text.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { jsonLine } from './progress-line.ts'
import type { Terminal } from './report.ts'
import { numberOption, type Parsed, parseSubcommand } from './subcommands.ts'

export const checkpointHelp = `Usage: millrace checkpoint <command> <checkpoint> [options]

Commands:
  ls <checkpoint>              the batches: when, watermark, rows, files and bytes
  show <checkpoint> <batch>    what one batch did: offsets from and to, watermark, configuration, state, sink
  verify <checkpoint>          hold every file against its checksum, and name what is damaged or missing
  gc <checkpoint>              list what nobody needs; with --delete remove it
  copy <checkpoint> <folder>   a checkpoint that goes on exactly after a batch, in a folder that is empty or not there
  import <spark> <folder>      a checkpoint with which a Millrace query goes on where a Spark query has stopped

ls, show, verify, copy, and gc without --delete only read, also while the query runs.

Options:
  --last <n>              ls: only the newest n batches
  --delete                gc: delete. Refused while a run is alive; no query can start meanwhile
  --dry-run               gc: only list, which is the default
  --retain-batches <n>    gc: newest batches that stay in the logs, with their state (default 100)
  --retain-days <days>    gc: how long the history of older batches and the restore points stay (default 7)
  --batch <n>             copy: the last batch of the copy (default: the newest committed)
  --new-id                copy: another query id (the default): outputs of the original are refused, not mixed up
  --same-id               copy: keep the query id, for a checkpoint that takes the place of the original
  --move <prefix>=<path>  import: where files are now that Spark's log names under another prefix; may be repeated
  --json                  print JSON in place of text
  --help                  show this text

Exit codes:
  0  done; verify: nothing is damaged
  2  wrong usage
  3  gc --delete: a run holds the checkpoint
  4  the checkpoint is damaged
  5  there is no such checkpoint or batch, or it can't be done; the message says why
`

const commands = {
  ls: { operands: ['the folder of a checkpoint'], options: ['last', 'json'] },
  show: { operands: ['the folder of a checkpoint', 'the number of a batch'], options: ['json'] },
  verify: { operands: ['the folder of a checkpoint'], options: ['json'] },
  gc: { operands: ['the folder of a checkpoint'], options: ['delete', 'dry-run', 'retain-batches', 'retain-days', 'json'] },
  copy: { operands: ['the folder of a checkpoint', 'a new folder'], options: ['batch', 'same-id', 'new-id', 'json'] },
  import: { operands: ["the folder of Spark's checkpoint", 'a new folder'], options: ['move', 'json'] },
} as const

/** `millrace checkpoint …`: returns the exit code. */
export async function checkpoint(args: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseSubcommand('checkpoint', args, commands)
  if ('help' in parsed) {
    terminal.out(checkpointHelp)
    return exitCodes.done
  }
  const wrong = 'wrong' in parsed ? parsed.wrong : conflict(parsed)
  if (wrong !== undefined) {
    terminal.err(`millrace: ${wrong}\n\n${checkpointHelp}`)
    return exitCodes.usage
  }
  return runReported(parsed as Parsed, terminal, (command) => run(command, terminal))
}

function conflict({ name, operands, values }: Parsed): string | undefined {
  if (values['delete'] && values['dry-run']) return '--delete and --dry-run say the opposite of each other'
  if (values['same-id'] && values['new-id']) return '--same-id and --new-id say the opposite of each other'
  return name === 'show' && !/^\d{1,15}$/.test(operands[1]!) ? `a batch is a whole number, not "${operands[1]}"` : undefined
}

/** Errors of Millrace as text or JSON, with their exit code. */
export async function runReported(parsed: Parsed, terminal: Terminal, work: (parsed: Parsed) => Promise<number>): Promise<number> {
  try {
    return await work(parsed)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    if (parsed.values['json']) terminal.out(`${JSON.stringify({ error: error.code, what: error.what, todo: error.todo })}\n`)
    else terminal.err(`millrace: ${error.message}\n`)
    return exitCodeOf(error)
  }
}

async function run(parsed: Parsed, terminal: Terminal): Promise<number> {
  const { name, operands, values } = parsed
  const [folder, second] = operands as [string, string]
  const tell = <T>(report: T, text: (report: T) => string) => terminal.out(values['json'] ? `${jsonLine(report)}\n` : text(report))
  const onProgress = progressOn(terminal)
  switch (name) {
    case 'ls': {
      const last = numberOption(parsed, 'last')
      tell(await listCheckpoint(folder, last === undefined ? {} : { last }), overviewText)
      return exitCodes.done
    }
    case 'show':
      tell(await showBatch(folder, Number(second)), batchText)
      return exitCodes.done
    case 'verify': {
      const report = await verifyCheckpoint(folder, { onProgress })
      tell(report, verifyText)
      return report.problems.length > 0 ? exitCodes.corrupt : exitCodes.done
    }
    case 'gc': {
      const retainBatches = numberOption(parsed, 'retain-batches')
      const retainDays = numberOption(parsed, 'retain-days')
      const options = { ...(retainBatches !== undefined && { retainBatches }), ...(retainDays !== undefined && { retainDays }) }
      tell(await collectCheckpointGarbage(folder, { ...options, delete: values['delete'] === true, onProgress }), garbageText)
      return exitCodes.done
    }
    case 'copy': {
      const batchId = numberOption(parsed, 'batch')
      const options = { ...(batchId !== undefined && { batchId }), sameId: values['same-id'] === true, onProgress }
      tell(await copyCheckpoint(folder, second, options), copyText)
      return exitCodes.done
    }
    default:
      return runImport({ from: folder, to: second, moves: (values['move'] ?? []) as string[], json: values['json'] === true }, terminal)
  }
}

/** On a screen, how far long work has come, at most five times a second. */
function progressOn(terminal: Terminal): (done: number, total: number) => void {
  let toldMs = terminal.nowMs()
  let told = false
  return (done, total) => {
    if (!terminal.isScreen) return
    if (done >= total) {
      if (told) terminal.err('\r\x1b[K')
      return
    }
    if (terminal.nowMs() - toldMs < 200) return
    toldMs = terminal.nowMs()
    told = true
    terminal.err(`\r\x1b[K${done} of ${total}`)
  }
}
