/**
 * `npm run delta:interop`: tables written by Millrace are read by the Python package deltalake, and the other way round, with the same rows; both write to one table at the
 * same time. Needs Python 3.10 or later; makes a venv in a cache folder once a machine (MILLRACE_DELTA_CACHE; MILLRACE_DELTA_PYTHON names a Python that has the packages).
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Engine, MemoryStream, millrace, t } from 'millrace'
import { DeltaTable } from 'millrace/delta'
import { finish, Jobs, rowsOf, same } from './jobs.ts'
import { readByOther, writtenByOther } from './steps.ts'

const packages = ['deltalake==1.6.6', 'pyarrow==26.0.1']

function python(): string {
  const given = process.env['MILLRACE_DELTA_PYTHON']
  if (given) return given
  const venv = join(
    process.env['MILLRACE_DELTA_CACHE'] ?? join(homedir(), '.cache', 'millrace-delta'),
    packages.join('-').replaceAll('=', ''),
  )
  const command = join(venv, 'bin', 'python')
  if (existsSync(join(venv, 'done'))) return command
  const run = (name: string, ...args: string[]) => {
    const { status, stderr, error } = spawnSync(name, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${name} ${args.join(' ')}: ${error?.message ?? stderr}`)
  }
  run('python3', '-m', 'venv', '--clear', venv)
  run(command, '-m', 'pip', 'install', '-q', ...packages)
  run('touch', join(venv, 'done'))
  return command
}

/** The packages come from an index of their own: a machine that reaches none, or has no Python, skips this and says so. MILLRACE_DELTA_REQUIRED=1 fails instead. */
function pythonOrNothing(): string | null {
  try {
    return python()
  } catch (error) {
    if (process.env['MILLRACE_DELTA_REQUIRED'] === '1') throw error
    console.log(
      `skipped: ${packages.join(', ')} can not be installed here (${error instanceof Error ? error.message.trim().slice(-500) : error})`,
    )
    return null
  }
}

/** A stream, deltalake, and compactions write to one table; every row is there once. */
async function concurrent(engine: Engine, jobs: Jobs, folder: string): Promise<void> {
  const path = join(folder, 'shared')
  const batches = 40
  const stream = new MemoryStream(engine, { id: t.int(), city: t.string().nullable() })
  const query = await stream
    .toDF()
    .writeStream.option('checkpointLocation', join(folder, '.checkpoints', 'shared'))
    .format('delta')
    .start(path)
  stream.addData({ id: 0, city: 'stream' })
  await query.processAllAvailable()
  let retries = 0
  const ours = async () => {
    for (let i = 1; i < batches; i++) {
      stream.addData({ id: i, city: 'stream' })
      await query.processAllAvailable()
      retries += Number((query.lastProgress?.sink.metrics as any)?.numRetries ?? 0)
      if (i % 10 === 0) await DeltaTable.forPath(engine, path).optimize().executeCompaction()
    }
  }
  await Promise.all([ours(), jobs.do('append', { path, start: 1000, count: batches })])
  await query.stop()
  const expected = [
    ...Array.from({ length: batches }, (_, i) => `{"city":"s:stream","id":"i:${i}"}`),
    ...Array.from({ length: batches }, (_, i) => `{"city":"s:python","id":"i:${1000 + i}"}`),
  ].sort()
  same(`two writers at once, as Millrace reads it (${retries} commits of the stream came second)`, await rowsOf(engine, path), expected)
  same('two writers at once, as deltalake reads it', await jobs.do('read', { path }), expected)
}

const command = pythonOrNothing()
if (command === null) process.exit(0)
const folder = await mkdtemp(join(tmpdir(), 'millrace-interop-'))
await mkdir(folder, { recursive: true })
const engine = await millrace.local()
const jobs = new Jobs(command, 'deltalake_jobs.py')
try {
  await readByOther('deltalake', engine, jobs, folder)
  // plain letters: deltalake does not decode the names of folders when it reads changes
  await writtenByOther('deltalake', engine, jobs, join(folder, 'python'), { gone: 8, changed: 7, city: 'cologne' })
  await concurrent(engine, jobs, folder)
} finally {
  jobs.end()
  await engine.close()
  await rm(folder, { recursive: true, force: true })
}
finish()
