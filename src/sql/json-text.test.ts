import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LocalFiles } from '../base/local-files.ts'
import { Schema } from '../data/schema.ts'
import { rowsToColumns } from '../data/values.ts'
import { SqlEngine } from './sql-engine.ts'

test('doubles that are null are left out, those that JSON has no number for are text', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-json-'))
  const engine = await SqlEngine.open({ files: new LocalFiles(), threads: 1 })
  try {
    const schema = new Schema([
      { name: 'd', type: 'double', nullable: true },
      { name: 'f', type: 'float', nullable: true },
    ])
    const values = [null, 0, -1.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]
    const batch = await engine.beginBatch({ batchTimestampMs: 0, salt: '' })
    const rows = batch.rowSet(
      await batch.load(
        rowsToColumns(
          schema,
          values.map((d) => ({ d, f: d })),
        ),
      ),
    )
    const [file] = await rows.writeFiles({ format: 'json', folder, fileName: (i) => `part-${i}.json`, partitionBy: [], options: {} })
    const lines = (await readFile(join(folder, file!.path), 'utf8')).trimEnd().split('\n')
    expect(lines).toEqual([
      '{}',
      '{"d":0.0,"f":0.0}',
      '{"d":-1.5,"f":-1.5}',
      '{"d":"Infinity","f":"Infinity"}',
      '{"d":"-Infinity","f":"-Infinity"}',
      '{"d":"NaN","f":"NaN"}',
    ])
    await batch.close()
  } finally {
    await engine.close()
    await rm(folder, { recursive: true, force: true })
  }
})
