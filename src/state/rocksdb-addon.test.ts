import { expect, test } from 'vitest'
import { loadRocksdb } from './rocksdb-addon.ts'

const failing = (code: string | undefined, message: string) => () => Promise.reject(Object.assign(new Error(message), code && { code }))

test.each([
  ['begun', /, or move .*millrace state move .* --to memory/],
  ['new', /, or leave spark.sql.streaming.stateStore.providerClass out/],
  ['moving', /, or leave the checkpoint with the memory provider/],
] as const)('without the package the error says what to install, and what else there is (%s)', async (use, otherwise) => {
  const missing = failing('ERR_MODULE_NOT_FOUND', "Cannot find package '@nxtedition/rocksdb'")
  const error = await loadRocksdb(use, missing).catch((e) => e)
  expect(error).toMatchObject({ name: 'InvalidQueryError', code: 'ROCKSDB_NOT_INSTALLED' })
  expect(error.todo).toMatch(/^npm install @nxtedition\/rocksdb/)
  expect(error.todo).toMatch(otherwise)
})

test('without a binary for the platform the error names both', async () => {
  const refusal = failing(undefined, 'No native build was found for platform=sunos arch=sparc\n    loaded from: …')
  await expect(loadRocksdb('begun', refusal)).rejects.toThrow(
    expect.objectContaining({
      code: 'ROCKSDB_NOT_SUPPORTED_HERE',
      what: expect.stringContaining(`${process.platform} ${process.arch}: No native build was found for platform=sunos arch=sparc`),
      todo: expect.stringContaining('linux x64'),
    }),
  )
})

test('the package as it is has all that is used of it', async () => {
  const { RocksLevel } = await loadRocksdb('new')
  const used = ['open', 'close', 'getProperty', 'batch', 'iterator', '_getManySync']
  expect(used.filter((name) => !(name in RocksLevel.prototype))).toEqual([])
})
