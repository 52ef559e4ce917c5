/**
 * `npm run oracle`: the property tests of test/oracle, over all operators with state and all providers, with many more runs than a test run has.
 * Prints the seed, each property when it is through and, in the end, how many generated runs there were; counterexamples go into a file too. MILLRACE_ORACLE_RUNS: runs for each property (default 150).
 * MILLRACE_ORACLE_SEED: the seed. MILLRACE_ORACLE_DELAYS=true: with other timings (test/oracle/delays.ts). With words behind `--` only test files whose names hold one of them.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const seed = process.env['MILLRACE_ORACLE_SEED'] ?? String(Date.now() % 1_000_000)
const runs = process.env['MILLRACE_ORACLE_RUNS'] ?? '150'
const words = process.argv.slice(2)
const folder = await mkdtemp(join(tmpdir(), 'millrace-oracle-'))
const report = join(folder, 'runs')
console.log(`oracle: seed ${seed}, ${runs} runs for each property`)
const files = words.length > 0 ? words.map((word) => `test/oracle/${word}`) : ['test/oracle']
const status = await new Promise<number>((resolve) => {
  const env = { ...process.env, MILLRACE_ORACLE_SEED: seed, MILLRACE_ORACLE_RUNS: runs, MILLRACE_ORACLE_REPORT: report }
  const child = spawn('npx', ['vitest', 'run', '--reporter=verbose', ...files], { stdio: 'inherit', env })
  child.on('close', (code) => resolve(code ?? 1))
})
const counts = await readFile(report, 'utf8').catch(() => '')
const failed = await readFile(`${report}-failed`, 'utf8').catch(() => '')
await rm(folder, { recursive: true, force: true })
if (failed !== '') {
  const path = join(tmpdir(), `millrace-oracle-failed-${seed}.txt`)
  await writeFile(path, failed)
  console.log(`oracle: counterexamples in ${path}`)
}
const total = counts.split('\n').reduce((sum, line) => sum + Number(line), 0)
console.log(`oracle: ${total} generated runs, ${status === 0 ? 'all as the batch' : 'not all as the batch'}; seed ${seed}`)
process.exitCode = status
