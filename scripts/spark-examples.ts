/**
 * `npm run spark:examples [-- family …] [-- --all]`: asks real Spark for the examples that have no expected value yet (`--all`: for every one).
 * SPARK_PYTHON is a Python that has pyspark 4.2.0 (default: python3).
 */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { examplesOf, families } from '../test/functions/examples/index.ts'
import { queries, views } from '../test/sql/queries.ts'

const root = resolve(import.meta.dirname, '..')
const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))
const unknown = wanted.filter((name) => !(name in families) && name !== 'sql')
if (unknown.length > 0) {
  console.error(`no family ${unknown.join(', ')}; there are ${[...Object.keys(families), 'sql'].join(', ')}`)
  process.exit(2)
}
const chosen = Object.entries(families).filter(([name]) => wanted.length === 0 || wanted.includes(name))
const request = {
  folder: resolve(root, 'test/functions/expected'),
  all: process.argv.includes('--all'),
  // whole queries, asked only when they are named
  sql: wanted.includes('sql') ? { path: resolve(root, 'test/sql/expected.json'), views, queries } : null,
  families: Object.fromEntries(chosen.map(([name, functions]) => [name, examplesOf(functions)])),
}
const run = spawnSync(process.env['SPARK_PYTHON'] ?? 'python3', [resolve(root, 'scripts/spark-examples.py')], {
  input: JSON.stringify(request),
  stdio: ['pipe', 'inherit', 'inherit'],
})
if (run.error) console.error(`cannot start Python: ${run.error.message}`)
process.exit(run.status ?? 1)
