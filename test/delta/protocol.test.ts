// Tables whose protocol asks a writer for what Millrace does not do are refused before anything of them is changed.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStream, millrace, t } from 'millrace'
import { DeltaTable } from 'millrace/delta'
import { afterAll, expect, test } from 'vitest'

const engine = await millrace.local()
afterAll(() => engine.close())

interface Asked {
  readonly protocol: object
  readonly configuration?: Record<string, string>
  readonly fieldMetadata?: object
}
async function withTable(
  { protocol, configuration = {}, fieldMetadata = {} }: Asked,
  use: (table: string) => Promise<void>,
): Promise<void> {
  const table = await mkdtemp(join(tmpdir(), 'millrace-protocol-'))
  try {
    await mkdir(join(table, '_delta_log'))
    const schemaString = JSON.stringify({
      type: 'struct',
      fields: [{ name: 'n', type: 'integer', nullable: true, metadata: fieldMetadata }],
    })
    const metaData = {
      id: '11111111-1111-1111-1111-111111111111',
      format: { provider: 'parquet', options: {} },
      schemaString,
      partitionColumns: [],
      configuration,
      createdTime: 0,
    }
    const lines = [{ commitInfo: { timestamp: 0, operation: 'CREATE TABLE' } }, { protocol }, { metaData }]
    await writeFile(join(table, '_delta_log', `${'0'.repeat(20)}.json`), `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`)
    await use(table)
    expect(await readdir(join(table, '_delta_log'))).toEqual([`${'0'.repeat(20)}.json`])
    expect(await readdir(table)).toEqual(['_delta_log'])
  } finally {
    await rm(table, { recursive: true, force: true })
  }
}
const writer = (...writerFeatures: string[]) => ({ minReaderVersion: 1, minWriterVersion: 7, writerFeatures })
const invariants = { 'delta.invariants': JSON.stringify({ expression: { expression: 'n > 3' } }) }

test.each<[string, Asked]>([
  ['rowTracking', { protocol: writer('appendOnly', 'rowTracking') }],
  ['icebergCompatV2, clustering', { protocol: writer('icebergCompatV2', 'clustering') }],
  ['checkConstraints', { protocol: writer('checkConstraints') }],
  ['invariants', { protocol: writer('invariants'), fieldMetadata: invariants }],
  ['invariants', { protocol: { minReaderVersion: 1, minWriterVersion: 2 }, fieldMetadata: invariants }],
  [
    'checkConstraints',
    { protocol: { minReaderVersion: 1, minWriterVersion: 3 }, configuration: { 'delta.constraints.positive': 'n > 0' } },
  ],
  ['generatedColumns', { protocol: { minReaderVersion: 1, minWriterVersion: 4 }, fieldMetadata: { 'delta.generationExpression': '1' } }],
  ['columnMapping', { protocol: { minReaderVersion: 2, minWriterVersion: 5 }, configuration: { 'delta.columnMapping.mode': 'name' } }],
  ['identityColumns', { protocol: { minReaderVersion: 1, minWriterVersion: 6 }, fieldMetadata: { 'delta.identity.start': 1 } }],
])('%s: neither stream nor batch nor a change of rows', (feature, asked) =>
  withTable(asked, async (table) => {
    const refused = { code: 'DELTA_UNSUPPORTED_FEATURES_FOR_WRITE', message: expect.stringContaining(feature) }
    const rows = engine.createDataFrame([{ n: 1 }], { n: t.int().nullable() })
    await expect(rows.write.format('delta').mode('append').save(table)).rejects.toMatchObject(refused)
    const stream = new MemoryStream(engine, { n: t.int().nullable() })
    stream.addData({ n: 1 })
    const checkpoint = await mkdtemp(join(tmpdir(), 'millrace-protocol-cp-'))
    const start = stream
      .toDF()
      .writeStream.format('delta')
      .option('checkpointLocation', checkpoint)
      .trigger({ availableNow: true })
      .start(table)
    await expect(start.then((query) => query.awaitTermination())).rejects.toMatchObject(refused)
    await rm(checkpoint, { recursive: true })
    await expect((async () => (await DeltaTable.forPath(engine, table)).delete('n = 1'))()).rejects.toMatchObject(refused)
  }),
)

test('features that ask nothing of this table, and newer versions', async () => {
  await withTable({ protocol: { minReaderVersion: 1, minWriterVersion: 8 } }, async (table) => {
    const write = engine
      .createDataFrame([{ n: 1 }], { n: t.int().nullable() })
      .write.format('delta')
      .mode('append')
      .save(table)
    await expect(write).rejects.toMatchObject({ code: 'DELTA_INVALID_PROTOCOL_VERSION' })
  })
})
