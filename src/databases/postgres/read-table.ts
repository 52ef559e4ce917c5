import type { ConditionValue } from '../../data/condition.ts'
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
  async open(options, sql, before): Promise<TableReader> {
    const session = await new PostgresDatabase(postgresConnection(options)).connect()
    try {
      if (before !== undefined) await session.run(before)
      const { fields } = await session.client.query(`SELECT * FROM ${sql} LIMIT 0`)
      const columns = fields.map(({ name, dataTypeID, dataTypeModifier }): ReadColumn => {
        const type = typeOf(dataTypeID, dataTypeModifier)
        // what is read as text is compared as that text
        const compares = type === 'string' ? 'equality' : isOrdered(dataTypeID, dataTypeModifier) ? 'order' : undefined
        return { name, type, nullable: true, ...(compares && { compares }) }
      })
      return {
        columns,
        async *rows(places, fetchSize, where) {
          const list = places.map((place) => `${quoted(columns[place]!.name)}::text`).join(', ')
          await session.client.query(
            `BEGIN READ ONLY; DECLARE millrace_rows NO SCROLL CURSOR FOR SELECT ${list} FROM ${sql}${where === undefined ? '' : ` WHERE ${where}`}`,
          )
          for (;;) {
            const { rows } = await session.client.query({ text: `FETCH ${fetchSize} FROM millrace_rows`, rowMode: 'array' })
            if (rows.length > 0) yield rows as string[][]
            if (rows.length < fetchSize) break
          }
          await session.client.query('COMMIT')
        },
        cell: ({ name, type }) => (type === 'string' ? `${quoted(name)}::text` : quoted(name)),
        literal,
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
/** Whole numbers, numbers with a fixed scale (others are rounded when they are read), dates and times. */
function isOrdered(oid: number, modifier: number): boolean {
  return [20, 21, 23, 1082, 1114, 1184].includes(oid) || (oid === 1700 && modifier >= 4)
}
function literal({ kind, text }: ConditionValue): string | null {
  switch (kind) {
    case 'number':
      return text
    case 'text':
      return text.includes('\0') ? null : `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    case 'date':
      return `DATE '${text}'`
    case 'timestamp':
      return `TIMESTAMPTZ '${text}+00'`
    case 'timestamp_ntz':
      return `TIMESTAMP '${text}'`
  }
}

/** By the type's oid; what has no type here is its text. */
function typeOf(oid: number, modifier: number): DataType {
  if (oid !== 1700) return types[oid] ?? 'string'
  if (modifier < 4) return decimal(38, 18)
  const precision = ((modifier - 4) >> 16) & 0xffff
  const scale = (modifier - 4) & 0x7ff
  return precision <= 38 && scale <= precision ? decimal(precision, scale) : 'string'
}
