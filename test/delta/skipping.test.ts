// Files that can't hold the rows that are asked for are not read. Those are made unreadable here, so that reading one would show.
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { type DataFrame, MemoryStream, t } from 'millrace'
import { describe, expect, test } from 'vitest'
import { deltaPlace } from './place.ts'

const place = deltaPlace()
const fields = {
  id: t.int(),
  city: t.string().nullable(),
  at: t.timestamp(),
  day: t.date(),
  price: t.decimal(10, 2),
  big: t.long().nullable(),
}
const row = (id: number) => ({
  id,
  city: id % 5 === 0 ? null : `city ${String(id).padStart(4, '0')}`,
  at: new Date(Date.UTC(2026, 0, 1) + id * 60_000 + 1),
  day: new Date(Date.UTC(2026, 0, 1 + id)).toISOString().slice(0, 10),
  price: `${id}.50`,
  big: id < 20 ? null : BigInt(id) * 10n,
})
const frame = (ids: readonly number[]): DataFrame<any> => place.engine.createDataFrame(ids.map(row) as any, fields)
const write = (ids: readonly number[], ...partitions: string[]) =>
  frame(ids)
    .write.format('delta')
    .mode('append')
    .partitionBy(...(partitions as never[]))
    .save(place.table())

/** Four files with ids 0 to 9, 10 to 19, 20 to 29, 30 to 39. */
const tens = (n: number) => Array.from({ length: 10 }, (_, i) => n * 10 + i)
async function fourFiles(): Promise<string[]> {
  const paths: string[] = []
  for (let n = 0; n < 4; n++) {
    await write(tens(n))
    paths.push((await place.commit(n)).find(({ add }) => add).add.path)
  }
  return paths
}
async function damage(paths: readonly string[]): Promise<void> {
  for (const path of paths) await writeFile(join(place.table(), path), 'this is no Parquet')
}
const read = async () => place.engine.read.format('delta').load(place.table()) as Promise<DataFrame<any>>
const found = async (condition: string) =>
  (await (await read()).where(condition).select('id').collect()).map(({ id }: any) => id).sort((a, b) => a - b)

describe('reads', () => {
  test('of the newest version and of older ones, by values of each type', async () => {
    const paths = await fourFiles()
    await damage([paths[0]!, paths[1]!, paths[3]!])
    expect(await found('id = 25')).toEqual([25])
    expect(await found('id IN (25, 27) AND id < 27')).toEqual([25])
    expect(await found("city >= 'city 0021' AND city < 'city 0023'")).toEqual([21, 22])
    expect(await found("at >= '2026-01-01T00:20:00Z' AND at < '2026-01-01T00:22:00.001Z'")).toEqual([20, 21])
    expect(await found("day BETWEEN DATE '2026-01-22' AND DATE '2026-01-23'")).toEqual([21, 22])
    expect(await found('price = 22.50')).toEqual([22])
    expect(await found('big IS NOT NULL AND id < 30 AND id > 19 AND id % 2 = 1')).toEqual([21, 23, 25, 27, 29])
    expect(await found('id = 21 OR id = 28')).toEqual([21, 28])
    const older = await place.engine.read.format('delta').option('versionAsOf', 2).load(place.table())
    expect((await older.where('id > 28').collect()).map(({ id }: any) => id)).toEqual([29])
    await expect(found('id = 15')).rejects.toThrow()
    await expect(found('id % 10 = 5')).rejects.toThrow()
  })
  test('of nulls, and of the rows of a stream that is joined with the table', async () => {
    const paths = await fourFiles()
    await damage([paths[2]!, paths[3]!])
    expect(await found('big IS NULL')).toHaveLength(20)
    const input = new MemoryStream(place.engine, { id: t.int() })
    const joined = input.toDF().join((await read()).where('id < 20'), 'id')
    const query = await joined.select('id').writeStream.format('memory').queryName('joined').start()
    input.addData({ id: 3 }, { id: 17 }, { id: 35 })
    await query.processAllAvailable()
    await query.stop()
    expect((await place.engine.table('joined').collect()).map(({ id }: any) => id).sort()).toEqual([17, 3])
  })
  test('by partitions', async () => {
    await frame(tens(2)).write.format('delta').partitionBy('id').save(place.table())
    const others = (await readdir(place.table(), { recursive: true })).filter(
      (name) => name.endsWith('.parquet') && !/_delta_log|id=2[13]/.test(name),
    )
    expect(others).toHaveLength(8)
    await damage(others)
    expect(await found('id IN (21, 23)')).toEqual([21, 23])
    expect(await place.delta().delete('id = 23')).toMatchObject({ numAffectedRows: 1, numRemovedFiles: 1 })
  })
  test('any condition gives what it gives without statistics', async () => {
    await fourFiles()
    const all = [0, 1, 2, 3].flatMap(tens)
    const value = fc.integer({ min: -2, max: 42 })
    const sign = fc.constantFrom('=', '<>', '<', '<=', '>', '>=')
    const compare = fc.oneof(
      fc.tuple(sign, value).map(([s, v]) => [`id ${s} ${v}`, (id: number) => holds(s, id, v)] as const),
      fc.tuple(sign, value).map(([s, v]) => [`price ${s} ${v}.50`, (id: number) => holds(s, id, v)] as const),
      fc.tuple(sign, value).map(([s, v]) => [`big ${s} ${v * 10}`, (id: number) => id >= 20 && holds(s, id, v)] as const),
      fc.constant(['city IS NULL', (id: number) => id % 5 === 0] as const),
      fc.constant(['big IS NOT NULL', (id: number) => id >= 20] as const),
    )
    await fc.assert(
      fc.asyncProperty(compare, compare, fc.constantFrom('AND', 'OR'), async ([a, f], [b, g], word) => {
        const expected = all.filter((id) => (word === 'AND' ? f(id) && g(id) : f(id) || g(id)))
        expect(await found(`(${a}) ${word} (${b})`)).toEqual(expected)
      }),
      { numRuns: 40 },
    )
  })
})
function holds(sign: string, a: number, b: number): boolean {
  return { '=': a === b, '<>': a !== b, '<': a < b, '<=': a <= b, '>': a > b, '>=': a >= b }[sign]!
}

describe('changes', () => {
  test('a merge reads files that the values of its source may be in', async () => {
    const paths = await fourFiles()
    await damage([paths[0]!, paths[2]!])
    const source = place.engine.createDataFrame(
      [
        { k: 15n, c: 'new' },
        { k: 31n, c: 'new' },
        { k: 99n, c: 'none' },
      ],
      { k: t.long(), c: t.string() },
    )
    const merge = place
      .delta()
      .alias('t')
      .merge(source.alias('s'), 't.id = s.k')
      .whenMatchedUpdate({ set: { city: 's.c' } })
    expect(await merge.execute()).toMatchObject({ numTargetRowsUpdated: 2, numTargetFilesRemoved: 2 })
    await damage([paths[1]!, paths[3]!])
    expect(await found("city = 'new' AND (id = 15 OR id = 31)")).toEqual([15, 31])
  })
  test('so do upserts of a stream, by a key of two columns, with nulls', async () => {
    await write(tens(0))
    await write([10, 11])
    await write([20, 21])
    const paths = await Promise.all([0, 1, 2].map(async (n) => (await place.commit(n)).find(({ add }) => add).add.path as string))
    await damage([paths[0]!, paths[2]!])
    const input = new MemoryStream(place.engine, fields)
    const query = await input
      .toDF()
      .writeStream.outputMode('update')
      .option('key', 'id,city')
      .option('checkpointLocation', join(place.folder, 'cp'))
      .format('delta')
      .start(place.table())
    input.addData({ ...row(10), price: '1.25' } as any, row(40) as any)
    await query.processAllAvailable()
    await query.stop()
    expect(await found('price = 1.25 AND id > 9')).toEqual([10])
    expect(await found('id >= 40')).toEqual([40])
  })
  test('more values than can be told apart are told by their ends', async () => {
    const paths = await fourFiles()
    await damage([paths[3]!])
    const many = place.engine.range(-11_000, 30).select(({ id }: any) => ({ k: id, c: id.cast('string') }))
    const none = place.delta().alias('t').merge(many.where('k > 50').alias('s'), 't.id = s.k').whenMatchedDelete()
    expect((await none.execute()).version).toBeNull()
    const merge = place.delta().alias('t').merge(many.alias('s'), 't.id = s.k').whenMatchedDelete()
    expect(await merge.execute()).toMatchObject({ numTargetRowsDeleted: 30 })
  })
  test('rows that match no source row are looked for in all files', async () => {
    const paths = await fourFiles()
    await damage([paths[0]!])
    const source = place.engine.createDataFrame([{ k: 15 }], { k: t.int() })
    const merge = place.delta().alias('t').merge(source.alias('s'), 't.id = s.k').whenNotMatchedBySourceDelete()
    await expect(merge.execute()).rejects.toThrow()
  })
  test('what another writer appends outside of the values is no conflict', async () => {
    await fourFiles()
    const source = place.engine.createDataFrame([{ k: 15 }], { k: t.int() })
    const merge = place.delta().alias('t').merge(source.alias('s'), 't.id = s.k').whenMatchedDelete()
    const both = await Promise.all([merge.execute(), write([50])])
    expect(both[0]).toMatchObject({ numTargetRowsDeleted: 1 })
    expect(await found('id >= 0')).toHaveLength(40)
  })
})

test('statistics: numbers with all their digits, NaN left out, texts cut by characters and the largest up', async () => {
  const emoji = '😀'
  const columns = {
    d: t.double().nullable(),
    low: t.double(),
    s: t.string().nullable(),
    ascii: t.string(),
    top: t.string(),
    exact: t.string(),
    at: t.timestamp(),
    m: t.decimal(12, 2),
    big: t.decimal(30, 0),
    nested: t.struct({ a: t.int().nullable(), b: t.string().nullable() }).nullable(),
  }
  const row = (d: number | null, low: number, s: string | null, n: number, nested: object | null) => ({
    ...{ d, low, s, nested, ascii: 'z'.repeat(30 + n), top: '\u{10ffff}'.repeat(40), exact: emoji.repeat(32) },
    ...{ at: new Date(-1.5 - n), m: `${n}.25`, big: `${10n ** 20n * BigInt(n)}` },
  })
  const rows = [
    row(1, -0.0, emoji.repeat(40), 1, { a: 3, b: 'é'.repeat(33) }),
    row(Number.NaN, 0, 'b'.repeat(33), 5, null),
    row(null, -2.5, null, 3, { a: null, b: null }),
  ]
  const frame = (place.engine.createDataFrame(rows as never, columns) as any).coalesce(1)
  await frame.write.format('delta').save(place.table())
  const stats = JSON.parse((await place.commit(0)).find(({ add }) => add).add.stats)
  expect(stats).toEqual({
    numRecords: 3,
    minValues: {
      low: -2.5,
      s: 'b'.repeat(32),
      ascii: 'z'.repeat(31),
      top: '\u{10ffff}'.repeat(32),
      exact: emoji.repeat(32),
      at: '1969-12-31T23:59:59.994Z',
      m: 1.25,
      big: 1e20,
      nested: { a: 3, b: 'é'.repeat(32) },
    },
    maxValues: {
      low: 0,
      s: `${emoji.repeat(32)}\u{10ffff}`,
      ascii: `${'z'.repeat(32)}\u007f`,
      exact: emoji.repeat(32),
      at: '1969-12-31T23:59:59.998Z',
      m: 5.25,
      big: 5e20,
      nested: { a: 3, b: `${'é'.repeat(32)}\u{10ffff}` },
    },
    nullCount: { d: 1, low: 0, s: 1, ascii: 0, top: 0, exact: 0, at: 0, m: 0, big: 0, nested: { a: 2, b: 2 } },
  })
  const found = async (condition: string) => ((await place.engine.read.format('delta').load(place.table())) as any).where(condition).count()
  expect(await found("ascii > 'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz'")).toBe(1)
  expect(await found('low = 0')).toBe(2)
  expect(await found('d > 1e308')).toBe(1)
})

test('statistics beyond the numbers of JavaScript: every digit, none on the side of an infinity, and so they stay with a deletion vector', async () => {
  const columns = { k: t.long(), m: t.decimal(38, 6), f: t.float(), d: t.double(), e: t.decimal(20, 2) }
  const row = (k: bigint, m: string, f: number, d: number) => ({ k, m, f, d, e: '-0.05' })
  const rows = [
    row(2n ** 63n - 1n, '12345678901234567890123456789012.345678', Infinity, 1.5),
    row(2n ** 53n + 1n, '-99999999999999999999999999999999.999999', 0.5, -Infinity),
    row(2n ** 53n + 3n, '0', 0.25, 0),
  ]
  const frame = (place.engine.createDataFrame(rows as never, columns) as any).coalesce(1)
  await frame.write.format('delta').option('delta.enableDeletionVectors', true).save(place.table())
  const bounds =
    '"minValues":{"k":9007199254740993,"m":-99999999999999999999999999999999.999999,"f":0.25,"e":-0.05},' +
    '"maxValues":{"k":9223372036854775807,"m":12345678901234567890123456789012.345678,"d":1.5,"e":-0.05}'
  const statsOf = async (version: number) => (await place.commit(version)).find(({ add }) => add).add.stats
  expect(await statsOf(0)).toContain(bounds)
  const found = async (condition: string) => ((await place.engine.read.format('delta').load(place.table())) as any).where(condition).count()
  expect(await found('k = 9007199254740993')).toBe(1)
  expect(await found('m > 12345678901234567890123456789012.345677')).toBe(1)
  expect(await found('m > 12345678901234567890123456789012.345678')).toBe(0)
  await place.delta().delete('k = 9007199254740995')
  expect(await statsOf(1)).toContain(bounds)
})
