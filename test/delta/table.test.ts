import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MemoryStream, millrace, t } from 'millrace'
import { DeltaTable } from 'millrace/delta'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { asText, deltaPlace } from './place.ts'

const place = deltaPlace()
const fields = { id: t.int(), city: t.string().nullable(), n: t.long().nullable() }
const frame = (...rows: [number, string | null, number | null][]) =>
  place.engine.createDataFrame(
    rows.map(([id, city, n]) => ({ id, city, n })),
    fields,
  )
const write = (rows: any, options: Record<string, string | number | boolean> = {}, ...partitions: string[]) =>
  rows.write
    .format('delta')
    .mode('append')
    .options(options)
    .partitionBy(...partitions)
    .save(place.table())
const compact = async () => (await place.rows()).map((text) => Object.values(JSON.parse(text)).join(' '))
const cdf = { 'delta.enableChangeDataFeed': true }

describe('delete', () => {
  test('by a condition: files without such rows stay, files of nothing else go, the others are written anew', async () => {
    await write(frame([1, 'oslo', 1], [2, 'rome', 2]))
    await write(frame([3, 'oslo', 3]))
    await write(frame([4, 'bonn', 4], [5, null, null]))
    expect(await place.delta().delete("city = 'oslo'")).toEqual({
      version: 3,
      numAffectedRows: 2,
      numCopiedRows: 1,
      numAddedFiles: 1,
      numRemovedFiles: 2,
    })
    expect(await compact()).toEqual(['2 rome 2', '4 bonn 4', '5  '])
    const info = (await place.commit(3))[0].commitInfo
    expect(info).toMatchObject({ operation: 'DELETE', readVersion: 2, isBlindAppend: false, operationMetrics: { numDeletedRows: '2' } })
  })
  test('of nothing writes nothing; without a condition everything goes', async () => {
    await write(frame([1, 'oslo', 1]))
    expect((await place.delta().delete(({ id }: any) => id.gt(7))).version).toBeNull()
    expect((await place.delta().delete()).numAffectedRows).toBe(1)
    expect(await compact()).toEqual([])
  })
  test('refuses what is no condition, unknown columns and append-only tables', async () => {
    await write(frame([1, 'oslo', 1]), { 'delta.appendOnly': true })
    await expect(place.delta().delete('n')).rejects.toMatchObject({ code: 'DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN' })
    await expect(place.delta().delete('town = 1')).rejects.toMatchObject({ code: 'UNRESOLVED_COLUMN.WITH_SUGGESTION' })
    await expect(place.delta().delete('id = 1')).rejects.toMatchObject({ code: 'DELTA_CANNOT_MODIFY_APPEND_ONLY' })
    await expect(DeltaTable.forPath(place.engine, join(place.folder, 'none')).delete()).rejects.toMatchObject({
      code: 'DELTA_TABLE_NOT_FOUND',
    })
  })
})

describe('update', () => {
  test('sets columns, from SQL text and from columns, also those of partitions', async () => {
    await write(frame([1, 'oslo', 1], [2, 'rome', 2], [3, null, null]), {}, 'city')
    const done = await place.delta().update({ set: { n: 'n * 10', city: "concat(city, '!')" }, condition: 'n < 2' })
    expect(done).toMatchObject({ numAffectedRows: 1, numRemovedFiles: 1, numAddedFiles: 1 })
    await place.delta().update({ set: ({ id }: any) => ({ n: id.add(100) }) })
    expect(await compact()).toEqual(['1 oslo! 101', '2 rome 102', '3  103'])
  })
  test('refuses columns that are not there, nulls where there are none, and values that are not stored as the type', async () => {
    await write(frame([1, 'oslo', 1]))
    const update = (set: Record<string, string>) => place.delta().update({ set })
    await expect(update({ town: '1' })).rejects.toMatchObject({ code: 'DELTA_MERGE_UNRESOLVED_EXPRESSION' })
    await expect(update({ id: 'cast(n as int)' })).rejects.toMatchObject({ code: 'DELTA_NOT_NULL_CONSTRAINT_VIOLATED' })
    await expect(update({ n: 'array(1)' })).rejects.toMatchObject({ code: 'INVALID_COLUMN_OR_FIELD_DATA_TYPE' })
    await expect(update({ n: 'sum(n)' })).rejects.toMatchObject({ code: 'DELTA_AGGREGATION_NOT_SUPPORTED' })
    await expect(update({ n: '1', N: '2' })).rejects.toMatchObject({ code: 'DELTA_CONFLICT_SET_COLUMN' })
  })
})

describe('merge', () => {
  const merged = (source: any, condition: any = 't.id = s.id') => place.delta().alias('t').merge(source.alias('s'), condition)

  test('updates, deletes and inserts', async () => {
    await write(frame([1, 'oslo', 1], [2, 'rome', 2]))
    await write(frame([3, 'bonn', 3]))
    const metrics = await merged(frame([1, 'oslo', 10], [2, 'rome', null], [9, 'kiel', 9], [8, 'kiel', null]))
      .whenMatchedDelete('s.n IS NULL')
      .whenMatchedUpdate({ set: { n: 's.n + t.n' }, condition: 's.n > 5' })
      .whenNotMatchedInsert({ values: { id: 's.id', n: 's.n' }, condition: 's.n IS NOT NULL' })
      .execute()
    expect(metrics).toEqual({
      version: 2,
      numTargetRowsInserted: 1,
      numTargetRowsUpdated: 1,
      numTargetRowsDeleted: 1,
      numTargetRowsCopied: 0,
      numTargetFilesAdded: 1,
      numTargetFilesRemoved: 1,
    })
    expect(await compact()).toEqual(['1 oslo 11', '3 bonn 3', '9  9'])
    expect((await place.commit(2))[0].commitInfo).toMatchObject({ operation: 'MERGE', operationMetrics: { numTargetRowsInserted: '1' } })
  })
  test('all columns by name; functions of both sides; partitions', async () => {
    await write(frame([1, 'oslo', 1], [2, 'rome', 2], [3, null, 3]), {}, 'city')
    const source = place.engine.createDataFrame(
      [
        { N: 5n, id: 1, city: 'oslo' },
        { N: 6n, id: 4, city: 'oslo' },
      ],
      { N: t.long(), id: t.int(), city: t.string() },
    )
    await merged(source, (a: any, b: any) => a.id.eq(b.id).and(a.city.eq(b.city)))
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .execute()
    expect(await compact()).toEqual(['1 oslo 5', '2 rome 2', '3  3', '4 oslo 6'])
  })
  test('rows that the source does not have', async () => {
    await write(frame([1, 'oslo', 1], [2, 'rome', 2], [3, 'bonn', 3]))
    await write(frame([4, 'kiel', 4]))
    await merged(frame([1, 'x', 1], [4, 'x', 4]))
      .whenNotMatchedBySourceDelete("t.city = 'rome'")
      .whenNotMatchedBySourceUpdate({ set: { n: 'n + 100' } })
      .execute()
    expect(await compact()).toEqual(['1 oslo 1', '3 bonn 103', '4 kiel 4'])
  })
  test('two source rows for one row of the table are refused, unless a condition leaves one, or both only delete', async () => {
    await write(frame([1, 'oslo', 1], [2, 'rome', 2]))
    const twice = frame([1, 'a', 10], [1, 'b', 20])
    await expect(merged(twice).whenMatchedUpdateAll().execute()).rejects.toMatchObject({
      code: 'DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE',
    })
    await merged(twice).whenMatchedUpdateAll('s.n > 15').execute()
    expect(await compact()).toEqual(['1 b 20', '2 rome 2'])
    expect(await merged(twice).whenMatchedDelete().execute()).toMatchObject({ numTargetRowsDeleted: 1 })
    expect(await compact()).toEqual(['2 rome 2'])
  })
  test('nothing to do writes nothing; a transaction is noted all the same', async () => {
    await write(frame([1, 'oslo', 1]))
    expect(
      (
        await merged(frame([5, 'x', 5]))
          .whenMatchedDelete()
          .execute()
      ).version,
    ).toBeNull()
    const once = () =>
      merged(frame([5, 'x', 5]))
        .whenNotMatchedInsertAll()
        .option('txnAppId', 'job')
        .option('txnVersion', 3)
        .execute()
    expect((await once()).version).toBe(1)
    expect((await once()).version).toBeNull()
    expect(await compact()).toEqual(['1 oslo 1', '5 x 5'])
  })
  test('what can not be meant is refused', async () => {
    await write(frame([1, 'oslo', 1]))
    const code = (value: string) => ({ code: value })
    await expect(merged(frame()).execute()).rejects.toMatchObject(code('DELTA_MERGE_MISSING_WHEN'))
    await expect(merged(frame()).whenMatchedDelete().whenMatchedUpdateAll().execute()).rejects.toMatchObject(
      code('DELTA_NON_LAST_MATCHED_CLAUSE_OMIT_CONDITION'),
    )
    await expect(merged(frame().select('id')).whenNotMatchedInsertAll().execute()).rejects.toMatchObject(
      code('DELTA_MERGE_UNRESOLVED_EXPRESSION'),
    )
    await expect(merged(frame(), 'id = 1').whenMatchedDelete().execute()).rejects.toMatchObject(code('AMBIGUOUS_REFERENCE'))
    await expect(
      merged(frame())
        .whenNotMatchedInsert({ values: { id: 't.id' } })
        .execute(),
    ).rejects.toMatchObject(code('UNRESOLVED_COLUMN.WITH_SUGGESTION'))
    await expect(
      merged(frame())
        .whenNotMatchedInsert({ values: { n: '1' } })
        .execute(),
    ).rejects.toMatchObject(code('DELTA_NOT_NULL_CONSTRAINT_VIOLATED'))
    const stream = new MemoryStream(place.engine, fields)
    await expect(
      place
        .delta()
        .alias('t')
        .merge(stream.toDF() as any, 't.id = 1')
        .whenMatchedDelete()
        .execute(),
    ).rejects.toMatchObject(code('DELTA_MERGE_SOURCE_STREAMING'))
    expect(await place.commits()).toBe(1)
  })
  test('inside foreachBatch, once for each batch', async () => {
    await write(frame([1, 'oslo', 1]))
    const stream = new MemoryStream(place.engine, fields)
    const query = await stream
      .toDF()
      .writeStream.option('checkpointLocation', join(place.folder, 'checkpoint'))
      .foreachBatch(async (rows: any, batchId: bigint) => {
        for (const _ of ['delivered', 'again']) {
          await place
            .delta()
            .alias('t')
            .merge(rows.alias('s'), 't.id = s.id')
            .whenMatchedUpdate({ set: { n: 't.n + s.n' } })
            .whenNotMatchedInsertAll()
            .option('txnAppId', 'upserts')
            .option('txnVersion', batchId)
            .execute()
        }
      })
      .start()
    stream.addData({ id: 1, city: 'x', n: 5 }, { id: 2, city: 'y', n: 7 })
    await query.processAllAvailable()
    stream.addData({ id: 2, city: 'x', n: 1 })
    await query.processAllAvailable()
    await query.stop()
    expect(await compact()).toEqual(['1 oslo 6', '2 y 8'])
  })
  test('a commit that comes between is looked at: the merge is done anew over it', async () => {
    await write(frame([1, 'oslo', 1], [2, 'rome', 2]))
    let done = false
    const { LocalFiles } = await import('../../src/base/local-files.ts')
    const sync = LocalFiles.prototype.sync
    // between the merge's files and its commit
    LocalFiles.prototype.sync = async function (paths) {
      await sync.call(this, paths)
      if (done || !paths.some((path) => path.includes('-merge-'))) return
      done = true
      await write(frame([7, 'kiel', 7]))
      await place.delta().update({ set: { n: '50' }, condition: 'id = 2' })
    }
    try {
      const metrics = await merged(frame([2, 'x', 1], [7, 'x', 1]))
        .whenMatchedUpdate({ set: { n: 't.n + s.n' } })
        .whenNotMatchedInsertAll()
        .execute()
      expect(metrics).toMatchObject({ version: 3, numTargetRowsUpdated: 2, numTargetRowsInserted: 0 })
    } finally {
      LocalFiles.prototype.sync = sync
    }
    expect(await compact()).toEqual(['1 oslo 1', '2 rome 51', '7 kiel 8'])
    // what the first attempt wrote is gone
    const merges = (await place.dataFiles()).filter((name) => name.includes('-merge-'))
    const named = (await place.commit(3)).filter((action: any) => action.add).map((action: any) => action.add.path)
    expect(merges).toEqual(named)
  })
})

describe('optimize', () => {
  test('puts the small files of each partition together, and streams see nothing of it', async () => {
    for (let i = 0; i < 4; i++) await write(frame([i, 'oslo', i], [i + 10, i === 0 ? 'rome' : null, i]), {}, 'city')
    const before = await place.rows()
    const stream = (place.engine.readStream.format('delta') as any).option('startingVersion', 'latest').load(place.table())
    const query = await stream.writeStream
      .format('memory')
      .queryName('seen')
      .option('checkpointLocation', join(place.folder, 'seen'))
      .start()
    await query.processAllAvailable()
    const optimized = await place.delta().optimize().executeCompaction()
    expect(optimized).toMatchObject({ numFilesRemoved: 7, numFilesAdded: 2, partitionsOptimized: 2, version: 4 })
    expect(await place.rows()).toEqual(before)
    expect((await place.commit(4)).slice(1).every((action: any) => (action.add ?? action.remove).dataChange === false)).toBe(true)
    await query.processAllAvailable()
    await query.stop()
    expect(place.engine.memoryTable('seen')).toEqual([])
    expect((await place.delta().optimize().executeCompaction()).version).toBeNull()
  })
  test('of some partitions, up to a size', async () => {
    for (let i = 0; i < 3; i++) await write(frame([i, 'oslo', i], [i, 'rome', i]), {}, 'city')
    const { numFilesRemoved } = await place.delta().optimize().where("city = 'oslo'").executeCompaction()
    expect(numFilesRemoved).toBe(3)
    expect((await place.delta().optimize().targetFileSize(10).executeCompaction()).version).toBeNull()
    await expect(place.delta().optimize().where('id = 1').executeCompaction()).rejects.toMatchObject({
      code: 'DELTA_NON_PARTITION_COLUMN_REFERENCE',
    })
    await expect(place.delta().optimize().targetFileSize('much').executeCompaction()).rejects.toMatchObject({
      code: 'INVALID_OPTION_VALUE',
    })
    expect(() => place.delta().optimize().executeZOrderBy('id')).toThrow(expect.objectContaining({ code: 'NOT_SUPPORTED_YET' }))
  })
})

describe('vacuum', () => {
  const age = async (hours: number) => {
    const at = new Date(Date.now() - hours * 3_600_000)
    for (const name of await place.dataFiles()) await utimes(join(place.table(), name), at, at)
  }
  test('takes what left the table longer ago than the retention, and nothing that an older version within it needs', async () => {
    await write(frame([1, 'oslo', 1]))
    await write(frame([2, 'oslo', 2]))
    await place.delta().optimize().executeCompaction()
    await age(1000)
    // removed a moment ago: within the retention, however old the files are
    expect(await place.delta().vacuum()).toEqual([])
    expect(await place.delta().vacuum(0, { retentionDurationCheck: false, dryRun: true })).toHaveLength(2)
    expect(await place.dataFiles()).toHaveLength(3)
    expect(await place.delta().vacuum(0, { retentionDurationCheck: false })).toHaveLength(2)
    expect(await place.dataFiles()).toHaveLength(1)
    expect(await compact()).toEqual(['1 oslo 1', '2 oslo 2'])
  })
  test('files that no commit names go by their age', async () => {
    await write(frame([1, 'oslo', 1]))
    await writeFile(join(place.table(), 'part-of-nobody.parquet'), 'rows')
    expect(await place.delta().vacuum()).toEqual([])
    await age(167)
    expect(await place.delta().vacuum()).toEqual([])
    await age(169)
    expect(await place.delta().vacuum()).toHaveLength(1)
    expect(await compact()).toEqual(['1 oslo 1'])
  })
  test('a longer retention of the table outlives its checkpoints', async () => {
    await write(frame([1, 'oslo', 1]), { 'delta.deletedFileRetentionDuration': 'interval 30 days', 'delta.checkpointInterval': 1 })
    await write(frame([2, 'oslo', 2]))
    await place.delta().optimize().executeCompaction()
    const days = (count: number) => millrace.local({ clock: { ...systemClock, nowMs: () => Date.now() + count * 24 * 3_600_000 } })
    for (const [count, gone] of [
      [10, 0],
      [31, 2],
    ] as const) {
      const later = await days(count)
      await later
        .createDataFrame([{ id: count, city: null, n: null }], fields)
        .write.format('delta')
        .mode('append')
        .save(place.table())
      await age(24 * 365)
      expect(await DeltaTable.forPath(later, place.table()).vacuum()).toHaveLength(gone)
      await later.close()
    }
  })
  test('a short retention is refused', async () => {
    await write(frame([1, 'oslo', 1]))
    await expect(place.delta().vacuum(24)).rejects.toMatchObject({ code: 'DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT' })
    await expect(place.delta().vacuum(-1)).rejects.toMatchObject({ code: 'DELTA_VACUUM_RETENTION_PERIOD_NEGATIVE' })
  })
})

test('history, detail, toDF and isDeltaTable', async () => {
  await write(frame([1, 'oslo', 1], [2, 'rome', 2]), cdf, 'city')
  await place.delta().delete('id = 1')
  const history = await (await place.delta().history()).select('version', 'operation', 'readVersion', 'isBlindAppend').collect()
  expect(asText(history)).toEqual([
    '{"version":0,"operation":"WRITE","readVersion":null,"isBlindAppend":false}',
    '{"version":1,"operation":"DELETE","readVersion":0,"isBlindAppend":false}',
  ])
  expect(await (await place.delta().history(1)).count()).toBe(1)
  const [detail] = await (await place.delta().detail()).collect()
  expect(detail).toMatchObject({ format: 'delta', location: place.table(), numFiles: 1n, partitionColumns: ['city'], minWriterVersion: 4 })
  expect(detail!['properties']).toEqual(new Map([['delta.enableChangeDataFeed', 'true']]))
  expect(asText(await (await place.delta().as('t').toDF()).select('t.id').collect())).toEqual(['{"id":2}'])
  expect(await DeltaTable.isDeltaTable(place.engine, place.table())).toBe(true)
  expect(await DeltaTable.isDeltaTable(place.engine, place.folder)).toBe(false)
})

test('an update and clauses without values are refused by code, and change nothing', async () => {
  const frame = place.engine.createDataFrame([{ id: 1, v: 'a' }], { id: t.int(), v: t.string() })
  await frame.write.format('delta').save(place.table())
  const merge = place.delta().alias('t').merge(frame.alias('s'), 't.id = s.id')
  const given = [undefined, {}, { set: {} }, { set: 'x' }, { values: {} }] as never[]
  for (const none of given) {
    for (const work of [
      () => place.delta().update(none),
      () => merge.whenMatchedUpdate(none).execute(),
      () => merge.whenNotMatchedInsert(none).execute(),
      () => merge.whenNotMatchedBySourceUpdate(none).execute(),
    ])
      await expect(work()).rejects.toMatchObject({ name: 'InvalidQueryError' })
  }
  await expect(place.delta().update(given[2]!)).rejects.toMatchObject({ code: 'DELTA_NO_VALUES' })
  expect(await place.commits()).toBe(1)
})
