// What a running query keeps: by batches in its logs, by days in its history and in restore points of its state.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { CheckpointState, copyCheckpoint, count, type Files, listCheckpoint, millrace, showBatch, sum, t, verifyCheckpoint } from 'millrace'
import { expect, test } from 'vitest'
import { LocalFiles } from '../../src/base/local-files.ts'
import { obsoleteFiles } from '../../src/checkpoint/batch-history.ts'
import { restorePoints } from '../../src/state/restore-points.ts'
import type { VersionFile } from '../../src/state/state-files.ts'
import { useEngine } from '../cases/harness.ts'
import { kinds, start, type Untyped, useFolders } from './queries.ts'

const engine = useEngine()
const folder = useFolders()
const few = {
  'spark.sql.streaming.minBatchesToRetain': '3',
  'spark.sql.streaming.stateStore.maintenanceInterval': '0s',
}

/** Totals by key over files, one file a batch; what is written is kept by batch. */
async function totals(input: string, checkpoint: string, options: Readonly<Record<string, string>> = few) {
  const written = new Map<number, string>()
  const query = await engine()
    .readStream.schema({ k: t.string(), n: t.long() })
    .option('maxFilesPerTrigger', 1)
    .json(input)
    .groupBy('k')
    .agg(({ n }) => ({ rows: count(), total: sum(n) }))
    .writeStream.outputMode('update')
    .trigger({ availableNow: true })
    .options({ checkpointLocation: checkpoint, ...options })
    .foreachBatch(async (rows: Untyped, batchId: bigint) => {
      const found: { k: string; total: bigint }[] = await rows.collect()
      written.set(
        Number(batchId),
        found
          .map(({ k, total }) => `${k} ${total}`)
          .sort()
          .join(),
      )
    })
    .start()
  await query.awaitTermination()
  return written
}
async function inputOf(files: number): Promise<string> {
  const input = await folder()
  for (let i = 0; i < files; i++) await writeFile(join(input, `${String(i).padStart(4, '0')}.json`), `{"k":"k${i % 3}","n":${i}}\n`)
  return input
}

test('batches that have left the logs are restorable: from restore points, by the history', async () => {
  const [input, path] = [await inputOf(40), await folder()]
  const original = await totals(input, path)
  const { batches, history, restorePoints: points } = await listCheckpoint(path)
  expect(batches[0]!.batchId).toBeGreaterThan(30)
  expect(history).toEqual({ batches: batches[0]!.batchId, first: 0 })
  // one a day: the first
  expect(points.length).toBeGreaterThanOrEqual(1)
  expect((await verifyCheckpoint(path)).problems).toEqual([])
  expect(await showBatch(path, 7)).toMatchObject({
    batchId: 7,
    committed: true,
    sources: [{ from: { logOffset: 6 }, to: { logOffset: 7 } }],
  })
  for (const batchId of points) {
    const to = join(await folder(), 'copy')
    await copyCheckpoint(path, to, { batchId })
    expect([...(await totals(input, to))]).toEqual([...original].filter(([id]) => id > batchId))
  }
  // any other batch is either whole (the changes that lead to the next restore point are there) or refused
  const refused: number[] = []
  for (let batchId = 0; batchId < batches[0]!.batchId; batchId++) {
    const state = await CheckpointState.open(path, { batchId }).catch((error) => error)
    if ('code' in state) {
      expect([state.code, points.includes(batchId)]).toEqual(['BATCH_NOT_RESTORABLE', false])
      refused.push(batchId)
      continue
    }
    expect((await state.query('SELECT sum(rows) AS n FROM state_0')).rows.map(({ n }: Untyped) => Number(n.toString()))).toEqual([
      batchId + 1,
    ])
    state.close()
  }
  expect(refused.length).toBeGreaterThan(0)
  const between = refused[0]!
  await expect(copyCheckpoint(path, join(await folder(), 'copy'), { batchId: between })).rejects.toMatchObject({
    code: 'BATCH_NOT_RESTORABLE',
  })
  const frame = await engine().read.format('statestore').option('batchId', points[0]!).load(path)
  expect((await frame.collect()).length).toBeGreaterThan(0)
  const gone = await engine().read.format('statestore').option('batchId', between).load(path)
  await expect(gone.collect()).rejects.toMatchObject({ code: 'BATCH_NOT_RESTORABLE' })
})

test('the history goes on over restarts, and what a crash took from it comes back from the logs', async () => {
  const [input, path] = [await inputOf(4), await folder()]
  await totals(input, path)
  const file = join(path, 'history/1.jsonl')
  const lines = (await readFile(file, 'utf8')).split('\n')
  expect(lines).toHaveLength(5)
  // the last two lines were not on the disk, and the one before them is torn
  await writeFile(file, `${lines[0]}\n${lines[1]!.slice(0, 50)}`)
  for (let i = 4; i < 10; i++) await writeFile(join(input, `${String(i).padStart(4, '0')}.json`), `{"k":"k${i % 3}","n":${i}}\n`)
  await totals(input, path)
  const { history, batches } = await listCheckpoint(path)
  expect(batches[0]!.batchId).toBeGreaterThan(3)
  expect(history).toEqual({ batches: batches[0]!.batchId, first: 0 })
  expect((await verifyCheckpoint(path)).notes.join()).toContain('history/: 1 lines')
})

test('a retention of nothing keeps neither', async () => {
  const [input, path] = [await inputOf(30), await folder()]
  await totals(input, path, { ...few, 'millrace.checkpoint.retention': '0s' })
  expect(await readdir(path)).not.toContain('history')
  expect(await listCheckpoint(path)).toMatchObject({ history: { batches: 0, first: null }, restorePoints: [] })
  expect((await readdir(join(path, 'state/manifests'))).length).toBeLessThan(8)
})

test('a batch costs what it did, however many have gone before', async () => {
  const calls = { now: 0 }
  const local = new LocalFiles()
  const counting = new Proxy(local as Files, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        calls.now++
        return (value as (...a: unknown[]) => unknown).apply(target, args)
      }
    },
  })
  const own = await millrace.local({ threads: 1, files: counting })
  const path = await folder()
  const query = await start(own, kinds.counts, path, { 'spark.sql.streaming.minBatchesToRetain': '10' })
  const spent = async (batches: number) => {
    const before = calls.now
    for (let i = 0; i < batches; i++) await query.feed([{ k: 'a', at: 1, v: 1 }])
    return calls.now - before
  }
  await spent(30)
  const early = await spent(30)
  await spent(200)
  const late = await spent(30)
  await query.stop()
  await own.close()
  expect(late).toBeLessThan(early * 1.2 + 10)
})

test('restore points: one a stretch, the first of it, and back to before the retention', () => {
  const day = 86_400_000
  const versions = fc.array(fc.integer({ min: 0, max: 30 * day }), { maxLength: 60 }).map((times) => times.sort((a, b) => a - b))
  fc.assert(
    fc.property(versions, fc.integer({ min: 0, max: 10 }), (times, days) => {
      const manifests = times.map((modifiedMs, i): VersionFile => ({ version: i + 1, epoch: 1, path: `m${i}`, bytes: 1, modifiedMs }))
      const nowMs = 30 * day
      const policy = { nowMs, retentionMs: days * day, intervalMs: day }
      const points = restorePoints(manifests, policy)
      if (days === 0) return points.length === 0
      const stretches = points.map(({ modifiedMs }) => Math.floor(modifiedMs! / day))
      const again = restorePoints(points, policy)
      const isSparse = new Set(stretches).size === points.length && points.length <= days + 2
      // every time within the retention has a point in its own stretch if it has a manifest there
      const covered = manifests
        .filter(({ modifiedMs }) => modifiedMs! >= nowMs - days * day)
        .every(({ modifiedMs }) => stretches.includes(Math.floor(modifiedMs! / day)))
      // what was chosen stays chosen while nothing is too old
      return isSparse && covered && again.length === points.length
    }),
  )
})

test('files of the history go by age, and by size from the oldest on', () => {
  const file = (number: number, bytes: number, modifiedMs: number) => ({ number, bytes, modifiedMs })
  const all = [file(1, 10, 100), file(2, 10, 200), file(3, 10, 300)]
  const numbers = (oldestMs: number, maxBytes: number) =>
    obsoleteFiles(all, oldestMs, maxBytes)
      .map(({ number }) => number)
      .sort()
  expect(numbers(0, 1000)).toEqual([])
  expect(numbers(250, 1000)).toEqual([1, 2])
  expect(numbers(0, 20)).toEqual([1])
})
