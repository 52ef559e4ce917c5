import type { Dialect, Fault } from '../dialect.ts'
import { accepts, formOf } from './types.ts'

export const postgresDialect: Dialect = {
  server: 'PostgreSQL',
  maxNameBytes: 63,
  quote: '"',
  columnType: (type) => formOf(type)?.typeText,
  accepts,
  parameter: (number) => `$${number}`,
  lockClause: ' FOR UPDATE',
  types: { text: 'text', key: 'text', long: 'bigint' },
  nullsInKeys: true,
  faultOf,
  messageOf(error) {
    const { message, detail, code, constraint } = error as PostgresError
    const said = [message, detail, constraint === undefined ? undefined : `constraint ${constraint}`].filter(
      (part) => part !== undefined && part !== '',
    )
    return `${said.join('; ') || String(code)}${code === undefined || message?.includes(code) ? '' : ` (${code})`}`
  },
}

interface PostgresError {
  readonly message?: string
  readonly detail?: string
  /** SQLSTATE, or that of the socket. */
  readonly code?: string
  readonly constraint?: string
  readonly severity?: string
}

/** Classes of SQLSTATE: docs of PostgreSQL, appendix A. */
function faultOf(error: unknown): Fault {
  const { code, severity, message = '' } = error as PostgresError
  if (severity === undefined) return isOfTheConnection(code, message) ? 'transient' : isOfTheClient(message) ? 'access' : 'foreign'
  if (code === undefined) return 'other'
  // a lock or a statement that took too long, and who was ended to let another go on
  if (transientStates.has(code) || /^(08|40|53|57P|58)/.test(code)) return 'transient'
  if (/^(28|3D|42501)/.test(code)) return 'access'
  return /^(22|23)/.test(code) || code === 'P0001' || code === '44000' ? 'row' : 'other'
}
const transientStates = new Set(['55P03', '57014', '25P03', '25P04'])

function isOfTheConnection(code: string | undefined, message: string): boolean {
  return (
    /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOENT|EAI_AGAIN|ENOTFOUND)/.test(code ?? '') ||
    /Connection terminated|connection error and is not queryable|timeout expired|Client was closed|stream.*destroyed/i.test(message)
  )
}
function isOfTheClient(message: string): boolean {
  return /SSL|TLS|certificate|SASL|password/i.test(message)
}
