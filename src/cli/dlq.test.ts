// millrace dlq: what it prints, what it exits with, and that what it gives back is read once.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Engine, MemoryStream, millrace, type StreamFrame, t } from 'millrace'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { dlq } from './dlq.ts'
import type { Terminal } from './report.ts'

let folder: string
let engine: Engine
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-dlq-'))
  await mkdir(join(folder, 'in'))
  engine = await millrace.local({ threads: 1, print: () => {} })
})
afterEach(async () => {
  await engine.close()
  await rm(folder, { recursive: true, force: true })
})

async function run(...args: string[]) {
  let [out, err] = ['', '']
  const terminal: Terminal = { out: (text) => (out += text), err: (text) => (err += text), isScreen: false, nowMs: () => 0 }
  return { code: await dlq(args, terminal), out, err }
}
/** Reads what is there into out/, by a schema in which a number may be text. */
async function stream(format: 'json' | 'parquet', id: 'int' | 'string' = 'int') {
  const query = await engine.readStream
    .schema({ id: id === 'int' ? t.int() : t.string() } as { id: ReturnType<typeof t.string> })
    .name('events')
    .json(join(folder, 'in'))
    .writeStream.format('json')
    .trigger({ availableNow: true })
    .option('checkpointLocation', join(folder, `checkpoint-${id}`))
    .deadLetters((letters) => letters.output.format(format).option('path', join(folder, `letters-${id}`)))
    .start(join(folder, `out-${id}`))
  await query.awaitTermination()
}

/** Gives a stream to a sink that takes no id above 5. Gives the folder of its letters. */
async function refuseLarge(frame: StreamFrame<any>): Promise<string> {
  const letters = join(folder, 'letters')
  const query = await frame.writeStream
    .trigger({ availableNow: true })
    .option('checkpointLocation', join(folder, 'checkpoint'))
    .foreach((row) => {
      if ((row as unknown as { id: bigint }).id > 5n) throw new Error('too large')
    })
    .deadLetters((found) => found.output.format('json').option('path', letters))
    .start()
  await query.awaitTermination()
  return letters
}

test.each(['json', 'parquet'] as const)('ls, show and replay of letters in %s', async (format) => {
  await writeFile(join(folder, 'in', 'a.json'), '{"id":1}\n{"id":"two"}\nno json\n')
  await stream(format)
  const letters = join(folder, 'letters-int')
  const listed = await run('ls', letters)
  expect([listed.code, listed.out]).toEqual([
    0,
    '2 dead letters\n\nbatch  stage   source  reason                       letters\n    0  source  events  MALFORMED_RECORD_IN_PARSING        2\n',
  ])
  expect(JSON.parse((await run('ls', letters, '--json')).out)).toMatchObject({
    total: 2,
    groups: [{ batchId: 0, source: 'events', count: 2 }],
  })
  const shown = await run('show', letters, '--last', '1')
  expect(shown.out).toContain(`source events, ${join(folder, 'in', 'a.json')}:3: MALFORMED_RECORD_IN_PARSING`)
  expect(shown.out).toContain('\n    no json\n')
  expect((await run('show', letters, '--batch', '7')).out).toBe('')
  const json = (await run('show', letters, '--json')).out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(json.map(({ line, raw }) => [line, raw])).toEqual([
    [2, '{"id":"two"}'],
    [3, 'no json'],
  ])
  expect(Buffer.from(json[1].rawBase64, 'base64').toString()).toBe('no json')

  const again = join(folder, 'again')
  expect((await run('replay', letters, '--to', again, '--dry-run')).out).toMatch(
    /replayed-b0-\w{12}-a\.json: 2 records, would be written\n/,
  )
  expect(await readdir(again).catch(() => 'nothing')).toBe('nothing')
  expect((await run('replay', letters, '--to', again)).out).toContain('2 records, written')
  expect((await run('replay', letters, '--to', again)).out).toContain('2 records, there already')
  const [name] = await readdir(again)
  expect(await readFile(join(again, name!), 'utf8')).toBe('{"id":"two"}\nno json\n')
})

test('a replay goes back into the source, and is read once', async () => {
  await writeFile(join(folder, 'in', 'a.json'), '{"id":1}\n{"id":"two"}\n')
  await stream('json')
  // the folder that another query reads, for which these records are right
  await run('replay', join(folder, 'letters-int'), '--to', join(folder, 'in'))
  await run('replay', join(folder, 'letters-int'), '--to', join(folder, 'in'))
  await rm(join(folder, 'in', 'a.json'))
  await stream('json', 'string')
  expect(await engine.read.json(join(folder, 'out-string'), { id: t.string() }).collect()).toEqual([{ id: 'two' }])
  expect((await run('ls', join(folder, 'letters-string'))).out).toBe('0 dead letters\n')
})

test('rows that expressions and the sink refused go back as records', async () => {
  await writeFile(join(folder, 'in', 'a.json'), '{"id":1,"d":2}\n{"id":2,"d":0}\nno json\n{"id":9007199254740993,"d":1}\n')
  const fields = { id: t.long(), d: t.int() }
  const source = engine.readStream.schema(fields).name('events').json(join(folder, 'in'))
  const letters = await refuseLarge(source.selectExpr('id', 'd', '10 div d as share'))
  const again = join(folder, 'again')
  expect((await run('replay', letters, '--to', again)).out).toMatch(/a\.json: 3 records, written/)
  const [records] = await readdir(again)
  expect(await readFile(join(again, records!), 'utf8')).toBe('{"id":2,"d":0}\nno json\n{"id":9007199254740993,"d":1}\n')
})

test('rows of no file that the sink refused go back as JSON lines, where that is asked for', async () => {
  const fields = { id: t.long(), share: t.int() }
  const stream = new MemoryStream(engine, fields)
  stream.addData({ id: 1n, share: 1 }, { id: 9007199254740993n, share: 10 })
  const letters = await refuseLarge(stream.toDF())
  const again = join(folder, 'again')
  expect((await run('replay', letters, '--to', again)).out).toMatch(/1 dead letter not replayed/)
  expect((await run('replay', letters, '--to', again, '--rows')).out).toMatch(/rows\.json: 1 records, written/)
  const [name] = await readdir(again)
  expect(await readFile(join(again, name!), 'utf8')).toBe('{"id":9007199254740993,"share":10}\n')
  // as a source that reads JSON takes them
  expect((await engine.read.json(join(again, '*rows.json'), fields).collect()).length).toBe(1)
  const other = join(folder, 'other')
  expect((await run('replay', letters, '--to', other, '--rows', '--json')).out).toContain('"notReplayed":0')
})

test('wrong usage, and a folder without letters', async () => {
  expect((await run('replay', folder)).err).toContain('needs --to')
  expect((await run('shwo', folder)).err).toContain('did you mean show')
  expect((await run('ls', folder, '--reason', 'X')).code).toBe(2)
  const none = await run('ls', folder)
  expect([none.code, none.err]).toEqual([5, expect.stringContaining('DEAD_LETTERS_NOT_FOUND')])
  expect((await run('--help')).out).toContain('Usage: millrace dlq')
})
