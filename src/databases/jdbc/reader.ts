/** What reading a table asks of a server: the columns of a SELECT, and its rows a few thousand at a time. */
import type { Options } from '../../base/options.ts'
import type { DataType } from '../../data/types.ts'
import type { Database } from '../dialect.ts'

export interface ReadColumn {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
}
export interface TableReader {
  readonly columns: readonly ReadColumn[]
  /** The rows of those columns (by their places), as arrays of the values as the server gives them, or null. */
  rows(places: readonly number[], fetchSize: number): AsyncIterable<readonly (readonly unknown[])[]>
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
  /** `sql` is a SELECT in parentheses with a name, or a quoted table. */
  open(options: Options, sql: string): Promise<TableReader>
}

const servers: JdbcServer[] = []
export function registerServer(server: JdbcServer): void {
  if (!servers.includes(server)) servers.push(server)
}
export const jdbcServers: readonly JdbcServer[] = servers
