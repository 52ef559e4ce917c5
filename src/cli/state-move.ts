import { moveState } from '../index.ts'
import { exitCodes } from './exit-codes.ts'
import { jsonLine } from './progress-line.ts'
import type { Terminal } from './report.ts'
import type { Parsed } from './subcommands.ts'

/** `millrace state move <checkpoint> --to memory|rocksdb`. */
export async function runMove({ operands, values }: Parsed, terminal: Terminal): Promise<number> {
  const to = String(values['to'] ?? '')
  if (to !== 'memory' && to !== 'rocksdb') {
    terminal.err(`millrace: state move needs --to memory or --to rocksdb${to === '' ? '' : `, not "${to}"`}\n`)
    return exitCodes.usage
  }
  const local = values['local-folder']
  const report = await moveState(operands[0]!, to, local === undefined ? {} : { localFolder: String(local) })
  if (values['json']) terminal.out(`${jsonLine({ ...report })}\n`)
  else if (report.from === to) terminal.out(`${report.path} keeps its state with the ${to} provider already; nothing was changed\n`)
  else
    terminal.out(
      `${report.path} (query ${report.queryId}) keeps its state with the ${to} provider from its next start on; it was the ${report.from} provider\n`,
    )
  return exitCodes.done
}
