/**
 * `npm run spark:streams [-- --all]`: asks real Spark for the streaming queries of test/spark-streams that have no expected results yet (`--all`: for every one).
 * SPARK_PYTHON is a Python that has pyspark 4.2.0 (default: python3).
 */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { inputSchema, streamCases } from '../test/spark-streams/cases.ts'

const root = resolve(import.meta.dirname, '..')
const request = {
  path: resolve(root, 'test/spark-streams/expected.json'),
  all: process.argv.includes('--all'),
  schema: inputSchema,
  cases: streamCases,
}
const run = spawnSync(process.env['SPARK_PYTHON'] ?? 'python3', [resolve(root, 'scripts/spark-streams.py')], {
  input: JSON.stringify(request),
  stdio: ['pipe', 'inherit', 'inherit'],
})
if (run.error) console.error(`cannot start Python: ${run.error.message}`)
process.exit(run.status ?? 1)
