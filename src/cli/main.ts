import { parseArgs } from 'node:util'
import { durationMsOf } from '../base/quantities.ts'
import { nearest } from '../base/suggest.ts'
import { activeEngines, millrace } from '../index.ts'
import { version } from '../version.ts'
import { checkpoint } from './checkpoint.ts'
import { dev } from './dev.ts'
import { dlq } from './dlq.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { explain } from './explain.ts'
import { serveHealth } from './health.ts'
import { type Command, helpTexts } from './help.ts'
import { init } from './init.ts'
import { plan } from './plan.ts'
import { progress } from './progress.ts'
import { type QueryEvent, QueryViews } from './query-events.ts'
import type { Terminal } from './report.ts'
import { errorText, runModule } from './run.ts'
import { processSignals } from './signals.ts'
import { state } from './state.ts'
import { supervise } from './supervise.ts'

const terminal: Terminal = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isScreen: process.stderr.isTTY === true,
  nowMs: () => performance.now(),
}

const optionsOf = {
  run: ['restart', 'max-restarts', 'restart-delay', 'health-port', 'takeover', 'json'],
  dev: ['json'],
  explain: ['json'],
  plan: ['checkpoint', 'json'],
  init: ['json'],
  progress: ['last', 'json'],
  checkpoint: [],
  dlq: [],
  state: [],
} as const satisfies Readonly<Record<Command, readonly string[]>>
const commands = Object.keys(optionsOf) as Command[]

/** Commands that have commands of their own. */
const groups: Readonly<Record<string, { readonly name: string; readonly run: typeof checkpoint } | undefined>> = {
  checkpoint: { name: 'checkpoint', run: checkpoint },
  dlq: { name: 'dlq', run: dlq },
  state: { name: 'state', run: state },
}

/** The command line: returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const group = groups[args.find((arg) => !arg.startsWith('-')) ?? '']
  if (group !== undefined) return withErrors(() => group.run(args.toSpliced(args.indexOf(group.name), 1), terminal))
  const parsed = parse(args)
  if ('wrong' in parsed) {
    terminal.err(`millrace: ${parsed.wrong}\n\n${helpTexts[parsed.command ?? '']}`)
    return exitCodes.usage
  }
  const { values, command, operand } = parsed
  if (values.version) {
    terminal.out(`${version}\n`)
    return exitCodes.done
  }
  if (values.help || command === undefined) {
    terminal.out(helpTexts[command ?? ''])
    return exitCodes.done
  }
  return withErrors(async () => {
    switch (command) {
      case 'run':
        return await run(operand!, values)
      case 'dev':
        return await dev(operand!, values.json, terminal)
      case 'explain':
        return await explain(operand!, values.json, terminal)
      case 'plan':
        return await plan(operand!, { json: values.json, checkpoint: values.checkpoint }, terminal)
      case 'init':
        return init(operand ?? '.', terminal)
      case 'progress':
        return await progress(operand!, { json: values.json, last: numberOf(values.last) }, terminal)
      default:
        throw new Error(`${command} has commands of its own`)
    }
  })
}

async function withErrors(work: () => Promise<number> | number): Promise<number> {
  try {
    return await work()
  } catch (error) {
    terminal.err(`millrace: ${errorText(error)}\n`)
    return exitCodeOf(error)
  }
}

type Values = Extract<ReturnType<typeof parse>, { values: unknown }>['values']

async function run(file: string, values: Values): Promise<number> {
  // An option of the run, not of the module's code: the engine reads it wherever the module makes it.
  if (values.takeover) process.env['MILLRACE_TAKEOVER'] = 'true'
  const healthPort = numberOf(values['health-port'])
  if (values.restart) {
    const restarts = { maxRestarts: numberOf(values['max-restarts']) ?? 10, firstDelayMs: durationMsOf(values['restart-delay'] ?? '1s')! }
    return supervise({ file, json: values.json, takeover: values.takeover, healthPort, ...restarts }, terminal)
  }
  const views = new QueryViews()
  const health = healthPort === undefined ? undefined : await serveHealth(healthPort, views, () => 0)
  if (health) terminal.err(`millrace: health on port ${health.port}\n`)
  const send = process.env['MILLRACE_WATCHED'] === 'true' ? process.send?.bind(process) : undefined
  // a process that is watched over must not outlive the one that watches
  if (send) process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  const tell = (event: QueryEvent) => {
    views.take(event)
    if (process.connected) send?.(event)
  }
  try {
    return await runModule(
      {
        file,
        json: values.json,
        isSilent: process.env['MILLRACE_SILENT'] === 'true',
        isRestarted: process.env['MILLRACE_RESTARTED'] === 'true',
      },
      { terminal, signals: processSignals(), exit: (code) => process.exit(code), makeEngine: () => millrace.local(), activeEngines, tell },
    )
  } finally {
    health?.close()
  }
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}

function parse(args: readonly string[]) {
  const command = commands.find((each) => each === args.find((arg) => !arg.startsWith('-')))
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        restart: { type: 'boolean', default: false },
        'max-restarts': { type: 'string' },
        'restart-delay': { type: 'string' },
        'health-port': { type: 'string' },
        last: { type: 'string' },
        checkpoint: { type: 'string' },
        takeover: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', short: 'v', default: false },
      },
    })
    if (values.help || values.version) return { values, command, operand: undefined }
    const [first, operand, ...more] = positionals
    if (first === undefined) return { wrong: 'a command is missing' }
    if (command === undefined || first !== command) {
      const [near] = nearest(first, commands, 1)
      return { wrong: `there is no command "${first}"${near ? `; did you mean ${near}?` : ''}` }
    }
    const wrong = wrongOperand(command, operand, more) ?? wrongOption(command, values)
    return wrong === undefined ? { values, command, operand } : { wrong, command }
  } catch (error) {
    return { wrong: (error as Error).message, ...(command ? { command } : {}) }
  }
}

function wrongOperand(command: Command, operand: string | undefined, more: readonly string[]): string | undefined {
  const isFolder = command === 'init' || command === 'progress'
  if (operand === undefined && command !== 'init') return `${command} needs the path of a ${isFolder ? 'checkpoint' : 'module'}`
  return more.length > 0 ? `one ${isFolder ? 'folder' : 'module'} at a time, and "${more[0]}" is another` : undefined
}

function wrongOption(command: Command, values: Readonly<Record<string, string | boolean | string[] | undefined>>): string | undefined {
  const known: readonly string[] = optionsOf[command]
  const foreign = Object.entries(values).find(
    ([name, value]) => value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0) && !known.includes(name),
  )
  if (foreign) return `${command} has no option --${foreign[0]}`
  const numbers = ['max-restarts', 'health-port', 'last'].find(
    (name) => values[name] !== undefined && !/^\d{1,9}$/.test(String(values[name])),
  )
  if (numbers) return `--${numbers} takes a whole number, not "${values[numbers]}"`
  if (Number(values['health-port'] ?? 0) > 65_535) return `--health-port takes a port from 0 to 65535, not "${values['health-port']}"`
  const delay = values['restart-delay']
  if (delay !== undefined && durationMsOf(String(delay)) === undefined)
    return `--restart-delay takes a duration such as 500ms or 2s, not "${delay}"`
  const onlyWith = ['max-restarts', 'restart-delay'].find((name) => values[name] !== undefined && !values['restart'])
  return onlyWith && `--${onlyWith} says nothing without --restart`
}
