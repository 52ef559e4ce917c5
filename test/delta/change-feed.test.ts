import { join } from 'node:path'
import fc from 'fast-check'
import { t } from 'millrace'
import { describe, expect, test } from 'vitest'
import { asText, deltaPlace } from './place.ts'

const place = deltaPlace()
const fields = { id: t.int(), city: t.string().nullable() }
const frame = (...rows: [number, string | null][]) =>
  place.engine.createDataFrame(
    rows.map(([id, city]) => ({ id, city })),
    fields,
  )
const make = (rows: any, ...partitions: string[]) =>
  rows.write
    .format('delta')
    .option('delta.enableChangeDataFeed', true)
    .partitionBy(...partitions)
    .save(place.table())
const append = (rows: any) => rows.write.format('delta').mode('append').save(place.table())
const feed = async (options: Record<string, string | number>): Promise<any> =>
  (place.engine.read.format('delta') as any).option('readChangeFeed', true).options(options).load(place.table())
const changes = async (options: Record<string, string | number>) =>
  (await (await feed(options)).collect()).map((row: any) => `${row._commit_version} ${row._change_type} ${row.id} ${row.city}`).sort()

describe('the change feed of a table', () => {
  test('what was appended and what whole files lost follows from the log; updates, deletes and merges say it in files of their own', async () => {
    await make(frame([1, 'oslo'], [2, 'rome'], [3, null]), 'city')
    await append(frame([4, 'rome']))
    await place.delta().delete('id = 1')
    await place.delta().update({ set: { city: "'bonn'" }, condition: 'id = 2' })
    await place
      .delta()
      .as('t')
      .merge(frame([4, 'kiel'], [9, 'oslo']).alias('s'), 't.id = s.id')
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .execute()
    await place.delta().delete('id in (3, 9)')
    expect(await changes({ startingVersion: 0 })).toEqual([
      '0 insert 1 oslo',
      '0 insert 2 rome',
      '0 insert 3 null',
      '1 insert 4 rome',
      '2 delete 1 oslo',
      '3 update_postimage 2 bonn',
      '3 update_preimage 2 rome',
      '4 insert 9 oslo',
      '4 update_postimage 4 kiel',
      '4 update_preimage 4 rome',
      '5 delete 3 null',
      '5 delete 9 oslo',
    ])
    expect((await place.commit(2)).some((action: any) => action.cdc)).toBe(false)
    expect((await place.commit(3)).filter((action: any) => action.cdc)).toHaveLength(2)
    expect(await changes({ startingVersion: 2, endingVersion: 2 })).toEqual(['2 delete 1 oslo'])
    const [row] = await (await feed({ startingVersion: 5, endingVersion: 99 })).select('_commit_timestamp').collect()
    const [commit] = await (await place.delta().history(1)).select('timestamp').collect()
    expect(String(row._commit_timestamp)).toBe(String((commit as any).timestamp))
  })
  test('files whose rows all go, beside others', async () => {
    await make(frame([1, 'oslo']))
    await append(frame([2, 'rome'], [3, 'rome']))
    await place.delta().delete('id < 3')
    expect(await changes({ startingVersion: 2 })).toEqual(['2 delete 1 oslo', '2 delete 2 rome'])
  })
  test('overwrites: of everything, of a part', async () => {
    await make(frame([1, 'oslo'], [2, 'rome']))
    await frame([3, 'rome']).write.format('delta').mode('overwrite').option('replaceWhere', "city = 'rome'").save(place.table())
    await frame([4, 'bonn']).write.format('delta').mode('overwrite').save(place.table())
    expect(await changes({ startingVersion: 1 })).toEqual([
      '1 delete 2 rome',
      '1 insert 3 rome',
      '2 delete 1 oslo',
      '2 delete 3 rome',
      '2 insert 4 bonn',
    ])
  })
  test('compaction changes nothing', async () => {
    await make(frame([1, 'oslo']))
    await append(frame([2, 'oslo']))
    await place.delta().optimize().executeCompaction()
    expect(await changes({ startingVersion: 2 })).toEqual([])
  })
  test('as a stream: the rows that are there, then each change; a restart goes on where it stopped', async () => {
    await make(frame([1, 'oslo'], [2, 'rome']))
    await place.delta().delete('id = 1')
    const run = async (options: Record<string, string | number> = {}) => {
      const rows = (place.engine.readStream.format('delta') as any).option('readChangeFeed', true).options(options).load(place.table())
      const query = await rows.writeStream
        .option('checkpointLocation', join(place.folder, `checkpoint${options['startingVersion'] ?? ''}`))
        .trigger({ availableNow: true })
        .format('delta')
        .start(join(place.folder, `out${options['startingVersion'] ?? ''}`))
      await query.awaitTermination()
      const out = await place.engine.read.format('delta').load(join(place.folder, `out${options['startingVersion'] ?? ''}`))
      return (await out.collect()).map((row: any) => `${row._commit_version} ${row._change_type} ${row.id} ${row.city}`).sort()
    }
    expect(await run()).toEqual(['1 insert 2 rome'])
    await place.delta().update({ set: { city: "'kiel'" } })
    await append(frame([7, null]))
    const later = ['2 update_postimage 2 kiel', '2 update_preimage 2 rome', '3 insert 7 null']
    expect(await run()).toEqual(['1 insert 2 rome', ...later])
    expect(await run({ startingVersion: 1 })).toEqual(['1 delete 1 oslo', ...later])
  })
  test('what can not be read is refused', async () => {
    await append(frame([1, 'oslo']))
    await expect(feed({ startingVersion: 0 })).rejects.toMatchObject({ code: 'DELTA_MISSING_CHANGE_DATA' })
    const stream = (place.engine.readStream.format('delta') as any).option('readChangeFeed', true).load(place.table())
    const query = await stream.writeStream
      .format('noop')
      .option('checkpointLocation', join(place.folder, 'c'))
      .start()
      .catch((error: unknown) => error)
    await expect(query.awaitTermination ? query.awaitTermination() : Promise.reject(query)).rejects.toMatchObject({
      code: 'DELTA_MISSING_CHANGE_DATA',
    })
    await expect(feed({})).rejects.toMatchObject({ code: 'DELTA_NO_START_FOR_CDC_READ' })
    await expect(feed({ startingVersion: 7 })).rejects.toMatchObject({ code: 'DELTA_VERSION_NOT_FOUND' })
    await expect(feed({ startingTimestamp: '2990-01-01' })).rejects.toMatchObject({ code: 'DELTA_TIMESTAMP_NOT_FOUND' })
    await expect(feed({ startingVersion: 0, versionAsOf: 0 })).rejects.toMatchObject({ code: 'DELTA_CHANGE_FEED_OPTIONS' })
    await append(frame([2, 'oslo']))
    await expect(feed({ startingVersion: 1, endingVersion: 0 })).rejects.toMatchObject({ code: 'DELTA_INVALID_CDC_RANGE' })
  })
})

// The feed, applied commit by commit to an empty table, gives the table.
test('whatever is done to a table, its feed says it', async () => {
  const id = fc.integer({ min: 0, max: 6 })
  const city = fc.constantFrom('a', 'b', null)
  const rows = fc.array(fc.tuple(id, city), { minLength: 1, maxLength: 5 })
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), rows }),
    fc.record({ kind: fc.constant('delete' as const), id }),
    fc.record({ kind: fc.constant('update' as const), id, city }),
    fc.record({ kind: fc.constant('merge' as const), rows }),
    fc.record({ kind: fc.constant('overwrite' as const), rows }),
    fc.record({ kind: fc.constant('optimize' as const) }),
  )
  let run = 0
  await fc.assert(
    fc.asyncProperty(rows, fc.boolean(), fc.array(step, { maxLength: 5 }), async (first, partitioned, steps) => {
      const path = join(place.folder, `run-${++run}`)
      const { DeltaTable } = await import('millrace/delta')
      const table = DeltaTable.forPath(place.engine, path)
      await frame(...first)
        .write.format('delta')
        .option('delta.enableChangeDataFeed', true)
        .partitionBy(...(partitioned ? ['city'] : []))
        .save(path)
      for (const each of steps) {
        if (each.kind === 'append' || each.kind === 'overwrite')
          await frame(...each.rows)
            .write.format('delta')
            .mode(each.kind)
            .save(path)
        if (each.kind === 'delete') await table.delete(`id = ${each.id}`)
        if (each.kind === 'update')
          await table.update({ set: { city: each.city === null ? 'null' : `'${each.city}'` }, condition: `id > ${each.id}` })
        if (each.kind === 'optimize') await table.optimize().executeCompaction()
        if (each.kind !== 'merge') continue
        const source = frame(...new Map(each.rows.map((row) => [row[0], row])).values())
        await table
          .as('t')
          .merge(source.alias('s'), 't.id = s.id')
          .whenMatchedDelete('s.city is null')
          .whenMatchedUpdateAll()
          .whenNotMatchedInsertAll()
          .whenNotMatchedBySourceUpdate({ set: { id: 'id + 1' }, condition: "city = 'b'" })
          .execute()
      }
      const found = await (place.engine.read.format('delta') as any).options({ readChangeFeed: true, startingVersion: 0 }).load(path)
      const held = new Map<string, number>()
      for (const row of await found.collect()) {
        const by = /delete|preimage/.test(row._change_type) ? -1 : 1
        const key = JSON.stringify({ id: row.id, city: row.city })
        held.set(key, (held.get(key) ?? 0) + by)
      }
      const replayed = [...held].flatMap(([key, count]) => Array.from({ length: count }, () => key)).sort()
      expect([...held.values()].every((count) => count >= 0)).toBe(true)
      expect(replayed).toEqual(asText(await (await place.engine.read.format('delta').load(path)).collect()))
    }),
    { numRuns: Number(process.env['MILLRACE_RUNS'] ?? 10) },
  )
})
