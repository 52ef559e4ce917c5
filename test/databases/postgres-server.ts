import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
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

const initdb = findProgram('initdb')
const postgres = findProgram('postgres')

/** `describe` for tests against PostgreSQL. */
export const describePostgres = describeServer(
  'PostgreSQL',
  initdb && postgres ? undefined : 'there is no initdb (Debian: apt-get install postgresql)',
)

/** A server of its own data folder, which a test may stop and start again. */
export async function startPostgres(folder: string, port?: number): Promise<RunningServer> {
  const user = unprivileged()
  const data = folderFor(folder, user)
  const log = `${folder}.log`
  if (port === undefined)
    runProgram(initdb!, ['--no-sync', '--auth=trust', '--username=millrace', '--encoding=UTF8', '--locale=C', '-D', data], user)
  const tls = certificatesFor(folder, user)
  const rules = join(data, 'pg_hba.conf')
  // the first line that fits counts
  if (port === undefined) writeFileSync(rules, `hostssl all certified all cert\n${readFileSync(rules, 'utf8')}`)
  const chosen = port ?? (await freePorts(1))[0]!
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${chosen}`,
    `unix_socket_directories=${data}`,
    'fsync=off',
    'shared_buffers=64MB',
    'max_connections=50',
    'ssl=on',
    `ssl_cert_file=${tls.cert}`,
    `ssl_key_file=${tls.key}`,
    `ssl_ca_file=${tls.ca}`,
  ]
  const server = startServer(postgres!, ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], log, user)
  await waitFor(
    async () => {
      const client = new pg.Client({ host: '127.0.0.1', port: chosen, user: 'millrace', database: 'postgres' })
      client.on('error', () => {})
      await client.connect()
      await client.end()
    },
    'PostgreSQL',
    server,
    log,
  )
  return { pid: server.pid!, port: chosen, folder }
}

export function sharedPostgres(): Promise<RunningServer> {
  return sharedServer('postgres', (folder) => startPostgres(folder))
}
/** As the option url has it. */
export function postgresUrl({ port }: RunningServer, database = 'postgres'): string {
  return `postgresql://millrace@127.0.0.1:${port}/${database}`
}

/** A client for looking at tables, its numbers as text. */
export async function postgresClient(server: RunningServer): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: postgresUrl(server) })
  client.on('error', () => {})
  await client.connect()
  await client.query("SET TimeZone = 'UTC'")
  return client
}
/** A restart: the port stays. */
export async function stopPostgres({ pid }: RunningServer, signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
  process.kill(pid, signal)
  for (const deadlineMs = Date.now() + 30_000; Date.now() < deadlineMs; ) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`the server ${pid} did not end`)
}
export function serverFolder(folder: string, name: string): string {
  return join(folder, name)
}
