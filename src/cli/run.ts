import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { InvalidQueryError, MillraceError } from '../base/errors.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { type FollowedEngine, Following } from './follow.ts'
import { eventReport, type QueryEvent, reportsTogether } from './query-events.ts'
import { jsonReport, plainReport, type Report, type Terminal } from './report.ts'
import type { Signals } from './signals.ts'

/** What `millrace run` needs from outside; a test gives its own. */
export interface RunEnvironment<Engine extends FollowedEngine> {
  readonly terminal: Terminal
  readonly signals: Signals
  /** Ends the process where it stands. */
  readonly exit: (code: number) => void
  readonly makeEngine: () => Promise<Engine>
  readonly activeEngines: () => Iterable<FollowedEngine>
  /** Hears of the queries besides the terminal: a health server, the process that watches over this one. */
  readonly tell?: (event: QueryEvent) => void
}
export interface RunOptions {
  readonly file: string
  readonly json: boolean
  /** Writes nothing: whoever is told shows it. */
  readonly isSilent?: boolean
  /** A process that is over is started again (--restart): so one query that failed of what may pass ends the others after their batches. */
  readonly isRestarted?: boolean
}

/**
 * Loads a module and stays until its queries have ended. The module starts queries at its top level, or its default export is a function that
 * is given an engine and returns the queries that it started. The first SIGTERM or SIGINT drains them, a second one ends the process at once.
 */
export async function runModule<Engine extends FollowedEngine>(options: RunOptions, environment: RunEnvironment<Engine>): Promise<number> {
  const { terminal, activeEngines } = environment
  const report = reportsTogether(
    ...(options.isSilent ? [] : [options.json ? jsonReport(terminal) : plainReport(terminal)]),
    ...(environment.tell ? [eventReport(environment.tell)] : []),
  )
  const following = new Following(report, (query) => {
    const { queries } = following
    if (!options.isRestarted || !mayPass(query) || !queries.some((each) => each.isActive)) return
    report.note(`${query.name ?? query.id} has failed for what may pass: the others finish their batches, and all start again`)
    following.stop({ drain: true })
  })
  const look = () => following.look(activeEngines())
  const forgetSignals = drainOnSignal(following, report, environment)
  // A module may start an engine and then wait for its query at the top level: engines are looked for while it loads.
  const looking = setInterval(look, 20)
  try {
    const queries = await startQueries(options.file, environment.makeEngine)
    look()
    for (const query of queries) following.follow(query)
    await following.ended()
    if (following.queries.length === 0) throw noQuery(options.file)
  } catch (error) {
    look()
    // Where the module fails because its query did, the query's end has been told already.
    if (!following.queries.some((query) => query.exception === error)) report.note(errorText(error))
    following.stop({ drain: true })
    await following.ended()
    return isUsage(error) ? exitCodes.usage : exitCodeOf(error)
  } finally {
    clearInterval(looking)
    forgetSignals()
  }
  const failed = (options.isRestarted ? following.queries.find(mayPass) : undefined) ?? following.queries.find((query) => query.exception)
  return failed ? exitCodeOf(failed.exception) : exitCodes.done
}

function mayPass(query: StreamingQuery): boolean {
  return query.exception !== null && exitCodeOf(query.exception) === exitCodes.unavailable
}

/** Loads the module, and lets its default export start what it starts. */
export async function startQueries<Engine>(file: string, makeEngine: () => Promise<Engine>): Promise<StreamingQuery[]> {
  const path = resolve(file)
  if (!existsSync(path)) throw usage('FILE_NOT_FOUND', `there is no module ${path}`, 'give the path of a .ts, .mts, .js or .mjs file')
  const module = await load(path)
  const started = await (typeof module.default === 'function' ? module.default(await makeEngine()) : module.default)
  return (await Promise.all(Array.isArray(started) ? started : [started])).filter(isQuery)
}
async function load(path: string): Promise<{ default?: unknown }> {
  try {
    return await import(pathToFileURL(path).href)
  } catch (error) {
    // what Node says of an import in a folder whose package.json has "type": "commonjs", as npm init writes it
    if (!(error instanceof SyntaxError)) throw error
    if (error.message !== 'Cannot use import statement outside a module') throw withPlace(error, path)
    throw usage(
      'MODULE_IS_COMMONJS',
      `${path} has import statements, and the nearest package.json says that it is no ES module`,
      'set "type": "module" in package.json (npm pkg set type=module), or give the file a name that ends in .mts or .mjs',
    )
  }
}
/** Node tells the place of a syntax error only where nobody catches it. */
function withPlace(error: SyntaxError, path: string): SyntaxError {
  if (!error.stack?.startsWith(error.name)) return error
  const { stderr } = spawnSync(process.execPath, ['--check', path], { encoding: 'utf8' })
  const [place = ''] = stderr.split('\n\n')
  error.stack = place.startsWith(path)
    ? `${place}\n\n${error}`
    : `${error}\n  in a module that ${path} imports; node --check <module> says where`
  return error
}
function isQuery(value: unknown): value is StreamingQuery {
  return typeof value === 'object' && value !== null && 'runId' in value && 'awaitTermination' in value
}

function drainOnSignal(following: Following, report: Report, environment: RunEnvironment<FollowedEngine>): () => void {
  let signalled = false
  const listeners = (['SIGTERM', 'SIGINT'] as const).map((signal) => {
    const listener = () => {
      if (signalled) {
        report.note(`${signal} again: stopping at once; the next start runs the batch again`)
        return environment.exit(exitCodes.signal + constants.signals[signal])
      }
      signalled = true
      report.note(`${signal}: finishing and committing the batch that runs (again to stop at once)`)
      following.stop({ drain: true })
    }
    environment.signals.on(signal, listener)
    return () => environment.signals.off(signal, listener)
  })
  return () => {
    for (const forget of listeners) forget()
  }
}

class UsageError extends InvalidQueryError {}
function usage(code: string, what: string, todo: string): UsageError {
  return new UsageError(code, { what, todo })
}
function noQuery(file: string): UsageError {
  return usage(
    'NO_QUERY_STARTED',
    `${file} started no query`,
    'start one with writeStream….start() at the top level, or export default a function (engine) => query',
  )
}
export function isUsage(error: unknown): boolean {
  return error instanceof UsageError
}
/** A Millrace error says all there is; anything else comes with its stack, and with its causes. */
export function errorText(error: unknown): string {
  const text = error instanceof MillraceError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
  const cause = error instanceof Error ? error.cause : undefined
  return cause === undefined ? text : `${text}\n  Caused by: ${errorText(cause)}`
}
