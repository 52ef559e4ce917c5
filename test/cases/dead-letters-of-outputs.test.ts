// Broken rows where a query has several outputs, and where it is joined with tables: what becomes a dead letter of which, and that all others go on.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, expr, MemoryStream, type QueryProgress, type Row, t, udf } from 'millrace'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { account } from './letters-kit.ts'

const engine = useEngine({ print: () => {} })
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-letters-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const texts = (...values: (string | null)[]) => {
  const stream = new MemoryStream(engine(), { s: t.string().nullable(), n: t.int() })
  stream.addData(...values.map((s, i) => ({ s, n: i })))
  return stream
}
const text = (raw: unknown) => Buffer.from(raw as Uint8Array).toString()
const letterOf = ({ reason, message, raw }: Row) => ({ reason, message: String(message), row: JSON.parse(text(raw)) as unknown })

/** Runs a query into outputs over all that there is; gives the rows of each, the letters, and the progresses. */
async function run(
  frame: any,
  outputs: (rows: any) => Record<string, any>,
  options: object = {},
  configure: (writer: any) => any = (w) => w,
) {
  const found: Record<string, Row[]> = {}
  const letters: Row[] = []
  const query = await configure(
    frame.writeStream
      .trigger({ availableNow: true })
      .option('checkpointLocation', join(folder, 'checkpoint'))
      .outputs((rows: any) =>
        Object.fromEntries(
          Object.entries(outputs(rows)).map(([name, plan]) => {
            const into: Row[] = []
            found[name] = into
            return [name, plan.output.foreachBatch(async (some: any) => void into.push(...(await some.collect())))]
          }),
        ),
      ),
  )
    .deadLetters((some: any) => some.output.foreachBatch(async (all: any) => void letters.push(...(await all.collect()))), options)
    .start()
  await query.awaitTermination()
  const progresses: QueryProgress[] = query.recentProgress.filter((each: QueryProgress) => !each.isIdle)
  for (const { books, balance } of progresses)
    for (const { rowsIn, rowsOn, lateRows, deadLetters } of [...books!, balance!]) expect(rowsOn + lateRows + deadLetters).toBe(rowsIn)
  return { found, letters, progresses }
}

describe('outputs', () => {
  test('a row that one has no value for is missing there, and with the others', async () => {
    const { found, letters, progresses } = await run(texts('1', 'x', '0').toDF(), (rows) => ({
      raw: rows.select('s'),
      numbers: rows.selectExpr('cast(s as int) as v'),
      shares: rows.where('n >= 0').selectExpr('12 div cast(s as int) as share'),
    }))
    expect(found['raw']!.map(({ s }) => s)).toEqual(['1', 'x', '0'])
    expect(found['numbers']!.map(({ v }) => v)).toEqual([1, 0])
    expect(found['shares']!.map(({ share }) => share)).toEqual([12n])
    expect(letters.map(letterOf)).toEqual([
      { reason: 'CAST_INVALID_INPUT', message: expect.stringContaining('output numbers'), row: { s: 'x', n: 1 } },
      { reason: 'CAST_INVALID_INPUT', message: expect.stringContaining('output shares'), row: { s: 'x', n: 1 } },
      { reason: 'DIVIDE_BY_ZERO', message: expect.stringContaining('output shares'), row: { s: '0', n: 2 } },
    ])
    expect(progresses[0]!.books).toEqual([
      account('source 0', 3, 0),
      account('output numbers: expressions over rows of the batch', 3, 1),
      account('output shares: expressions over rows of the batch', 3, 2),
    ])
    expect(progresses[0]!.balance).toEqual({ rowsIn: 6, rowsOn: 3, lateRows: 0, deadLetters: 3 })
  })

  test('what an aggregation computes of a row, and of its result', async () => {
    const { found, letters } = await run(texts('1', 'x', '3', '0', '10').toDF(), (rows) => ({
      totals: rows
        .groupBy(expr('cast(s as int) % 2').alias('odd'))
        .agg(expr('sum(12 div cast(s as int)) filter (where cast(s as int) < 10)').alias('total'), count().alias('rows'))
        .selectExpr('odd', 'total', '10 div (total - 16) as share'),
      distinct: rows.selectExpr('cast(s as int) % 2 as odd').distinct().selectExpr('1 div odd as share'),
      least: rows.orderBy(expr('cast(s as int)')).limit(2).select('s'),
      ranks: rows.selectExpr('s', 'row_number() over (order by cast(s as int)) as rank', '1 div (rank() over (order by n) - 2) as x'),
    }))
    expect(found['totals']).toEqual([{ odd: 0, total: null, share: null }])
    expect(found['distinct']).toEqual([{ share: 1n }])
    expect(found['least']!.map(({ s }) => s)).toEqual(['0', '1'])
    expect(found['ranks']!.map(({ s }) => s).sort()).toEqual(['0', '1', '10'])
    const of = (output: string) => letters.map(letterOf).filter(({ message }) => message.includes(`output ${output}`))
    expect(of('totals').map(({ reason, row }) => [reason, row])).toEqual([
      ['CAST_INVALID_INPUT', { s: 'x', n: 1 }],
      ['DIVIDE_BY_ZERO', { s: '0', n: 3 }],
      ['DIVIDE_BY_ZERO', expect.objectContaining({ odd: 1 })],
    ])
    expect(of('distinct').map(({ row }) => row)).toEqual([{ s: 'x', n: 1 }, { odd: 0 }])
    expect(of('least').map(({ row }) => row)).toEqual([{ s: 'x', n: 1 }])
    expect(of('ranks').map(({ row }) => (row as any).s)).toEqual(['x', '3'])
  })

  test('a sum that leaves its type: its group, or the row of its window, has no value; other groups and outputs go on', async () => {
    const max = 9223372036854775807n
    const stream = new MemoryStream(engine(), { k: t.string(), v: t.long(), d: t.decimal(38, 0).nullable() })
    const nines = '9'.repeat(38)
    stream.addData(
      { k: 'a', v: max, d: nines },
      { k: 'a', v: max, d: '1' },
      { k: 'b', v: 5n, d: null },
      { k: 'b', v: 5n, d: null },
      { k: 'c', v: 1n, d: '7' },
    )
    const { found, letters, progresses } = await run(stream.toDF(), (rows) => ({
      all: rows.select('k'),
      sums: rows.groupBy('k').agg(expr('sum(v)').alias('s'), expr('sum(v) filter (where v < 9)').alias('small'), count().alias('n')),
      wide: rows.groupBy('k').agg(expr('sum(d)').alias('s'), expr('avg(d)').alias('m'), expr('try_sum(d)').alias('tried')),
      distinct: rows.groupBy().agg(expr('sum(distinct v)').alias('s')),
      windows: rows.selectExpr('k', 'v', 'sum(v) over (partition by k order by v) as s', 'count(*) over (partition by k) as n'),
    }))
    const byKey = (name: string) => found[name]!.toSorted((x, y) => String(x['k']).localeCompare(String(y['k'])))
    expect(found['all']).toHaveLength(5)
    expect(byKey('sums')).toEqual([
      { k: 'b', s: 10n, small: 10n, n: 2n },
      { k: 'c', s: 1n, small: 1n, n: 1n },
    ])
    expect(byKey('wide').map(({ k, s, tried }) => [k, s, tried].map(String))).toEqual([
      ['b', 'null', 'null'],
      ['c', '7', '7'],
    ])
    // 5 and 1 beside the greatest long
    expect(found['distinct']).toEqual([])
    expect(byKey('windows').map(({ k, s, n }) => [k, s, n])).toEqual([
      ['b', 10n, 2n],
      ['b', 10n, 2n],
      ['c', 1n, 1n],
    ])
    const said = letters.map(letterOf)
    expect(new Set(said.map(({ reason }) => reason))).toEqual(new Set(['ARITHMETIC_OVERFLOW']))
    const of = (output: string) => said.filter(({ message }) => message.includes(`output ${output}`)).map(({ row }) => row)
    expect(of('sums')).toEqual([expect.objectContaining({ k: 'a' })])
    expect(of('wide')).toEqual([expect.objectContaining({ k: 'a' })])
    expect(of('distinct')).toHaveLength(1)
    expect(of('windows')).toEqual([expect.objectContaining({ k: 'a', v: Number(max) }), expect.objectContaining({ k: 'a' })])
    expect(progresses[0]!.balance).toMatchObject({ deadLetters: 5 })
  })

  test('a function with state: the rows of its call are letters, by choice', async () => {
    const stream = texts('a', 'b', 'c', 'd')
    const outputs = (rows: any) => ({
      all: rows.select('n'),
      grouped: rows
        .where('n < 3')
        .selectExpr('n % 2 as odd', 's')
        .groupBy('odd')
        .flatMapGroupsWithState(
          ({ odd }: any, given: any, state: any) => {
            state.update(1)
            if (odd === 1) throw new Error('odd')
            return [...given].map(({ s }) => ({ s }))
          },
          { state: t.int(), output: { s: t.string().nullable() }, outputMode: 'append' },
        )
        .selectExpr('s'),
    })
    const { found, letters, progresses } = await run(stream.toDF(), outputs, { userFunctions: true })
    expect([found['all']!.length, found['grouped']!.map(({ s }) => s).sort()]).toEqual([4, ['a', 'c']])
    expect(letters.map(letterOf)).toEqual([
      {
        reason: 'FLATMAPGROUPSWITHSTATE_USER_FUNCTION_ERROR',
        message: expect.stringContaining('(for the output grouped)'),
        row: { odd: 1, s: 'b' },
      },
    ])
    expect(progresses[0]!.books).toContainEqual(account('output grouped: function of flatMapGroupsWithState 0', 3, 1))
    expect(progresses[0]!.balance).toEqual({ rowsIn: 5, rowsOn: 4, lateRows: 0, deadLetters: 1 })
    await rm(join(folder, 'checkpoint'), { recursive: true })
    const again = texts('a', 'b').toDF()
    await expect(run(again, outputs)).rejects.toMatchObject({ code: 'FLATMAPGROUPSWITHSTATE_USER_FUNCTION_ERROR' })
  })

  test('functions of the program, by choice', async () => {
    const odd = udf((n: number) => {
      if (n % 2 === 1) throw new Error(`${n} is odd`)
      return n
    }, t.int())
    const outputs = (rows: any) => ({ all: rows.select('n'), even: rows.select(({ n }: any) => ({ n: odd(n) })) })
    const { found, letters, progresses } = await run(texts('a', 'b', 'c').toDF(), outputs, { userFunctions: true })
    expect([found['all']!.length, found['even']!.map(({ n }) => n)]).toEqual([3, [0, 2]])
    expect(letters.map(letterOf)).toMatchObject([{ reason: 'FAILED_EXECUTE_UDF', message: expect.stringContaining('output even') }])
    expect(progresses[0]!.balance).toEqual({ rowsIn: 4, rowsOn: 3, lateRows: 0, deadLetters: 1 })
    await rm(join(folder, 'checkpoint'), { recursive: true })
    await expect(run(texts('a', 'b').toDF(), outputs)).rejects.toMatchObject({ code: 'FAILED_EXECUTE_UDF' })
  })

  test('rows that an output’s sink refuses count for it alone', async () => {
    const letters: Row[] = []
    const refuse = (limit: number) => (row: any) => {
      if (row.n >= limit) throw new Error(`${row.n} is too much`)
    }
    const query = await texts('a', 'b', 'c')
      .toDF()
      .writeStream.trigger({ availableNow: true })
      .option('checkpointLocation', join(folder, 'checkpoint'))
      .outputs((rows) => ({ a: rows.output.foreach(refuse(1)), b: rows.output.foreach(refuse(0)) }))
      .deadLetters((found) => found.output.foreachBatch(async (all) => void letters.push(...((await all.collect()) as Row[]))))
      .start()
    await query.awaitTermination()
    expect(letters.map(letterOf).map(({ message, row }) => [/output \w/.exec(message)![0], (row as any).n])).toEqual([
      ['output a', 1],
      ['output a', 2],
      ['output b', 0],
      ['output b', 1],
      ['output b', 2],
    ])
    const { books, balance } = query.recentProgress[0]!
    expect(books).toEqual([account('source 0', 3, 0), account('output a: sink', 3, 2), account('output b: sink', 3, 3)])
    expect(balance).toEqual({ rowsIn: 8, rowsOn: 3, lateRows: 0, deadLetters: 5 })
  })

  test('the limit stops the query before any output has the batch', async () => {
    const seen: unknown[] = []
    const attempt = run(
      texts('1', 'x', 'y').toDF(),
      (rows) => ({ raw: rows.select('s'), numbers: rows.selectExpr('cast(s as int) as v') }),
      { maxPerBatch: 1 },
      (writer) =>
        writer.outputs((rows: any) => ({
          raw: rows.output.foreach((row: unknown) => seen.push(row)),
          numbers: rows.selectExpr('cast(s as int) as v').output.format('noop'),
        })),
    )
    await expect(attempt).rejects.toMatchObject({ code: 'DEAD_LETTER_LIMIT_EXCEEDED' })
    expect(seen).toEqual([])
  })
})

describe('tables that a stream is joined with', () => {
  const names = () =>
    engine().createDataFrame(
      [
        { k: '0', name: '10' },
        { k: '1', name: 'eleven' },
        { k: 'two', name: '12' },
        { k: '3', name: '0' },
      ],
      { k: t.string(), name: t.string() },
    )
  const collect = (frame: any) => run(frame, (rows) => ({ out: rows }))

  test('its own expressions: the table’s row is the letter', async () => {
    const table = names().selectExpr('cast(k as int) as n', 'cast(name as int) as v')
    const { found, letters, progresses } = await collect(texts('a', 'b', 'c', 'd').toDF().join(table, 'n', 'left'))
    expect(found['out']!.map(({ s, v }) => [s, v]).sort()).toEqual([
      ['a', 10],
      ['b', null],
      ['c', null],
      ['d', 0],
    ])
    expect(letters.map(letterOf).map(({ message, row }) => [message.includes('table'), row])).toEqual([
      [true, { k: '1', name: 'eleven' }],
      [true, { k: 'two', name: '12' }],
    ])
    expect(progresses[0]!.balance).toEqual({ rowsIn: 6, rowsOn: 4, lateRows: 0, deadLetters: 2 })
    expect(progresses[0]!.books![1]).toEqual(account('expressions over table of the program', 4, 2))
  })

  test('a row of a table is a letter once a start, and again where it has changed; the books balance', async () => {
    const people = join(folder, 'people')
    await mkdir(people)
    const write = (name: string, ...rows: object[]) => writeFile(join(people, name), rows.map((row) => JSON.stringify(row)).join('\n'))
    await write('a.json', { k: '0', v: 1 }, { k: 'one', v: 2 }, { k: 'one', v: 2 })
    const failing = udf((v: number) => {
      if (v > 90) throw new Error(`${v} is too much`)
      return v
    }, t.int())
    const table = () =>
      (engine().read as any)
        .schema({ k: t.string(), v: t.int() })
        .json(people)
        .select(({ k, v }: any) => ({ n: k.cast('int'), v: failing(v) }))
    const stream = new MemoryStream(engine(), { s: t.string().nullable(), n: t.int() })
    const letters: string[][] = []
    const start = () =>
      (stream.toDF() as any)
        .join(table(), 'n', 'left')
        .writeStream.option('checkpointLocation', join(folder, 'once'))
        .format('noop')
        .deadLetters(
          (some: any) =>
            some.output.foreachBatch(async (all: any) => void letters.push((await all.collect()).map(({ raw }: Row) => text(raw)))),
          {
            userFunctions: true,
          },
        )
        .start()
    const one = '{"k":"one","udf":2}'
    let query = await start()
    const feed = async (): Promise<QueryProgress> => {
      stream.addData({ s: 'a', n: 0 })
      await query.processAllAvailable()
      const { balance, books } = query.lastProgress
      for (const { rowsIn, rowsOn, lateRows, deadLetters } of [...books!, balance!]) expect(rowsOn + lateRows + deadLetters).toBe(rowsIn)
      return query.lastProgress
    }
    expect((await feed()).balance).toEqual({ rowsIn: 3, rowsOn: 1, lateRows: 0, deadLetters: 2 })
    expect((await feed()).balance).toEqual({ rowsIn: 1, rowsOn: 1, lateRows: 0, deadLetters: 0 })
    await write('b.json', { k: 'two', v: 5 }, { k: '3', v: 99 })
    expect((await feed()).balance).toEqual({ rowsIn: 3, rowsOn: 1, lateRows: 0, deadLetters: 2 })
    const seen = await feed()
    expect(seen.balance).toEqual({ rowsIn: 1, rowsOn: 1, lateRows: 0, deadLetters: 0 })
    await query.stop()
    expect(letters).toEqual([[one, one], [], [expect.stringContaining('99'), expect.stringContaining('two')], []])
    query = await start()
    await feed()
    await query.stop()
    expect(letters.at(-1)).toHaveLength(4)
  })

  test('the condition, computed of the table’s rows, of the stream’s, and of both', async () => {
    const stream = texts('a', '1', '0', '7').toDF()
    const frame = stream.join(names() as any, expr('n = cast(k as int) and (k = "3" or cast(s as int) >= 0)'))
    const { found, letters } = await collect(frame)
    expect(found['out']!.map(({ s, k }) => [s, k])).toEqual([
      ['1', '1'],
      ['7', '3'],
    ])
    expect(letters.map(letterOf).map(({ row }) => row)).toEqual([
      { k: 'two', name: '12' },
      { s: 'a', n: 0 },
    ])
  })

  test('expressions over joined rows: the stream’s row is the letter', async () => {
    const frame = texts('1', '2', '0', '5')
      .toDF()
      .join(names() as any, expr('n = try_cast(k as int)'))
      .selectExpr('n', '12 div try_cast(name as int) as v')
    const { found, letters } = await collect(frame)
    expect(found['out']).toEqual([
      { n: 0, v: 1n },
      { n: 1, v: null },
    ])
    expect(letters.map(letterOf)).toEqual([{ reason: 'DIVIDE_BY_ZERO', message: expect.any(String), row: { s: '5', n: 3 } }])
  })

  test('an aggregated table with a sum that leaves its type, and one that a function with state gives', async () => {
    const rows = engine().createDataFrame(
      ['a', 'a', 'b'].map((k) => ({ k, v: k === 'a' ? 9223372036854775807n : 1n })),
      { k: t.string(), v: t.long() },
    ) as any
    const sums = rows.groupBy('k').agg(expr('sum(v)').alias('total'))
    const first = await collect((texts('a', 'b').toDF() as any).join(sums, expr('s = k'), 'left'))
    expect(first.found['out']!.map(({ s, total }) => [s, total]).sort()).toEqual([
      ['a', null],
      ['b', 1n],
    ])
    expect(first.letters.map(letterOf)).toMatchObject([{ reason: 'ARITHMETIC_OVERFLOW', row: { k: 'a' } }])
    expect(first.progresses[0]!.balance).toEqual({ rowsIn: 3, rowsOn: 2, lateRows: 0, deadLetters: 1 })
    expect(first.progresses[0]!.books![1]).toEqual(account('expressions over table behind aggregate', 2, 1))
    await rm(join(folder, 'checkpoint'), { recursive: true })
    const made = rows.groupBy('k').flatMapGroupsWithState(
      ({ k }: any) => {
        if (k === 'a') throw new Error('no a')
        return [{ name: k }]
      },
      { state: t.int(), output: { name: t.string() }, outputMode: 'append' },
    )
    const joined = (texts('a', 'b').toDF() as any).join(made, expr('s = name'), 'left')
    const { found, letters, progresses } = await run(joined, (all) => ({ out: all }), { userFunctions: true })
    expect(found['out']!.map(({ s, name }) => [s, name]).sort()).toEqual([
      ['a', null],
      ['b', 'b'],
    ])
    expect(letters.map(letterOf).map(({ row }) => (row as any).k)).toEqual(['a', 'a'])
    expect(progresses[0]!.balance).toEqual({ rowsIn: 4, rowsOn: 2, lateRows: 0, deadLetters: 2 })
  })

  test('a key of a table that has only an initial state is a letter in the first batch, and in no later one', async () => {
    const rows = engine().createDataFrame([{ k: 'b', v: 1n }], { k: t.string(), v: t.long() }) as any
    const made = rows.groupBy('k').flatMapGroupsWithState(
      ({ k }: any) => {
        if (k === 'a') throw new Error('no a')
        return [{ name: k }]
      },
      {
        state: t.int(),
        output: { name: t.string() },
        outputMode: 'append',
        initialState: engine().createDataFrame([{ k: 'a', n: 1 }], { k: t.string(), n: t.int() }),
      },
    )
    const stream = texts('a', 'b')
    const letters: number[] = []
    const query = await (stream.toDF() as any)
      .join(made, expr('s = name'), 'left')
      .writeStream.option('checkpointLocation', join(folder, 'checkpoint'))
      .format('noop')
      .deadLetters((some: any) => some.output.foreachBatch(async (all: any) => void letters.push(await all.count())), {
        userFunctions: true,
      })
      .start()
    await query.processAllAvailable()
    stream.addData({ s: 'c', n: 1 })
    await query.processAllAvailable()
    await query.stop()
    expect(letters).toEqual([1, 0])
    for (const { books } of query.recentProgress.filter(({ numInputRows }: QueryProgress) => numInputRows > 0))
      for (const { rowsIn, rowsOn, deadLetters } of books!) expect(rowsOn + deadLetters).toBe(rowsIn)
  })

  test('an aggregated table', async () => {
    const table = (names() as any).groupBy(expr('length(k)').alias('n')).agg(expr('sum(cast(name as int))').alias('total'))
    const { found, letters } = await collect((texts('a', 'b').toDF() as any).join(table, 'n'))
    expect(found['out']).toEqual([expect.objectContaining({ n: 1, total: 10n })])
    expect(letters.map(letterOf).map(({ row }) => row)).toEqual([{ k: '1', name: 'eleven' }])
  })
})
