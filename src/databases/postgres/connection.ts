import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { ClientConfig } from 'pg'
import { InvalidQueryError } from '../../base/errors.ts'
import type { Options } from '../../base/options.ts'
import { parseServerUrl } from '../connection-url.ts'
import { readPems, sslFiles } from '../pem.ts'

/** How a server is reached. */
export interface PostgresConnection {
  readonly client: ClientConfig
  readonly lockTimeoutMs: number
  readonly idleTimeoutMs: number
  /** 0: none. */
  readonly statementTimeoutMs: number
  /** Without secrets. */
  readonly address: string
}

export const postgresOptionNames = [
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
  'statementTimeout',
  'applicationName',
]
const sslModes = ['disable', 'require', 'verify-ca', 'verify-full'] as const
/** Parameters of a URL that mean an option. */
const urlParameters: Readonly<Record<string, string>> = {
  sslmode: 'ssl',
  ssl: 'ssl',
  sslrootcert: 'sslRootCert',
  sslcert: 'sslCert',
  sslkey: 'sslKey',
  application_name: 'applicationName',
  applicationname: 'applicationName',
}

/** Reads and checks the options of the connection; an option counts before what the URL says. What neither says comes from the environment, as for psql (PGHOST, PGPASSWORD, …). */
export function postgresConnection(options: Options): PostgresConnection {
  const given = options.text('url')
  const url = given === undefined ? undefined : parseServerUrl(given, ['postgresql', 'postgres'])
  const fromUrl = new Map<string, string>()
  for (const [name, value] of url?.parameters ?? []) {
    const option = urlParameters[name]
    if (option === undefined) {
      throw new InvalidQueryError('INVALID_OPTION_VALUE', {
        what: `the url has a parameter ${name}, which is not known`,
        todo: `leave it out; known are ${Object.keys(urlParameters).join(', ')}`,
      })
    }
    fromUrl.set(option, value)
  }
  const text = (name: string) => options.text(name) ?? fromUrl.get(name)
  const host = options.text('host') ?? url?.host ?? process.env['PGHOST'] ?? 'localhost'
  const port = options.wholeNumber('port', 1) ?? url?.port ?? Number(process.env['PGPORT'] ?? 5432)
  const database = options.text('database') ?? url?.database
  const user = options.text('user') ?? url?.user
  const password = options.text('password') ?? url?.password
  return {
    client: {
      host,
      port,
      ssl: tlsOf(text),
      application_name: text('applicationName') ?? 'millrace',
      connectionTimeoutMillis: options.durationMs('connectTimeout') ?? 10_000,
      ...(database !== undefined && { database }),
      ...(user !== undefined && { user }),
      ...(password !== undefined && { password }),
    },
    lockTimeoutMs: options.durationMs('lockTimeout') ?? 30_000,
    idleTimeoutMs: options.durationMs('idleTimeout') ?? 60_000,
    statementTimeoutMs: options.durationMs('statementTimeout') ?? 0,
    address: `postgresql://${host}:${port}/${database ?? process.env['PGDATABASE'] ?? user ?? ''}`,
  }
}

/** As psql's sslmode; `true` is verify-full. */
function tlsOf(text: (name: string) => string | undefined): TlsOptions | false {
  const given = text('ssl')?.toLowerCase() ?? 'disable'
  const mode = given === 'true' ? 'verify-full' : given === 'false' ? 'disable' : given
  if (!(sslModes as readonly string[]).includes(mode)) {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `ssl = ${JSON.stringify(given)} is not one of ${sslModes.join(', ')}`,
      todo: 'give one of them; true is verify-full',
    })
  }
  if (mode === 'disable') return false
  return {
    rejectUnauthorized: mode !== 'require',
    // the certificate's name is looked at by verify-full only
    ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
    ...readPems(text, sslFiles),
  }
}
