import { InvalidQueryError } from '../base/errors.ts'
import type { Session } from './dialect.ts'
import type { SinkOptions } from './sink-options.ts'
import { quoted, quotedTable, tableText } from './table-name.ts'

export interface NewColumn {
  readonly name: string
  readonly typeText: string
  readonly nullable: boolean
}

/** Creates a table with the query's columns; its key is the primary key, or a unique one where a column of it may be null. InvalidQueryError DATABASE_TABLE_NOT_FOUND where it must not be created. */
export async function createTable(session: Session, options: SinkOptions, columns: readonly NewColumn[]): Promise<void> {
  const { table, key, checkNullability } = options
  const { dialect } = session
  if (!options.createTable) {
    throw new InvalidQueryError('DATABASE_TABLE_NOT_FOUND', {
      what: `there is no table ${tableText(table)}, and createTable is false`,
      todo: `create it: ${createText(options, columns, dialect.quote, dialect.nullsInKeys)}`,
    })
  }
  const nullable = columns.find((column) => key.includes(column.name) && column.nullable)
  if (nullable && !dialect.nullsInKeys && checkNullability) {
    throw new InvalidQueryError('DATABASE_COLUMN_NOT_NULL', {
      what: `column ${nullable.name} of the query may be null, and a key of ${dialect.server} does not tell rows apart by nulls`,
      todo: `give it a value, such as coalesce(${nullable.name}, …); or set checkNullability = false, and a null is refused when one comes`,
    })
  }
  await session.run(createText(options, columns, dialect.quote, dialect.nullsInKeys))
}

function createText({ table, key }: SinkOptions, columns: readonly NewColumn[], quote: string, nullsInKeys: boolean): string {
  const keepsNulls = nullsInKeys && columns.some(({ name, nullable }) => key.includes(name) && nullable)
  const lines = columns.map(({ name, typeText, nullable }) => {
    const isNotNull = !nullable || (key.includes(name) && !keepsNulls)
    return `${quoted(name, quote)} ${typeText}${isNotNull ? ' NOT NULL' : ''}`
  })
  const names = key.map((name) => quoted(name, quote)).join(', ')
  if (key.length > 0) lines.push(keepsNulls ? `UNIQUE NULLS NOT DISTINCT (${names})` : `PRIMARY KEY (${names})`)
  return `CREATE TABLE IF NOT EXISTS ${quotedTable(table, quote)} (${lines.join(', ')})`
}
