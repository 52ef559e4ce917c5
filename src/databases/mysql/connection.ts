import { isIP } from 'node:net'
import type { ConnectionOptions } from 'mysql2/promise'
import { InvalidQueryError } from '../../base/errors.ts'
import type { Options } from '../../base/options.ts'
import { parseServerUrl } from '../connection-url.ts'
import { readPems, sslFiles } from '../pem.ts'

export interface MySqlConnection {
  readonly client: ConnectionOptions
  readonly lockTimeoutMs: number
  readonly idleTimeoutMs: number
  /** Whether text keys must be compared by their bytes. */
  readonly checkCollation: boolean
  readonly address: string
}

export const mysqlOptionNames = [
  'url',
  'host',
  'port',
  'user',
  'password',
  'database',
  'ssl',
  'sslRootCert',
  'sslCert',
  'sslKey',
  'connectTimeout',
  'lockTimeout',
  'idleTimeout',
  'keyCollation',
]

/** Reads and checks the options of the connection; an option counts before what the URL says. */
export function mysqlConnection(options: Options): MySqlConnection {
  const given = options.text('url')
  const url = given === undefined ? undefined : parseServerUrl(given, ['mysql', 'mariadb'])
  const unknown = [...(url?.parameters.keys() ?? [])][0]
  if (unknown !== undefined) {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `the url has a parameter ${unknown}, which is not known`,
      todo: 'leave it out, and say it as an option: docs/databases.md has them',
    })
  }
  const host = options.text('host') ?? url?.host ?? 'localhost'
  const port = options.wholeNumber('port', 1) ?? url?.port ?? 3306
  const database = options.text('database') ?? url?.database
  const user = options.text('user') ?? url?.user
  const password = options.text('password') ?? url?.password
  const ssl = tlsOf(options, host)
  const collation = options.text('keyCollation')?.toLowerCase() ?? 'binary'
  if (collation !== 'binary' && collation !== 'any') {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `keyCollation = ${JSON.stringify(collation)} is not binary or any`,
      todo: 'give one of them, or leave the option out',
    })
  }
  return {
    client: {
      ...(host.startsWith('/') ? { socketPath: host } : { host, port }),
      connectTimeout: options.durationMs('connectTimeout') ?? 10_000,
      charset: 'utf8mb4',
      timezone: 'Z',
      dateStrings: true,
      // texts of JSON and not objects
      jsonStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      rowsAsArray: true,
      ...(ssl && { ssl }),
      ...(database !== undefined && { database }),
      ...(user !== undefined && { user }),
      ...(password !== undefined && { password }),
    },
    lockTimeoutMs: options.durationMs('lockTimeout') ?? 30_000,
    idleTimeoutMs: options.durationMs('idleTimeout') ?? 60_000,
    checkCollation: collation === 'binary',
    address: `mysql://${host}:${port}/${database ?? ''}`,
  }
}

function tlsOf(options: Options, host: string): ConnectionOptions['ssl'] {
  const mode = options.text('ssl')?.toLowerCase() ?? 'disable'
  if (mode === 'disable' || mode === 'false') return undefined
  if (!['require', 'verify-ca', 'verify-full', 'true'].includes(mode)) {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `ssl = ${JSON.stringify(mode)} is not one of disable, require, verify-ca, verify-full`,
      todo: 'give one of them; true is verify-full',
    })
  }
  const verifyIdentity = mode === 'verify-full' || mode === 'true'
  if (verifyIdentity && isIP(host) !== 0) {
    // the package compares the certificate with the name "localhost" then
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `ssl = ${mode} compares the name of the server with its certificate, and ${host} is an address, of which the package mysql2 does not look at the certificate`,
      todo: 'give the host by its name; or ssl = verify-ca, which looks at the authority only',
    })
  }
  return {
    rejectUnauthorized: mode !== 'require',
    verifyIdentity,
    ...readPems((name) => options.text(name), sslFiles),
  }
}
