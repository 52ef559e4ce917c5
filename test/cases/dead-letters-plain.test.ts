// Batches without a row to set aside are run as if no dead letters were kept, and begun again in full where one has some: what comes out is the same both ways.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, expr, type QueryProgress, type Row, t } from 'millrace'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { account, tellingSource, textOf } from './letters-kit.ts'

/** How often the rows of each batch were asked for, and whether with the columns that say where they come from. */
const asked: string[] = []
/** Batch n has the texts of `batches[n]`. */
const batches: string[][] = []
const counted = tellingSource('counted', [], {
  latestOffset: async (start) => Math.min(((start as number | null) ?? 0) + 1, batches.length),
  rows: async (start, _end, needed) => {
    const n = (start as number | null) ?? 0
    asked.push(`${n}${needed!.columns.has(1) ? ' with origin' : ''}`)
    const rows = batches[n]!.map((text, i) => ({ value: Buffer.from(text), topic: 'x', partition: 0, offset: BigInt(i) }))
    return { kind: 'objects', rows }
  },
})
const engine = useEngine({ print: () => {}, sources: [counted] } as never)
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-letters-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Each batch's rows, letters and books, to the end of a source that gives one batch after the other. */
async function run(frame: any, { mode = 'append', format = 'memory' }: { mode?: string; format?: string } = {}) {
  const letters: Row[] = []
  let query = frame.writeStream.outputMode(mode).format(format).option('checkpointLocation', join(folder, 'checkpoint'))
  if (format === 'memory') query = query.queryName('plain')
  query = await query
    .deadLetters((found: any) => found.output.foreachBatch(async (some: any) => void letters.push(...(await some.collect()))))
    .start()
  await query.processAllAvailable()
  await query.stop()
  const progresses: QueryProgress[] = query.recentProgress.filter((each: QueryProgress) => !each.isIdle)
  for (const { books, balance } of progresses)
    for (const { rowsIn, rowsOn, lateRows, deadLetters } of [...books!, balance!]) expect(rowsOn + lateRows + deadLetters).toBe(rowsIn)
  return { letters, progresses, rows: format === 'memory' ? ((await engine().table('plain').collect()) as Row[]) : [] }
}

describe('a source that knows topic and offset', () => {
  const good = ['1', '2']
  const bad = ['3', 'x', '4']
  const cast = () => (engine().readStream as any).format('counted').load().selectExpr('cast(cast(value as string) as int) as n')
  beforeEach(() => {
    asked.length = 0
  })

  test('is read once where nothing fails; again, with what tells of origins, where something does; then it is tried ever more seldom', async () => {
    batches.splice(0, batches.length, good, bad, good, good, bad, bad, good, good)
    const { rows, letters, progresses } = await run(cast())
    expect(asked).toEqual(['0', '1', '1 with origin', '2 with origin', '3', '4', '4 with origin', '5 with origin', '6', '7'])
    expect(rows.map(({ n }) => n)).toEqual(
      batches
        .flat()
        .filter((text) => text !== 'x')
        .map(Number),
    )
    expect(letters.map(({ batch_id, offset, raw }) => [batch_id, offset, textOf(raw)])).toEqual([1n, 4n, 5n].map((id) => [id, 1n, 'x']))
    expect(progresses.map(({ books }) => books!.filter(({ at }) => at !== 'sink'))).toEqual(
      batches.map((each) =>
        each === bad ? [account('source 0', 3, 0), account('expressions over source 0', 3, 1)] : [account('source 0', 2, 0)],
      ),
    )
  })

  test('an aggregation: its state changes once', async () => {
    batches.splice(0, batches.length, good, bad, good)
    const sums = cast().groupBy(expr('n % 2').alias('odd')).agg(expr('sum(n)').alias('s'), count().alias('c'))
    const { rows, letters } = await run(sums, { mode: 'complete' })
    expect(asked).toEqual(['0', '1', '1 with origin', '2 with origin'])
    expect(rows.toSorted((a, b) => Number(a['odd']) - Number(b['odd']))).toEqual([
      { odd: 0, s: 8n, c: 3n },
      { odd: 1, s: 5n, c: 3n },
    ])
    expect(letters.map(({ offset }) => offset)).toEqual([1n])
  })

  test('what fails behind the state is set aside there, and the batch is not begun again', async () => {
    batches.splice(0, batches.length, ['1', '2', '3'])
    const shares = cast().groupBy('n').agg(count().alias('c')).selectExpr('n', '6 div (n - 2) as share')
    const { rows, letters, progresses } = await run(shares, { mode: 'complete' })
    expect(asked).toEqual(['0'])
    expect(rows.map(({ n }) => n).toSorted()).toEqual([1, 3])
    expect(letters.map(({ reason }) => reason)).toEqual(['DIVIDE_BY_ZERO'])
    expect(progresses[0]!.books!.map(({ at, deadLetters }) => [at, deadLetters])).toContainEqual(['expressions over stateStoreSave 0', 1])
  })

  test('a sum that leaves its type', async () => {
    const max = 9223372036854775807n
    batches.splice(0, batches.length, ['1'], [`${max}`, '2', '7'], ['5'])
    const frame = (engine().readStream as any).format('counted').load().selectExpr('cast(cast(value as string) as long) as n')
    const { rows, letters } = await run(frame.groupBy().agg(expr('sum(n)').alias('s')), { mode: 'complete' })
    expect(asked).toEqual(['0', '1', '1 with origin', '2 with origin'])
    expect(letters.map(({ reason, offset }) => [reason, offset])).toEqual([['ARITHMETIC_OVERFLOW', 0n]])
    expect(rows).toEqual([{ s: 15n }])
  })
})

describe('files', () => {
  const schema = { id: t.int(), s: t.string().nullable(), unread: t.int().nullable() }
  const read = (format: string) =>
    (engine().readStream as any).schema(schema).option('maxFilesPerTrigger', 1).format(format).load(join(folder, 'in'))
  beforeEach(() => mkdir(join(folder, 'in')))

  test.each(['json', 'csv'])('%s: a record is judged whole, whether or not another row of its batch fails', async (format) => {
    const line = (id: number, s: string, unread: number | string) =>
      format === 'json' ? JSON.stringify({ id, s, unread }) : `${id},${s},${unread}`
    await writeFile(join(folder, 'in', 'a'), [line(1, '1', 1), line(2, '2', 'x')].join('\n'))
    const { rows, letters, progresses } = await run(read(format).selectExpr('id', 'cast(s as int) as n'))
    expect(rows).toEqual([{ id: 1, n: 1 }])
    expect(letters.map(({ reason, stage, line }) => [reason, stage, line])).toEqual([['MALFORMED_RECORD_IN_PARSING', 'source', 2n]])
    expect(progresses[0]!.books![0]).toEqual(account('source 0', 2, 1))
  })

  test('Parquet: a letter has the columns that nobody read', async () => {
    const part = engine().createDataFrame(
      [
        { id: 1, s: 'x', unread: 7 },
        { id: 2, s: '2', unread: null },
      ],
      schema as never,
    )
    await part.write.mode('append').parquet(join(folder, 'in'))
    const { letters } = await run(read('parquet').selectExpr('cast(s as int) as n'), { format: 'noop' })
    expect(letters.map(({ raw, file }) => [textOf(raw), String(file).includes('part-')])).toEqual([['{"id":1,"s":"x","unread":7}', true]])
  })
})
