/**
 * How much does exactly once into PostgreSQL cost over COPY? A stream of Parquet files goes into a table, a file a batch, with checkpoint and batch ids; beside it psql
 * copies the same rows, as CSV, into a table of the same columns. In turns, in one run, on one server of its own; the ratio is that of the medians.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chownSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { millrace, t } from 'millrace'
import 'millrace/postgres'
import type { Bench } from './run.ts'

const columns = { id: t.long(), shop: t.string(), price: t.double(), at: t.timestamp(), note: t.string() }
const table = '(id bigint NOT NULL, shop text NOT NULL, price double precision NOT NULL, at timestamptz NOT NULL, note text NOT NULL)'

const bench: Bench = async ({ say, short }) => {
  const [files, rowsPerFile, rounds] = short ? [2, 50_000, 1] : [4, 250_000, 3]
  const rows = files * rowsPerFile
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  const server = await startServer(join(work, 'server'))
  const duck = await (await DuckDBInstance.create()).connect()
  const engine = await millrace.local()
  try {
    const input = join(work, 'in')
    await mkdir(input)
    for (let i = 0; i < files; i++) {
      const select = `SELECT range AS id, 'shop-' || (hash(range) % 500) AS shop, (hash(range + 1) % 100000) / 100.0::DOUBLE AS price, make_timestamptz(1700000000000000 + range * 1000) AS at, md5(range::VARCHAR) AS note FROM range(${i * rowsPerFile}, ${(i + 1) * rowsPerFile})`
      await duck.run(`COPY (${select}) TO '${join(input, `${i}.parquet`)}' (FORMAT parquet)`)
      await duck.run(`COPY (${select}) TO '${join(work, `${i}.csv`)}' (FORMAT csv, HEADER false)`)
    }
    const seconds: { millrace: number[]; psql: number[] } = { millrace: [], psql: [] }
    for (let round = 0; round <= rounds; round++) {
      const psql = await timed(async () => {
        server.psql(`CREATE TABLE bare ${table}`)
        for (let i = 0; i < files; i++) server.psql(`\\copy bare FROM '${join(work, `${i}.csv`)}' CSV`)
      })
      const own = await timed(async () => {
        const query = await engine.readStream
          .schema(columns)
          .option('maxFilesPerTrigger', 1)
          .parquet(input)
          .writeStream.option('checkpointLocation', join(work, `checkpoint-${round}`))
          .options({ url: server.url, adoptOutput: true })
          .trigger({ availableNow: true })
          .format('postgres')
          .start('streamed')
        await query.awaitTermination()
      })
      const written = Number(server.psql('SELECT count(*) FROM streamed'))
      if (written !== rows) throw new Error(`${written} rows are in the table, and ${rows} were written`)
      server.psql('DROP TABLE bare, streamed')
      say(`round ${round}: ${rows} rows, psql ${psql.toFixed(2)} s, Millrace ${own.toFixed(2)} s${round === 0 ? ' (warm-up)' : ''}`)
      if (round === 0) continue
      seconds.millrace.push(own)
      seconds.psql.push(psql)
    }
    const [own, psql] = [median(seconds.millrace), median(seconds.psql)]
    return {
      rowsPerSecond: Math.round(rows / own),
      psqlRowsPerSecond: Math.round(rows / psql),
      ratio: Number((psql / own).toFixed(2)),
    }
  } finally {
    await engine.close()
    server.process.kill('SIGQUIT')
    await new Promise((resolve) => server.process.once('exit', resolve))
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

interface Server {
  readonly process: ChildProcess
  readonly url: string
  psql(command: string): string
}
/** PostgreSQL refuses to run as root: then it runs as nobody. */
async function startServer(data: string): Promise<Server> {
  const user = process.getuid?.() === 0 ? { uid: Number(nobody()[2]), gid: Number(nobody()[3]) } : {}
  await mkdir(data, { mode: 0o700 })
  if (user.uid !== undefined) {
    chownSync(data, user.uid, user.gid)
    spawnSync('chmod', ['755', join(data, '..')])
  }
  run(program('initdb'), ['--no-sync', '--auth=trust', '--username=millrace', '--encoding=UTF8', '--locale=C', '-D', data], user)
  const port = await freePort()
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${data}`, 'max_wal_size=4GB']
  const server = spawn(program('postgres'), ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
    ...user,
    cwd: '/',
    stdio: 'ignore',
  })
  const url = `postgresql://millrace@127.0.0.1:${port}/postgres`
  for (let i = 0; spawnSync('psql', [url, '-c', 'SELECT 1']).status !== 0; i++) {
    if (i === 200) throw new Error('PostgreSQL does not answer')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return { process: server, url, psql: (command) => run('psql', [url, '-qAt', '-v', 'ON_ERROR_STOP=1', '-c', command], {}) }
}
function nobody(): string[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('nobody:'))!
    .split(':')
}
/** Debian keeps them in a folder of their version. */
function program(name: string): string {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, 'bin', name)) : []
  return versions.find((path) => existsSync(path)) ?? name
}
function run(command: string, args: readonly string[], user: { uid?: number; gid?: number }): string {
  const { status, stdout, stderr } = spawnSync(command, [...args], { ...user, cwd: '/', encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`)
  return stdout.trim()
}
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return (performance.now() - start) / 1000
}
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
