import { systemClock } from '../../base/clock.ts'
import { type DataType, decimal } from '../../data/types.ts'
import type { JdbcServer, ReadColumn, TableReader } from '../jdbc/reader.ts'
import { quoted } from '../table-name.ts'
import { sqliteDatabase, sqliteOptionNames } from './sink.ts'

export const sqliteServer: JdbcServer = {
  schemes: ['sqlite'],
  module: 'millrace/sqlite',
  optionNames: sqliteOptionNames,
  database: (options) => sqliteDatabase(options, systemClock),
  async open(options, sql, before): Promise<TableReader> {
    const session = await sqliteDatabase(options, systemClock).connect()
    try {
      if (before !== undefined) await session.run(before)
      const columns = session.columnsOf(`SELECT * FROM ${sql}`).map(({ name, declared }): ReadColumn => {
        const type = typeOf(declared)
        const compares = type === 'string' ? 'equality' : type === 'long' ? 'order' : undefined
        return { name, type, nullable: true, ...(compares && { compares }) }
      })
      return {
        columns,
        async *rows(places, fetchSize, where) {
          const list = places.map((place) => cell(columns[place]!)).join(', ') || '1'
          const { rows } = await session.run(`SELECT ${list} FROM ${sql}${where === undefined ? '' : ` WHERE ${where}`}`)
          for (let from = 0; from < rows.length; from += fetchSize) yield rows.slice(from, from + fetchSize)
        },
        cell,
        literal: ({ kind, text }) =>
          kind === 'number' ? text : kind === 'text' && !text.includes('\0') ? `'${text.replaceAll("'", "''")}'` : null,
        close: () => session.close(),
      }
    } catch (error) {
      await session.close()
      throw error
    }
  },
}

/** A column may hold anything, whatever it says: text is what all of it can be. */
function cell({ name, type }: ReadColumn): string {
  return type === 'string' ? `CAST(${quoted(name)} AS TEXT)` : quoted(name)
}

/** By the declared type: those that the sink makes, and the usual ones. What has none (an expression) is text. */
function typeOf(declared: string): DataType {
  const name = declared.toUpperCase().replace(/\(.*/, '').trim()
  const [precision, scale = 0] =
    /\((\d+)(?:\s*,\s*(\d+))?\)/
      .exec(declared)
      ?.slice(1)
      .map((part) => Number(part ?? 0)) ?? []
  switch (name) {
    case 'BOOLEAN':
      return 'boolean'
    case 'TINYINT':
    case 'SMALLINT':
    case 'MEDIUMINT':
    case 'INT':
    case 'INTEGER':
    case 'BIGINT':
      return 'long'
    case 'REAL':
    case 'FLOAT':
    case 'DOUBLE':
    case 'DOUBLE PRECISION':
      return 'double'
    case 'DECIMAL_TEXT':
    case 'DECIMAL':
    case 'NUMERIC':
      return precision !== undefined && precision <= 38 ? decimal(precision, scale) : 'string'
    case 'BLOB':
      return 'binary'
    case 'DATE_TEXT':
    case 'DATE':
      return 'date'
    case 'TIMESTAMP_TEXT':
    case 'TIMESTAMP':
      return 'timestamp'
    case 'DATETIME_TEXT':
    case 'DATETIME':
      return 'timestamp_ntz'
    default:
      return 'string'
  }
}
