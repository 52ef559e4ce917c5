import { isInterval } from '../../data/intervals.ts'
import type { DataType } from '../../data/types.ts'
import type { Dialect, Fault } from '../dialect.ts'
import { holdsVoid } from '../holds-void.ts'

/**
 * SQLite takes any type's name; what it makes of values follows from letters within (INT, TEXT, BLOB, REAL, FLOA, DOUB). So these keep values as they are, and say
 * to a reader what they mean.
 */
const simple: Readonly<Record<string, string>> = {
  boolean: 'BOOLEAN',
  byte: 'TINYINT',
  short: 'SMALLINT',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'TEXT',
  binary: 'BLOB',
  date: 'DATE_TEXT',
  timestamp: 'TIMESTAMP_TEXT',
  timestamp_ntz: 'DATETIME_TEXT',
}
function columnType(type: DataType): string | undefined {
  if (typeof type === 'string') return isInterval(type) ? undefined : simple[type]
  if (type.kind === 'decimal') return `DECIMAL_TEXT(${type.precision},${type.scale})`
  return holdsVoid(type) ? undefined : 'JSON_TEXT'
}

type Affinity = 'integer' | 'text' | 'blob' | 'real' | 'numeric'
/** As SQLite finds it. */
export function affinityOf(declared: string): Affinity {
  const name = declared.toUpperCase()
  if (name.includes('INT')) return 'integer'
  if (/CHAR|CLOB|TEXT/.test(name)) return 'text'
  if (name === '' || name === 'ANY' || name.includes('BLOB')) return 'blob'
  return /REAL|FLOA|DOUB/.test(name) ? 'real' : 'numeric'
}
/** Columns that keep the values of a type as they are. */
const accepting: Readonly<Record<string, readonly Affinity[]>> = {
  boolean: ['integer', 'numeric', 'blob'],
  byte: ['integer', 'numeric', 'blob'],
  short: ['integer', 'numeric', 'blob'],
  int: ['integer', 'numeric', 'blob'],
  long: ['integer', 'numeric', 'blob'],
  float: ['real', 'numeric', 'blob'],
  double: ['real', 'numeric', 'blob'],
  binary: ['blob'],
}

/** Texts whose column says what they are: a reader takes them for that, so that nothing else goes in. Undefined where the type is none of these. */
function takesAsText(type: DataType, declared: string): boolean | undefined {
  const name = declared.toUpperCase().replace(/\(.*/, '').trim()
  switch (name) {
    case 'DATE_TEXT':
    case 'TIMESTAMP_TEXT':
    case 'DATETIME_TEXT':
      return typeof type === 'string' && simple[type] === name
    case 'DECIMAL_TEXT': {
      const [precision, scale] = (/\((\d+)\s*,\s*(\d+)\)/.exec(declared)?.slice(1) ?? []).map(Number)
      if (typeof type === 'string' || type.kind !== 'decimal') return false
      return precision === undefined || (type.scale <= scale! && type.precision - type.scale <= precision - scale!)
    }
    default:
      return undefined
  }
}

export const sqliteDialect: Dialect = {
  server: 'SQLite',
  maxNameBytes: 1000,
  quote: '"',
  columnType,
  accepts: (type, { typeText }) =>
    columnType(type) !== undefined &&
    (takesAsText(type, typeText) ?? ((typeof type === 'string' && accepting[type]) || ['text', 'blob']).includes(affinityOf(typeText))),
  parameter: () => '?',
  // BEGIN IMMEDIATE has locked everything
  lockClause: '',
  types: { text: 'TEXT', key: 'TEXT', long: 'INTEGER' },
  nullsInKeys: false,
  faultOf,
  messageOf(error) {
    const { message, errcode } = error as SqliteError
    return `${message}${errcode === undefined ? '' : ` (${errcode})`}`
  },
}

interface SqliteError {
  readonly message?: string
  readonly errcode?: number
}
/** By the first byte of SQLite's result code. */
function faultOf(error: unknown): Fault {
  const { errcode } = error as SqliteError
  if (errcode === undefined) return 'foreign'
  switch (errcode & 0xff) {
    case 5: // busy
    case 6: // locked
      return 'transient'
    case 3: // perm
    case 8: // readonly
    case 14: // cantopen
    case 26: // notadb
      return 'access'
    case 18: // toobig
    case 19: // constraint
    case 20: // mismatch
      return 'row'
    default:
      return 'other'
  }
}
