import { expect, test } from 'vitest'
import { loadRocksdb } from './rocksdb-addon.ts'

const failing = (code: string | undefined, message: string) => () => Promise.reject(Object.assign(new Error(message), code && { code }))

test('without the package the error says what to install, and how to go back', async () => {
  await expect(loadRocksdb(failing('ERR_MODULE_NOT_FOUND', "Cannot find package '@nxtedition/rocksdb'"))).rejects.toThrow(
    expect.objectContaining({
      name: 'InvalidQueryError',
      code: 'ROCKSDB_NOT_INSTALLED',
      todo: expect.stringMatching(/npm install @nxtedition\/rocksdb, or .*millrace state move .* --to memory/),
    }),
  )
})

test('without a binary for the platform the error names both', async () => {
  const refusal = failing(undefined, 'No native build was found for platform=sunos arch=sparc\n    loaded from: …')
  await expect(loadRocksdb(refusal)).rejects.toThrow(
    expect.objectContaining({
      code: 'ROCKSDB_NOT_SUPPORTED_HERE',
      what: expect.stringContaining(`${process.platform} ${process.arch}: No native build was found for platform=sunos arch=sparc`),
      todo: expect.stringContaining('linux x64'),
    }),
  )
})

test('the package as it is has all that is used of it', async () => {
  const { RocksLevel } = await loadRocksdb()
  const used = ['open', 'close', 'getProperty', 'batch', 'iterator', '_getManySync']
  expect(used.filter((name) => !(name in RocksLevel.prototype))).toEqual([])
})
