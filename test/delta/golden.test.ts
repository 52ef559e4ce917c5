import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Engine, millrace } from 'millrace'
import 'millrace/delta'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { actualRows, expectedRows, type GoldenTable, goldenTables, skipReason, unpackGolden } from './golden.ts'

/** Tables that no reader can read, or of which Millrace lacks a feature, and how it says so. */
const refused: Readonly<Record<string, string>> = {
  'canonicalized-paths-normal-a': 'DELTA_SCHEMA_NOT_READABLE',
  'canonicalized-paths-normal-b': 'DELTA_SCHEMA_NOT_READABLE',
  'canonicalized-paths-special-a': 'DELTA_SCHEMA_NOT_READABLE',
  'canonicalized-paths-special-b': 'DELTA_SCHEMA_NOT_READABLE',
  checkpoint: 'FILE_NOT_EXIST',
  'corrupted-last-checkpoint': 'DELTA_SCHEMA_NOT_READABLE',
  'data-reader-absolute-paths-escaped-chars': 'DELTA_STATE_RECOVER_ERROR',
  'delete-re-add-same-file-different-transactions': 'FILE_NOT_EXIST',
  'deltalog-commit-info': 'DELTA_SCHEMA_NOT_READABLE',
  'deltalog-invalid-protocol-version': 'DELTA_INVALID_PROTOCOL_VERSION',
  'deltalog-state-reconstruction-from-checkpoint-missing-metadata': 'DELTA_STATE_RECOVER_ERROR',
  'deltalog-state-reconstruction-from-checkpoint-missing-protocol': 'DELTA_STATE_RECOVER_ERROR',
  'deltalog-state-reconstruction-without-metadata': 'DELTA_STATE_RECOVER_ERROR',
  'deltalog-state-reconstruction-without-protocol': 'DELTA_STATE_RECOVER_ERROR',
  'log-replay-special-characters-b': 'FILE_NOT_EXIST',
  // the file in it has no content
  'parquet-decimal-dictionaries-v1': 'FAILED_READ_FILE',
  'spark-variant-checkpoint': 'DELTA_UNSUPPORTED_FEATURES_FOR_READ',
  'update-deleted-directory': 'DELTA_SCHEMA_NOT_READABLE',
  'versions-not-contiguous': 'DELTA_VERSIONS_NOT_CONTIGUOUS',
}

describe.skipIf(skipReason !== null)(`tables of the Delta project${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let engine: Engine
  let folder: string
  beforeAll(async () => {
    engine = await millrace.local()
    folder = unpackGolden()
  })
  afterAll(async () => {
    await engine.close()
    await rm(dirname(folder), { recursive: true, force: true })
  })
  const read = (table: string) => engine.read.format('delta').load(join(folder, table))

  test.each(goldenTables.filter(({ table }) => refused[table] === undefined).map((each) => [each.table, each] as const))(
    '%s',
    async (table, golden: GoldenTable) => {
      const frame = await read(table)
      if (golden.expected) expect(actualRows(await frame.collect(), frame.schema)).toEqual(expectedRows(golden, frame.schema))
      else if (golden.rows != null) expect(Number(await frame.count())).toBe(golden.rows)
      else expect((await frame.collect()).length).toBeGreaterThan(0)
    },
  )

  test.each(Object.entries(refused))('%s is refused with %s', async (table, code) => {
    await expect(read(table).then((frame) => frame.collect())).rejects.toMatchObject({ code })
  })

  test('a version and a time of the past', async () => {
    const at = async (options: Record<string, string>) =>
      Number(await (await engine.read.format('delta').options(options).load(join(folder, 'time-travel-start-start20-start40'))).count())
    expect([await at({ versionAsOf: '0' }), await at({ versionAsOf: '1' }), await at({})]).toEqual([10, 20, 30])
    await expect(at({ versionAsOf: '7' })).rejects.toMatchObject({ code: 'DELTA_VERSION_NOT_FOUND' })
    await expect(at({ timestampAsOf: '1970-01-02' })).rejects.toMatchObject({ code: 'DELTA_TIMESTAMP_NOT_FOUND' })
    expect(await at({ timestampAsOf: '2100-01-01' })).toBe(30)
  })
})
