import { DuckDBInstance } from '@duckdb/node-api'
import { expect, test } from 'vitest'
import { sqlError } from './errors.ts'

test.skipIf(process.platform !== 'linux')('a file that finds no room is a matter of the disk, not of reading', async () => {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  const failed = await connection
    .run("COPY (SELECT 1 AS a) TO '/dev/full' (FORMAT csv, USE_TMP_FILE false)")
    .catch((error: unknown) => error)
  connection.closeSync()
  instance.closeSync()
  expect(sqlError(failed, '')).toMatchObject({ code: 'FILE_SYSTEM_ERROR', todo: expect.stringContaining('make room') })
})
