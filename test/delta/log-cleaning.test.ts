import { copyFile, mkdir, readdir, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'millrace'
import { DeltaTable } from 'millrace/delta'
import { expect, test } from 'vitest'
import { LocalFiles } from '../../src/base/local-files.ts'
import { commitChange } from '../../src/delta/commit.ts'
import { TableState } from '../../src/delta/table-state.ts'
import { deltaPlace } from './place.ts'

const place = deltaPlace()
const log = (name = '') => join(place.table(), '_delta_log', name)
const nameOf = (version: number, rest = 'json') => `${String(version).padStart(20, '0')}.${rest}`
const append = (n: number, options: Record<string, string> = {}) =>
  place.engine.createDataFrame([{ n }], { n: t.int() }).write.format('delta').mode('append').options(options).save(place.table())
const properties = { 'delta.checkpointInterval': '2', 'delta.logRetentionDuration': 'interval 2 days' }
/** Commits 0 to 6, of which those up to `old` were made some days ago. */
async function sevenCommits(old: number, options: Record<string, string> = {}): Promise<void> {
  for (let n = 0; n < 7; n++) await append(n, n === 0 ? { ...properties, ...options } : {})
  const before = new Date(Date.now() - 4 * 24 * 3_600_000)
  for (let n = 0; n <= old; n++) await utimes(log(nameOf(n)), before, before)
}
/** The versions of commits and of checkpoints. */
async function versions(): Promise<[number[], number[]]> {
  const names = (await readdir(log())).sort()
  const those = (pattern: RegExp) => names.filter((name) => pattern.test(name)).map((name) => Number(name.slice(0, 20)))
  return [those(/^\d{20}\.json$/), those(/checkpoint\.parquet$/)]
}
const ns = async (options: Record<string, string> = {}) => (await place.rows(options)).map((text) => JSON.parse(text).n)

test('a checkpoint removes what no version within the retention needs', async () => {
  await sevenCommits(5)
  await writeFile(log(nameOf(1, 'crc')), '{}')
  await append(7)
  expect(await versions()).toEqual([
    [0, 1, 2, 3, 4, 5, 6, 7],
    [2, 4, 6],
  ])
  await append(8)
  // the version that was there two days ago is 5, and stands on the checkpoint of 4
  expect(await versions()).toEqual([
    [4, 5, 6, 7, 8],
    [4, 6, 8],
  ])
  expect(await readdir(log())).not.toContain(nameOf(1, 'crc'))
  expect(await ns()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  for (const version of [4, 5, 7]) expect(await ns({ versionAsOf: String(version) })).toHaveLength(version + 1)
  expect(await ns({ timestampAsOf: new Date(Date.now() - 2 * 24 * 3_600_000).toISOString() })).toHaveLength(6)
  await expect(ns({ versionAsOf: '3' })).rejects.toMatchObject({ code: 'DELTA_VERSION_NOT_FOUND' })
  // what a stream's columns are no longer stands in a commit
  const query = await place.engine.readStream.format('delta').load(place.table()).writeStream.format('memory').queryName('all').start()
  await query.processAllAvailable()
  await query.stop()
  expect(await place.engine.table('all').count()).toBe(9)
  expect((await (await place.delta().history()).collect()).map(({ version }) => Number(version))).toEqual([8, 7, 6, 5, 4])
})

test('nothing goes where the table says so, where no checkpoint is old enough, and where the checkpoint can not be read', async () => {
  const all = [0, 1, 2, 3, 4, 5, 6, 7, 8]
  await sevenCommits(5, { 'delta.enableExpiredLogCleanup': 'false' })
  await append(7)
  await append(8)
  expect((await versions())[0]).toEqual(all)
})
test('sidecars go with their checkpoints, and those that are named or young stay', async () => {
  await sevenCommits(5)
  await mkdir(log('_sidecars'))
  const id = '3a0d65cd-4056-49b8-937b-95f9e3ee90e5'
  // as other engines write them: a checkpoint of actions of its own, and of files in a sidecar
  for (const version of [2, 4]) {
    const classic = log(nameOf(version, 'checkpoint.parquet'))
    await copyFile(classic, log(`_sidecars/of-${version}.parquet`))
    await unlink(classic)
    const { size } = await stat(log(`_sidecars/of-${version}.parquet`))
    const own = (await place.commit(0)).filter(({ protocol, metaData }) => protocol || metaData)
    const sidecar = { path: `of-${version}.parquet`, sizeInBytes: size, modificationTime: 0 }
    const lines = [{ checkpointMetadata: { version } }, ...own, { sidecar }].map((action) => JSON.stringify(action))
    await writeFile(log(nameOf(version, `checkpoint.${id}.json`)), lines.join('\n'))
  }
  await writeFile(log('_sidecars/nobodys.parquet'), 'x')
  await writeFile(log('_sidecars/young.parquet'), 'x')
  const before = new Date(Date.now() - 5 * 24 * 3_600_000)
  for (const name of ['of-2', 'of-4', 'nobodys']) await utimes(log(`_sidecars/${name}.parquet`), before, before)
  await append(7)
  await append(8)
  expect((await versions())[0]).toEqual([4, 5, 6, 7, 8])
  expect((await readdir(log('_sidecars'))).sort()).toEqual(['of-4.parquet', 'young.parquet'])
  expect(await ns({ versionAsOf: '4' })).toEqual([0, 1, 2, 3, 4])
})
test('nothing goes where no checkpoint is old enough', async () => {
  await sevenCommits(1)
  await append(7)
  await append(8)
  expect((await versions())[0]).toHaveLength(9)
})
test('nothing goes where the checkpoint that would have to stand for it can not be read', async () => {
  await sevenCommits(5)
  await writeFile(log(nameOf(4, 'checkpoint.parquet')), (await readFile(log(nameOf(4, 'checkpoint.parquet')))).subarray(0, 100))
  await append(7)
  await append(8)
  expect((await versions())[0]).toHaveLength(9)
})

test('a writer that has stood still since before the cleaning looks at the table anew, and commits behind the others', async () => {
  await sevenCommits(5)
  const files = new LocalFiles()
  const state = new TableState(files, place.table())
  await state.refresh()
  for (let n = 7; n <= 10; n++) await append(n)
  // what another engine's cleaning may leave: nothing up to the state that is held
  for (const version of [4, 5, 6, 7]) await unlink(log(nameOf(version)))
  const writer = { files, state, nowMs: () => Date.now(), checkFence: () => Promise.resolve() }
  const info = { operation: 'TEST', operationParameters: {} }
  expect(await commitChange(writer, (now) => [{ txn: { appId: 'late', version: now.active.size } }], info)).toEqual({
    version: 11,
    retries: 0,
  })
  expect(state.transactions.get('late')).toBe(11)
  expect(await ns()).toHaveLength(11)
})

test('a stream that has stood still since before the cleaning is told', async () => {
  await append(0, properties)
  const stream = () =>
    place.engine.readStream
      .format('delta')
      .load(place.table())
      .writeStream.option('checkpointLocation', join(place.folder, 'cp'))
      .format('json')
      .start(join(place.folder, 'out'))
  const query = await stream()
  await query.processAllAvailable()
  await query.stop()
  await append(1)
  await DeltaTable.forPath(place.engine, place.table()).delete('n = 1')
  for (let n = 3; n <= 6; n++) await append(n)
  const before = new Date(Date.now() - 4 * 24 * 3_600_000)
  for (let n = 0; n <= 5; n++) await utimes(log(nameOf(n)), before, before)
  await append(7)
  await append(8)
  expect((await versions())[0]).toEqual([4, 5, 6, 7, 8])
  await expect((await stream()).processAllAvailable()).rejects.toMatchObject({ code: 'DELTA_FILE_NOT_FOUND_DETAILED' })
})
