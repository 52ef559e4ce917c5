/**
 * Rows go in by statements of many rows. A statement that the server refuses has changed nothing (InnoDB takes it back alone, the transaction goes on), so that
 * its rows are sent again by halves, until those that are refused stand alone.
 */
import type { Column, ColumnBatch } from '../../data/column-batch.ts'
import type { RowSet } from '../../data/row-set.ts'
import type { WritePlan, Written } from '../dialect.ts'
import { markNullKeys } from '../null-keys.ts'
import { RefusedRows } from '../refused-rows.ts'
import { floatText, jsonText, valueAt } from '../row-text.ts'
import { quoted, quotedTable, tableText } from '../table-name.ts'
import { dateText, timeText, Unfit } from '../time-text.ts'
import type { MySqlSession } from './session.ts'

/** Well below what servers take in one packet (16 MiB unless told otherwise). */
const maxStatementLength = 1_000_000

export async function writeBatch(session: MySqlSession, plan: WritePlan, rows: RowSet, keepsDeadLetters: boolean): Promise<Written> {
  const refused = new RefusedRows(session.dialect.server, tableText(plan.table), keepsDeadLetters)
  const statement = statementOf(plan)
  let count = 0
  for await (const chunk of rows.chunks()) {
    count += chunk.length
    const unfit = new Map<number, string>()
    markNullKeys(plan, chunk, unfit)
    const texts = rowTexts(chunk, unfit)
    for (let from = 0; from < chunk.length; ) {
      let to = from
      for (let length = 0; to < chunk.length && to - from < plan.batchSize && (to === from || length < maxStatementLength); to++)
        length += texts[to]!.length
      await writeRange(session, statement, { chunk, texts, unfit, refused }, from, to)
      from = to
    }
  }
  return { numRows: count - refused.records.length, refused: refused.records }
}

interface Statement {
  readonly head: string
  readonly tail: string
}
interface Piece {
  readonly chunk: ColumnBatch
  readonly texts: readonly string[]
  readonly unfit: ReadonlyMap<number, string>
  readonly refused: RefusedRows
}

/** In the order of the rows, so that of several with one key the last counts. */
async function writeRange(session: MySqlSession, statement: Statement, piece: Piece, from: number, to: number): Promise<void> {
  const { chunk, texts, unfit, refused } = piece
  const rows: number[] = []
  for (let row = from; row < to; row++) {
    const message = unfit.get(row)
    if (message === undefined) rows.push(row)
    else refused.add(chunk, row, message)
  }
  const send = async (some: readonly number[]): Promise<void> => {
    if (some.length === 0) return
    try {
      await session.client.query(`${statement.head}${some.map((row) => texts[row]).join(',')}${statement.tail}`)
    } catch (error) {
      if (session.dialect.faultOf(error) !== 'row') throw error
      if (some.length === 1) return refused.add(chunk, some[0]!, session.dialect.messageOf(error))
      const middle = some.length >> 1
      await send(some.slice(0, middle))
      await send(some.slice(middle))
    }
  }
  await send(rows)
}

function statementOf({ table, columns, key, onConflict }: WritePlan): Statement {
  const q = (name: string) => quoted(name, '`')
  const names = columns.map(({ field }) => field.name)
  const head = `INSERT INTO ${quotedTable(table, '`')} (${names.map(q).join(', ')}) VALUES `
  if (onConflict === 'error') return { head, tail: '' }
  const others = onConflict === 'update' ? names.filter((name) => !key.includes(name)) : []
  const changes = others.length > 0 ? others.map((name) => `${q(name)} = VALUES(${q(name)})`) : [`${q(key[0]!)} = ${q(key[0]!)}`]
  return { head, tail: ` ON DUPLICATE KEY UPDATE ${changes.join(', ')}` }
}

/** `(1,'a',NULL)` for each row; what no column can hold goes to `unfit`. */
function rowTexts(chunk: ColumnBatch, unfit: Map<number, string>): string[] {
  const texts: string[] = new Array(chunk.length).fill('(')
  chunk.columns.forEach((column, c) => {
    const last = c === chunk.columns.length - 1
    const literal = literalOf(column)
    for (let row = 0; row < chunk.length; row++) {
      let text = 'NULL'
      try {
        text = literal(row)
      } catch (error) {
        if (!(error instanceof Unfit)) throw error
        if (!unfit.has(row)) unfit.set(row, error.message)
      }
      texts[row] += last ? `${text})` : `${text},`
    }
  })
  return texts
}

function literalOf(column: Column): (row: number) => string {
  const { type } = column
  const isNull = (row: number) => (column.kind === 'values' ? column.values[row] == null : column.valid !== null && column.valid[row] === 0)
  const ofValue = (write: (value: unknown) => string) => (row: number) => (isNull(row) ? 'NULL' : write(valueAt(column, row)))
  const ofData = (write: (value: number | bigint) => string) => (row: number) =>
    isNull(row) || column.kind !== 'fixed' ? 'NULL' : write(column.data[row]!)
  switch (type) {
    case 'float':
      return ofData((value) => finite(value as number, floatText(value as number)))
    case 'double':
      return ofData((value) => finite(value as number, String(value)))
    case 'date':
      return ofData((value) => `'${dateText(value as number)}'`)
    case 'timestamp':
    case 'timestamp_ntz':
      return ofData((value) => `'${timeText(value as bigint)}'`)
    case 'string':
      return ofValue((value) => textLiteral(value as string))
    case 'binary':
      return ofValue((value) => `x'${Buffer.from(value as Uint8Array).toString('hex')}'`)
    default:
      if (typeof type === 'string') return ofData(String)
      return type.kind === 'decimal' ? ofValue(String) : ofValue((value) => textLiteral(jsonText(type, value)))
  }
}
function finite(value: number, text: string): string {
  if (Number.isFinite(value)) return text
  throw new Unfit(`the number is ${value}, which no column there holds`)
}

const special: Readonly<Record<string, string>> = { "'": "''", '\\': '\\\\', '\0': '\\0', '\x1a': '\\Z' }
function textLiteral(text: string): string {
  return `'${/['\\\0\x1a]/.test(text) ? text.replace(/['\\\0\x1a]/g, (character) => special[character]!) : text}'`
}
