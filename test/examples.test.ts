import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')

// Each example checks its own results and ends with a line that says so.
test.each(readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts')))('examples/%s runs', (name) => {
  const run = spawnSync(process.execPath, ['--conditions=millrace-source', join(root, 'examples', name)], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
  })
  expect(run.stderr).toBe('')
  expect([run.status, run.stdout.trim() !== '']).toEqual([0, true])
})
