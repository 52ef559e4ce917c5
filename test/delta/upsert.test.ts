import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { col, MemoryStream, sum, t } from 'millrace'
import { describe, expect, test } from 'vitest'
import { asText, deltaPlace } from './place.ts'

const place = deltaPlace()
const fields = { city: t.string().nullable(), n: t.long() }
const totals = (frame: any) => frame.groupBy('city').agg(sum(col('n') as any).as('total'))
const checkpoint = () => join(place.folder, 'checkpoint')
const started = (stream: MemoryStream<any>, options: Record<string, string | number | boolean> = {}, of: (frame: any) => any = totals) =>
  of(stream.toDF())
    .writeStream.outputMode('update')
    .option('checkpointLocation', checkpoint())
    .option('key', 'city')
    .options(options)
    .format('delta')
    .start(place.table())

describe('output mode update', () => {
  test('rows take the place of those with the same key, null among them; a batch that is run again counts once', async () => {
    const stream = new MemoryStream(place.engine, fields)
    const query = await started(stream)
    stream.addData({ city: 'oslo', n: 1 }, { city: null, n: 5 }, { city: 'rome', n: 2 })
    await query.processAllAvailable()
    stream.addData({ city: 'oslo', n: 10 }, { city: null, n: 5 }, { city: 'bonn', n: 3 })
    await query.processAllAvailable()
    await query.stop()
    const expected = ['{"city":"bonn","total":3}', '{"city":"oslo","total":11}', '{"city":"rome","total":2}', '{"city":null,"total":10}']
    expect(await place.rows()).toEqual(expected)
    expect(query.lastProgress?.sink.metrics).toMatchObject({ numInsertedRows: '1', numUpdatedRows: '2' })
    const commits = await place.commits()
    await rm(join(checkpoint(), 'commits', '1'))
    const again = await started(stream)
    await again.processAllAvailable()
    await again.stop()
    expect(await place.rows()).toEqual(expected)
    expect(await place.commits()).toBe(commits)
    expect((await place.commit(commits - 1)).find((action: any) => action.txn).txn).toMatchObject({ appId: query.id, version: 1 })
  })
  test('with partitions, and other writers beside it', async () => {
    const stream = new MemoryStream(place.engine, fields)
    const rows = (frame: any) => totals(frame).selectExpr('city', 'total', 'substr(city, 1, 1) as part')
    const query = await rows(stream.toDF())
      .writeStream.outputMode('update')
      .option('checkpointLocation', checkpoint())
      .option('key', 'CITY, part')
      .partitionBy('part')
      .format('delta')
      .start(place.table())
    for (let i = 0; i < 5; i++) {
      stream.addData({ city: 'oslo', n: 1 }, { city: `o${i}`, n: 1 }, { city: 'rome', n: i })
      const other = place.engine.createDataFrame([{ city: `other ${i}`, total: 0n, part: 'o' }], {
        city: t.string(),
        total: t.long(),
        part: t.string(),
      })
      // the table is there from the second batch on
      await Promise.all([query.processAllAvailable(), i > 0 && other.write.format('delta').mode('append').save(place.table())])
    }
    await query.stop()
    const found = await place.rows()
    expect(found).toHaveLength(2 + 5 + 4)
    expect(found).toContain('{"city":"oslo","total":5,"part":"o"}')
    expect(found).toContain('{"city":"rome","total":10,"part":"r"}')
  })
  test('as one of several outputs', async () => {
    const stream = new MemoryStream(place.engine, fields)
    const query = await totals(stream.toDF())
      .writeStream.outputMode('update')
      .option('checkpointLocation', checkpoint())
      .outputs((rows: any) => ({
        big: rows.where('total > 5').output.format('delta').option('key', 'city').option('path', place.table()),
        all: rows.output.format('memory'),
      }))
      .start()
    for (const n of [1, 9, 1]) {
      stream.addData({ city: 'oslo', n })
      await query.processAllAvailable()
    }
    await query.stop()
    expect(await place.rows()).toEqual(['{"city":"oslo","total":11}'])
  })
  test('new columns under mergeSchema; a change feed where the table keeps one', async () => {
    const stream = new MemoryStream(place.engine, fields)
    const first = await started(stream, { 'delta.enableChangeDataFeed': true })
    stream.addData({ city: 'oslo', n: 1 })
    await first.processAllAvailable()
    await first.stop()
    await rm(checkpoint(), { recursive: true })
    const more = (frame: any) => totals(frame).selectExpr('city', 'total', 'total * 2 as twice')
    const second = await started(stream, { mergeSchema: true }, more)
    stream.addData({ city: 'rome', n: 2 })
    await second.processAllAvailable()
    await second.stop()
    expect(await place.rows()).toEqual(['{"city":"oslo","total":1,"twice":2}', '{"city":"rome","total":2,"twice":4}'])
  })
  test('without a key, with an unknown one, or one that does not tell rows apart, it is refused', async () => {
    const stream = new MemoryStream(place.engine, fields)
    const query = async (options: Record<string, string>, of: (frame: any) => any = totals) =>
      (await started(stream, options, of)).awaitTermination()
    await expect(query({ key: '' })).rejects.toMatchObject({ code: 'MISSING_OPTION' })
    await expect(query({ key: 'town' })).rejects.toMatchObject({ code: 'COLUMN_NOT_FOUND' })
    await expect(query({ deleteColumn: 'gone' })).rejects.toMatchObject({ code: 'UNRESOLVED_COLUMN.WITH_SUGGESTION' })
    await expect(query({ deleteColumn: 'total' })).rejects.toMatchObject({ code: 'DELETE_COLUMN_NOT_BOOLEAN' })
    const appended = stream.toDF().selectExpr('city', 'n > 0 as gone').writeStream.format('delta').option('deleteColumn', 'gone')
    await expect(appended.option('checkpointLocation', checkpoint()).start(place.table())).rejects.toMatchObject({
      code: 'INCOMPATIBLE_OPTIONS',
    })
    stream.addData({ city: 'oslo', n: 1 }, { city: 'oslo', n: 2 })
    await expect(query({}, (frame) => frame)).rejects.toMatchObject({ code: 'DELTA_DUPLICATE_KEY_IN_BATCH' })
  })
})

test('autoCompact puts many small files together between batches', async () => {
  const stream = new MemoryStream(place.engine, fields)
  const query = await stream
    .toDF()
    .writeStream.option('checkpointLocation', checkpoint())
    .option('autoCompact', true)
    .format('delta')
    .start(place.table())
  for (let i = 0; i < 53; i++) {
    stream.addData({ city: 'oslo', n: i })
    await query.processAllAvailable()
  }
  await query.stop()
  expect(await place.rows()).toHaveLength(53)
  const [detail] = await (await place.delta().detail()).collect()
  expect(Number(detail!['numFiles'])).toBeLessThan(20)
})

// A run in pieces, each batch perhaps delivered twice, against the query run once over everything.
test.each([
  ['the table by key is the batch', {}],
  ['with a column that takes rows away it is the batch without those', { deleteColumn: 'gone' }],
] as const)('wherever the input is cut and the query restarted, %s', async (_, options) => {
  const deletes = 'deleteColumn' in options
  // a sum of nothing, and one of which nothing is known, neither true nor false
  const marked = (frame: any) => (deletes ? frame.selectExpr('city', "if(city = 'd', null, total = 0) as gone", 'total') : frame)
  const row = fc.record({ city: fc.constantFrom('a', 'b', 'c', 'd', null), n: fc.integer({ min: -5, max: 5 }) })
  const piece = fc.record({
    rows: fc.array(row, { minLength: 1, maxLength: 6 }),
    restart: fc.boolean(),
    again: fc.boolean(),
    optimize: fc.boolean(),
  })
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 5 }), async (pieces) => {
      const folder = join(place.folder, `run-${++run}`)
      const stream = new MemoryStream(place.engine, fields)
      const table = join(folder, 'table')
      const start = () =>
        marked(totals(stream.toDF()))
          .writeStream.outputMode('update')
          .option('checkpointLocation', join(folder, 'checkpoint'))
          .option('key', 'city')
          .options(options)
          .format('delta')
          .start(table)
      let query = await start()
      for (const [i, { rows, restart, again, optimize }] of pieces.entries()) {
        stream.addData(...rows)
        await query.processAllAvailable()
        if (optimize) await (await import('millrace/delta')).DeltaTable.forPath(place.engine, table).optimize().executeCompaction()
        if (!restart) continue
        await query.stop()
        if (again) await rm(join(folder, 'checkpoint', 'commits', String(i)))
        query = await start()
        await query.processAllAvailable()
      }
      await query.stop()
      const all = place.engine.createDataFrame(
        pieces.flatMap(({ rows }) => rows),
        fields,
      )
      const found = await (await place.engine.read.format('delta').load(table)).collect()
      const expected = totals(all).where(deletes ? "total <> 0 or city = 'd'" : 'true')
      expect(asText(found)).toEqual(asText(await expected.collect()))
    }),
    { numRuns: Number(process.env['MILLRACE_RUNS'] ?? 8) },
  )
})
