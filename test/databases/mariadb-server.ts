import { join } from 'node:path'
import mysql, { type Connection } from 'mysql2/promise'
import { certificatesFor } from '../servers/certificates.ts'
import { freePorts } from '../servers/free-ports.ts'
import {
  describeServer,
  findProgram,
  folderFor,
  type RunningServer,
  runProgram,
  sharedServer,
  startServer,
  unprivileged,
  waitFor,
} from '../servers/shared-server.ts'

const install = findProgram('mariadb-install-db')
const mariadbd = findProgram('mariadbd')

/** `describe` for tests against MariaDB. */
export const describeMariaDb = describeServer(
  'MariaDB',
  install && mariadbd ? undefined : 'there is no mariadbd (Debian: apt-get install mariadb-server)',
)

async function startMariaDb(folder: string): Promise<RunningServer> {
  const user = unprivileged()
  const data = folderFor(folder, user)
  const log = `${folder}.log`
  const small = ['--innodb-buffer-pool-size=32M', '--innodb-log-file-size=8M', '--innodb-flush-log-at-trx-commit=0']
  const place = ['--no-defaults', `--datadir=${data}`]
  runProgram(install!, [...place, '--auth-root-authentication-method=normal', '--skip-test-db', `--tmpdir=${data}`, ...small], user)
  const tls = certificatesFor(folder, user)
  const port = (await freePorts(1))[0]!
  const server = startServer(
    mariadbd!,
    [
      ...place,
      `--port=${port}`,
      `--socket=${join(data, 's')}`,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
      `--tmpdir=${data}`,
      `--ssl-ca=${tls.ca}`,
      `--ssl-cert=${tls.cert}`,
      `--ssl-key=${tls.key}`,
      ...small,
    ],
    log,
    user,
  )
  const running = { pid: server.pid!, port, folder }
  await waitFor(async () => (await mariaDbClient(running, '')).end(), 'MariaDB', server, log)
  const client = await mariaDbClient(running, '')
  await client.query('CREATE DATABASE shop')
  await client.end()
  return running
}

export function sharedMariaDb(): Promise<RunningServer> {
  return sharedServer('mariadb', startMariaDb)
}
export function mariaDbUrl({ port }: RunningServer): string {
  return `mariadb://root@127.0.0.1:${port}/shop`
}
/** A client for looking at tables, rows as arrays of text and numbers. */
export function mariaDbClient({ port }: RunningServer, database = 'shop'): Promise<Connection> {
  return mysql.createConnection({
    host: '127.0.0.1',
    port,
    user: 'root',
    ...(database && { database }),
    rowsAsArray: true,
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    timezone: 'Z',
    jsonStrings: true,
  })
}
