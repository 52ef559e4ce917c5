import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InvalidQueryError, MillraceError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { columnsToRows } from '../data/values.ts'
import { columnName } from './duck-types.ts'
import type { FileScan, InputFile, Mending } from './read-request.ts'
import { readColumns } from './read-vectors.ts'
import type { SqlRelation } from './relation.ts'
import { numberOf } from './scalars.ts'
import type { Session } from './session.ts'

/** What a source's readers had to do beyond reading, in one batch. */
export interface ReadCounts {
  /** Records that were kept with nulls. */
  corruptRecords: number
  /** Records that DROPMALFORMED left out. */
  droppedRecords: number
  ignoredFiles: number
}

/** A scan that was read another way: its rows are a table now, or it has fewer files. */
export interface Recovered {
  readonly rows?: number
  readonly counts: ReadCounts
  /** Of what is kept as dead letters: the table of mended records, and files that were left out. */
  readonly lettersIn?: string
  readonly unreadable?: readonly string[]
}

const none: ReadCounts = { corruptRecords: 0, droppedRecords: 0, ignoredFiles: 0 }

/**
 * What a batch does when a statement failed on what its files hold: malformed records are read record by record, files that can't be read
 * are left out where the options say so.
 */
export class Recovery {
  readonly #session: Session
  #scratch: string | undefined
  #folders = 0
  constructor(session: Session) {
    this.#session = session
  }

  /** Whether reading another way may help. */
  static helps(error: unknown, scan: FileScan): boolean {
    if (!(error instanceof MillraceError)) return false
    if (error.code === 'MALFORMED_RECORD_IN_PARSING') return scan.mending !== undefined
    return scan.over !== undefined && isUnreadable(error)
  }

  /** Changes the relation, which is a scan, so that it can be read; null where it is not its files that fail. Rejects where it can't be read (FAILFAST). */
  async recover(relation: SqlRelation, scan: FileScan, source: string | null, error: MillraceError): Promise<Recovered | null> {
    if (error.code === 'MALFORMED_RECORD_IN_PARSING') {
      try {
        return await this.mend(relation, scan)
      } catch (unreadable) {
        // a compressed file that was cut ends in half a record
        if (!isUnreadable(unreadable) || scan.over === undefined) throw unreadable
      }
    }
    const readable: InputFile[] = []
    for (const file of scan.files) if (await this.#isReadable(scan, file)) readable.push(file)
    // a value that a file's column can't be cast to is told in the same words as one that an expression can't cast
    if (readable.length === scan.files.length) return null
    relation.form = { kind: 'files', scan: await scan.over!(readable), source }
    const unreadable = scan.files.filter((file) => !readable.includes(file)).map((file) => file.path)
    return { counts: { ...none, ignoredFiles: unreadable.length }, unreadable }
  }

  /** Whether a scan has to be read record by record from the start. */
  async isFirst({ mending }: FileScan): Promise<boolean> {
    if (typeof mending?.first !== 'string') return mending?.first === true
    try {
      return numberOf(await this.#session.run(mending.first)) > 0
    } catch (error) {
      // what is no JSON, or can't be read at all, is told where the rows are read
      if (error instanceof MillraceError) return false
      throw error
    }
  }

  /** Reads a scan record by record into a table. */
  async mend(relation: SqlRelation, scan: FileScan): Promise<Recovered> {
    const { mode, select } = scan.mending!
    const scratch = await this.#newFolder()
    const table = this.#session.nextTable()
    const { schema } = relation
    await this.#session.run(`CREATE TEMP TABLE ${table} AS ${await select(scratch)}`)
    await rm(scratch, { recursive: true, force: true })
    const [rows, malformed] = await this.#numbers(`SELECT count(*), count(*) FILTER (WHERE malformed) FROM ${table}`)
    if (mode === 'FAILFAST' && malformed! > 0) throw await this.#firstMalformed(table)
    const where = mode === 'DROPMALFORMED' || mode === 'DEADLETTER' ? ' WHERE NOT malformed' : ''
    relation.form = { kind: 'select', sql: `SELECT ${columnsOf(schema)} FROM ${table}${where}`, inputs: [] }
    // dead letters were delivered by the source, and go another way
    if (mode === 'DEADLETTER') return { rows: rows!, counts: none, ...(malformed! > 0 && { lettersIn: table }) }
    const dropped = mode === 'DROPMALFORMED' ? malformed! : 0
    return { rows: rows! - dropped, counts: { corruptRecords: malformed! - dropped, droppedRecords: dropped, ignoredFiles: 0 } }
  }

  /** Where each row of a scan comes from, as a table: its number from 0, file, line, and text as bytes; null where that is not known. */
  async records({ records, mending, files }: FileScan): Promise<string | null> {
    if (records === undefined || files.length === 0) return null
    const scratch = await this.#newFolder()
    const table = this.#session.nextTable()
    const select = await records(scratch, mending?.mode === 'PERMISSIVE')
    await this.#session.run(
      `CREATE TEMP TABLE ${table} AS SELECT row_number() OVER () - 1 AS c0, file AS c1, line AS c2, encode(raw) AS c3 FROM (${select})`,
    )
    await rm(scratch, { recursive: true, force: true })
    return table
  }

  /** Removes what was written for DuckDB to read. */
  async close(): Promise<void> {
    if (this.#scratch !== undefined) await rm(this.#scratch, { recursive: true, force: true })
  }

  async #newFolder(): Promise<string> {
    this.#scratch ??= await mkdtemp(join(tmpdir(), 'millrace-mend-'))
    return join(this.#scratch, String(this.#folders++))
  }

  async #isReadable(scan: FileScan, file: InputFile): Promise<boolean> {
    try {
      const alone = await scan.over!([file])
      await this.#session.run(`EXPLAIN (ANALYZE, FORMAT json) ${alone.select}`)
      return true
    } catch (error) {
      if (isUnreadable(error)) return false
      // malformed records are another matter, unless they are the end of what can be read
      const { mending } = await scan.over!([file])
      return mending === undefined || this.#isMendable(mending)
    }
  }

  async #isMendable(mending: Mending): Promise<boolean> {
    try {
      await mending.select(await this.#newFolder())
      return true
    } catch (error) {
      if (isUnreadable(error)) return false
      throw error
    }
  }

  async #numbers(sql: string): Promise<number[]> {
    return (await this.#texts(sql, 2)).map(Number)
  }

  /** The first row of a SELECT, as text. */
  async #texts(sql: string, columns: number): Promise<string[]> {
    const schema = new Schema(Array.from({ length: columns }, (_, i) => ({ name: `t${i}`, type: 'string', nullable: true })))
    const [row] = columnsToRows(readColumns(await this.#session.run(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${sql})`), schema))
    return schema.names.map((name) => String(row?.[name]))
  }

  async #firstMalformed(table: string): Promise<InvalidQueryError> {
    const [file, line, raw] = await this.#texts(
      `SELECT file, line, CASE WHEN length(raw) > 200 THEN left(raw, 200) || '…' ELSE raw END FROM ${table} WHERE malformed ORDER BY file, line LIMIT 1`,
      3,
    )
    return new InvalidQueryError('MALFORMED_RECORD_IN_PARSING', {
      what: `${file} has a malformed record in line ${line}: ${raw}`,
      todo: 'mend the file, or read it with the option mode=PERMISSIVE (wrong values become null) or DROPMALFORMED',
    })
  }
}

/** Of a file whose column is of another type than the schema says, a value that does not fit. */
const wrongColumn = /when casting from source column/
function isUnreadable(error: unknown): boolean {
  if (!(error instanceof MillraceError)) return false
  return /^(FAILED_READ_FILE|FILE_NOT_EXIST)/.test(error.code) || (error.code === 'CAST_INVALID_INPUT' && wrongColumn.test(error.what))
}

function columnsOf(schema: Schema): string {
  return schema.fields.map((_, i) => columnName(i)).join(', ') || '1'
}
