// Rows that are deleted and updated by deletion vectors: the property delta.enableDeletionVectors.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { t } from 'millrace'
import { DeltaTable } from 'millrace/delta'
import { describe, expect, test } from 'vitest'
import { LocalFiles } from '../../src/base/local-files.ts'
import { encodeDeletionVector, readDeletionVector, vectorFile } from '../../src/delta/deletion-vector.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { deltaPlace } from './place.ts'

const place = deltaPlace()
const columns = { id: t.int(), v: t.string() }
const append = (rows: object[], options: Record<string, unknown> = {}) =>
  (place.engine.createDataFrame(rows as never, columns) as any)
    .coalesce(1)
    .write.format('delta')
    .mode('append')
    .options({ 'delta.enableDeletionVectors': true, ...options })
    .save(place.table())
const span = (from: number, until: number, v = 'a') => Array.from({ length: until - from }, (_, i) => ({ id: from + i, v }))
const ids = async (options?: Record<string, string>) => (await place.rows(options)).map((row) => (JSON.parse(row) as { id: number }).id)
const vectors = async () => (await readdir(place.table())).filter((name) => name.startsWith('deletion_vector_'))
/** What a commit adds and removes, sorted: with the rows that a vector takes away. */
const changed = async (version: number) =>
  (await place.commit(version))
    .flatMap(({ add, remove, cdc }) => {
      if (add) return [add.deletionVector ? `+${add.deletionVector.cardinality}` : '+']
      return remove ? [remove.deletionVector ? '-dv' : '-'] : cdc ? ['cdc'] : []
    })
    .sort()

test('delete and update leave the files as they are; a file without a row left goes', async () => {
  await append(span(0, 6))
  await append(span(10, 13))
  const [{ protocol }] = (await place.commit(0)).filter((action) => action.protocol)
  expect(protocol).toEqual({
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ['deletionVectors'],
    writerFeatures: ['deletionVectors', 'appendOnly', 'invariants'],
  })
  const files = await place.dataFiles()
  await place.delta().delete('id in (1, 3, 11)')
  expect(await changed(2)).toEqual(['+1', '+2', '-', '-'])
  expect(await vectors()).toHaveLength(1)
  expect(await ids()).toEqual([0, 10, 12, 2, 4, 5])
  const stats = JSON.parse((await place.commit(2)).find(({ add }) => add?.deletionVector.cardinality === 2)!.add.stats)
  expect(stats).toMatchObject({ numRecords: 6, tightBounds: false, minValues: { id: 0 }, maxValues: { id: 5 } })
  await place.delta().delete('id < 3 or id > 10')
  expect(await changed(3)).toEqual(['+2', '+4', '-dv', '-dv'])
  expect(await ids()).toEqual([10, 4, 5])
  expect(await place.dataFiles()).toEqual(files)
  const { numAffectedRows, numCopiedRows, numAddedFiles } = await place.delta().update({ set: { v: "'b'" }, condition: 'id in (4, 10)' })
  expect([numAffectedRows, numCopiedRows, numAddedFiles]).toEqual([2, 0, 1])
  // the second file has no other row
  expect(await changed(4)).toEqual(['+', '+5', '-dv', '-dv'])
  expect(await place.rows()).toEqual(['{"id":10,"v":"b"}', '{"id":4,"v":"b"}', '{"id":5,"v":"a"}'])
  expect(await ids({ versionAsOf: '2' })).toEqual([0, 10, 12, 2, 4, 5])
  expect(await place.delta().vacuum(0, { retentionDurationCheck: false })).not.toEqual([])
  expect(await ids()).toEqual([10, 4, 5])
  await place.delta().optimize().executeCompaction()
  expect(await ids()).toEqual([10, 4, 5])
  await place.delta().delete()
  expect(await ids()).toEqual([])
})

test('a merge updates, deletes and adds; its changes are in the feed', async () => {
  await append(span(0, 5), { 'delta.enableChangeDataFeed': true })
  const source = place.engine.createDataFrame(
    [
      { id: 1, v: 'new' },
      { id: 2, v: 'gone' },
      { id: 9, v: 'new' },
    ] as never,
    columns,
  )
  const done = await place
    .delta()
    .alias('t')
    .merge((source as any).alias('s'), 't.id = s.id')
    .whenMatchedDelete("s.v = 'gone'")
    .whenMatchedUpdateAll()
    .whenNotMatchedInsertAll()
    .whenNotMatchedBySourceUpdate({ set: { v: "'alone'" }, condition: 't.id = 4' })
    .execute()
  expect(done).toMatchObject({ numTargetRowsUpdated: 2, numTargetRowsDeleted: 1, numTargetRowsInserted: 1, numTargetRowsCopied: 0 })
  expect((await changed(1)).filter((each) => each !== 'cdc')).toEqual(['+', '+3', '-'])
  expect(await place.rows()).toEqual([
    '{"id":0,"v":"a"}',
    '{"id":1,"v":"new"}',
    '{"id":3,"v":"a"}',
    '{"id":4,"v":"alone"}',
    '{"id":9,"v":"new"}',
  ])
  await place.delta().delete('id = 0')
  const feed = (await place.engine.read
    .format('delta')
    .options({ readChangeFeed: 'true', startingVersion: '1' })
    .load(place.table())) as any
  const seen = (await feed.collect()).map((row: any) => `${row._commit_version} ${row._change_type} ${row.id} ${row.v}`)
  expect(seen.toSorted()).toEqual([
    '1 delete 2 a',
    '1 insert 9 new',
    '1 update_postimage 1 new',
    '1 update_postimage 4 alone',
    '1 update_preimage 1 a',
    '1 update_preimage 4 a',
    '2 delete 0 a',
  ])
})

test('writers who take rows from one file at a time: each sees what the other took, and no file is lost', async () => {
  await append(span(0, 40))
  const other = () => DeltaTable.forPath(place.engine, place.table())
  await Promise.all([0, 1, 2, 3].map((k) => other().delete(`id % 5 = ${k}`)))
  expect((await ids()).toSorted((a, b) => a - b)).toEqual([4, 9, 14, 19, 24, 29, 34, 39])
  expect(await place.dataFiles()).toHaveLength(1)
  expect(await changed(4)).toEqual(['+32', '-dv'])
})

describe('vectors', () => {
  test('any rows come back', async () => {
    await using folder = await tempFolder()
    const files = new LocalFiles()
    const rowSet = fc
      .record({
        few: fc.array(fc.nat({ max: 2 ** 34 }), { minLength: 1, maxLength: 40 }),
        dense: fc.option(fc.tuple(fc.nat({ max: 200_000 }), fc.nat({ max: 9000 }))),
      })
      .map(({ few, dense }) => {
        const more = dense ? Array.from({ length: dense[1] }, (_, i) => dense[0] + i) : []
        return Float64Array.from(new Set([...few, ...more])).sort()
      })
    await fc.assert(
      fc.asyncProperty(rowSet, fc.uuid(), async (rows, id) => {
        const { stored, sizeInBytes } = encodeDeletionVector(rows)
        const { name, pathOrInlineDv } = vectorFile(id)
        await files.create(join(folder.path, name), Buffer.concat([Uint8Array.of(1), stored]))
        const vector = { storageType: 'u', pathOrInlineDv, offset: 1, sizeInBytes, cardinality: rows.length } as const
        expect(await readDeletionVector(files, folder.path, vector)).toEqual([...rows])
      }),
      { numRuns: 50 },
    )
  })
})
