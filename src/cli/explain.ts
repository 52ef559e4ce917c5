import { activeEngines, explainedQueries, millrace } from '../index.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import type { Terminal } from './report.ts'
import { errorText, isUsage, startQueries } from './run.ts'

/** `millrace explain`: loads the module; its queries are checked and planned, and none runs. */
export async function explain(file: string, json: boolean, terminal: Terminal): Promise<number> {
  process.env['MILLRACE_EXPLAIN'] = 'true'
  let failure: unknown
  try {
    await startQueries(file, () => millrace.local())
  } catch (error) {
    failure = error
  }
  for (const { name, format, outputMode, logical, physical } of explainedQueries()) {
    if (json) terminal.out(`${JSON.stringify({ event: 'plan', name, format, outputMode, logical, physical })}\n`)
    else terminal.out(`== ${name ?? 'query without a name'} into ${format} ==\n${logical}\n\n${physical}\n\n`)
  }
  await Promise.allSettled(activeEngines().map((engine) => engine.close()))
  if (failure !== undefined) {
    terminal.err(`millrace: ${errorText(failure)}\n`)
    return isUsage(failure) ? exitCodes.usage : exitCodeOf(failure)
  }
  if (explainedQueries().length > 0) return exitCodes.done
  terminal.err(`millrace: NO_QUERY_STARTED: ${file} started no query\n`)
  return exitCodes.usage
}
