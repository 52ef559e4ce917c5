import type { FieldPacket } from 'mysql2/promise'
import type { ConditionValue } from '../../data/condition.ts'
import { type DataType, decimal } from '../../data/types.ts'
import type { JdbcServer, ReadColumn, TableReader } from '../jdbc/reader.ts'
import { quoted } from '../table-name.ts'
import { mysqlConnection, mysqlOptionNames } from './connection.ts'
import { MySqlDatabase } from './session.ts'

export const mysqlServer: JdbcServer = {
  schemes: ['mysql', 'mariadb'],
  module: 'millrace/mysql',
  optionNames: mysqlOptionNames,
  database: (options) => new MySqlDatabase(mysqlConnection(options)),
  async open(options, sql, before): Promise<TableReader> {
    const session = await new MySqlDatabase(mysqlConnection(options)).connect()
    try {
      if (before !== undefined) await session.run(before)
      const [, fields] = await session.client.query(`SELECT * FROM ${sql} LIMIT 0`)
      const columns = fields.map(columnOf)
      const values = fields.map(valueOf)
      return {
        columns,
        async *rows(places, fetchSize, where) {
          const list = places.map((place) => values[place]!).join(', ') || '1'
          const { rows } = await session.run(`SELECT ${list} FROM ${sql}${where === undefined ? '' : ` WHERE ${where}`}`)
          for (let from = 0; from < rows.length; from += fetchSize) yield rows.slice(from, from + fetchSize)
        },
        cell: ({ name }) => quoted(name, '`'),
        literal,
        close: () => session.close(),
      }
    } catch (error) {
      await session.close().catch(() => {})
      throw error
    }
  },
}

const notNull = 1
const unsigned = 32
const enumeration = 256
const set = 2048
/** The number of the character set of bytes. */
const binary = 63

type Packet = FieldPacket & { readonly columnType?: number; readonly columnLength?: number; readonly characterSet?: number }
const bits = 16
const geometry = 255

/** A column as it is selected: what the client would make an object or bytes of is asked for as a number or a text. */
function valueOf(field: FieldPacket): string {
  const { name, columnType, type = columnType } = field as Packet
  const column = quoted(name, '`')
  if (type === bits) return `CAST(${column} AS UNSIGNED)`
  return type === geometry ? `ST_AsText(${column})` : column
}

/** By the protocol's numbers of types. */
function columnOf(field: FieldPacket): ReadColumn {
  const { name, columnType, type = columnType, flags, columnLength = 0, decimals = 0, characterSet } = field as Packet
  const isUnsigned = (Number(flags) & unsigned) !== 0
  const wider = (signed: DataType, other: DataType): DataType => (isUnsigned ? other : signed)
  const typeOf = (): DataType => {
    switch (type) {
      case 1:
        return columnLength === 1 ? 'boolean' : wider('byte', 'short')
      case 2:
        return wider('short', 'int')
      case 9:
      case 13:
        return 'int'
      case 3:
        return wider('int', 'long')
      case 8:
        return wider('long', decimal(20, 0))
      case bits:
        if (columnLength === 1) return 'boolean'
        return columnLength < 64 ? 'long' : decimal(20, 0)
      case 4:
        return 'float'
      case 5:
        return 'double'
      case 0:
      case 246: {
        const precision = columnLength - (isUnsigned ? 0 : 1) - (decimals > 0 ? 1 : 0)
        return precision <= 38 ? decimal(precision, decimals) : 'string'
      }
      case 10:
        return 'date'
      case 7:
      case 12:
        return 'timestamp'
      case 249:
      case 250:
      case 251:
      case 252:
      case 253:
      case 254:
        return characterSet === binary ? 'binary' : 'string'
      default:
        return 'string'
    }
  }
  const found = typeOf()
  const isNumber = found !== 'string' && [0, 1, 2, 3, 8, 9, 246].includes(type!) && found !== 'boolean'
  const isText = found === 'string' && [252, 253, 254].includes(type!) && (Number(flags) & (enumeration | set)) === 0
  // collations take more texts for equal than there are, which is no matter where rows are left out
  const compares = isNumber || found === 'date' || found === 'timestamp' ? 'order' : isText ? 'equality' : undefined
  return { name, type: found, nullable: (Number(flags) & notNull) === 0, ...(compares && { compares }) }
}

function literal({ kind, text }: ConditionValue): string | null {
  if (kind === 'number') return text
  // as bytes: no mode of the server changes what they mean
  return kind === 'text' ? `_utf8mb4 X'${Buffer.from(text).toString('hex')}'` : `'${text}'`
}
