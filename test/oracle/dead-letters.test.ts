// The books: over any cut of files into batches, any restart and any failure between the sinks, every line of the input is in one place, once: with the query's
// rows, among the dead letters or among the late rows. And the books of each batch say the same.
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type QueryProgress, type Row, t, udf } from 'millrace'
import { expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { hasManyRuns, holds, timeout } from './property.ts'

const engine = useEngine({ print: () => {} })

/** A line: a row at that second, one that is no JSON, one of a wrong type, or one for which the function throws. */
const line = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('row' as const), at: fc.integer({ min: 0, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('broken' as const, 'wrong type' as const), at: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('throws' as const), at: fc.integer({ min: 0, max: 60 }) }) },
)
const file = fc.record({
  lines: fc.array(line, { minLength: 1, maxLength: 12 }),
  lift: fc.integer({ min: 0, max: 30 }),
  trouble: fc.constantFrom('none', 'none', 'restart', 'main', 'late', 'letters'),
})
const delay = 10

const checked = udf((id: number) => {
  if (id % 1000 === 999) throw new Error(`${id} is poison`)
  return id
}, t.int())

test('every line is in one place, once', { timeout }, async () => {
  const seen = { late: 0, letters: 0, kept: 0 }
  await holds(
    fc.array(file, { minLength: 1, maxLength: 5 }),
    async (files) => {
      const folder = await mkdtemp(join(tmpdir(), 'millrace-books-'))
      try {
        const expected = model(files)
        const actual = await run(folder, expected.texts, files)
        const ids = (rows: readonly Row[], column: string) => rows.map((row) => Number(row[column])).sort((a, b) => a - b)
        const plain = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)
        expect(ids(actual.main, 'id')).toEqual(plain(expected.kept))
        expect(ids(actual.late, 'id')).toEqual(plain(expected.late))
        expect(actual.letters).toHaveLength(expected.malformed.length + expected.poison.length)
        expect(
          actual.letters
            .filter(({ stage }) => stage === 'source')
            .map(({ raw }) => Buffer.from(raw as Uint8Array).toString())
            .sort(),
        ).toEqual(expected.malformed.toSorted())
        const poison = actual.letters.filter(({ stage }) => stage === 'function')
        expect(
          poison.map(({ raw }) => (JSON.parse(Buffer.from(raw as Uint8Array).toString()) as { id: number }).id).sort((a, b) => a - b),
        ).toEqual(plain(expected.poison))
        const books = [...actual.progresses.values()].flatMap((progress) => progress.books!)
        for (const { rowsIn, rowsOn, lateRows, deadLetters } of books) expect(rowsOn + lateRows + deadLetters).toBe(rowsIn)
        const total = (pick: (entry: (typeof books)[number]) => number) => books.reduce((sum, entry) => sum + pick(entry), 0)
        expect(total(({ lateRows }) => lateRows)).toBe(expected.late.length)
        expect(total(({ deadLetters }) => deadLetters)).toBe(expected.malformed.length + expected.poison.length)
        const source = books.filter(({ at }) => at.startsWith('source'))
        expect(source.reduce((sum, { rowsIn }) => sum + rowsIn, 0)).toBe(expected.texts.flat().length)
        seen.late += expected.late.length
        seen.letters += actual.letters.length
        seen.kept += expected.kept.length
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
    8,
  )
  if (hasManyRuns) expect(Math.min(...Object.values(seen))).toBeGreaterThan(0)
})

type File = typeof file extends fc.Arbitrary<infer F> ? F : never

/** One file a batch, each followed by its no-data batch; ids that end in 999 are poison. */
function model(files: readonly File[]) {
  const found = { texts: [] as string[][], kept: [] as number[], late: [] as number[], malformed: [] as string[], poison: [] as number[] }
  let [base, id, watermark, evicted] = [0, 0, 0, 0]
  for (const { lines, lift } of files) {
    base += lift
    let newest = Number.NEGATIVE_INFINITY
    found.texts.push(
      lines.map(({ kind, at }) => {
        id++
        const own = kind === 'throws' ? id * 1000 + 999 : id * 1000
        const second = at + base
        const text = JSON.stringify({ id: own, at: new Date(second * 1000).toISOString() })
        if (kind === 'broken' || kind === 'wrong type') {
          const broken = kind === 'broken' ? `no json ${id}` : `{"id":"x${id}","at":"2026-01-01T00:00:00Z"}`
          found.malformed.push(broken)
          return broken
        }
        if (kind === 'throws') {
          found.poison.push(own)
          return text
        }
        newest = Math.max(newest, second)
        ;(second <= evicted ? found.late : found.kept).push(own)
        return text
      }),
    )
    evicted = watermark
    if (newest - delay <= watermark) continue
    watermark = evicted = newest - delay
  }
  return found
}

async function run(folder: string, texts: readonly string[][], files: readonly File[]) {
  const input = join(folder, 'in')
  await mkdir(input)
  const delivered = { main: new Map<bigint, Row[]>(), late: new Map<bigint, Row[]>(), letters: new Map<bigint, Row[]>() }
  const progresses = new Map<number, QueryProgress>()
  let failing = 'none'
  const into = (name: keyof typeof delivered) => async (rows: { collect(): Promise<object[]> }, batchId: bigint) => {
    if (failing === name) {
      failing = 'none'
      throw new Error(`${name} is down`)
    }
    delivered[name].set(batchId, (await rows.collect()) as Row[])
  }
  const start = () =>
    engine()
      .readStream.schema({ id: t.int(), at: t.timestamp() })
      .json(input)
      .select(({ id, at }) => ({ id: checked(id), at }))
      .withWatermark('at', `${delay} seconds`)
      .dropDuplicates(['id', 'at'])
      .writeStream.option('checkpointLocation', join(folder, 'checkpoint'))
      .foreachBatch(into('main'))
      .lateRows({ id: t.int() }, (late) => late.output.foreachBatch(into('late')))
      .deadLetters((letters) => letters.output.foreachBatch(into('letters')), { userFunctions: true })
      .start()
  let query = await start()
  const note = () => {
    for (const progress of query.recentProgress) if (!progress.isIdle) progresses.set(progress.batchId, progress)
  }
  for (const [i, { trouble }] of files.entries()) {
    failing = trouble
    await writeFile(join(input, `.${i}`), `${texts[i]!.join('\n')}\n`)
    await rename(join(input, `.${i}`), join(input, `${i}.json`))
    const failed = await query.processAllAvailable().then(
      () => false,
      () => true,
    )
    note()
    if (!failed && trouble !== 'restart') continue
    if (!failed) await query.stop()
    query = await start()
    await query.processAllAvailable()
    note()
  }
  await query.stop()
  note()
  const all = (name: keyof typeof delivered) => [...delivered[name].values()].flat()
  return { main: all('main'), late: all('late'), letters: all('letters'), progresses }
}
