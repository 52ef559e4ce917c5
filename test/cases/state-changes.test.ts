// Each kind of change that state follows, with 100,000 keys from before it, against the same rows as one batch. Partitions change at every start.
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { avg, coalesce, col, count, type Engine, lit, max, millrace, min, sum, t, when } from 'millrace'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'

const keys = 100_000
let folder: Awaited<ReturnType<typeof tempFolder>>
let engine: Engine
const printed: string[] = []
beforeAll(async () => {
  folder = await tempFolder()
  engine = await millrace.local({ print: (text) => printed.push(text) })
  // phase 1: every key once; phase 2: a sixth of them again, with more columns, and new ones; phase 3: a few
  await writePhase(
    1,
    Array.from({ length: keys }, (_, i) => ({ ...cells(i), phase: 1 })),
  )
  await writePhase(
    2,
    Array.from({ length: 20_000 }, (_, i) => ({
      ...cells(i * 6),
      ...(i % 3 > 0 && { region: i % 3 === 1 ? 'eu' : 'us' }),
      w: 3_000_000_000 + i,
      phase: 2,
    })),
  )
  await writePhase(
    3,
    Array.from({ length: 200 }, (_, i) => ({ ...cells(i * 700), region: 'us', w: 5, phase: 3 })),
  )
})
afterAll(async () => {
  await engine.close()
  await folder.remove()
})
const cells = (i: number) => ({ k: `key-${i}`, g: i % 11, v: i % 7 === 0 ? null : (i * 13) % 1000, f: i / 4, d: `${i % 90}.25` })

async function writePhase(phase: number, rows: readonly object[]) {
  await mkdir(join(folder.path, `phase-${phase}`))
  await writeFile(join(folder.path, `phase-${phase}`, 'rows.json'), `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`)
}

const old = { k: t.string(), g: t.int(), v: t.int().nullable(), f: t.float(), d: t.decimal(10, 2), phase: t.int() }
const wide = { ...old, v: t.long().nullable(), f: t.double(), d: t.decimal(18, 4), region: t.string().nullable(), w: t.long().nullable() }
// the frames of the two schemas have different types, and the test is about what they do
type Frame = any

let runs = 0
interface Query {
  readonly name: string
  readonly fields: object
  readonly of: (rows: Frame) => Frame
  readonly mode?: 'complete' | 'append' | 'update'
  readonly options?: Readonly<Record<string, string>>
}
/** A folder that one phase after the other is put into, and a checkpoint. */
async function place() {
  const root = join(folder.path, `query-${++runs}`)
  await mkdir(join(root, 'in'), { recursive: true })
  let starts = 0
  return {
    root,
    async add(phase: number) {
      await copyFile(join(folder.path, `phase-${phase}`, 'rows.json'), join(root, 'in', `${phase}.json`))
    },
    /** Reads what is there; the result of each batch replaces the one before (complete), or is kept beside it. */
    async run({ fields, of, mode = 'complete', options = {} }: Query): Promise<void> {
      const rows = engine.readStream.schema(fields as typeof old).json(join(root, 'in'))
      const partitions = String(1 + ((starts++ * 3) % 8))
      const query = await of(rows)
        .writeStream.outputMode(mode)
        .trigger({ availableNow: true })
        .options({ checkpointLocation: join(root, 'checkpoint'), 'spark.sql.shuffle.partitions': partitions, ...options })
        .foreachBatch(async (batch: Frame, batchId: bigint) => {
          const out = join(root, mode === 'complete' ? 'out' : `out-${starts}`)
          await batch.write.mode(mode === 'complete' ? 'overwrite' : 'append').parquet(mode === 'complete' ? out : `${out}/${batchId}`)
        })
        .start()
      await query.awaitTermination()
    },
    input: (fields: object): Frame => engine.read.json(join(root, 'in'), fields as typeof old),
  }
}
/** Rows that only one of two frames has. */
async function expectSame(got: Frame, wanted: Frame, atLeast: number) {
  const rows = Number(await got.count())
  expect(rows).toBeGreaterThanOrEqual(atLeast)
  expect(rows).toBe(Number(await wanted.count()))
  const strange = await got.exceptAll(wanted).limit(3).collect()
  expect(strange).toEqual([])
}
const outOf = (root: string, like: Frame): Frame => engine.read.parquet(join(root, 'out'), like.schema)

/** `before` over phase 1, then `after` over phase 2 (`again`: and, after a restart, phase 3); `oracle` is what one batch over all must give. */
async function changes(before: Query, after: Query, oracle: (rows: Frame) => Frame, again = false) {
  const here = await place()
  await here.add(1)
  await here.run(before)
  printed.length = 0
  await here.add(2)
  await here.run(after)
  const told = printed.join('\n')
  if (again) {
    await here.add(3)
    await here.run(after)
    expect(printed.join('\n')).toBe(told) // the second start has nothing to migrate
  }
  const wanted = oracle(here.input(after.fields))
  await expectSame(outOf(here.root, wanted), wanted, keys)
  return { told, here }
}
const query = (of: Query['of'], fields: object = old, options: Query['options'] = {}): Query => ({ name: '', fields, of, options })
const since = (column: Frame) => when(col('phase').gt(1), column)

describe('aggregations', () => {
  const first = query((rows) => rows.groupBy('k').agg(({ v }: Frame) => ({ n: count(), total: sum(v) })))
  test('an aggregate more: of old keys it tells of the rows from then on, also where it could share an accumulator', async () => {
    const counted = query((rows) => rows.groupBy('k').agg(({ v }: Frame) => ({ n: count(v), total: sum(v) })))
    const more = query((rows) =>
      rows.groupBy('k').agg(({ v }: Frame) => ({ n: count(v), total: sum(v), mean: avg(v), least: min(v), rows: count() })),
    )
    const { told } = await changes(
      counted,
      more,
      (rows) =>
        rows.groupBy('k').agg(({ v }: Frame) => ({
          n: count(v),
          total: sum(v),
          mean: avg(since(v) as never),
          least: min(since(v) as never),
          rows: count(since(lit(1)) as never),
        })),
      true,
    )
    expect(told).toContain('mean = avg(v)')
  })
  test('an aggregate less, and the rest in another order and under other names', async () => {
    const three = query((rows) => rows.groupBy('k').agg(({ v, f }: Frame) => ({ n: count(), mean: avg(v), most: max(f) })))
    const two = query((rows) => rows.groupBy('k').agg(({ v, f }: Frame) => ({ largest: max(f), mean: avg(v) })))
    await changes(three, two, two.of)
  })
  test('wider types of what the aggregates read, and of the key', async () => {
    const all = (rows: Frame) =>
      rows
        .groupBy('k', 'v')
        .agg(({ v, f, d }: Frame) => ({ most: max(v), least: min(f), total: sum(d), top: max(d), sums: sum(v), mean: avg(f) }))
    const { told } = await changes(query(all), query(all, wide), all)
    expect(told).toContain('the key v')
  })
  test('a nullable key more, in front: old keys have null in it', async () => {
    const by = query((rows) => rows.groupBy('region', 'k').agg(({ v }: Frame) => ({ n: count(), total: sum(v) })), {
      ...old,
      region: wide.region,
    })
    const { told } = await changes(first, by, by.of)
    expect(told).toContain('new key region')
  })
  test('a key with a default', async () => {
    const of = (rows: Frame) =>
      rows
        .withColumn('region', ({ region }: Frame) => coalesce(region, lit('none')))
        .groupBy('k', 'region')
        .agg(({ v }: Frame) => ({ n: count(), total: sum(v) }))
    const by = query(of, { ...old, region: wide.region }, { stateDefaults: '{"region": "none"}' })
    await changes(first, by, of)
  })
  test('keys in another order, a new column of the input, and a rollback of the code', async () => {
    const one = (rows: Frame) => rows.groupBy('k', 'g').agg(({ v }: Frame) => ({ n: count(), total: sum(v) }))
    const other = (rows: Frame) => rows.groupBy('g', 'k').agg(({ v, w }: Frame) => ({ n: count(), total: sum(v), large: max(w) }))
    const { here } = await changes(query(one), query(other, { ...old, w: wide.w }), other)
    // back to the old code, with the migrated state
    await here.run(query(one))
    await here.add(1)
    const again = join(here.root, 'in', 'again.json')
    await writeFile(again, `${JSON.stringify({ ...cells(5), phase: 4 })}\n`)
    await here.run(query(one))
    const wanted = one(here.input(old))
    await expectSame(outOf(here.root, wanted), wanted, keys)
  })
})

describe('rows that are kept', () => {
  test('a join: stored rows of a wider type, with a column more', async () => {
    const here = await place()
    const left = (rows: Frame, more: boolean) =>
      rows.where(({ phase }: Frame) => phase.lt(3)).select('k', 'v', 'f', ...(more ? ['region'] : []))
    const right = (rows: Frame) =>
      rows.where(({ phase }: Frame) => phase.gt(1)).select(({ k, d, phase }: Frame) => ({ key: k, d, late: phase }))
    const of = (more: boolean) => (rows: Frame) => {
      const pairs = left(rows, more).join(right(rows), (l: Frame, r: Frame) => l.k.eq(r.key), 'inner')
      return pairs.select('k', 'v', 'f', ...(more ? ['region'] : []), 'd', 'late')
    }
    const [before, after] = [query(of(false)), query(of(true), { ...wide, d: old.d })]
    await here.add(1)
    await here.run({ ...before, mode: 'append' })
    await here.add(2)
    await here.run({ ...after, mode: 'append' })
    await here.add(3)
    await here.run({ ...after, mode: 'append' })
    const wanted = of(true)(here.input(after.fields))
    const got = engine.read.parquet(`${here.root}/out-2/*`, wanted.schema) as Frame
    const rest = engine.read.parquet(`${here.root}/out-3/*`, wanted.schema) as Frame
    await expectSame(got.unionAll(rest), wanted, 30_000)
  })
  test('a deduplication by a nullable column more', async () => {
    const here = await place()
    const fields = { ...old, region: wide.region }
    await here.add(1)
    await here.run({ ...query((rows) => rows.dropDuplicates(['k']).select('k', 'phase')), mode: 'append' })
    await here.add(2)
    const of = (rows: Frame) => rows.dropDuplicates(['k', 'region']).select('k', 'region')
    await here.run({ ...query(of, fields), mode: 'append' })
    const wanted = of(here.input(fields)).exceptAll(
      here
        .input(fields)
        .where(({ phase }: Frame) => phase.eq(1))
        .select('k', 'region'),
    )
    const got: Frame = engine.read.parquet(`${here.root}/out-2/*`, wanted.schema)
    await expectSame(got, wanted, 10_000)
  })
})
