// Broken rows: what becomes a dead letter, with which reason and origin; that the stream goes on; and that the books balance.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expr, type ForeachBatchContext, MemoryStream, type QueryProgress, type Row, Schema, type SourceProvider, t, udf } from 'millrace'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { account, topical } from './letters-kit.ts'

/** A source that can't make rows of everything it gets. */
const picky: SourceProvider = {
  formats: ['picky'],
  schemaOf: () => new Schema([{ name: 'v', type: 'int', nullable: false }]),
  open: async ({ schema, keepsDeadLetters }) => ({
    schema,
    description: 'Picky',
    readLimit: { kind: 'all' },
    latestOffset: async () => 1,
    rows: async () => ({
      kind: 'objects',
      rows: [{ v: 1 }, { v: 2 }],
      ...(keepsDeadLetters && {
        refused: [{ reason: 'NOT_AVRO', message: 'no magic byte', topic: 'clicks', partition: 3, offset: 77n, raw: Uint8Array.of(0, 255) }],
      }),
    }),
    commit: async () => {},
    stop: async () => {},
  }),
}
const engine = useEngine({ sources: [picky, topical('1', '2', '3', '40')], print: () => {} })
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-letters-'))
  await mkdir(join(folder, 'in'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))
const file = (name: string, text: string | Uint8Array) => writeFile(join(folder, 'in', name), text)

const fields = { id: t.int(), at: t.timestamp() }
/** Runs a query over all that there is; gives its rows, its dead letters and its progresses. */
async function run(frame: any, options: object = {}, configure: (writer: any) => any = (writer) => writer) {
  const rows: Row[] = []
  const letters: Row[] = []
  const query = await configure(
    frame.writeStream
      .trigger({ availableNow: true })
      .option('checkpointLocation', join(folder, 'checkpoint'))
      .foreachBatch(async (found: any) => void rows.push(...(await found.collect()))),
  )
    .deadLetters((found: any) => found.output.foreachBatch(async (some: any) => void letters.push(...(await some.collect()))), options)
    .start()
  await query.awaitTermination()
  const progresses: QueryProgress[] = query.recentProgress.filter((each: QueryProgress) => !each.isIdle)
  for (const { books } of progresses)
    for (const { rowsIn, rowsOn, lateRows, deadLetters } of books!) expect(rowsOn + lateRows + deadLetters).toBe(rowsIn)
  return { rows, letters, progresses }
}
const text = (raw: unknown) => Buffer.from(raw as Uint8Array).toString()
const json = (options: Record<string, string> = {}) => engine().readStream.schema(fields).options(options).json(join(folder, 'in'))

describe('records of files', () => {
  test('JSON: malformed lines and values of the wrong type, with file and line; the rest goes on', async () => {
    const lines = [
      '{"id":1,"at":"2026-01-01T00:00:00Z"}',
      'no json',
      '{"id":"x","at":"2026-01-01T00:00:00Z"}',
      '',
      '{"id":4,"at":"soon"}',
      '{"id":5}',
    ]
    await file('a.json', `${lines.join('\n')}\n`)
    await file('b.json', '{"id":6,"at":"2026-01-01T00:00:00Z"}\n')
    const { rows, letters, progresses } = await run(json())
    expect(rows.map(({ id }) => id).sort()).toEqual([1, 5, 6])
    expect(letters.map(({ reason, stage, source, line, raw }) => [reason, stage, source, line, text(raw)])).toEqual(
      [lines[1], lines[2], lines[4]].map((raw) => ['MALFORMED_RECORD_IN_PARSING', 'source', '0', BigInt(lines.indexOf(raw!) + 1), raw]),
    )
    expect(letters.every((each) => String(each['file']).endsWith('a.json') && each['batch_id'] === 0n && each['topic'] === null)).toBe(true)
    expect(progresses[0]!.books).toEqual([{ at: 'source 0', rowsIn: 6, rowsOn: 3, lateRows: 0, deadLetters: 3 }])
    expect(progresses[0]!.numInputRows).toBe(6)
    expect(progresses[0]!.sideOutputs).toMatchObject({ deadLetters: { description: 'Outputs[deadLetters: ForeachBatchSink]' } })
  })

  test('CSV', async () => {
    await file('a.csv', '1,2026-01-01T00:00:00Z\nx,2026-01-01T00:00:00Z\n3,2026-01-01T00:00:00Z\n')
    const { rows, letters } = await run(engine().readStream.schema(fields).csv(join(folder, 'in')))
    expect(rows.map(({ id }) => id)).toEqual([1, 3])
    expect(letters.map(({ line, raw }) => [line, text(raw)])).toEqual([[2n, 'x,2026-01-01T00:00:00Z']])
  })

  test('all is well: nothing is set aside, and the books say so', async () => {
    await file('a.json', '{"id":1,"at":"2026-01-01T00:00:00Z"}\n')
    const { rows, letters, progresses } = await run(json())
    expect([rows.length, letters.length]).toEqual([1, 0])
    expect(progresses[0]!.books).toEqual([{ at: 'source 0', rowsIn: 1, rowsOn: 1, lateRows: 0, deadLetters: 0 }])
  })

  test('a file that can not be read at all', async () => {
    const parquet = join(folder, 'in', 'good.parquet')
    await engine()
      .createDataFrame([{ id: 1, at: new Date(0) }], fields)
      .write.parquet(join(folder, 'some'))
    const { readdir, copyFile } = await import('node:fs/promises')
    const [part] = (await readdir(join(folder, 'some'))).filter((name) => name.endsWith('.parquet'))
    await copyFile(join(folder, 'some', part!), parquet)
    await file('bad.parquet', 'PAR1 is how it begins')
    const { rows, letters } = await run(engine().readStream.schema(fields).parquet(join(folder, 'in')))
    expect(rows.map(({ id }) => id)).toEqual([1])
    expect(letters.map((each) => [each['reason'], String(each['file']).endsWith('bad.parquet'), each['raw']])).toEqual([
      ['FAILED_READ_FILE', true, null],
    ])
  })

  test.each([
    ['PERMISSIVE', [1, null]],
    ['DROPMALFORMED', [1]],
  ])('mode %s says itself what becomes of them', async (mode, ids) => {
    await file('a.json', '{"id":1,"at":"2026-01-01T00:00:00Z"}\nno json\n')
    const { rows, letters } = await run(json({ mode }))
    expect(rows.map(({ id }) => id)).toEqual(ids)
    expect(letters).toEqual([])
  })

  test('so does a column for their text', async () => {
    await file('a.json', 'no json\n')
    const frame = engine()
      .readStream.schema({ ...fields, _corrupt_record: t.string().nullable() })
      .json(join(folder, 'in'))
    const { rows, letters } = await run(frame)
    expect(rows.map((row) => row['_corrupt_record'])).toEqual(['no json'])
    expect(letters).toEqual([])
  })
})

test('a source hands over what it can not use, with its place in a topic', async () => {
  const { rows, letters, progresses } = await run(engine().readStream.format('picky').load())
  expect(rows.map(({ v }) => v)).toEqual([1, 2])
  expect(letters).toMatchObject([{ reason: 'NOT_AVRO', topic: 'clicks', partition: 3, offset: 77n, file: null }])
  expect([...(letters[0]!['raw'] as Uint8Array)]).toEqual([0, 255])
  expect(progresses[0]!.books).toEqual([{ at: 'source 0', rowsIn: 3, rowsOn: 2, lateRows: 0, deadLetters: 1 }])
})

describe('functions of the program', () => {
  const half = udf((n: number) => {
    if (n % 2 !== 0) throw new Error(`${n} is odd`)
    return n / 2
  }, t.int())
  const wrong = udf(async (n: number) => (n === 6 ? ('six' as never) : n), t.int())
  const numbers = () => {
    const stream = new MemoryStream(engine(), { n: t.int(), note: t.string() })
    stream.addData(...[2, 3, 4, 6].map((n) => ({ n, note: `it's ${n}` })))
    return stream
  }

  test('by choice, rows for which one throws or gives another type', async () => {
    const frame = numbers()
      .toDF()
      .select(({ n, note }) => ({ note, halved: half(n), same: wrong(n) }))
    const { rows, letters, progresses } = await run(frame, { userFunctions: true })
    expect(rows).toEqual([2, 4].map((n) => ({ note: `it's ${n}`, halved: n / 2, same: n })))
    expect(letters.map(({ reason, stage, raw }) => [reason, stage, JSON.parse(text(raw))])).toEqual([
      ['FAILED_EXECUTE_UDF', 'function', { n: 3, note: "it's 3" }],
      ['UDF_RETURN_TYPE', 'function', { n: 6, note: "it's 6" }],
    ])
    expect(letters[0]!['message']).toContain('3 is odd')
    expect(progresses[0]!.books).toEqual([
      { at: 'source 0', rowsIn: 4, rowsOn: 4, lateRows: 0, deadLetters: 0 },
      { at: expect.stringMatching(/^function /), rowsIn: 4, rowsOn: 2, lateRows: 0, deadLetters: 2 },
    ])
  })

  test('a row of a topic keeps its place and its bytes, through columns and conditions that leave them out', async () => {
    const odd = udf((n: number) => {
      if (n % 2 === 1) throw new Error(`${n} is odd`)
      return n / 2
    }, t.int())
    const source = () => engine().readStream.format('topical').load() as any
    const numbered = () => source().selectExpr('cast(cast(value as string) as int) as n', '1 as topic').where('n < 40')
    for (const frame of [
      source().select((row: any) => ({ half: odd(row.value.cast('string').cast('int')) })),
      numbered().select(({ n }: any) => ({ n, half: odd(n) })),
    ]) {
      const { rows, letters } = await run(frame, { userFunctions: true })
      expect(rows.map(({ half }) => half).filter((half) => half !== 20)).toEqual([1])
      expect(letters.map((each) => [each['source'], each['topic'], each['partition'], each['offset'], text(each['raw'])])).toEqual([
        ['0', 'clicks', 2, 70n, '1'],
        ['0', 'clicks', 2, 72n, '3'],
      ])
      await rm(join(folder, 'checkpoint'), { recursive: true })
    }
  })

  test('otherwise the query ends, as ever', async () => {
    await expect(
      run(
        numbers()
          .toDF()
          .select(({ n }) => ({ halved: half(n) })),
      ),
    ).rejects.toMatchObject({ code: 'FAILED_EXECUTE_UDF' })
  })
})

describe('expressions', () => {
  const texts = (...values: (string | null)[]) => {
    const stream = new MemoryStream(engine(), { s: t.string().nullable(), n: t.int() })
    stream.addData(...values.map((s, i) => ({ s, n: i })))
    return stream
  }

  test('casts, divisions, overflows, indices: each poison row with its own reason, and the rest in its order', async () => {
    const stream = texts('1', 'x', '0', null, '2147483647', '4', '12')
    const frame = stream
      .toDF()
      .selectExpr('n', 'cast(s as int) + 1 as next', '12 div cast(s as int) as share', 'array(1, 2, 3, 4, 5)[cast(s as int)] as item')
    const { rows, letters, progresses } = await run(frame)
    expect(rows).toEqual([
      { n: 0, next: 2, share: 12n, item: 2 },
      { n: 3, next: null, share: null, item: null },
      { n: 5, next: 5, share: 3n, item: 5 },
    ])
    expect(letters.map(({ reason, stage, source, raw, batch_id }) => [reason, stage, source, JSON.parse(text(raw)), batch_id])).toEqual([
      ['CAST_INVALID_INPUT', 'expression', '0', { s: 'x', n: 1 }, 0n],
      ['DIVIDE_BY_ZERO', 'expression', '0', { s: '0', n: 2 }, 0n],
      [expect.stringMatching(/ARITHMETIC_OVERFLOW$/), 'expression', '0', { s: '2147483647', n: 4 }, 0n],
      ['INVALID_ARRAY_INDEX', 'expression', '0', { s: '12', n: 6 }, 0n],
    ])
    expect(letters[0]!['message']).toContain('x')
    expect(progresses[0]!.books).toEqual([account('source 0', 7, 0), account('expressions over source 0', 7, 4)])
    expect(progresses[0]!.balance).toEqual({ rowsIn: 7, rowsOn: 3, lateRows: 0, deadLetters: 4 })
    expect(progresses[0]!.numInputRows).toBe(7)
  })

  test('conditions, generators, joins with tables, unions', async () => {
    const table = engine().createDataFrame(
      [
        { n: 1, name: 'one' },
        { n: 4, name: 'four' },
      ],
      { n: t.int(), name: t.string() },
    )
    const stream = texts('1', '2,x', '4,1', 'y')
    const exploded = stream.toDF().selectExpr('explode(split(s, ",")) as s').where('cast(s as int) > 0').selectExpr('cast(s as int) as n')
    const joined = exploded.join(table, 'n')
    const { rows, letters } = await run(joined)
    expect(rows).toEqual(['one', 'four', 'one'].map((name) => ({ n: name === 'one' ? 1 : 4, name })))
    expect(letters.map(({ raw }) => JSON.parse(text(raw)).s)).toEqual(['2,x', 'y'])
  })

  test('two streams as one: each is searched for its own rows', async () => {
    const [one, other] = [texts('1', 'a'), texts('b', '2', 'c')]
    const frame = one.toDF().union(other.toDF()).selectExpr('cast(s as int) as n')
    const { rows, letters, progresses } = await run(frame)
    expect(rows.map(({ n }) => n)).toEqual([1, 2])
    expect(letters.map(({ source, raw }) => [source, JSON.parse(text(raw)).s])).toEqual([
      ['0', 'a'],
      ['1', 'b'],
      ['1', 'c'],
    ])
    expect(progresses[0]!.balance).toEqual({ rowsIn: 5, rowsOn: 2, lateRows: 0, deadLetters: 3 })
  })

  test('what an aggregation computes of a row: keys, arguments and filters; its result', async () => {
    const stream = texts('1', 'x', '3', '0', '10')
    const frame = stream
      .toDF()
      .groupBy(expr('cast(s as int) % 2').alias('odd') as never)
      .agg(
        expr('sum(12 div cast(s as int)) filter (where cast(s as int) < 10)').alias('total') as never,
        expr('count(*)').alias('rows') as never,
      )
      .selectExpr('odd', 'total', '10 div (total - 16) as share')
    const { rows, letters, progresses } = await run(frame, {}, (writer) => writer.outputMode('update'))
    expect(rows).toEqual([{ odd: 0, total: null, share: null }])
    expect(letters.map(({ reason, source, raw }) => [reason, source, JSON.parse(text(raw))])).toEqual([
      ['CAST_INVALID_INPUT', '0', { s: 'x', n: 1 }],
      ['DIVIDE_BY_ZERO', '0', { s: '0', n: 3 }],
      ['DIVIDE_BY_ZERO', null, expect.objectContaining({ odd: 1, total: 16 })],
    ])
    expect(progresses[0]!.books!.map(({ at, deadLetters }) => [at, deadLetters])).toEqual([
      ['source 0', 0],
      ['expressions over source 0', 2],
      ['expressions over stateStoreSave 0', 1],
    ])
  })

  test('behind a function of the program, and what it is given', async () => {
    const double = udf((n: number | null) => (n ?? 0) * 2, t.int())
    const frame = texts('1', 'x', '0')
      .toDF()
      .select(({ s }) => ({ twice: double(s.cast('int')) }))
      .selectExpr('10 div twice as share')
    const { rows, letters } = await run(frame, { userFunctions: true })
    expect(rows).toEqual([{ share: 5n }])
    expect(letters.map(({ reason }) => reason).sort()).toEqual(['CAST_INVALID_INPUT', 'DIVIDE_BY_ZERO'])
  })

  test('the row that a sum has no room for; of a table the group', async () => {
    const stream = new MemoryStream(engine(), { n: t.long() })
    stream.addData({ n: 2n ** 62n }, { n: 2n ** 62n })
    const sum = stream
      .toDF()
      .groupBy()
      .agg(expr('sum(n)').alias('total') as never)
    const { rows, letters } = await run(sum, {}, (writer) => writer.outputMode('complete'))
    expect([rows, letters.length]).toEqual([[{ total: 2n ** 62n }], 1])
    await rm(join(folder, 'checkpoint'), { recursive: true })
    const other = new MemoryStream(engine(), { n: t.int() })
    other.addData({ n: 1 })
    await expect(run(other.toDF().selectExpr('n div 0 as x'))).resolves.toMatchObject({ rows: [] })
    const table = engine()
      .createDataFrame([{ n: 2n ** 62n }, { n: 2n ** 62n }], { n: t.long() })
      .groupBy()
      .agg(expr('sum(n)').alias('total') as never)
    await rm(join(folder, 'checkpoint'), { recursive: true })
    const third = new MemoryStream(engine(), { n: t.int() })
    third.addData({ n: 1 })
    const crossed = await run((third.toDF() as any).crossJoin(table))
    expect([crossed.rows, crossed.letters.map(({ reason }) => reason)]).toEqual([[], ['ARITHMETIC_OVERFLOW']])
  })

  test('an expression that fails by chance', async () => {
    const { rows, letters } = await run(
      texts(...Array.from({ length: 50 }, () => '1'))
        .toDF()
        .selectExpr('1 div cast(rand() * 3 as int) as x'),
    )
    expect(rows.length + letters.length).toBe(50)
    await rm(join(folder, 'checkpoint'), { recursive: true })
    const one = await run(texts('x', '1').toDF().where('rand() < 0.5 and cast(s as int) > 0'))
    expect(one.letters.every(({ raw }) => JSON.parse(text(raw)).s === 'x')).toBe(true)
  })

  test('the search ends where the limit is exceeded', async () => {
    const many = texts(...Array.from({ length: 3000 }, (_, i) => (i % 3 === 0 ? 'x' : String(i))))
    await expect(run(many.toDF().selectExpr('cast(s as int) as n'), { maxPerBatch: 5 })).rejects.toMatchObject({
      code: 'DEAD_LETTER_LIMIT_EXCEEDED',
      message: expect.stringContaining('more than 5'),
    })
  })

  test('hundreds of poison rows, with errors of all kinds', async () => {
    const values = Array.from({ length: 800 }, (_, i) =>
      i % 4 === 0 ? `x${i}` : i % 4 === 1 ? '0' : i % 4 === 2 ? '2147483647' : String(i),
    )
    const frame = texts(...values)
      .toDF()
      .selectExpr('n', '12 div cast(s as int) as share', 'cast(s as int) + 1 as next')
      .where('next <> 4')
    const { rows, letters, progresses } = await run(frame)
    expect(rows).toHaveLength(200 - 1)
    const reasons = ['CAST_INVALID_INPUT', 'DIVIDE_BY_ZERO', 'ARITHMETIC_OVERFLOW']
    expect(letters.map(({ reason, raw }) => [String(reason).replace('BINARY_', ''), JSON.parse(text(raw)).n])).toEqual(
      values.flatMap((_, n) => (n % 4 === 3 ? [] : [[reasons[n % 4], n]])),
    )
    expect(progresses[0]!.balance).toEqual({ rowsIn: 800, rowsOn: 200, lateRows: 0, deadLetters: 600 })
    await rm(join(folder, 'checkpoint'), { recursive: true })
    // what no single statement can tell is found by halves
    const some = await run(
      texts(...values.slice(0, 80))
        .toDF()
        .selectExpr('explode(split(s, ",")) as s')
        .selectExpr('12 div cast(s as int) as share'),
    )
    expect([some.rows.length, some.letters.length]).toEqual([40, 40])
  })

  test('many rows, few of them poison; without dead letters the query ends as ever', async () => {
    const values = Array.from({ length: 20_000 }, (_, i) => (i % 4999 === 17 ? `x${i}` : String(i)))
    const { rows, letters } = await run(
      texts(...values)
        .toDF()
        .selectExpr('cast(s as int) as n'),
    )
    expect(rows).toHaveLength(20_000 - 4)
    expect(letters.map(({ raw }) => JSON.parse(text(raw)).s)).toEqual(values.filter((value) => value.startsWith('x')))
    const query = await texts('x')
      .toDF()
      .selectExpr('cast(s as int) as n')
      .writeStream.format('noop')
      .trigger({ availableNow: true })
      .start()
    await expect(query.awaitTermination()).rejects.toMatchObject({ code: 'CAST_INVALID_INPUT' })
  })
})

test('rows that the sink refuses: foreach goes on with the next', async () => {
  const stream = new MemoryStream(engine(), { n: t.long() })
  stream.addData(...[1n, 2n, 3n].map((n) => ({ n })))
  const written: unknown[] = []
  const { letters, progresses } = await run(stream.toDF(), {}, (writer) =>
    writer.foreach((row: Row) => {
      if (row['n'] === 2n) throw new Error('constraint violated')
      written.push(row['n'])
    }),
  )
  expect(written).toEqual([1n, 3n])
  expect(letters.map(({ reason, stage, raw }) => [reason, stage, text(raw)])).toEqual([['FOREACH_USER_FUNCTION_ERROR', 'sink', '{"n":2}']])
  expect(progresses[0]!.books!.at(-1)).toEqual({ at: 'sink', rowsIn: 3, rowsOn: 2, lateRows: 0, deadLetters: 1 })
})

describe('rows that a function of foreachBatch refuses', () => {
  const numbers = () => {
    const stream = new MemoryStream(engine(), { n: t.long() })
    stream.addData(...[1n, 2n, 3n].map((n) => ({ n })))
    return stream.toDF()
  }
  test('are letters with its reason and message, their JSON or their bytes', async () => {
    const written: unknown[] = []
    const { letters, progresses } = await run(numbers(), {}, (writer) =>
      writer.foreachBatch(async (rows: any, _batchId: bigint, context: ForeachBatchContext) => {
        for (const row of await rows.collect()) {
          if (row.n === 1n) written.push(row.n)
          else if (row.n === 2n) context.deadLetter(row, 'DUPLICATE_KEY', 'two is there')
          else context.deadLetter(Uint8Array.of(0, 255), 'NOT_MINE')
        }
      }),
    )
    expect(written).toEqual([1n])
    expect(letters.map(({ reason, message, stage, raw }) => [reason, message, stage, [...(raw as Uint8Array)]])).toEqual([
      ['DUPLICATE_KEY', 'two is there', 'sink', [...Buffer.from('{"n":2}')]],
      ['NOT_MINE', 'NOT_MINE', 'sink', [0, 255]],
    ])
    expect(progresses[0]!.books!.at(-1)).toEqual({ at: 'sink', rowsIn: 3, rowsOn: 1, lateRows: 0, deadLetters: 2 })
    expect(progresses[0]!.balance).toEqual({ rowsIn: 3, rowsOn: 1, lateRows: 0, deadLetters: 2 })
  })
  test('need deadLetters, a reason, and the time of the call', async () => {
    const query = await numbers()
      .writeStream.trigger({ availableNow: true })
      .foreachBatch((_rows, _batchId, { keepsDeadLetters, deadLetter }) => {
        expect(keepsDeadLetters).toBe(false)
        deadLetter({ n: 5n }, 'DUPLICATE_KEY')
      })
      .start()
    await expect(query.awaitTermination()).rejects.toMatchObject({
      code: 'DEAD_LETTERS_NOT_KEPT',
      message: expect.stringContaining('{"n":5}'),
    })
    const wrong = run(numbers(), {}, (writer) => writer.foreachBatch((_rows: any, _id: bigint, context: any) => context.deadLetter({}, '')))
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_DEAD_LETTER' })
    await rm(join(folder, 'checkpoint'), { recursive: true })
    let kept: ForeachBatchContext | undefined
    await run(numbers(), {}, (writer) =>
      writer.foreachBatch((_rows: any, _id: bigint, context: ForeachBatchContext) => void (kept = context)),
    )
    expect(() => kept!.deadLetter({}, 'LATE')).toThrow('INVALID_DEAD_LETTER')
  })
})

describe('limits', () => {
  const good = '{"id":1,"at":"2026-01-01T00:00:00Z"}\n'
  test.each([
    ['a count', { maxPerBatch: 2 }, 2, 3],
    ['a share', { maxShare: 0.3 }, 3, 5],
  ])('%s: one more ends the query, and nothing of the batch counts', async (_what, options, allowed, refused) => {
    await file('a.json', good.repeat(7) + 'no json\n'.repeat(allowed))
    const first = await run(json(), options)
    expect([first.rows.length, first.letters.length]).toEqual([7, allowed])
    await file('b.json', good.repeat(7) + 'no json\n'.repeat(refused))
    const seen: Row[] = []
    const attempt = run(json(), options, (writer) => writer.foreachBatch(async (rows: any) => void seen.push(...(await rows.collect()))))
    await expect(attempt).rejects.toMatchObject({
      code: 'DEAD_LETTER_LIMIT_EXCEEDED',
      message: expect.stringContaining(`${refused} dead letters among ${7 + refused}`),
    })
    expect(seen).toEqual([])
    const again = await run(json())
    expect([again.rows.length, again.letters.length]).toEqual([7, refused])
  })
  test.each([[{ maxPerBatch: -1 }], [{ maxShare: 2 }], [{ userFunctions: 'yes' }], [{ maxTotal: 1 }]])('%o is refused', (options) => {
    const stream = new MemoryStream(engine(), { n: t.long() })
    expect(() => (stream.toDF().writeStream as any).deadLetters((letters: any) => letters.output.format('noop'), options)).toThrow(
      'INVALID_DEAD_LETTERS',
    )
  })
})
