// A poison row at every source, step and sink that needs no server: the stream goes on, the letter says what and where, and the books balance. (Those with servers: test/servers/dead-letters-with-servers.test.ts.)
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, MemoryStream, t, window } from 'millrace'
import { afterEach, beforeEach, expect, test } from 'vitest'
import 'millrace/delta'
import 'millrace/sqlite'
import { useEngine } from './harness.ts'
import { keepingLetters, textOf } from './letters-kit.ts'

const engine = useEngine({ print: () => {} })
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-letters-'))
  await mkdir(join(folder, 'in'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function run(frame: any, sink?: (writer: any) => any, mode?: string) {
  const { letters, rowsOn } = await keepingLetters(frame, join(folder, 'checkpoint'), { ...(sink && { sink }), ...(mode && { mode }) })
  return {
    rowsOn,
    letters: letters.map(({ reason, stage, source, file, line, raw, batch_id }) => {
      expect(batch_id).toBe(0n)
      const name =
        file === null
          ? null
          : String(file)
              .split('/')
              .at(-1)!
              .replace(/^part-.*/, 'part')
      return [reason, stage, source, name, line === null ? null : Number(line), textOf(raw)]
    }),
  }
}
const input = (name: string, content: string | Uint8Array) => writeFile(join(folder, 'in', name), content)
const fields = { id: t.int(), at: t.timestamp() }
const stream = () => engine().readStream as any
const inFolder = () => join(folder, 'in')

const malformed = 'MALFORMED_RECORD_IN_PARSING'
const sources: Readonly<Record<string, () => Promise<{ frame: any; letters: unknown[][]; rowsOn: number }>>> = {
  json: async () => {
    await input('a.json', '{"id":"x"}\n{"id":1}\n')
    return { frame: stream().schema(fields).json(inFolder()), letters: [[malformed, 'source', '0', 'a.json', 1, '{"id":"x"}']], rowsOn: 1 }
  },
  'json with multiLine': async () => {
    await input('a.json', '{"id":1')
    await input('b.json', '[{"id":1},{"id":2}]')
    const frame = stream().schema(fields).option('multiLine', true).json(inFolder())
    return { frame, letters: [[malformed, 'source', '0', 'a.json', 1, '{"id":1']], rowsOn: 2 }
  },
  csv: async () => {
    await input('a.csv', 'id,at\nx,2020-01-01T00:00:00Z\n1,2020-01-01T00:00:00Z\n1,2,3,4\n')
    const frame = stream().schema(fields).option('header', true).csv(inFolder())
    const letter = (line: number, raw: string) => [malformed, 'source', '0', 'a.csv', line, raw]
    return { frame, letters: [letter(2, 'x,2020-01-01T00:00:00Z'), letter(4, '1,2,3,4')], rowsOn: 1 }
  },
  'a cut archive': async () => {
    await input('a.json.gz', Uint8Array.of(0x1f, 0x8b, 8, 0, 1, 2, 3))
    await input('b.json', '{"id":1}\n')
    return {
      frame: stream().schema(fields).json(inFolder()),
      letters: [['FAILED_READ_FILE', 'source', '0', 'a.json.gz', null, null]],
      rowsOn: 1,
    }
  },
  text: async () => {
    await input('a.txt', '1\nx\n')
    const frame = stream().text(inFolder()).selectExpr('cast(value as int) as v')
    return { frame, letters: [['CAST_INVALID_INPUT', 'expression', '0', 'a.txt', 2, 'x']], rowsOn: 1 }
  },
  'text that is no UTF-8': async () => {
    await input('a.txt', Uint8Array.of(0x61, 0xff, 0x0a))
    await input('b.txt', 'b\n')
    return { frame: stream().text(inFolder()), letters: [['FAILED_READ_FILE', 'source', '0', 'a.txt', null, null]], rowsOn: 1 }
  },
  'Parquet with a column of another type': async () => {
    for (const s of ['x', '1'])
      await engine()
        .createDataFrame([{ id: s }], { id: t.string() })
        .write.mode('append')
        .parquet(inFolder())
    const frame = stream().schema({ id: t.int() }).parquet(inFolder())
    return { frame, letters: [['FAILED_READ_FILE', 'source', '0', 'part', null, null]], rowsOn: 1 }
  },
  'no Parquet': async () => {
    await input('a.parquet', 'garbage')
    const frame = stream().schema({ id: t.int() }).parquet(inFolder())
    return { frame, letters: [['FAILED_READ_FILE', 'source', '0', 'a.parquet', null, null]], rowsOn: 0 }
  },
  'rate-micro-batch': async () => ({
    frame: stream().format('rate-micro-batch').option('rowsPerBatch', 3).load().selectExpr('1 div value as v'),
    letters: [['DIVIDE_BY_ZERO', 'expression', '0', null, null, '{"timestamp":"1970-01-01 00:00:00","value":0}']],
    rowsOn: 2,
  }),
  delta: async () => {
    const table = join(folder, 'table')
    await engine()
      .createDataFrame([{ s: '1' }, { s: 'x' }], { s: t.string() })
      .write.format('delta')
      .mode('append')
      .save(table)
    const frame = stream().format('delta').load(table).selectExpr('cast(s as int) as v')
    return { frame, letters: [['CAST_INVALID_INPUT', 'expression', '0', 'part', 2, '{"s":"x"}']], rowsOn: 1 }
  },
}
test.each(Object.keys(sources))('source: %s', async (name) => {
  const { frame, letters, rowsOn } = await sources[name]!()
  expect(await run(frame)).toEqual({ letters, rowsOn })
})

const memory = () => {
  const rows = new MemoryStream(engine(), { s: t.string(), at: t.timestamp() })
  rows.addData(...['1', 'x', '3'].map((s, i) => ({ s, at: new Date(1e9 + i) })))
  return rows.toDF() as any
}
const letter = ['CAST_INVALID_INPUT', 'expression', '0', null, null, expect.stringContaining('"s":"x"')]

const sinks: Readonly<Record<string, (writer: any) => any>> = {
  parquet: (writer) => writer.format('parquet').option('path', join(folder, 'out')),
  'json, partitioned': (writer) => writer.format('json').partitionBy('v').option('path', join(folder, 'out')),
  delta: (writer) => writer.format('delta').option('path', join(folder, 'out')),
  'delta, partitioned': (writer) => writer.format('delta').partitionBy('v').option('path', join(folder, 'out')),
  sqlite: (writer) => writer.format('sqlite').option('url', join(folder, 'x.db')).option('dbtable', 'out'),
  console: (writer) => writer.format('console'),
  memory: (writer) => writer.format('memory').queryName('everywhere'),
  foreach: (writer) => writer.foreach(() => {}),
  foreachBatch: (writer) => writer.foreachBatch(() => {}),
}
test.each(Object.keys(sinks))('a row that was poison before the sink: %s', async (name) => {
  const found = await run(memory().selectExpr('cast(s as int) as v', 's'), sinks[name])
  expect(found).toEqual({ letters: [letter], rowsOn: 2 })
})

const marked = () => memory().withWatermark('at', '1 second')
const numbers = (frame: any) => frame.selectExpr('cast(s as int) as a', 'at')
const steps: Readonly<Record<string, readonly [frame: () => any, mode?: string]>> = {
  'withWatermark, whose source is known': [() => numbers(marked())],
  unpivot: [() => memory().selectExpr('cast(s as int) as a', '1 as b').unpivot([], ['a', 'b'], 'k', 'v')],
  'na.fill': [() => numbers(memory()).na.fill(0)],
  repartition: [() => numbers(memory().repartition(2))],
  observe: [() => numbers(memory().observe('seen', count().alias('c')))],
  'observe behind a watermark': [() => numbers(marked().observe('seen', count().alias('c')))],
  dropDuplicates: [() => numbers(marked()).dropDuplicates(['a', 'at'])],
  dropDuplicatesWithinWatermark: [() => numbers(marked()).dropDuplicatesWithinWatermark(['a'])],
  limit: [() => numbers(memory().limit(3))],
  'an aggregation': [() => numbers(marked()).groupBy('a').agg(count().alias('n')), 'complete'],
  'windows of time': [
    () =>
      numbers(marked())
        .groupBy(({ at, a }: any) => ({ w: window(at, '5 seconds'), a }))
        .agg(count().alias('n')),
    'update',
  ],
}
test.each(Object.keys(steps))('step: %s', async (name) => {
  const [frame, mode] = steps[name]!
  expect(await run(frame(), undefined, mode)).toEqual({ letters: [letter], rowsOn: 2 })
})
