// `millrace plan` as a process: what it says, what it exits with, and that it writes nothing.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PlannedQuery } from '../runtime/plan-query.ts'

const root = resolve(import.meta.dirname, '../..')
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-plan-'))
  mkdirSync(join(folder, 'in'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/millrace'))
  writeFileSync(join(folder, 'in/1.json'), '{"k":"a","v":1}\n{"k":"b","v":2}\n')
  app('first.ts', 'groupBy("k").agg(({ v }) => ({ total: sum(v) }))')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A module whose query starts at its top level, or (`exported`) in a function. */
function app(name: string, query: string, exported = false) {
  const start = (
    engine: string,
  ) => `${engine}.readStream.schema({ k: t.string(), v: t.int(), r: t.string().nullable() }).json('in').${query}
    .writeStream.queryName('totals').outputMode('update').format('noop').trigger({ availableNow: true }).option('checkpointLocation', 'cp').start()`
  writeFileSync(
    join(folder, name),
    `import { count, max, millrace, sum, t } from 'millrace'
${exported ? `export default (engine) => ${start('engine')}` : `const engine = await millrace.local()\nconst query = await ${start('engine')}\nawait query.awaitTermination()\nawait engine.close()`}
`,
  )
}
function millrace(...args: string[]) {
  const run = spawnSync(process.execPath, ['--conditions=millrace-source', join(root, 'src/cli/bin.ts'), ...args], {
    cwd: folder,
    encoding: 'utf8',
  })
  return { code: run.status, out: run.stdout, err: run.stderr }
}
function plan(...args: string[]) {
  const { code, out, err } = millrace('plan', ...args, '--json')
  return { code, err, query: out === '' ? undefined : (JSON.parse(out) as PlannedQuery) }
}
/** Every file below the checkpoint, with its time and content. */
function content(): string[] {
  return readdirSync(join(folder, 'cp'), { recursive: true, encoding: 'utf8' }).map((name) => {
    const path = join(folder, 'cp', name)
    const { mtimeMs } = statSync(path)
    return statSync(path).isDirectory() ? `${name} ${mtimeMs}` : `${name} ${mtimeMs} ${readFileSync(path).toString('base64')}`
  })
}

test('before the first batch, the same, migrated, rebuilt and refused; nothing is written', () => {
  expect(plan('first.ts')).toMatchObject({ code: 0, query: { name: 'totals', verdict: 'new' } })
  expect(readdirSync(folder)).not.toContain('cp')
  expect(millrace('run', 'first.ts')).toMatchObject({ code: 0 })
  const before = content()
  const same = plan('first.ts')
  expect(same).toMatchObject({ code: 0, query: { verdict: 'same' } })
  expect(same.query!.parts.map(({ part, name, verdict }) => [part, name, verdict])).toEqual([
    ['source', '0', 'same'],
    ['operator', 'aggregate 0 by k', 'same'],
    ['sink', 'noop', 'same'],
  ])
  app('more.ts', 'groupBy("k", "r").agg(({ v }) => ({ total: sum(v), n: count() }))', true)
  const migrated = plan('more.ts')
  expect(migrated).toMatchObject({ code: 0, query: { verdict: 'migrated' } })
  expect(migrated.query!.parts.find(({ part }) => part === 'operator')!.changes.map(({ rule }) => rule)).toEqual([
    'key-added',
    'aggregate-added',
  ])
  app('deduped.ts', 'dropDuplicates(["k"]).groupBy("k").agg(({ v }) => ({ total: sum(v) }))', true)
  expect(
    plan('deduped.ts')
      .query!.parts.filter(({ part }) => part === 'operator')
      .map(({ verdict }) => verdict)
      .sort(),
  ).toEqual(['rebuilt', 'same'])
  app('other.ts', 'groupBy("k").agg(({ v }) => ({ total: max(v) }))')
  const refused = plan('other.ts')
  expect(refused).toMatchObject({ code: 10, query: { verdict: 'refused' } })
  expect(refused.query!.parts.flatMap(({ changes }) => changes).find(({ verdict }) => verdict === 'refused')).toMatchObject({
    rule: 'functions-changed',
    code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    pattern: 'replay',
  })
  const text = millrace('plan', 'other.ts')
  expect(text.out).toContain('operator aggregate 0 by k: refused')
  expect(text.out).toContain('What to do: give the new aggregate another name')
  expect(content()).toEqual(before)
}, 120_000)

test('another checkpoint by --checkpoint, and what can not be planned', () => {
  expect(plan('first.ts', '--checkpoint', 'cp')).toMatchObject({ code: 0, query: { checkpoint: join(folder, 'cp') } })
  // not there, another folder, a file
  for (const wrong of ['nowhere', '.', 'first.ts'])
    expect(plan('first.ts', '--checkpoint', wrong), wrong).toMatchObject({ code: 5, err: expect.stringContaining('PATH_NOT_FOUND') })
  // as a start
  cpSync(join(folder, 'cp'), join(folder, 'torn'), { recursive: true })
  for (const name of readdirSync(join(folder, 'torn/offsets'))) rmSync(join(folder, 'torn/offsets', name))
  expect(plan('first.ts', '--checkpoint', 'torn')).toMatchObject({ code: 4, err: expect.stringContaining('LOGS_DISAGREE') })
  writeFileSync(join(folder, 'nothing.ts'), 'export {}\n')
  expect(plan('nothing.ts')).toMatchObject({ code: 2, err: expect.stringContaining('NO_QUERY_STARTED') })
}, 60_000)
