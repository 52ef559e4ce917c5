/**
 * Rows go in by statements of many rows. A statement that the server refuses has changed nothing (InnoDB takes it back alone, the transaction goes on), so that
 * its rows are sent again by halves, until those that are refused stand alone.
 */
import type { Column, ColumnBatch } from '../../data/column-batch.ts'
import type { RowSet } from '../../data/row-set.ts'
import { deletionsOf, storedColumns } from '../../sinks/delete-column.ts'
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
  const [insert, remove] = [insertOf(plan), deleteOf(plan)]
  let count = 0
  for await (const chunk of rows.chunks()) {
    count += chunk.length
    const unfit = new Map<number, string>()
    const stored = storedColumns(chunk, plan.deletes)
    const isDeletion = deletionsOf(chunk, plan.deletes)
    const texts = rowTexts(stored, unfit)
    if (plan.deletes !== null) writeKeys(plan, stored, isDeletion, texts, unfit)
    markNullKeys(plan, stored, unfit)
    const statementFor = (row: number) => (isDeletion(row) ? remove : insert)
    for (let from = 0; from < chunk.length; ) {
      let to = from
      for (let length = 0; to < chunk.length && to - from < plan.batchSize && (to === from || length < maxStatementLength); to++)
        length += texts[to]!.length
      await writeRange(session, { chunk, first: count - chunk.length, texts, statementFor, unfit, refused }, from, to)
      from = to
    }
  }
  return { numRows: count - refused.records.length, refused: refused.records }
}

interface Statement {
  readonly head: string
  readonly between: string
  readonly tail: string
}
interface Piece {
  readonly chunk: ColumnBatch
  /** How many rows of the batch stand before it. */
  readonly first: number
  /** A row as a part of its statement. */
  readonly texts: readonly string[]
  readonly statementFor: (row: number) => Statement
  readonly unfit: ReadonlyMap<number, string>
  readonly refused: RefusedRows
}

/** In the order of the rows, so that of several with one key the last counts. */
async function writeRange(session: MySqlSession, piece: Piece, from: number, to: number): Promise<void> {
  const { chunk, first, texts, statementFor, unfit, refused } = piece
  const send = async (some: readonly number[]): Promise<void> => {
    if (some.length === 0) return
    const { head, between, tail } = statementFor(some[0]!)
    try {
      await session.client.query(`${head}${some.map((row) => texts[row]).join(between)}${tail}`)
    } catch (error) {
      if (session.dialect.faultOf(error) !== 'row') throw error
      if (some.length === 1) return refused.add(chunk, some[0]!, session.dialect.messageOf(error), first)
      const middle = some.length >> 1
      await send(some.slice(0, middle))
      await send(some.slice(middle))
    }
  }
  let alike: number[] = []
  for (let row = from; row < to; row++) {
    const message = unfit.get(row)
    if (message !== undefined) {
      refused.add(chunk, row, message, first)
      continue
    }
    if (alike.length > 0 && statementFor(alike[0]!) !== statementFor(row)) {
      await send(alike)
      alike = []
    }
    alike.push(row)
  }
  await send(alike)
}

function insertOf({ table, columns, key, onConflict }: WritePlan): Statement {
  const q = (name: string) => quoted(name, '`')
  const names = columns.map(({ field }) => field.name)
  const head = `INSERT INTO ${quotedTable(table, '`')} (${names.map(q).join(', ')}) VALUES `
  if (onConflict === 'error') return { head, between: ',', tail: '' }
  const others = onConflict === 'update' ? names.filter((name) => !key.includes(name)) : []
  const changes = others.length > 0 ? others.map((name) => `${q(name)} = VALUES(${q(name)})`) : [`${q(key[0]!)} = ${q(key[0]!)}`]
  return { head, between: ',', tail: ` ON DUPLICATE KEY UPDATE ${changes.join(', ')}` }
}

function deleteOf({ table }: WritePlan): Statement {
  return { head: `DELETE FROM ${quotedTable(table, '`')} WHERE `, between: ' OR ', tail: '' }
}

/** Rows that take one away become conditions on the key, whatever their other columns hold. */
function writeKeys(
  plan: WritePlan,
  chunk: ColumnBatch,
  isDeletion: (row: number) => boolean,
  texts: string[],
  unfit: Map<number, string>,
): void {
  const parts = plan.key.map((name) => ({
    name: quoted(name, '`'),
    literal: literalOf(chunk.columns[plan.columns.findIndex(({ field }) => field.name === name)]!),
  }))
  for (let row = 0; row < chunk.length; row++) {
    if (!isDeletion(row)) continue
    unfit.delete(row)
    try {
      texts[row] = `(${parts.map(({ name, literal }) => `${name} = ${literal(row)}`).join(' AND ')})`
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      unfit.set(row, error.message)
    }
  }
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
