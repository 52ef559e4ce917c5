import { checkpointHelp } from './checkpoint.ts'
import { dlqHelp } from './dlq.ts'
import { stateHelp } from './state.ts'

const shared = `  --json       write every event as one line of JSON to standard output
  --help       show this text
  --version    show the version
`
const codes = `Exit codes:
  0  all queries ended, or were drained
  1  the module failed with an error of its own
  2  wrong usage: unknown option, no such module, no query started
  3  another run owns the checkpoint
  4  the checkpoint or the output is damaged or of another query
  5  a query can't run as it is written, or over the data that it met
  6  something outside was not there: a start goes on where it stood
  7  a function of yours has thrown
  8  a defect of Millrace
  9  crash loop: --restart gave up
  10 plan: a query can't go on with its checkpoint
  128 + signal number  stopped at once by a second signal
`

/** The help of the command, and of each of its commands. */
export const helpTexts = {
  '': `Usage: millrace <command> [options]

Commands:
  run <module>            run the queries that a module starts
  dev <module>            the same, anew at every change, with a live table of the queries
  explain <module>        show the plans of its queries, and run none
  plan <module>           say what a start would do with the checkpoints of its queries, and run none
  init [folder]           make a project that runs at once
  checkpoint <command>    what is in a checkpoint: ls, show, verify, gc, copy; import takes over one of Spark
  dlq <command>           the dead letters of a query: ls, show, and replay into a file source
  state <command>         what a query remembers: ls, show, query with SQL; move to another provider
  progress <checkpoint>   show what the batches of a query did, over all its runs

millrace <command> --help says more. Colours: only on a screen; NO_COLOR=1 and FORCE_COLOR=1 say otherwise.

${codes}`,
  run: `Usage: millrace run <module> [options]

Runs the queries that a module starts, until they end or a signal comes.
The module (.ts or .js) starts queries at its top level, or has a default export
  (engine) => query, an array of queries, or a promise of either.

Options:
  --restart               start again after what may pass: exit code 6, or a process that was killed. Where one query of
                          several fails so, the others finish their batches first
  --max-restarts <n>      short runs in a row after which --restart gives up (default 10; 0: never)
  --restart-delay <time>  before the first restart (default 1s); twice as long each time, up to 1min, with jitter
  --health-port <port>    answer /healthz (no query has failed) and /readyz (all queries run) on this port; 0 picks one
  --takeover              take the checkpoint over from a run that still holds it; that run stops with FencedError
${shared}
A query that fails leaves the others running (but see --restart); the exit code is that of the first that failed.
The first SIGTERM or SIGINT lets the batch that runs finish and commit; a second one stops at once.
Nothing is lost either way: the next start goes on where the last committed batch ended.

${codes}`,
  dev: `Usage: millrace dev <module> [options]

Runs the module, and loads it anew whenever a source file beside it or below changes. Each query goes on from its
checkpoint; one that has changed so that it can't begins a new one, and the old is kept beside it as <checkpoint>.before-<time>.
On a screen a table shows every query: rates, watermark, late rows, state. SIGINT or SIGTERM drains and ends.

Options:
${shared}`,
  explain: `Usage: millrace explain <module> [options]

Loads the module; its queries are checked and planned as a start would, and nothing runs or is written.
Exit code 0, 2 (no such module, no query) or 5 (a query can't run as it is written).

Options:
${shared}`,
  plan: `Usage: millrace plan <module> [options]

Loads the module and compares each of its queries with its checkpoint; nothing runs or is written. Says for every source,
sink and stateful operator: same, migrated (how), rebuilt (without the state, and why that is right) or refused (why, and
how to deploy it). Exit code 0, 10 (something is refused), 2 (no such module, no query), 4 or 5 (as a start would end).

Options:
  --checkpoint <folder>  compare with this checkpoint, and not with the one in the module
${shared}`,
  init: `Usage: millrace init [folder]

Makes a project in the folder (default: this one, which must be empty): a typed query over files, a test, and scripts to run both.

Options:
${shared}`,
  progress: `Usage: millrace progress <checkpoint> [options]

Shows the progress of the batches of a query over all its runs, as far back as its history goes. The query may be running.

Options:
  --last <n>   only the last n batches
${shared}`,
  checkpoint: checkpointHelp,
  dlq: dlqHelp,
  state: stateHelp,
} as const
export type Command = Exclude<keyof typeof helpTexts, ''>
