/** What reading a table asks of a server: the columns of a SELECT, and its rows a few thousand at a time. */
import type { Options } from '../../base/options.ts'
import type { ConditionValue } from '../../data/condition.ts'
import type { DataType } from '../../data/types.ts'
import type { Database } from '../dialect.ts'

export interface ReadColumn {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
  /** Which comparisons with a constant the server makes as the engine does, or with more rows as the result: all of them, `=` only, or none but with null. */
  readonly compares?: 'order' | 'equality'
}
export interface TableReader {
  readonly columns: readonly ReadColumn[]
  /** The rows of those columns (by their places), as arrays of the values as the server gives them, or null. */
  rows(places: readonly number[], fetchSize: number, where?: string): AsyncIterable<readonly (readonly unknown[])[]>
  /** A column as it is compared. */
  cell(column: ReadColumn): string
  /** A constant, for a column that `compares`; null where the server can't be given it. */
  literal(value: ConditionValue): string | null
  close(): Promise<void>
}
/** A server that tables can be read from and written to. */
export interface JdbcServer {
  /** The beginnings of its URLs, `jdbc:` left out: `postgresql`. */
  readonly schemes: readonly string[]
  readonly optionNames: readonly string[]
  /** For messages: which import makes it known. */
  readonly module: string
  database(options: Options): Database
  /** `sql` is a SELECT in parentheses with a name, or a quoted table; `before` a statement that the session begins with. */
  open(options: Options, sql: string, before?: string): Promise<TableReader>
}

const servers: JdbcServer[] = []
export function registerServer(server: JdbcServer): void {
  if (!servers.includes(server)) servers.push(server)
}
export const jdbcServers: readonly JdbcServer[] = servers
