/**
 * Rows of a batch get into a table by COPY: straight, where they are only inserted and the columns have the types that COPY gives, else by way of a temporary
 * table and one INSERT … SELECT. Where the server refuses that because of some row, the batch goes into the temporary table with its rows numbered, and is
 * inserted by halves, each within a savepoint, until the rows that are refused stand alone.
 */
import type { ColumnBatch } from '../../data/column-batch.ts'
import type { RowSet } from '../../data/row-set.ts'
import type { RefusedRecord } from '../../data/side-rows.ts'
import { storedColumns } from '../../sinks/delete-column.ts'
import type { WritePlan, Written } from '../dialect.ts'
import { rowRefused, rowRefusedReason } from '../errors.ts'
import { markNullKeys } from '../null-keys.ts'
import { rowText } from '../row-text.ts'
import { quoted, quotedTable, tableText } from '../table-name.ts'
import { copyHeader, copyTrailer, encodeChunk, type UnfitRows } from './binary-copy.ts'
import { CopyIn, frameBytes } from './copy-in.ts'
import type { PostgresSession } from './session.ts'
import { castTo, formOf, typeParts } from './types.ts'

const staging = 'pg_temp.millrace_staging'
/** The number of a row in the temporary table, from 0. Longer than any column's name may be with this in front. */
const rowNumber = 'millrace row number'

/** Rows that are left out, by their number in the batch. */
type Refused = Map<number, RefusedRecord>

export async function writeBatch(session: PostgresSession, plan: WritePlan, rows: RowSet, keepsDeadLetters: boolean): Promise<Written> {
  const refused: Refused = new Map()
  const straight = plan.onConflict === 'error' && plan.columns.every(({ field, column }) => isSameInBinary(field.type, column.typeText))
  await session.client.query(straight ? 'SAVEPOINT millrace_batch' : `${createStaging(plan)}; SAVEPOINT millrace_batch`)
  try {
    const count = await copyRows(session, plan, rows, { straight, keepsDeadLetters, refused })
    if (!straight) await session.client.query(insertText(plan, null))
    await session.client.query('RELEASE SAVEPOINT millrace_batch')
    return { numRows: count - refused.size, refused: inOrder(refused) }
  } catch (error) {
    if (session.dialect.faultOf(error) !== 'row') throw error
    await session.client.query('ROLLBACK TO SAVEPOINT millrace_batch')
    return writeByHalves(session, plan, rows, keepsDeadLetters)
  }
}

async function writeByHalves(session: PostgresSession, plan: WritePlan, rows: RowSet, keepsDeadLetters: boolean): Promise<Written> {
  const refused: Refused = new Map()
  const table = tableText(plan.table)
  // kept from here on, so that a row has one number however often the rows are asked for
  await rows.count()
  await session.client.query(createStaging(plan))
  const count = await copyRows(session, plan, rows, { straight: false, keepsDeadLetters, refused })
  await session.client.query(`CREATE INDEX millrace_staging_rows ON ${staging} (${quoted(rowNumber)}); ANALYZE ${staging}`)
  const messages = new Map<number, string>()
  const ranges: [number, number][] = count === 0 ? [] : [[0, count]]
  while (ranges.length > 0) {
    const [from, to] = ranges.pop()!
    const message = await tryRange(session, plan, from, to)
    if (message === null) continue
    if (to - from > 1) {
      const middle = Math.floor((from + to) / 2)
      // the first half next: a later row of the same key is written later
      ranges.push([middle, to], [from, middle])
      continue
    }
    messages.set(from, message)
    if (!keepsDeadLetters) break
  }
  await session.client.query('DROP INDEX pg_temp.millrace_staging_rows')
  await findRows(rows, messages, (number, text, message) => {
    if (!keepsDeadLetters) throw rowRefused('PostgreSQL', table, message, text)
    refused.set(number, letter(number, message, text))
  })
  return { numRows: count - refused.size, refused: inOrder(refused) }
}

/** Null where the rows of that range are in; else what the server says. */
async function tryRange(session: PostgresSession, plan: WritePlan, from: number, to: number): Promise<string | null> {
  try {
    await session.client.query(`SAVEPOINT millrace_range; ${insertText(plan, [from, to])}; RELEASE SAVEPOINT millrace_range`)
    return null
  } catch (error) {
    if (session.dialect.faultOf(error) !== 'row') throw error
    await session.client.query('ROLLBACK TO SAVEPOINT millrace_range')
    return session.dialect.messageOf(error)
  }
}

/** Goes through the kept rows once more, for those with a message. */
async function findRows(
  rows: RowSet,
  messages: ReadonlyMap<number, string>,
  found: (number: number, text: string, message: string) => void,
): Promise<void> {
  if (messages.size === 0) return
  let before = 0
  for await (const chunk of rows.chunks()) {
    for (const [number, message] of messages)
      if (number >= before && number < before + chunk.length) found(number, rowText(chunk, number - before), message)
    before += chunk.length
  }
}

interface CopyOptions {
  readonly straight: boolean
  readonly keepsDeadLetters: boolean
  readonly refused: Refused
}
/** Gives how many rows the batch has, those that are left out among them. */
async function copyRows(
  session: PostgresSession,
  plan: WritePlan,
  rows: RowSet,
  { straight, keepsDeadLetters, refused }: CopyOptions,
): Promise<number> {
  const names = plan.columns.map(({ field }) => quoted(field.name))
  const stagedNames = [...names, ...(plan.deletes === null ? [] : [quoted(plan.deletes.name)]), quoted(rowNumber)]
  const target = straight ? `${quotedTable(plan.table)} (${names.join(', ')})` : `${staging} (${stagedNames.join(', ')})`
  const copy = session.client.query(new CopyIn(`COPY ${target} FROM STDIN (FORMAT binary)`))
  let count = 0
  try {
    await copy.write(framed(copyHeader))
    for await (const chunk of rows.chunks()) {
      if (chunk.length === 0) continue
      const unfit: UnfitRows = new Map()
      const stored = storedColumns(chunk, plan.deletes)
      markNullKeys(plan, stored, unfit)
      const bytes = encodeChunk(stagedColumns(plan, chunk, stored), unfit, straight ? null : count, frameBytes)
      for (const [row, message] of unfit) {
        const text = rowText(chunk, row)
        if (!keepsDeadLetters) throw rowRefused('PostgreSQL', tableText(plan.table), message, text)
        refused.set(count + row, letter(count + row, message, text))
      }
      count += chunk.length
      await copy.write(bytes)
    }
    await copy.write(framed(copyTrailer))
    await copy.end()
    return count
  } catch (error) {
    await copy.abort('the batch was given up')
    throw error
  }
}
function framed(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(frameBytes), bytes])
}

function letter(number: number, message: string, row: string): RefusedRecord {
  return { reason: rowRefusedReason, message, row: number, raw: new TextEncoder().encode(row) }
}
function inOrder(refused: Refused): RefusedRecord[] {
  return [...refused].sort(([a], [b]) => a - b).map(([, record]) => record)
}

function isSameInBinary(type: Parameters<typeof formOf>[0], columnType: string): boolean {
  const { name } = typeParts(columnType)
  return name === typeParts(formOf(type)!.typeText).name || (type === 'string' && name === 'character varying')
}

/** What is deleted is said in the last column. */
function stagedColumns({ deletes }: WritePlan, chunk: ColumnBatch, stored: ColumnBatch): ColumnBatch {
  return deletes === null ? stored : { ...stored, columns: [...stored.columns, chunk.columns[deletes.at]!] }
}

/** One for the connection: it is empty again when the transaction ends. */
function createStaging({ columns: stored, deletes }: WritePlan): string {
  const columns = stored.map(({ field }) => `${quoted(field.name)} ${formOf(field.type)!.typeText}`)
  if (deletes !== null) columns.push(`${quoted(deletes.name)} boolean`)
  return `CREATE TEMPORARY TABLE IF NOT EXISTS millrace_staging (${[...columns, `${quoted(rowNumber)} bigint`].join(', ')}) ON COMMIT DELETE ROWS`
}

/** From the temporary table into the table, all rows or those of a range of numbers. */
function insertText(
  { table, columns, key, onConflict, keyTakesNull, deletes }: WritePlan,
  range: readonly [number, number] | null,
): string {
  const names = columns.map(({ field }) => quoted(field.name)).join(', ')
  const values = columns.map(({ field, column }) => castTo(field.type, column, quoted(field.name))).join(', ')
  const where = range === null ? '' : ` WHERE ${quoted(rowNumber)} >= ${range[0]} AND ${quoted(rowNumber)} < ${range[1]}`
  const into = `INSERT INTO ${quotedTable(table)} (${names})`
  if (onConflict === 'error') return `${into} SELECT ${values} FROM ${staging}${where}`
  const keys = key.map((name) => quoted(name)).join(', ')
  const others = columns.map(({ field }) => field.name).filter((name) => !key.includes(name))
  const action =
    onConflict === 'update' && others.length > 0
      ? `DO UPDATE SET ${others.map((name) => `${quoted(name)} = EXCLUDED.${quoted(name)}`).join(', ')}`
      : 'DO NOTHING'
  const order = onConflict === 'update' ? 'DESC' : 'ASC'
  // a statement may change a row once: of several rows with one key the last counts, or the first where what is there stays
  const chosen = (what: string) =>
    `SELECT DISTINCT ON (${keys}) ${what} FROM ${staging}${where} ORDER BY ${keys}, ${quoted(rowNumber)} ${order}`
  if (deletes === null) return `${into} ${chosen(values)} ON CONFLICT (${keys}) ${action}`
  const gone = quoted(deletes.name)
  const same = columns
    .filter(({ field }) => key.includes(field.name))
    .map(({ field, column }) => {
      const name = quoted(field.name)
      // an index is of no use to the operator that takes nulls for equal
      const operator = keyTakesNull && field.nullable && column.nullable ? 'IS NOT DISTINCT FROM' : '='
      return `t.${name} ${operator} ${castTo(field.type, column, `s.${name}`)}`
    })
  return `DELETE FROM ${quotedTable(table)} t USING (${chosen('*')}) s WHERE s.${gone} AND ${same.join(' AND ')};
${into} SELECT ${values} FROM (${chosen('*')}) s WHERE ${gone} IS NOT TRUE ON CONFLICT (${keys}) ${action}`
}
