import { type DataType, decimal } from '../../data/types.ts'
import type { JdbcServer, ReadColumn, TableReader } from '../jdbc/reader.ts'
import { quoted } from '../table-name.ts'
import { postgresConnection, postgresOptionNames } from './connection.ts'
import { PostgresDatabase } from './session.ts'

export const postgresServer: JdbcServer = {
  schemes: ['postgresql', 'postgres'],
  module: 'millrace/postgres',
  optionNames: postgresOptionNames,
  database: (options) => new PostgresDatabase(postgresConnection(options)),
  async open(options, sql): Promise<TableReader> {
    const session = await new PostgresDatabase(postgresConnection(options)).connect()
    try {
      const { fields } = await session.client.query(`SELECT * FROM ${sql} LIMIT 0`)
      const columns = fields.map(
        ({ name, dataTypeID, dataTypeModifier }): ReadColumn => ({ name, type: typeOf(dataTypeID, dataTypeModifier), nullable: true }),
      )
      return {
        columns,
        async *rows(places, fetchSize) {
          const list = places.map((place) => `${quoted(columns[place]!.name)}::text`).join(', ')
          await session.client.query(`BEGIN READ ONLY; DECLARE millrace_rows NO SCROLL CURSOR FOR SELECT ${list} FROM ${sql}`)
          for (;;) {
            const { rows } = await session.client.query({ text: `FETCH ${fetchSize} FROM millrace_rows`, rowMode: 'array' })
            if (rows.length > 0) yield rows as string[][]
            if (rows.length < fetchSize) break
          }
          await session.client.query('COMMIT')
        },
        close: () => session.close(),
      }
    } catch (error) {
      await session.close().catch(() => {})
      throw error
    }
  },
}

const types: Readonly<Record<number, DataType>> = {
  16: 'boolean',
  17: 'binary',
  20: 'long',
  21: 'short',
  23: 'int',
  26: 'long',
  700: 'float',
  701: 'double',
  1082: 'date',
  1114: 'timestamp_ntz',
  1184: 'timestamp',
}
/** By the type's oid; what has no type here is its text. */
function typeOf(oid: number, modifier: number): DataType {
  if (oid !== 1700) return types[oid] ?? 'string'
  if (modifier < 4) return decimal(38, 18)
  const precision = ((modifier - 4) >> 16) & 0xffff
  const scale = (modifier - 4) & 0x7ff
  return precision <= 38 && scale <= precision ? decimal(precision, scale) : 'string'
}
