import { activeEngines, millrace, type PlannedQuery, plannedQueries } from '../index.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import type { Terminal } from './report.ts'
import { errorText, isUsage, startQueries } from './run.ts'

/** `millrace plan`: loads the module; its queries are compared with their checkpoints, and none runs. */
export async function plan(
  file: string,
  { json, checkpoint }: { json: boolean; checkpoint: string | undefined },
  terminal: Terminal,
): Promise<number> {
  process.env['MILLRACE_PLAN'] = 'true'
  if (checkpoint !== undefined) process.env['MILLRACE_PLAN_CHECKPOINT'] = checkpoint
  let failure: unknown
  try {
    await startQueries(file, () => millrace.local())
  } catch (error) {
    failure = error
  }
  const queries = plannedQueries()
  for (const query of queries) terminal.out(json ? `${JSON.stringify({ event: 'plan', ...query })}\n` : planText(query))
  await Promise.allSettled(activeEngines().map((engine) => engine.close()))
  if (failure !== undefined) {
    terminal.err(`millrace: ${errorText(failure)}\n`)
    return isUsage(failure) ? exitCodes.usage : exitCodeOf(failure)
  }
  if (queries.length === 0) {
    terminal.err(`millrace: NO_QUERY_STARTED: ${file} started no query\n`)
    return exitCodes.usage
  }
  return queries.some(({ verdict }) => verdict === 'refused') ? exitCodes.refused : exitCodes.done
}

/** What a person reads of a planned query. */
export function planText({ name, checkpoint, verdict, parts }: PlannedQuery): string {
  const lines = [`== ${name ?? 'query without a name'}: ${verdict} (${checkpoint ?? 'no checkpoint'}) ==`]
  for (const part of parts) {
    lines.push(`${part.part} ${part.name}: ${part.verdict}`)
    for (const { what, because, code, todo, pattern } of part.changes) {
      lines.push(`  ${code ? `${code}: ` : ''}${what}: ${because}`)
      if (todo) lines.push(`    What to do: ${todo}${pattern ? ` [${pattern}]` : ''}`)
    }
  }
  return `${lines.join('\n')}\n\n`
}
