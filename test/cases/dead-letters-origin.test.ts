// Where a dead letter comes from: topic, partition, offset and bytes of a row of a topic, file, line and text of a row of a file, as long as the row is still known.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, expr, MemoryStream, millrace, type QueryProgress, type Row, t, udf } from 'millrace'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { topical } from './letters-kit.ts'

const engine = useEngine({ sources: [topical('1', 'x', '3', 'y', '0')], print: () => {} })
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-letters-'))
  await mkdir(join(folder, 'in'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const text = (raw: unknown) => Buffer.from(raw as Uint8Array).toString()
async function run(frame: any, outputMode = 'append') {
  const letters: Row[] = []
  const rows: Row[] = []
  await rm(join(folder, 'checkpoint'), { recursive: true, force: true })
  const query = await frame.writeStream
    .outputMode(outputMode)
    .trigger({ availableNow: true })
    .option('checkpointLocation', join(folder, 'checkpoint'))
    .foreachBatch(async (found: any) => void rows.push(...(await found.collect())))
    .deadLetters((found: any) => found.output.foreachBatch(async (some: any) => void letters.push(...(await some.collect()))), {
      userFunctions: true,
    })
    .start()
  await query.awaitTermination()
  for (const { books, balance } of query.recentProgress.filter((each: QueryProgress) => !each.isIdle))
    for (const each of [...books, balance]) expect(each.rowsOn + each.lateRows + each.deadLetters).toBe(each.rowsIn)
  return { letters, rows }
}

class Counting {
  #count!: any
  init(handle: any) {
    this.#count = handle.getValueState('count', t.long())
  }
  handleInputRows(key: any, rows: Iterable<unknown>) {
    const n = (this.#count.get() ?? 0n) + BigInt([...rows].length)
    this.#count.update(n)
    return [{ n: key.n as number, rows: n }]
  }
}
const same = udf((n: number) => {
  if (n === 0) throw new Error('zero')
  return n
}, t.int())

/** Plans in which `s` is cast to a number somewhere behind a step that keeps rows. */
const plans: Readonly<Record<string, (rows: any) => any>> = {
  'a projection': (rows) => rows.selectExpr('cast(s as int) as n'),
  'a projection behind a watermark': (rows) => rows.withWatermark('at', '10 seconds').selectExpr('at', 'cast(s as int) as n'),
  'a condition behind a watermark and an alias': (rows) =>
    rows.withWatermark('at', '10 seconds').alias('r').select('r.s').where('cast(r.s as int) >= 0'),
  'keys of an aggregation behind a watermark': (rows) =>
    rows.withWatermark('at', '10 seconds').groupBy(expr('cast(s as int)').alias('n')).agg(count().alias('rows')),
  'a projection behind a deduplication': (rows) =>
    rows.withWatermark('at', '10 seconds').dropDuplicates(['s', 'at']).selectExpr('cast(s as int) as n'),
  'a projection behind a limit': (rows) => rows.limit(5).selectExpr('cast(s as int) as n'),
  'a generator behind a watermark': (rows) =>
    rows.withWatermark('at', '10 seconds').selectExpr('explode(array(s)) as e', 'at').selectExpr('cast(e as int) as n'),
  'a join with a table behind a watermark': (rows) =>
    rows
      .withWatermark('at', '10 seconds')
      .join(engine().createDataFrame([{ s: 'x' }, { s: '1' }, { s: 'y' }, { s: '3' }, { s: '0' }], { s: t.string() }), 's')
      .dropDuplicates(['s', 'at'])
      .selectExpr('cast(s as int) as n'),
  'a union with a watermark': (rows) =>
    rows
      .where("s in ('x', '1')")
      .union(rows.where("s not in ('x', '1')"))
      .withWatermark('at', '10 seconds')
      .selectExpr('at', 'cast(s as int) as n'),
  'a join of two streams': (rows) => {
    const other = rows.selectExpr('s as r', 'at as rat')
    return rows
      .withWatermark('at', '10 seconds')
      .selectExpr('at', 's', 'cast(s as int) as n')
      .join(other.withWatermark('rat', '10 seconds'), expr('s = r and at = rat'))
  },
  'the rows of a function with state': (rows) =>
    rows
      .withWatermark('at', '10 seconds')
      .selectExpr('cast(s as int) as n', 'at')
      .groupBy('n')
      .transformWithState(() => new Counting(), { output: { n: t.int(), rows: t.long() }, timeMode: 'None', outputMode: 'Update' }),
  'what is read twice': (rows) => {
    const marked = rows.withWatermark('at', '10 seconds').selectExpr('at', 'cast(s as int) as n')
    return marked.where('n > 0').union(marked.where('n <= 0'))
  },
}

describe('a row of a topic', () => {
  test.each(Object.keys(plans))('%s', async (name) => {
    const rows = engine().readStream.format('topical').load().selectExpr('cast(value as string) as s', 'timestamp as at')
    const mode = /function with state|keys of/.test(name) ? 'update' : 'append'
    const { letters } = await run(plans[name]!(rows), mode)
    const found = letters.map((each) => [each['source'], each['topic'], each['partition'], each['offset'], text(each['raw'])])
    expect(found.sort((a, b) => Number(a[3]) - Number(b[3]))).toEqual([
      ['0', 'clicks', 2, 71n, 'x'],
      ['0', 'clicks', 2, 73n, 'y'],
    ])
  })
})

describe('a row of a file', () => {
  const values = ['1', 'x', '3', 'y', '0']
  const at = (i: number) => new Date((i + 10) * 1000).toISOString()
  /** The same rows in each format, with lines between that are none. */
  const formats: Readonly<Record<string, { lines: (string | null)[]; read: () => any }>> = {
    json: {
      lines: ['', ...values.map((s, i) => JSON.stringify({ s, at: at(i) })), ''],
      read: () => engine().readStream.schema({ s: t.string(), at: t.timestamp() }).json(join(folder, 'in')),
    },
    csv: {
      lines: values.map((s, i) => `${s},${at(i)}`),
      read: () => engine().readStream.schema({ s: t.string(), at: t.timestamp() }).csv(join(folder, 'in')),
    },
    text: {
      lines: values.map((s, i) => `${s} ${at(i)}`),
      read: () =>
        (engine().readStream.text(join(folder, 'in')) as any).selectExpr(
          'split(value, " ")[0] as s',
          'cast(split(value, " ")[1] as timestamp) as at',
        ),
    },
  }
  const write = async (format: string, name: string, lines: readonly (string | null)[]) =>
    writeFile(join(folder, 'in', `${name}.${format === 'text' ? 'txt' : format}`), `${lines.join('\n')}\n`)
  const found = (letters: readonly Row[]) =>
    letters
      .map((each) => [String(each['file']).split('/').at(-1)!.split('.')[0], Number(each['line']), text(each['raw'])] as const)
      .sort(([a, i], [b, j]) => a!.localeCompare(b!) || i - j)

  test.each(Object.keys(plans).flatMap((name) => Object.keys(formats).map((format) => [format, name] as const)))(
    '%s: %s',
    async (format, name) => {
      const { lines, read } = formats[format]!
      await write(format, 'a', lines)
      const mode = /function with state|keys of/.test(name) ? 'update' : 'append'
      const { letters } = await run(plans[name]!(read()), mode)
      const bad = lines.flatMap((line, i) => (line?.match(/^\W*(?:s\W+)?[xy]\b/) ? [['a', i + 1, line]] : []))
      expect(bad).toHaveLength(2)
      expect(found(letters)).toEqual(bad)
    },
  )

  test('several files, malformed records among them, and functions of the program', async () => {
    const line = (s: string, i: number) => JSON.stringify({ s, at: at(i) })
    await write('json', 'a', [line('1', 0), 'no json', line('x', 1)])
    await write('json', 'b', [line('2', 0), line('3', 1)])
    await write('json', 'c', [line('0', 0), '{"s":"4","at":"soon"}', line('y', 1), line('5', 2)])
    const frame = formats['json']!.read()
      .withWatermark('at', '1 hour')
      .selectExpr('cast(s as int) as n', 'at')
      .select(({ n, at }: any) => ({ at, n: same(n) }))
      .dropDuplicates(['n', 'at'])
      .selectExpr('n', '1 div (n - 5) as share')
    const { letters, rows } = await run(frame)
    expect(rows.map(({ n }) => n).sort()).toEqual([1, 2, 3])
    expect(found(letters)).toEqual([
      ['a', 2, 'no json'],
      ['a', 3, line('x', 1)],
      ['c', 1, line('0', 0)],
      ['c', 2, '{"s":"4","at":"soon"}'],
      ['c', 3, line('y', 1)],
      ['c', 4, line('5', 2)],
    ])
    expect(letters.map(({ stage, source }) => `${stage} ${source}`).sort()).toEqual([
      'expression 0',
      'expression 0',
      'expression 0',
      'function 0',
      'source 0',
      'source 0',
    ])
  })

  test('of single outputs', async () => {
    const { lines, read } = formats['json']!
    await write('json', 'a', lines)
    const letters: Row[] = []
    const seen: Row[] = []
    const query = await read()
      .withWatermark('at', '10 seconds')
      .writeStream.trigger({ availableNow: true })
      .option('checkpointLocation', join(folder, 'checkpoint'))
      .outputs((rows: any) => ({
        all: rows.output.foreachBatch(async (some: any) => void seen.push(...(await some.collect()))),
        numbers: rows.selectExpr('cast(s as int) as n').output.format('noop'),
        called: rows
          .selectExpr('explode(array(s)) as e', 's')
          .where("s = '0'")
          .select(({ s }: any) => ({ n: same(s.cast('int')) }))
          .output.format('noop'),
        told: rows.where("s in ('1', 'y')").output.foreach((row: any) => {
          if (row.s === '1') throw new Error('one')
        }),
      }))
      .deadLetters((found: any) => found.output.foreachBatch(async (some: any) => void letters.push(...(await some.collect()))), {
        userFunctions: true,
      })
      .start()
    await query.awaitTermination()
    expect(seen.map((row) => Object.keys(row))).toEqual(values.map(() => ['s', 'at']))
    const of = (stage: string) => found(letters.filter((each) => each['stage'] === stage))
    expect(of('expression')).toEqual([
      ['a', 3, lines[2]],
      ['a', 5, lines[4]],
    ])
    expect(of('function')).toEqual([['a', 6, lines[5]]])
    expect(of('sink')).toEqual([['a', 2, lines[1]]])
    expect(letters.find(({ stage }) => stage === 'sink')!['message']).toMatch(/: one; the row is \{"s":"1".*for the output told\)$/)
  })

  test('of several sources behind a union: each row tells its own', async () => {
    const { lines, read } = formats['json']!
    await write('json', 'a', lines)
    const topic = engine().readStream.format('topical').load().selectExpr('cast(value as string) as s', 'timestamp as at')
    const { letters } = await run(read().union(topic).withWatermark('at', '10 seconds').selectExpr('cast(s as int) as n', 'at'))
    const known = letters.map((each) => [
      each['source'],
      each['file'] && 'a',
      each['line'],
      each['topic'],
      each['offset'],
      text(each['raw']),
    ])
    expect(known.sort((a, b) => (String(a) < String(b) ? -1 : 1))).toEqual([
      ['0', 'a', 3n, null, null, lines[2]],
      ['0', 'a', 5n, null, null, lines[4]],
      ['1', null, null, 'clicks', 71n, 'x'],
      ['1', null, null, 'clicks', 73n, 'y'],
    ])
  })

  test('a stream that knows no places: in a union its name is told', async () => {
    const stream = new MemoryStream(engine(), { s: t.string(), at: t.timestamp() })
    stream.addData({ s: 'z', at: new Date(0) }, { s: '7', at: new Date(0) })
    await write('json', 'a', formats['json']!.lines)
    const both = formats['json']!.read()
      .union(stream.toDF() as any)
      .withWatermark('at', '10 seconds')
    const { letters } = await run(both.where("s in ('x', 'z')").selectExpr('cast(s as int) as n', 'at'))
    expect(letters.map((each) => [each['source'], each['line'], JSON.parse(text(each['raw'])).s]).sort()).toEqual([
      ['0', 3n, 'x'],
      ['1', null, 'z'],
    ])
  })

  test('thousands of rows of a topic', async () => {
    const texts = Array.from({ length: 9000 }, (_, i) => (i % 2999 === 7 ? 'x' : String(i)))
    await using own = await millrace.local({ threads: 2, sources: [topical(...texts)], print: () => {} })
    const rows = (own.readStream.format('topical').load() as any).selectExpr('cast(value as string) as s', 'timestamp as at')
    for (const plan of ['a projection', 'a projection behind a watermark', 'a union with a watermark']) {
      const { letters } = await run(plans[plan]!(rows))
      const found = letters.map((each) => [each['offset'], text(each['raw'])])
      expect(found.sort((a, b) => Number(a[0]) - Number(b[0]))).toEqual([7, 3006, 6005].map((i) => [BigInt(i + 70), 'x']))
    }
  })

  test('thousands of rows, in tables of their own', async () => {
    const lines = Array.from({ length: 9000 }, (_, i) => JSON.stringify({ s: i % 2999 === 7 ? 'x' : String(i), at: at(0) }))
    await write('json', 'a', lines.slice(0, 5000))
    await write('json', 'b', lines.slice(5000))
    const { letters } = await run(plans['a projection behind a watermark']!(formats['json']!.read()))
    expect(found(letters).map(([file, line]) => [file, line])).toEqual([
      ['a', 8],
      ['a', 3007],
      ['b', 1006],
    ])
  })

  test('Parquet: the file; a file that is left out is none of theirs', async () => {
    const part = join(folder, 'some')
    await engine()
      .createDataFrame([{ s: '1' }, { s: 'x' }], { s: t.string() })
      .write.parquet(part)
    const { readdir, copyFile } = await import('node:fs/promises')
    const [name] = (await readdir(part)).filter((each) => each.endsWith('.parquet'))
    await copyFile(join(part, name!), join(folder, 'in', 'b.parquet'))
    await writeFile(join(folder, 'in', 'a.parquet'), 'PAR1 is how it begins')
    const frame = engine().readStream.schema({ s: t.string() }).parquet(join(folder, 'in')).selectExpr('cast(s as int) as n')
    const { letters } = await run(frame)
    expect(
      letters.map((each) => [each['stage'], String(each['file']).endsWith('b.parquet'), each['line'], each['raw'] && text(each['raw'])]),
    ).toEqual([
      ['source', false, null, null],
      ['expression', true, null, '{"s":"x"}'],
    ])
  })
})
