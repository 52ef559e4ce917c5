/** Tables that show all that Millrace writes into Delta tables, for other engines to read. */
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { col, type Engine, MemoryStream, sum, t } from 'millrace'
import { DeltaTable } from 'millrace/delta'

export interface MadeTable {
  readonly name: string
  readonly path: string
  /** Whether its changes are read too. */
  readonly feed?: true
}

export async function makeTables(engine: Engine, folder: string): Promise<MadeTable[]> {
  const path = (name: string) => join(folder, name)
  const untilDone = async (stream: MemoryStream<any>, name: string, pieces: object[][], start: (frame: any) => any) => {
    const query = await start(stream.toDF())
      .option('checkpointLocation', join(folder, '.checkpoints', name))
      .format('delta')
      .start(path(name))
    for (const rows of pieces) {
      stream.addData(...(rows as any[]))
      await query.processAllAvailable()
    }
    await query.stop()
  }

  const all = {
    b: t.boolean().nullable(),
    i8: t.byte().nullable(),
    i16: t.short().nullable(),
    i32: t.int().nullable(),
    i64: t.long().nullable(),
    f32: t.float().nullable(),
    f64: t.double().nullable(),
    dec: t.decimal(12, 3).nullable(),
    wide: t.decimal(30, 2).nullable(),
    s: t.string().nullable(),
    bin: t.binary().nullable(),
    day: t.date().nullable(),
    at: t.timestamp().nullable(),
    list: t.array(t.int()).nullable(),
    pair: t.struct({ x: t.int().nullable(), y: t.string().nullable() }).nullable(),
  }
  const nulls = Object.fromEntries(Object.keys(all).map((name) => [name, null]))
  const values = engine.createDataFrame(
    [
      nulls,
      {
        ...{
          b: true,
          i8: -128,
          i16: 32767,
          i32: -5,
          i64: 9007199254740993n,
          f32: 1.5,
          f64: -0.25,
          dec: '-12345.678',
          wide: '12345678901234567890.12',
        },
        ...{
          s: 'grüße, "quoted"\n',
          bin: new Uint8Array([0, 255, 7]),
          day: '1969-12-31',
          at: '2026-01-31T12:34:56.789123Z',
          list: [1, 2],
          pair: { x: 1, y: 'a' },
        },
      },
      { ...nulls, b: false, f64: Number.NaN, s: '', at: '1960-02-29T00:00:00.000001Z', list: [], pair: { x: null, y: null } },
    ] as any[],
    all as any,
  )
  await values.write.format('delta').save(path('types'))
  await values.write.format('delta').mode('append').save(path('types'))

  const ntz = engine.createDataFrame([{ id: 1, at: '2026-01-31T12:34:56.789123' as any }], { id: t.int(), at: t.timestamp_ntz() } as any)
  await ntz.write.format('delta').save(path('local-times'))

  const parts = { id: t.int(), city: t.string().nullable(), day: t.date().nullable(), n: t.long().nullable(), at: t.timestamp().nullable() }
  await engine
    .createDataFrame(
      [
        { id: 1, city: 'a b/c=d%', day: '2026-01-31', n: -1, at: '2026-01-31T01:02:03Z' },
        { id: 2, city: null, day: null, n: null, at: null },
        { id: 3, city: 'öl:§', day: '1999-12-31', n: 7, at: '2026-01-31T01:02:03.5Z' },
      ] as any[],
      parts as any,
    )
    .write.format('delta')
    .partitionBy('city', 'day', 'n', 'at')
    .save(path('partitions'))

  const orders = { id: t.int(), shop: t.string(), price: t.double() }
  const pieces = Array.from({ length: 13 }, (_, i) => [
    { id: i, shop: 'oslo', price: i / 2 },
    { id: 100 + i, shop: i % 2 === 0 ? 'rome' : 'bonn', price: i },
  ])
  // over the tenth commit, which has a checkpoint
  await untilDone(new MemoryStream(engine, orders), 'streamed', pieces, (frame) => frame.writeStream.partitionBy('shop'))
  const totals = (frame: any) => frame.groupBy('shop').agg(sum(col('price') as any).as('total'))
  await untilDone(new MemoryStream(engine, orders), 'complete', pieces.slice(0, 3), (frame) =>
    totals(frame).writeStream.outputMode('complete'),
  )
  await untilDone(new MemoryStream(engine, orders), 'upserted', pieces.slice(0, 11), (frame) =>
    totals(frame).writeStream.outputMode('update').option('key', 'shop').option('delta.enableChangeDataFeed', true),
  )

  const frame = (...rows: [number, string | null][]) =>
    engine.createDataFrame(
      rows.map(([id, city]) => ({ id, city })),
      { id: t.int(), city: t.string().nullable() },
    )
  await frame([1, 'oslo'], [2, 'rome'], [3, null])
    .write.format('delta')
    .option('delta.enableChangeDataFeed', true)
    .partitionBy('city')
    .save(path('changed'))
  const changed = DeltaTable.forPath(engine, path('changed'))
  await frame([4, 'rome'], [5, 'rome']).write.format('delta').mode('append').save(path('changed'))
  await changed.update({ set: { city: "'bonn'" }, condition: 'id = 2' })
  await changed
    .as('t')
    .merge(frame([4, 'kiel'], [9, 'oslo']).alias('s'), 't.id = s.id')
    .whenMatchedUpdateAll()
    .whenNotMatchedInsertAll()
    .execute()
  await changed.delete('id in (3, 9)')
  await changed.optimize().executeCompaction()

  for (let i = 0; i < 6; i++)
    await engine
      .range(i * 10, i * 10 + 10)
      .write.format('delta')
      .mode('append')
      .save(path('compacted'))
  await DeltaTable.forPath(engine, path('compacted')).optimize().executeCompaction()
  await DeltaTable.forPath(engine, path('compacted')).vacuum(0, { retentionDurationCheck: false })

  // of which the first commits have gone with the cleaning of the log
  const cleaned = { 'delta.checkpointInterval': 2, 'delta.logRetentionDuration': 'interval 1 days' }
  for (let i = 0; i < 9; i++) {
    const daysAgo = new Date(Date.now() - 3 * 24 * 3_600_000)
    for (let old = 0; i === 8 && old < 6; old++)
      await utimes(join(path('cleaned'), '_delta_log', `${String(old).padStart(20, '0')}.json`), daysAgo, daysAgo)
    await engine
      .range(i * 10, i * 10 + 10)
      .write.format('delta')
      .mode('append')
      .options(i === 0 ? cleaned : {})
      .save(path('cleaned'))
  }

  return [
    ...['types', 'local-times', 'partitions', 'streamed', 'complete', 'compacted', 'cleaned'].map((name) => ({ name, path: path(name) })),
    ...['upserted', 'changed'].map((name) => ({ name, path: path(name), feed: true as const })),
  ]
}
