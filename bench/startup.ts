/**
 * How long from the start of a process to its first committed batch? Measured on the compiled package, which is what users install (the
 * sources, whose types Node strips at every start, are measured beside it). The baseline is a process that only loads DuckDB and asks it one thing.
 */
import { spawn, spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bench } from './run.ts'

const bench: Bench = async ({ say, short }) => {
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  try {
    await writeFile(join(work, 'in.json'), '{"user":"ann","n":1}\n{"user":"bob","n":2}\n')
    const runs = short ? 3 : 15
    const built = await build(join(work, 'package'))
    const commit: number[] = []
    const fromSource: number[] = []
    const bare: number[] = []
    for (let i = 0; i < runs; i++) {
      commit.push(await untilCommitted(built, [], firstBatch(work, `built-${i}`)))
      fromSource.push(await untilCommitted(root, ['--conditions=millrace-source'], firstBatch(work, `source-${i}`)))
      bare.push(await untilCommitted(root, [], duckdbOnly))
    }
    const result = {
      firstCommitMs: median(commit),
      fromSourceMs: median(fromSource),
      duckdbOnlyMs: median(bare),
      ratio: Math.round((median(commit) / median(bare)) * 100) / 100,
    }
    say(
      `first committed batch ${result.firstCommitMs} ms after process start (median of ${runs}; from the TypeScript sources ${result.fromSourceMs} ms); a process that only asks DuckDB one thing: ${result.duckdbOnlyMs} ms`,
    )
    return result
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

const root = join(import.meta.dirname, '..')

/** The package as `npm pack` would make it, in a folder of its own beside the repository's dependencies. */
async function build(folder: string): Promise<string> {
  await mkdir(folder)
  const tsc = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')],
    { stdio: 'inherit' },
  )
  if (tsc.status !== 0) throw new Error('the package does not compile')
  await copyFile(join(root, 'package.json'), join(folder, 'package.json'))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

const duckdbOnly = `
  import { DuckDBInstance } from '@duckdb/node-api'
  await (await (await DuckDBInstance.create(':memory:')).connect()).run('select 1')
  console.log('committed')`

function firstBatch(work: string, run: string): string {
  return `
  import { millrace, t, count } from 'millrace'
  const engine = await millrace.local()
  engine.streams.addListener({ onQueryProgress: () => console.log('committed') })
  const query = await engine.readStream.schema({ user: t.string(), n: t.long() }).json(${JSON.stringify(work)} + '/*.json')
    .groupBy('user').agg(() => ({ n: count() }))
    .writeStream.outputMode('update').format('noop').trigger({ availableNow: true })
    .option('checkpointLocation', ${JSON.stringify(join(work, `checkpoint-${run}`))}).start()
  await query.awaitTermination()
  await engine.close()`
}

/** Milliseconds from spawn to the line that says so. */
function untilCommitted(cwd: string, flags: readonly string[], program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now()
    const child = spawn(process.execPath, [...flags, '--input-type=module', '-e', program], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
    let tookMs: number | null = null
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('committed')) tookMs ??= performance.now() - startMs
    })
    child.on('exit', (code) =>
      tookMs === null || code !== 0 ? reject(new Error(`the program ended with ${code} before it committed`)) : resolve(tookMs),
    )
  })
}

function median(values: readonly number[]): number {
  return Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!)
}
