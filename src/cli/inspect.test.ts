// millrace checkpoint and millrace state as commands: what they print, and what they exit with.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, MemoryStream, millrace, t } from 'millrace'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkpoint } from './checkpoint.ts'
import type { Terminal } from './report.ts'
import { state } from './state.ts'

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-inspect-'))
  path = join(folder, 'checkpoint')
  const engine = await millrace.local({ threads: 1 })
  const input = new MemoryStream(engine, { k: t.string(), m: t.map(t.string(), t.int()) })
  const query = await input
    .toDF()
    .groupBy('k')
    .agg(() => ({ n: count() }))
    .writeStream.queryName('counts')
    .outputMode('update')
    .option('checkpointLocation', path)
    .format('noop')
    .start()
  for (const k of ['a', 'b', 'a']) {
    input.addData({ k, m: new Map([['x', 1]]) })
    await query.processAllAvailable()
  }
  await engine.close()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function run(command: typeof checkpoint, ...args: string[]) {
  let [out, err] = ['', '']
  const terminal: Terminal = { out: (text) => (out += text), err: (text) => (err += text), isScreen: true, nowMs: () => 0 }
  return { code: await command(args, terminal), out, err }
}

test('ls and show', async () => {
  const { code, out } = await run(checkpoint, 'ls', path, '--last', '2')
  expect(code).toBe(0)
  expect(out).toMatch(/query counts, id [0-9a-f-]{36}\n1 run; run 1: pid \d+ on /)
  expect(out).toMatch(/batch {2}committed {2}timestamp .*\n {4}1 {2}yes .*\n {4}2 {2}yes /)
  expect(out).not.toMatch(/\n {4}0 {2}yes/)
  const json = JSON.parse((await run(checkpoint, 'ls', path, '--json')).out)
  expect(json.batches.map((batch: { batchId: number; numInputRows: number }) => [batch.batchId, batch.numInputRows])).toEqual([
    [0, 1],
    [1, 1],
    [2, 1],
  ])
  const shown = await run(checkpoint, 'show', path, '2')
  expect(shown.out).toContain('0 (memory): from 1 to 2')
  expect(shown.out).toContain('operator 0 (stateStoreSave), store default: 1 rows written, 0 removed')
  expect(shown.out).toContain('sink: noop, mode update')
  expect(JSON.parse((await run(checkpoint, 'show', path, '0', '--json')).out)).toMatchObject({
    batchId: 0,
    sources: [{ from: null, to: 0 }],
  })
})

test('verify, gc and copy', async () => {
  expect(await run(checkpoint, 'verify', path)).toMatchObject({ code: 0, out: expect.stringContaining('nothing is damaged') })
  const entry = join(path, 'offsets/1')
  const content = await readFile(entry, 'utf8')
  await writeFile(entry, content.replace('"batchWatermarkMs":0', '"batchWatermarkMs":1'))
  const damaged = await run(checkpoint, 'verify', path)
  expect(damaged).toMatchObject({ code: 4, out: expect.stringContaining('DAMAGED offsets/1') })
  expect(JSON.parse((await run(checkpoint, 'verify', path, '--json')).out).problems).toHaveLength(1)
  await writeFile(entry, content)
  await writeFile(join(path, 'offsets/.3.x.tmp'), '')
  expect((await run(checkpoint, 'gc', path)).out).toMatch(
    /offsets\/\.3\.x\.tmp {4}0 B {2}temporary file[^]*nothing was deleted; --delete does it/,
  )
  expect((await run(checkpoint, 'gc', path, '--delete')).out).toMatch(/1 files, 0 B deleted; batches from 0 on stay/)
  expect((await run(checkpoint, 'gc', path, '--json')).out).toContain('"garbage":[]')
  const copied = await run(checkpoint, 'copy', path, join(folder, 'copy'), '--batch', '1')
  expect(copied).toMatchObject({ code: 0, out: expect.stringContaining('its query goes on with batch 2, under the new id') })
  expect(await run(checkpoint, 'copy', path, join(folder, 'copy'))).toMatchObject({ code: 5, err: expect.stringContaining('NOT_EMPTY') })
  expect((await run(checkpoint, 'copy', path, join(folder, 'same'), '--same-id')).out).toContain(
    'batches after 2 that are there already are taken for written',
  )
})

test('a folder in the place of a log entry is named', async () => {
  await mkdir(join(path, 'offsets/3'))
  for (const command of [
    [checkpoint, 'ls'],
    [state, 'ls'],
    [checkpoint, 'verify'],
  ] as const)
    expect(await run(command[0], command[1], path), command[1]).toMatchObject({ code: 4 })
  expect((await run(checkpoint, 'ls', path)).err).toMatch(/MALFORMED_LOG_FILE.*offsets\/3.*folder/s)
  await rm(join(path, 'offsets/3'), { recursive: true })
})

test('state ls, show and query', async () => {
  expect((await run(state, 'ls', path)).out).toMatch(
    /after batch 2\n\ntable .*\nstate_0 {2}0 stateStoreSave {5}2 {2}- {11}\(k string\) -> \(n bigint\)/,
  )
  expect((await run(state, 'show', path)).out).toMatch(/\| {2}k\| {2}n\|partition_id\|/)
  const rows = await run(state, 'query', path, 'SELECT k, n FROM state_0 ORDER BY k', '--json')
  expect(rows.out).toBe('{"k":"a","n":2}\n{"k":"b","n":1}\n')
  expect((await run(state, 'query', path, 'SELECT k, n FROM state_0 ORDER BY k', '--json', '--batch', '0')).out).toBe('{"k":"a","n":1}\n')
  expect((await run(state, 'query', path, 'SELECT k FROM state_0', '--limit', '1')).out).toContain('1 of 2 rows')
  expect((await run(state, 'query', path, "SELECT MAP {'x': 1} AS m", '--json')).out).toBe('{"m":{"x":1}}\n')
  expect(JSON.parse((await run(state, 'ls', path, '--json')).out)).toMatchObject({ batchId: 2, tables: [{ name: 'state_0', rows: 2 }] })
  expect(await run(state, 'query', path, 'SELEKT')).toMatchObject({ code: 5, err: expect.stringContaining('PARSE_SYNTAX_ERROR') })
  expect(await run(state, 'ls', folder)).toMatchObject({ code: 5, err: expect.stringContaining('PATH_NOT_FOUND') })
  expect(await run(state, 'show', path, 'nothing', '--json')).toMatchObject({
    code: 5,
    out: expect.stringContaining('"error":"TABLE_OR_VIEW_NOT_FOUND"'),
  })
})

test.each([
  [checkpoint, [], 'checkpoint needs one of ls, show, verify'],
  [checkpoint, ['lss', 'x'], 'there is no command "checkpoint lss"; did you mean ls?'],
  [checkpoint, ['ls'], 'checkpoint ls needs the folder of a checkpoint'],
  [checkpoint, ['show', 'x'], 'checkpoint show needs the number of a batch'],
  [checkpoint, ['show', 'x', 'y'], 'a batch is a whole number, not "y"'],
  [checkpoint, ['ls', 'x', 'y'], '"y" is one operand too many'],
  [checkpoint, ['ls', 'x', '--delete'], 'checkpoint ls has no option --delete'],
  [checkpoint, ['ls', 'x', '--nope'], "Unknown option '--nope'"],
  [checkpoint, ['gc', 'x', '--delete', '--dry-run'], 'the opposite of each other'],
  [checkpoint, ['gc', 'x', '--retain-days', 'many'], '--retain-days takes a number, not "many"'],
  [checkpoint, ['copy', 'x'], 'checkpoint copy needs a new folder'],
  [checkpoint, ['copy', 'x', 'y', '--batch', '-1'], "'--batch"],
  [state, ['query', 'x'], 'state query needs a SELECT'],
  [state, ['ls', 'x', '--limit', '3'], 'state ls has no option --limit'],
] as const)('%o %j is wrong usage', async (command, args, message) => {
  const { code, err, out } = await run(command, ...args)
  expect([code, out]).toEqual([2, ''])
  expect(err).toContain(message)
  expect(err).toContain('Usage: millrace')
})

test.each([[checkpoint], [state]])('help', async (command) => {
  const { code, out } = await run(command, '--help')
  expect([code, out.startsWith('Usage: millrace')]).toEqual([0, true])
})
