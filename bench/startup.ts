/** How long from the start of a process to its first committed batch? The baseline is a process that only loads DuckDB and asks it one thing. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bench } from './run.ts'

const bench: Bench = async ({ say, short }) => {
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  try {
    await writeFile(join(work, 'in.json'), '{"user":"ann","n":1}\n{"user":"bob","n":2}\n')
    const runs = short ? 3 : 15
    const commit: number[] = []
    const bare: number[] = []
    for (let i = 0; i < runs; i++) {
      commit.push(await untilCommitted(firstBatch(work, i)))
      bare.push(await untilCommitted(duckdbOnly))
    }
    const result = { firstCommitMs: median(commit), duckdbOnlyMs: median(bare), ratio: Math.round((median(commit) / median(bare)) * 100) / 100 }
    say(`first committed batch ${result.firstCommitMs} ms after process start (median of ${runs}); a process that only asks DuckDB one thing: ${result.duckdbOnlyMs} ms`)
    return result
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

const duckdbOnly = `
  import { DuckDBInstance } from '@duckdb/node-api'
  await (await (await DuckDBInstance.create(':memory:')).connect()).run('select 1')
  console.log('committed')`

function firstBatch(work: string, run: number): string {
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
function untilCommitted(program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now()
    const root = join(import.meta.dirname, '..')
    const child = spawn(process.execPath, ['--conditions=millrace-source', '--input-type=module', '-e', program], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    let tookMs: number | null = null
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('committed')) tookMs ??= performance.now() - startMs
    })
    child.on('exit', (code) => (tookMs === null || code !== 0 ? reject(new Error(`the program ended with ${code} before it committed`)) : resolve(tookMs)))
  })
}

function median(values: readonly number[]): number {
  return Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!)
}
