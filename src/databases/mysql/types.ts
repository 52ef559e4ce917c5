import { isInterval } from '../../data/intervals.ts'
import type { DataType } from '../../data/types.ts'
import type { TableColumn } from '../dialect.ts'
import { holdsVoid } from '../holds-void.ts'

export interface MySqlColumn extends TableColumn {
  readonly collation: string | null
}

const simple: Readonly<Record<string, string>> = {
  boolean: 'boolean',
  byte: 'tinyint',
  short: 'smallint',
  int: 'int',
  long: 'bigint',
  float: 'float',
  double: 'double',
  binary: 'longblob',
  date: 'date',
  timestamp: 'datetime(6)',
  timestamp_ntz: 'datetime(6)',
}

/** Text is compared by its bytes: `a` and `A`, `a` and `a ` are two keys, as they are in a query. */
export function columnType(type: DataType, isKey: boolean, binaryCollation: string): string | undefined {
  if (type === 'string') return `${isKey ? 'varchar(255)' : 'longtext'} CHARACTER SET utf8mb4 COLLATE ${binaryCollation}`
  if (type === 'binary' && isKey) return 'varbinary(255)'
  if (typeof type === 'string') return isInterval(type) ? undefined : simple[type]
  if (type.kind === 'decimal') return type.scale <= 30 ? `decimal(${type.precision},${type.scale})` : undefined
  return isKey || holdsVoid(type) ? undefined : 'json'
}

const integers = ['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'double']
const texts = ['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext', 'enum', 'json']
const accepting: Readonly<Record<string, readonly string[]>> = {
  boolean: ['tinyint'],
  byte: integers,
  short: integers.slice(1),
  int: integers.slice(3),
  long: ['bigint', 'decimal'],
  float: ['float', 'double'],
  double: ['double'],
  string: texts,
  binary: ['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob'],
  date: ['date'],
  timestamp: ['datetime', 'timestamp'],
  timestamp_ntz: ['datetime'],
}
export function accepts(type: DataType, { typeText }: TableColumn): boolean {
  const name = /^\w+/.exec(typeText.toLowerCase())?.[0] ?? ''
  if (typeof type === 'string') return accepting[type]?.includes(name) ?? false
  if (type.kind === 'decimal') {
    const [precision = 0, scale = 0] =
      /\((\d+)(?:,(\d+))?\)/
        .exec(typeText)
        ?.slice(1)
        .map((part) => Number(part ?? 0)) ?? []
    return name === 'decimal' && scale >= type.scale && precision - scale >= type.precision - type.scale
  }
  return !holdsVoid(type) && (name === 'json' || name === 'longtext')
}
