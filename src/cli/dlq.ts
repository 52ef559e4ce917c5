import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import { LocalFiles } from '../base/local-files.ts'
import { type DeadLetterColumns, millrace, type Row, t } from '../index.ts'
import { runReported } from './checkpoint.ts'
import { exitCodes } from './exit-codes.ts'
import { jsonLine } from './progress-line.ts'
import type { Terminal } from './report.ts'
import { tableText } from './size-text.ts'
import { numberOption, type Parsed, parseSubcommand } from './subcommands.ts'

export const dlqHelp = `Usage: millrace dlq <command> <folder> [options]

Works on the dead letters of a query: the folder of JSON or Parquet files that its deadLetters(…) writes. The query may be running.

Commands:
  ls <folder>                 how many there are, by batch, stage, source and reason
  show <folder>               the letters: where each comes from, why, and its bytes as text
  replay <folder> --to <in>   give records back to a file source: a file in <in> for each batch and file that they come from

replay writes the records as they were read, under names that say which they are; a file that is there is not written again, so that a
replay may be repeated. Put right what was wrong first: the schema, the program, or the records themselves, in the file that it wrote elsewhere.
Rows that an expression or a function refused go back as the record of JSON, CSV or text that they were read from. Rows of other places have no file to go to: with --rows they are written as JSON lines, as they stood at that place of the query. Records of
topics go back by a program: docs/late-and-broken-rows.md has it. What is not replayed is counted.

Options:
  --batch <n>      only those of batch n
  --source <name>  only those of this source
  --reason <code>  show: only those with this reason
  --last <n>       show: only the last n
  --to <folder>    replay: the folder that the source reads
  --rows           replay: also rows that are no records of a file, as a JSON file for each batch, stage and source
  --header <line>  replay: the first line of each file (CSV with a header)
  --dry-run        replay: say what would be written, and write nothing
  --json           print JSON: ls and replay one object, show a line for each letter
  --help           show this text

Exit codes:
  0  done
  2  wrong usage
  5  there are no dead letters in the folder
`

const commands = {
  ls: { operands: ['the folder of the dead letters'], options: ['batch', 'source', 'json'] },
  show: { operands: ['the folder of the dead letters'], options: ['batch', 'source', 'reason', 'last', 'json'] },
  replay: {
    operands: ['the folder of the dead letters'],
    options: ['batch', 'source', 'to', 'rows', 'header', 'dry-run', 'json'],
  },
} as const

/** `millrace dlq …`: returns the exit code. */
export async function dlq(args: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseSubcommand('dlq', args, commands)
  if ('help' in parsed) {
    terminal.out(dlqHelp)
    return exitCodes.done
  }
  const wrong =
    'wrong' in parsed ? parsed.wrong : parsed.name === 'replay' && !parsed.values['to'] ? 'dlq replay needs --to <folder>' : undefined
  if (wrong !== undefined) {
    terminal.err(`millrace: ${wrong}\n\n${dlqHelp}`)
    return exitCodes.usage
  }
  return runReported(parsed as Parsed, terminal, (command) => run(command, terminal))
}

async function run(parsed: Parsed, terminal: Terminal): Promise<number> {
  const { name, operands, values } = parsed
  const letters = (await readLetters(resolve(operands[0]!))).filter((letter) => isAsked(letter, parsed))
  if (name === 'ls') list(letters, values['json'] === true, terminal)
  else if (name === 'show')
    show(letters.slice(-(numberOption(parsed, 'last') ?? letters.length) || letters.length), values['json'] === true, terminal)
  else await replay(letters, parsed, terminal)
  return exitCodes.done
}

interface Letter {
  readonly reason: string
  readonly message: string
  readonly stage: string
  readonly source: string | null
  readonly file: string | null
  readonly line: number | null
  readonly topic: string | null
  readonly partition: number | null
  readonly offset: bigint | null
  readonly raw: Uint8Array | null
  readonly batchId: number
  readonly at: string
}

const fields = {
  reason: t.string(),
  message: t.string(),
  stage: t.string(),
  source: t.string().nullable(),
  file: t.string().nullable(),
  line: t.long().nullable(),
  topic: t.string().nullable(),
  partition: t.int().nullable(),
  offset: t.long().nullable(),
  raw: t.binary().nullable(),
  batch_id: t.long(),
  at: t.timestamp(),
} satisfies { readonly [P in keyof DeadLetterColumns]: unknown }

/** In the order of batches, files and lines. InvalidQueryError DEAD_LETTERS_NOT_FOUND. */
async function readLetters(folder: string): Promise<Letter[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => [] as string[])
  const format = (['json', 'parquet'] as const).find((each) => names.some((name) => new RegExp(`\\.${each}(\\.gz|\\.zst)?$`).test(name)))
  const isOutput = names.includes('_spark_metadata')
  if (format === undefined) {
    if (isOutput) return []
    throw new InvalidQueryError('DEAD_LETTERS_NOT_FOUND', {
      what: `${folder} holds no JSON or Parquet files of dead letters`,
      todo: "give the folder that deadLetters((letters) => letters.output.format('json').option('path', folder)) writes",
    })
  }
  const engine = await millrace.local({ threads: 1, print: () => {} })
  try {
    const rows = format === 'json' ? await engine.read.json(folder, fields).collect() : await engine.read.parquet(folder, fields).collect()
    return rows.map((row) => letterOf(row as Row)).sort(inOrder)
  } finally {
    await engine.close()
  }
}
function letterOf(row: Row): Letter {
  const { batch_id, at, line, ...rest } = row
  return {
    ...(rest as unknown as Letter),
    line: line === null ? null : Number(line),
    batchId: Number(batch_id),
    at: String(at),
  }
}
function inOrder(a: Letter, b: Letter): number {
  return a.batchId - b.batchId || (a.file ?? '').localeCompare(b.file ?? '') || (a.line ?? 0) - (b.line ?? 0)
}

function isAsked(letter: Letter, parsed: Parsed): boolean {
  const { source, reason } = parsed.values
  const batch = numberOption(parsed, 'batch')
  return (
    (batch === undefined || letter.batchId === batch) &&
    (source === undefined || letter.source === source) &&
    (reason === undefined || letter.reason === reason)
  )
}

function list(letters: readonly Letter[], isJson: boolean, terminal: Terminal): void {
  const groups = new Map<string, { batchId: number; stage: string; source: string | null; reason: string; count: number }>()
  for (const { batchId, stage, source, reason } of letters) {
    const key = JSON.stringify([batchId, stage, source, reason])
    const group = groups.get(key) ?? { batchId, stage, source, reason, count: 0 }
    group.count++
    groups.set(key, group)
  }
  const found = [...groups.values()]
  if (isJson) return terminal.out(`${jsonLine({ total: letters.length, groups: found })}\n`)
  const rows = found.map((group) => [String(group.batchId), group.stage, group.source ?? '-', group.reason, String(group.count)])
  terminal.out(`${countText(letters.length)}\n`)
  if (rows.length > 0) terminal.out(`\n${tableText(['>batch', 'stage', 'source', 'reason', '>letters'], rows)}`)
}
function countText(count: number): string {
  return count === 1 ? '1 dead letter' : `${count} dead letters`
}

function show(letters: readonly Letter[], isJson: boolean, terminal: Terminal): void {
  for (const letter of letters) {
    const { raw, ...rest } = letter
    const text = raw === null ? null : Buffer.from(raw).toString()
    if (isJson) terminal.out(`${jsonLine({ ...rest, raw: text, rawBase64: raw === null ? null : Buffer.from(raw).toString('base64') })}\n`)
    else
      terminal.out(
        `batch ${letter.batchId}, ${originText(letter)}: ${letter.reason}: ${letter.message}\n${text === null ? '' : `    ${text.replaceAll('\n', '\n    ')}\n`}`,
      )
  }
}
function originText({ stage, source, file, line, topic, partition, offset }: Letter): string {
  if (file !== null) return `source ${source}, ${file}${line === null ? '' : `:${line}`}`
  if (topic !== null) return `source ${source}, ${topic}-${partition} offset ${offset}`
  return source === null ? stage : `source ${source}`
}

interface ReplayedFile {
  readonly path: string
  readonly records: number
  readonly status: 'written' | 'there already' | 'would be written'
}

/** What goes into one file: records of a file, or rows of a place; undefined for what can go into none. */
function placeOf(letter: Letter, takesRows: boolean): readonly unknown[] | undefined {
  const { batchId, stage, source, file, topic, raw } = letter
  if (raw === null) return undefined
  if (isRecord(letter)) return [batchId, source, file]
  return takesRows && stage !== 'source' && topic === null && isObject(raw) ? [batchId, stage, source] : undefined
}
/** Whether its bytes are those of a record in a file: of a row from a file without lines (Parquet) they are JSON. */
function isRecord({ stage, file, line }: Letter): boolean {
  return file !== null && (stage === 'source' || line !== null)
}
/** A record of which several rows were made may have several letters, and goes back once. */
function onceEach(letters: readonly Letter[]): readonly Letter[] {
  const seen = new Set<number>()
  return letters.filter((letter) => letter.line === null || !isRecord(letter) || (!seen.has(letter.line) && seen.add(letter.line)))
}
function isObject(raw: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(raw).toString())
    return value !== null && typeof value === 'object' && !Array.isArray(value)
  } catch {
    return false
  }
}

/** One file for each batch and file of origin, whatever else is asked for: so the name says what is in it, and it is written once. */
async function replay(letters: readonly Letter[], { values }: Parsed, terminal: Terminal): Promise<void> {
  const groups = new Map<string, Letter[]>()
  let left = 0
  for (const letter of letters) {
    const place = placeOf(letter, values['rows'] === true)
    if (place === undefined) {
      left++
      continue
    }
    const key = JSON.stringify(place)
    groups.set(key, [...(groups.get(key) ?? []), letter])
  }
  const files = new LocalFiles()
  const written: ReplayedFile[] = []
  for (const [key, all] of groups) {
    const group = onceEach(all)
    const { batchId, stage, ...first } = group[0]!
    const file = isRecord(group[0]!) ? first.file : null
    const ending = file === null ? `${stage}-rows.json` : basename(file).replace(/(\.gz|\.zst)$/, '')
    const name = `replayed-b${batchId}-${createHash('sha256').update(key).digest('hex').slice(0, 12)}-${ending}`
    const path = join(resolve(String(values['to'])), extname(name) === '' ? `${name}.txt` : name)
    const header = values['header'] === undefined || file === null ? [] : [Buffer.from(`${String(values['header'])}\n`)]
    const content = Buffer.concat([...header, ...group.flatMap(({ raw }) => [Buffer.from(raw!), Buffer.from('\n')])])
    const isThere = (await files.stat(path)) !== undefined
    const status = isThere
      ? 'there already'
      : values['dry-run']
        ? 'would be written'
        : (await files.createExclusive(path, content))
          ? 'written'
          : 'there already'
    written.push({ path, records: group.length, status })
  }
  if (values['json']) return terminal.out(`${jsonLine({ files: written, notReplayed: left })}\n`)
  for (const { path, records, status } of written) terminal.out(`${path}: ${records} records, ${status}\n`)
  if (left > 0)
    terminal.out(`${countText(left)} not replayed: see millrace dlq show, and millrace dlq --help for rows and records of topics\n`)
  if (written.length + left === 0) terminal.out('nothing to replay\n')
}
