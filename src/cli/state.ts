import { CheckpointState, type StateQueryResult, type StateTableInfo, showTable } from '../index.ts'
import { runReported } from './checkpoint.ts'
import { exitCodes } from './exit-codes.ts'
import { jsonLine } from './progress-line.ts'
import type { Terminal } from './report.ts'
import { tableText } from './size-text.ts'
import { runMove } from './state-move.ts'
import { numberOption, type Parsed, parseSubcommand } from './subcommands.ts'

export const stateHelp = `Usage: millrace state <command> <checkpoint> [options]

Shows what a query remembers, as of its newest committed batch; also while it runs, without disturbing it. move is for a query that is stopped.

Commands:
  ls <checkpoint>             the tables: a store of an operator each, with its rows and columns
  show <checkpoint> [table]   the first rows of a table, or of each
  query <checkpoint> <sql>    the rows of one SELECT in the SQL of DuckDB over these tables
  move <checkpoint> --to <p>  keep the state with the provider memory or rocksdb from the next start on

Tables are called state_<operator>, state_<operator>_<store> (both sides of a join, variables of transformWithState) and
timers_<operator>. Their columns are those of the key, then those of the value, then partition_id; a window is a struct:
  millrace state query checkpoints/c "SELECT w.start, sum(n) FROM state_0 GROUP BY ALL ORDER BY 1"

Options:
  --batch <n>    the state after batch n, where that is kept (default: the newest committed)
  --limit <n>    at most so many rows (show: 20; query: all)
  --to <p>       move: memory or rocksdb
  --local-folder <folder>   move: what millrace.stateStore.localFolder says, so that a database there is removed
  --json         print JSON: ls and move one object, show and query a line for each row
  --help         show this text

Exit codes:
  0  done
  2  wrong usage
  3  a run holds the checkpoint (move)
  4  the checkpoint is damaged
  5  there is no such checkpoint, batch or table, it has no state, or the SQL can't be run
`

const commands = {
  ls: { operands: ['the folder of a checkpoint'], options: ['batch', 'json'] },
  show: { operands: ['the folder of a checkpoint', 'a table?'], options: ['batch', 'limit', 'json'] },
  query: { operands: ['the folder of a checkpoint', 'a SELECT'], options: ['batch', 'limit', 'json'] },
  move: { operands: ['the folder of a checkpoint'], options: ['to', 'local-folder', 'json'] },
} as const

/** `millrace state …`: returns the exit code. */
export async function state(args: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseSubcommand('state', args, commands)
  if ('help' in parsed) {
    terminal.out(stateHelp)
    return exitCodes.done
  }
  if ('wrong' in parsed) {
    terminal.err(`millrace: ${parsed.wrong}\n\n${stateHelp}`)
    return exitCodes.usage
  }
  return runReported(parsed, terminal, (command) => run(command, terminal))
}

async function run(parsed: Parsed, terminal: Terminal): Promise<number> {
  const { name, operands, values } = parsed
  if (name === 'move') return runMove(parsed, terminal)
  const [folder, operand] = operands
  const batchId = numberOption(parsed, 'batch')
  const limit = numberOption(parsed, 'limit')
  const held = await CheckpointState.open(folder!, batchId === undefined ? {} : { batchId })
  try {
    const { path, queryId, tables } = held
    if (name === 'ls') {
      terminal.out(values['json'] ? `${jsonLine({ path, queryId, batchId: held.batchId, tables })}\n` : tablesText(held))
      return exitCodes.done
    }
    const asked = name === 'query' ? [null] : operand === undefined ? tables.map((table) => table.name) : [operand]
    for (const table of asked) {
      const result = table === null ? await held.query(operand!) : await held.show(table, limit ?? 20)
      const rows = limit === undefined ? result.rows : result.rows.slice(0, limit)
      if (values['json']) for (const row of rows) terminal.out(`${jsonLine(plainRow(row))}\n`)
      else terminal.out(`${table === null || asked.length === 1 ? '' : `${table}\n`}${rowsText({ ...result, rows }, result.rows.length)}`)
    }
    return exitCodes.done
  } finally {
    held.close()
  }
}

function tablesText({ path, batchId, tables }: CheckpointState): string {
  const columns = (list: StateTableInfo['keys']) => list.map((column) => `${column.name} ${column.type}`).join(', ')
  const rows = tables.map((table) => [
    table.name,
    `${table.operatorId} ${table.operatorName}${table.variable === null ? '' : `, ${table.variable}`}`,
    String(table.rows),
    table.expiresBy ?? '-',
    `(${columns(table.keys)}) -> (${columns(table.values)})`,
  ])
  return `${path}, after batch ${batchId}\n\n${tableText(['table', 'operator', '>rows', 'forgets by', 'columns'], rows)}`
}

function rowsText({ schema, rows }: StateQueryResult, all: number): string {
  const table = showTable(schema, rows, { numRows: rows.length, truncate: 60 })
  return `${table}${all > rows.length ? `${rows.length} of ${all} rows\n` : ''}`
}

/** What JSON has no form for: a map as an object where its keys are text, else as its entries; binary as base64. */
function plainRow(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Map) {
    const entries = [...value].map(([key, each]) => [plainRow(key), plainRow(each)] as const)
    return entries.every(([key]) => typeof key === 'string') ? Object.fromEntries(entries as [string, unknown][]) : entries
  }
  if (Array.isArray(value)) return value.map(plainRow)
  const isPlain = value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype
  return isPlain ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plainRow(each)])) : value
}
