// The books balance, over sources × operators × poison rows: in every batch each place and the one line of the batch add up, their numbers are those of the rows that really
// came out at the query's sink, the dead letters and the late rows, and every row of the input is in one of the three, once.
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { count, expr, MemoryStream, type QueryProgress, type Row, t, udf, window } from 'millrace'
import { expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'

const engine = useEngine({ print: () => {} })
const runs = Number(process.env['MILLRACE_ORACLE_RUNS'] ?? 12)
const seed = Number(process.env['MILLRACE_ORACLE_SEED'] ?? Date.now() % 1_000_000)
console.log(`oracle tests of the books: seed ${seed}, ${runs} runs`)

const poisons = ['none', 'malformed', 'cast', 'zero', 'overflow', 'throws'] as const
const row = fc.record({
  poison: fc.oneof({ weight: 6, arbitrary: fc.constant('none' as const) }, { weight: 3, arbitrary: fc.constantFrom(...poisons) }),
  second: fc.integer({ min: 0, max: 40 }),
})
const sources = ['json', 'csv', 'memory'] as const
const operators = ['project', 'filter', 'explode', 'join', 'union', 'dedupe', 'count', 'session', 'table', 'outputs'] as const
const scenario = fc.record({
  source: fc.constantFrom(...sources),
  operator: fc.constantFrom(...operators),
  batches: fc.array(fc.record({ rows: fc.array(row, { minLength: 1, maxLength: 9 }), lift: fc.integer({ min: 0, max: 30 }) }), {
    minLength: 1,
    maxLength: 4,
  }),
})
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never

interface Given {
  readonly id: number
  readonly poison: (typeof poisons)[number]
  readonly s: string
  readonly d: number
  readonly at: Date
}
function given({ batches, source }: Scenario): Given[][] {
  let [id, base] = [0, 0]
  return batches.map(({ rows, lift }) => {
    base += lift
    return rows.map(({ poison: wanted, second }) => {
      // an object of the program is never malformed
      const poison = wanted === 'malformed' && source === 'memory' ? 'cast' : wanted
      const s = poison === 'cast' ? 'x' : poison === 'overflow' ? '2147483647' : String(id)
      return { id: id++, poison, s, d: poison === 'zero' ? 0 : poison === 'throws' ? -1 : 1, at: new Date((second + base) * 1000) }
    })
  })
}

const checked = udf((d: number) => {
  if (d === -1) throw new Error('poison')
  return d
}, t.int())
const fields = { id: t.int(), s: t.string(), d: t.int(), at: t.timestamp() }

test('every row is in one place, and the books of every batch say so', { timeout: 300_000 }, async () => {
  const seen = { late: 0, dead: 0, kept: 0, filtered: 0 }
  const met = new Set<string>()
  await fc.assert(
    fc.asyncProperty(scenario, async (what) => {
      const folder = await mkdtemp(join(tmpdir(), 'millrace-balance-'))
      try {
        const input = given(what)
        const { kept, late, dead: letters, ids, progresses, numberOfRows } = await run(folder, what, input)
        const ofTable = letters.filter(({ message }) => String(message).includes('(in a row of the table '))
        const dead = letters.filter((letter) => !ofTable.includes(letter))
        met.add(`${what.source} ${what.operator}`)
        const all = input.flat()
        const poisoned = all.filter(({ poison }) => poison !== 'none')
        expect(dead.length).toBe(poisoned.length)
        const reasons: Record<string, string> = {
          malformed: 'MALFORMED_RECORD_IN_PARSING',
          cast: 'CAST_INVALID_INPUT',
          zero: 'DIVIDE_BY_ZERO',
          overflow: 'ARITHMETIC_OVERFLOW',
          throws: 'FAILED_EXECUTE_UDF',
        }
        expect(dead.map(({ reason }) => String(reason).replace(/^BINARY_/, '')).sort()).toEqual(
          poisoned.map(({ poison }) => reasons[poison]!).sort(),
        )
        const filtered = what.operator === 'filter' ? all.filter(({ poison, id }) => poison === 'none' && id % 2 !== 0).length : 0
        expect(numberOfRows(kept) + late.length + dead.length + filtered).toBe(all.length)
        for (const { books, balance } of progresses) {
          for (const each of [...books!, balance!]) expect(each.rowsOn + each.lateRows + each.deadLetters).toBe(each.rowsIn)
        }
        const sum = (key: 'rowsIn' | 'rowsOn' | 'lateRows' | 'deadLetters') => progresses.reduce((n, { balance }) => n + balance![key], 0)
        // rows of tables, and what one output sets aside of rows that the other has, come in beside those of the sources
        const malformed = dead.filter(({ stage }) => stage === 'source').length
        const beside = what.operator === 'outputs' ? dead.length - malformed : ofTable.length
        expect(sum('rowsIn')).toBe(all.length + beside)
        expect(sum('deadLetters')).toBe(letters.length)
        expect(sum('lateRows')).toBe(late.length)
        expect(sum('rowsOn')).toBe(what.operator === 'outputs' ? all.length - malformed : numberOfRows(kept) + filtered)
        if (what.operator === 'outputs') expect(ids.length).toBe(all.length - malformed)
        if (what.operator === 'table') expect(ofTable.every(({ raw }) => /x/.test(Buffer.from(raw as Uint8Array).toString()))).toBe(true)
        seen.late += late.length
        seen.dead += dead.length
        seen.kept += kept.length
        seen.filtered += filtered
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    }),
    { numRuns: runs, seed, endOnFailure: false },
  )
  console.log(`books: ${JSON.stringify(seen)} over ${met.size} pairs of source and operator`)
  expect(Math.min(seen.dead, seen.kept)).toBeGreaterThan(0)
})

async function run(folder: string, { source, operator }: Scenario, input: readonly (readonly Given[])[]) {
  const folderIn = join(folder, 'in')
  await mkdir(folderIn)
  const memory = source === 'memory' ? new MemoryStream(engine(), fields) : undefined
  const read =
    memory?.toDF() ??
    (source === 'json' ? engine().readStream.schema(fields).json(folderIn) : engine().readStream.schema(fields).csv(folderIn))
  // four expressions, each of which has no value for one kind of poison
  const compute = (rows: any) =>
    rows
      .select(({ id, s, d, at }: any) => ({ id, s, at, d: checked(d) }))
      .selectExpr('id', 'at', 'cast(s as int) + 1 as v', '100 div d as share')
  const computed = compute(read)
  const marked = computed.withWatermark('at', '10 seconds')
  const table = engine().createDataFrame(
    input.flat().map(({ id }) => ({ id, name: `n${id}` })),
    { id: t.int(), name: t.string() },
  )
  const broken = engine()
    .createDataFrame(
      input.flat().map(({ id }) => ({ id, name: id % 3 === 1 ? `x${id}` : `${id}` })),
      { id: t.int(), name: t.string() },
    )
    .selectExpr('id', 'cast(name as int) as number')
  const one = (rows: readonly Row[]) => rows.length
  const counted = (rows: readonly Row[]) => rows.reduce((n, { rows: each }) => n + Number(each), 0)
  const [frame, numberOfRows, mode]: readonly [any, (rows: readonly Row[]) => number, string] = {
    project: () => [computed, one, 'append'] as const,
    filter: () => [computed.where('(v - 1 + share * 0) % 2 = 0'), one, 'append'] as const,
    explode: () =>
      [
        computed.selectExpr('id', 'explode(array(v, v div share, cast(share as int))) as e'),
        (rows: readonly Row[]) => rows.length / 3,
        'append',
      ] as const,
    join: () => [computed.join(table, 'id'), one, 'append'] as const,
    table: () => [computed.join(broken, 'id', 'left'), one, 'append'] as const,
    outputs: () => [read, one, 'append'] as const,
    union: () => [computed.where('(id + share * 0) % 3 = 0').union(computed.where('(id + share * 0) % 3 <> 0')), one, 'append'] as const,
    dedupe: () => [marked.dropDuplicates(['id', 'at']), one, 'append'] as const,
    count: () =>
      [
        marked.groupBy(({ at }: any) => ({ w: window(at, '5 seconds') })).agg(expr('count(v div share)').alias('rows')),
        counted,
        'update',
      ] as const,
    session: () =>
      [
        marked
          .groupBy(expr('session_window(at, "3 seconds")').alias('w'), expr('(v div v) * (share div share)').alias('k'))
          .agg(count().alias('rows')),
        counted,
        'complete',
      ] as const,
  }[operator]()
  const into = { main: [] as Row[], late: [] as Row[], dead: [] as Row[], ids: [] as Row[] }
  const latest = new Map<string, Row>()
  const take = async (rows: any) => {
    if (mode === 'complete') into.main.length = 0
    for (const each of (await rows.collect()) as Row[]) {
      into.main.push(each)
      if (mode === 'update') latest.set(JSON.stringify(each['w']), each)
    }
  }
  const writer = frame.writeStream.outputMode(mode).option('checkpointLocation', join(folder, 'checkpoint'))
  let query =
    operator === 'outputs'
      ? writer.outputs((rows: any) => ({
          ids: rows.select('id').output.foreachBatch(async (some: any) => void into.ids.push(...(await some.collect()))),
          main: compute(rows).output.foreachBatch(take),
        }))
      : writer.foreachBatch(take)
  if (['dedupe', 'count', 'session'].includes(operator))
    query = query.lateRows({ id: t.int() }, (late: any) =>
      late.output.foreachBatch(async (rows: any) => void into.late.push(...(await rows.collect()))),
    )
  const started = await query
    .deadLetters((letters: any) => letters.output.foreachBatch(async (rows: any) => void into.dead.push(...(await rows.collect()))), {
      userFunctions: true,
    })
    .start()
  const progresses = new Map<number, QueryProgress>()
  for (const [i, rows] of input.entries()) {
    if (memory) memory.addData(...rows.map(({ id, s, d, at }) => ({ id, s, d, at })))
    else {
      await writeFile(join(folderIn, `.${i}`), rows.map((each) => `${lineOf(source, each)}\n`).join(''))
      await rename(join(folderIn, `.${i}`), join(folderIn, `${i}.${source}`))
    }
    await started.processAllAvailable()
    for (const progress of started.recentProgress) if (!progress.isIdle) progresses.set(progress.batchId, progress)
  }
  await started.stop()
  const kept = mode === 'update' ? [...latest.values()] : into.main
  return { kept, late: into.late, dead: into.dead, ids: into.ids, progresses: [...progresses.values()], numberOfRows }
}

function lineOf(source: (typeof sources)[number], { id, poison, s, d, at }: Given): string {
  if (source === 'csv') return poison === 'malformed' ? `no number ${id},${s},1,${at.toISOString()}` : `${id},${s},${d},${at.toISOString()}`
  return poison === 'malformed' ? `no json ${id}` : JSON.stringify({ id, s, d, at: at.toISOString() })
}
