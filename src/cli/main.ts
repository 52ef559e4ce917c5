import { parseArgs } from 'node:util'
import { activeEngines, millrace } from '../index.ts'
import { version } from '../version.ts'
import { checkpointHelp, runImport } from './checkpoint-import.ts'
import { exitCodes } from './exit-codes.ts'
import type { Terminal } from './report.ts'
import { runModule } from './run.ts'

export const help = `Usage: millrace run <module> [options]
       millrace checkpoint import <spark checkpoint> <new checkpoint>   (--help tells more)

Runs the queries that a module starts, until they end or a signal comes.
The module (.ts or .js) starts queries at its top level, or has a default export
  (engine) => query, an array of queries, or a promise of either.

Options:
  --takeover   take the checkpoint over from a run that still holds it; that run stops with FencedError
  --json       write every event as one line of JSON to standard output
  --help       show this text
  --version    show the version

The first SIGTERM or SIGINT lets the batch that runs finish and commit; a second one stops at once.
Nothing is lost either way: the next start goes on where the last committed batch ended.

Exit codes:
  0  all queries ended, or were drained
  1  a query or the module failed
  2  wrong usage: unknown option, no such module, no query started
  3  another run owns the checkpoint
  4  the checkpoint or the output is damaged or of another query
  128 + signal number  stopped at once by a second signal
`

const terminal: Terminal = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isScreen: process.stderr.isTTY === true,
  nowMs: () => performance.now(),
}

/** The command line: returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const parsed = parse(args)
  if ('wrong' in parsed) {
    terminal.err(`millrace: ${parsed.wrong}\n\n${help}`)
    return exitCodes.usage
  }
  const { values, positionals } = parsed
  if (values.version) {
    terminal.out(`${version}\n`)
    return exitCodes.done
  }
  if (values.help) {
    terminal.out(positionals[0] === 'checkpoint' ? checkpointHelp : help)
    return exitCodes.done
  }
  if (positionals[0] === 'checkpoint')
    return runImport({ from: positionals[2]!, to: positionals[3]!, moves: values.move, json: values.json }, terminal)
  // An option of the run, not of the module's code: the engine reads it wherever the module makes it.
  if (values.takeover) process.env['MILLRACE_TAKEOVER'] = 'true'
  return runModule(
    { file: positionals[1]!, json: values.json },
    { terminal, signals: process, exit: (code) => process.exit(code), makeEngine: () => millrace.local(), activeEngines },
  )
}

function parse(args: readonly string[]) {
  try {
    const parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        takeover: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        move: { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', short: 'v', default: false },
      },
    })
    if (parsed.values.help || parsed.values.version) return parsed
    const [command, file, ...more] = parsed.positionals
    if (command === undefined) return { wrong: 'a command is missing' }
    if (command === 'checkpoint') return file === 'import' && more.length === 2 ? parsed : { wrong: 'checkpoint import needs two folders' }
    if (command !== 'run') return { wrong: `there is no command "${command}"` }
    if (file === undefined) return { wrong: 'run needs the path of a module' }
    if (parsed.values.move.length > 0) return { wrong: '--move belongs to checkpoint import' }
    if (more.length > 0) return { wrong: `one module at a time, and "${more[0]}" is another` }
    return parsed
  } catch (error) {
    return { wrong: (error as Error).message }
  }
}
