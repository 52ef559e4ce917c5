import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MemoryStream, t } from 'millrace'
import { expect, test } from 'vitest'
import { deltaPlace } from './place.ts'

const place = deltaPlace()
const fields = { n: t.int(), s: t.string().nullable() }
const write = (
  rows: { n: number; s: string | null }[],
  mode: 'append' | 'overwrite' = 'append',
  options: Record<string, string | boolean> = {},
) => place.engine.createDataFrame(rows, fields).write.format('delta').mode(mode).options(options).save(place.table())
const ns = async () => (await place.rows()).map((row) => JSON.parse(row).n)

test('the rows, columns and properties of an earlier version come back, and the way back is open', async () => {
  await write([{ n: 1, s: 'a' }])
  await write([{ n: 2, s: 'b' }])
  await place.delta().update({ set: { s: "'z'" }, condition: 'n = 1' })
  await place.delta().delete('n = 2')
  const wider = place.engine.createDataFrame([{ n: 3, s: 'c', more: 1.5 }], { ...fields, more: t.double().nullable() })
  await wider.write.format('delta').mode('append').option('mergeSchema', true).save(place.table())
  const before = await place.rows()
  expect(await place.delta().restoreToVersion(1)).toMatchObject({
    version: 5,
    numOfFilesAfterRestore: 2,
    numRestoredFiles: 2,
    numRemovedFiles: 2,
  })
  expect(await place.rows()).toEqual(['{"n":1,"s":"a"}', '{"n":2,"s":"b"}'])
  const [info] = await place.commit(5)
  expect(info.commitInfo).toMatchObject({
    operation: 'RESTORE',
    operationParameters: { version: 1 },
    operationMetrics: { numRestoredFiles: '2', numRemovedFiles: '2' },
    readVersion: 4,
  })
  expect(await place.delta().restoreToVersion(4)).toMatchObject({ version: 6 })
  expect(await place.rows()).toEqual(before)
  expect(await place.delta().restoreToVersion(4)).toMatchObject({ version: null, numRestoredFiles: 0, numRemovedFiles: 0 })
  // what is added afterwards is added to what was restored
  await place.delta().restoreToVersion(0)
  await write([{ n: 9, s: null }])
  expect(await ns()).toEqual([1, 9])
})

test('by a time; versions and times that are not there', async () => {
  await write([{ n: 1, s: 'a' }])
  await write([{ n: 2, s: 'b' }])
  const history = (await (await place.delta().history()).collect()) as { version: bigint; timestamp: { epochMilliseconds: number } }[]
  const second = history.find(({ version }) => version === 1n)!.timestamp.epochMilliseconds
  await write([{ n: 3, s: 'c' }])
  await place.delta().restoreToTimestamp(new Date(second + 0.999))
  expect((await ns()).length).toBeLessThanOrEqual(2)
  await expect(place.delta().restoreToVersion(99)).rejects.toMatchObject({ code: 'DELTA_VERSION_NOT_FOUND' })
  await expect(place.delta().restoreToVersion(-1)).rejects.toMatchObject({ code: 'DELTA_VERSION_INVALID' })
  await expect(place.delta().restoreToTimestamp('1999-01-01')).rejects.toMatchObject({ code: 'DELTA_TIMESTAMP_NOT_FOUND' })
  await expect(place.delta().restoreToTimestamp('soon')).rejects.toMatchObject({ code: 'DELTA_TIMESTAMP_INVALID' })
})

test('files that are gone, tables that are only added to, and no table', async () => {
  await expect(place.delta().restoreToVersion(0)).rejects.toMatchObject({ code: 'DELTA_TABLE_NOT_FOUND' })
  await write([{ n: 1, s: 'a' }])
  const [first] = await place.dataFiles()
  await write([{ n: 2, s: 'b' }], 'overwrite')
  await rm(join(place.table(), first!))
  await expect(place.delta().restoreToVersion(0)).rejects.toMatchObject({
    code: 'DELTA_RESTORE_FILES_MISSING',
    message: expect.stringContaining(first!),
  })
  expect(await ns()).toEqual([2])
  expect(await place.commits()).toBe(2)
})

test('a stream goes on where it was: no batch is written twice, none is brought back', async () => {
  const stream = new MemoryStream(place.engine, { n: t.int(), s: t.string().nullable() })
  const query = await stream.toDF().writeStream.format('delta').option('checkpointLocation', join(place.folder, 'cp')).start(place.table())
  for (const n of [1, 2]) {
    stream.addData({ n, s: null })
    await query.processAllAvailable()
  }
  await place.delta().restoreToVersion(0)
  stream.addData({ n: 3, s: null })
  await query.processAllAvailable()
  await query.stop()
  expect(await ns()).toEqual([1, 3])
})

test('another writer between: it came first, and goes too', async () => {
  await write([{ n: 1, s: 'a' }])
  await write([{ n: 2, s: 'b' }])
  await Promise.all([place.delta().restoreToVersion(0), write([{ n: 3, s: 'c' }])])
  // whichever came first
  expect([[1], [1, 3]]).toContainEqual(await ns())
})
