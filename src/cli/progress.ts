import { resolve } from 'node:path'
import { progressJson, readProgressHistory } from '../index.ts'
import { exitCodeOf } from './exit-codes.ts'
import { progressLine } from './progress-line.ts'
import type { Terminal } from './report.ts'
import { errorText } from './run.ts'

/** `millrace progress`: what the batches of a checkpoint did, over all its runs; also while its query runs. */
export async function progress(
  checkpoint: string,
  options: { readonly json: boolean; readonly last: number | undefined },
  terminal: Terminal,
): Promise<number> {
  try {
    const all = await readProgressHistory(resolve(checkpoint))
    for (const each of options.last === undefined ? all : all.slice(-options.last))
      terminal.out(options.json ? `${progressJson(each)}\n` : `${each.timestamp}  ${progressLine(each)}\n`)
    return 0
  } catch (error) {
    terminal.err(`millrace: ${errorText(error)}\n`)
    return exitCodeOf(error)
  }
}
