import type { Dialect, Fault, TableShape } from '../dialect.ts'
import { accepts, columnType, type MySqlColumn } from './types.ts'

/** `binaryCollation` is the one that compares bytes and does not pad. */
export function mysqlDialect(server: string, binaryCollation: string, checkCollation: boolean): Dialect {
  return {
    server,
    maxNameBytes: 64,
    quote: '`',
    columnType: (type, isKey) => columnType(type, isKey, binaryCollation),
    accepts,
    parameter: () => '?',
    lockClause: ' FOR UPDATE',
    types: { text: 'longtext', key: 'varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin', long: 'bigint' },
    nullsInKeys: false,
    whyNotByKey: (shape, key) => otherKeys(shape, key) ?? (checkCollation ? looseCollation(shape, key, binaryCollation) : null),
    faultOf,
    messageOf(error) {
      const { message, code, errno } = error as MySqlError
      return `${message}${code === undefined ? '' : ` (${code}${errno === undefined || errno < 0 ? '' : `, ${errno}`})`}`
    },
  }
}

/** ON DUPLICATE KEY UPDATE goes by whichever unique key a row meets first. */
function otherKeys({ keys }: TableShape, key: readonly string[]): string | null {
  const other = keys.find(({ columns }) => columns.length !== key.length || !key.every((name) => columns.includes(name)))
  return other
    ? `the unique key ${other.name} (${other.columns.join(', ')}) is there too, and a row that meets it would be replaced as well`
    : null
}
function looseCollation({ columns }: TableShape, key: readonly string[], binaryCollation: string): string | null {
  const loose = (columns as readonly MySqlColumn[]).find(
    ({ name, collation }) => key.includes(name) && collation !== null && !/nopad_bin$|0900_bin$|^binary$/.test(collation),
  )
  return loose
    ? `the collation ${loose.collation} of ${loose.name} takes texts for equal that are not (capitals, accents, blanks at the end); COLLATE ${binaryCollation} does not, and keyCollation = any takes it as it is`
    : null
}

interface MySqlError {
  readonly message?: string
  readonly code?: string
  readonly errno?: number
  readonly sqlState?: string
  readonly fatal?: boolean
}

const transient = new Set([1040, 1053, 1205, 1213, 1317, 1927, 1969, 4031])
const access = new Set([1044, 1045, 1049, 1142, 1143, 1227, 1251, 1698])
/** Values and constraints that are not in the classes 22 and 23. */
const row = new Set([1048, 1062, 1264, 1265, 1292, 1364, 1366, 1367, 1406, 1451, 1452, 1644, 1690, 3140, 3156, 3819, 4025])

function faultOf(error: unknown): Fault {
  const { code, errno = 0, sqlState = '', fatal, message = '' } = error as MySqlError
  if (access.has(errno) || code === 'HANDSHAKE_NO_SSL_SUPPORT' || isOfTheCertificate(code, message)) return 'access'
  if (transient.has(errno) || /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOENT|EAI_AGAIN|ENOTFOUND|PROTOCOL_)/.test(code ?? ''))
    return 'transient'
  if (fatal || /closed state|Connection lost|connection is closed/i.test(message)) return 'transient'
  if (row.has(errno) || /^(22|23|45)/.test(sqlState)) return 'row'
  return sqlState === '' ? 'foreign' : 'other'
}

/** What Node says of a certificate that it does not trust, or of one for another name: it does not pass. */
function isOfTheCertificate(code: string | undefined, message: string): boolean {
  return (code === 'HANDSHAKE_SSL_ERROR' || code?.startsWith('ERR_TLS_') === true) && /certificate|altnames|self.signed/i.test(message)
}
