// What the commands of `millrace checkpoint` and `millrace state` do, as functions, over checkpoints that queries have made.
import { appendFile, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CheckpointState,
  collectCheckpointGarbage,
  copyCheckpoint,
  count,
  type Engine,
  type Files,
  listCheckpoint,
  showBatch,
  sum,
  t,
  verifyCheckpoint,
} from 'millrace'
import { describe, expect, test } from 'vitest'
import { LocalFiles } from '../../src/base/local-files.ts'
import { useEngine } from '../cases/harness.ts'
import { type Event, kinds, type QueryKind, start, type Untyped, useFolders } from './queries.ts'

const engine = useEngine()
const folder = useFolders()
const often = { 'spark.sql.streaming.stateStore.maintenanceInterval': '0s' }
const events = (n: number, at = n): Event[] => ['a', 'b', 'c', 'd'].map((k, i) => ({ k, at: at + i, v: n }))

/** A stopped query's checkpoint, with snapshots. */
async function checkpointOf(kind: QueryKind, batches = 10, options: Readonly<Record<string, string>> = often): Promise<string> {
  const path = await folder()
  const query = await start(engine(), kind, path, options)
  for (let n = 1; n <= batches; n++) await query.feed(events(n, n * 3))
  await query.stop()
  return path
}
async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort()
}

describe('ls and show', () => {
  test('batches with their times, watermarks, rows and files; also while the query runs', async () => {
    const path = await folder()
    const query = await start(engine(), kinds.windows, path)
    await query.feed(events(1, 20), events(2, 40))
    const overview = await listCheckpoint(path)
    expect(overview).toMatchObject({ mayBeAlive: true, runs: 1, run: { epoch: 1, pid: process.pid }, temporaryFiles: 0 })
    expect(overview.batches.length).toBeGreaterThanOrEqual(2)
    expect(overview.batches[0]).toMatchObject({
      batchId: 0,
      committed: true,
      watermarkMs: 0,
      nextWatermarkMs: 13_000,
      epoch: 1,
      numInputRows: 4,
    })
    expect(overview.batches[0]!.files).toBeGreaterThanOrEqual(3)
    expect(overview.batches.every(({ bytes }) => bytes > 0)).toBe(true)
    expect((await listCheckpoint(path, { last: 1 })).batches.map(({ batchId }) => batchId)).toEqual([overview.batches.at(-1)!.batchId])
    await query.stop()
    expect((await listCheckpoint(path)).mayBeAlive).toBe(false)
    await expect(listCheckpoint(join(path, 'elsewhere'))).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' })
  })

  test('one batch: offsets from and to, the files it read, state and sink', async () => {
    const [path, input, output] = [await folder(), await folder(), await folder()]
    const numbers = () => engine().readStream.schema({ k: t.string(), n: t.long() }).option('maxFilesPerTrigger', 1).json(input)
    for (const [i, k] of ['a', 'b', 'a'].entries()) await writeFile(join(input, `${i}.json`), `{"k":"${k}","n":${i}}\n`)
    const query = await numbers()
      .groupBy('k')
      .agg(() => ({ n: count() }))
      .writeStream.outputMode('update')
      .trigger({ availableNow: true })
      .option('checkpointLocation', path)
      .foreachBatch(() => {})
      .start()
    await query.awaitTermination()
    const batch = await showBatch(path, 1)
    expect(batch).toMatchObject({
      batchId: 1,
      isNewest: false,
      committed: true,
      outputMode: 'update',
      sink: { format: 'function' },
      sources: [{ name: '0', format: 'json', path: input, from: { logOffset: 0 }, to: { logOffset: 1 } }],
      stateChanges: [{ operatorId: 0, operatorName: 'stateStoreSave', storeName: 'default', updated: 1, removed: 0 }],
      progress: { numInputRows: 1 },
    })
    expect(batch.sources[0]!.files).toHaveLength(1)
    expect(batch.stateFiles).toEqual([{ name: 'state/changelog/2-1', kind: 'changelog', bytes: expect.any(Number), counts: true }])
    expect((await showBatch(path, 0)).sources[0]!.from).toBeNull()
    expect((await showBatch(path, 2)).isNewest).toBe(true)
    await expect(showBatch(path, 9)).rejects.toMatchObject({
      code: 'BATCH_NOT_IN_CHECKPOINT',
      what: expect.stringContaining('from 0 to 2'),
    })
    expect(output).toBeTruthy()
  })
})

describe('verify', () => {
  test('a whole checkpoint, running or stopped, has no problems', async () => {
    const path = await folder()
    const query = await start(engine(), kinds.join, path, often)
    for (let n = 1; n <= 6; n++) await query.feed(events(n, n * 3))
    expect((await verifyCheckpoint(path)).problems).toEqual([])
    await query.stop()
    const report = await verifyCheckpoint(path)
    expect(report).toMatchObject({ problems: [], committed: expect.any(Number) })
    const told: number[] = []
    await verifyCheckpoint(path, { onProgress: (done, total) => told.push(total - done) })
    expect(told.at(-1)).toBe(0)
  })

  /** Another digit for a digit, so that an id stays one. */
  const changedByte = (byte: number) => (byte === 0x30 ? 0x31 : /[0-9a-f]/.test(String.fromCharCode(byte)) ? 0x30 : byte ^ 1)
  test('every kind of file, cut, changed or gone, is found and named', async () => {
    const path = await checkpointOf(kinds.counts, 12)
    const all = await filesBelow(path)
    const named = (start: string) => {
      const found = all.findLast((name) => name.startsWith(start))
      expect(found, start).toBeDefined()
      return found!
    }
    const manifest = JSON.parse((await readFile(join(path, named('state/manifests/')), 'utf8')).split('\n')[1]!) as {
      snapshots: { name: string }[]
    }
    const snapshot = `state/${manifest.snapshots[0]!.name}`
    for (const name of [
      'metadata',
      named('offsets/'),
      named('commits/'),
      'runs/1',
      named('state/changelog/'),
      named('state/manifests/'),
      snapshot,
      'state/0/_schema/0',
    ]) {
      const content = await readFile(join(path, name))
      const damages: [string, () => Promise<void>][] = [
        ['cut', () => truncate(join(path, name), Math.floor(content.length / 2))],
        ['changed', () => writeFile(join(path, name), content.with(content.length - 12, changedByte(content[content.length - 12]!)))],
        ['grown', () => appendFile(join(path, name), 'x')],
      ]
      for (const [how, damage] of damages) {
        await damage()
        // another id is another query's: every file then says that it is not of this one
        if (name === 'metadata' && how === 'changed')
          expect((await verifyCheckpoint(path)).problems.map(({ code }) => code)).toContain('CHECKPOINT_OF_ANOTHER_QUERY')
        else if (name === 'metadata') await expect(verifyCheckpoint(path), how).rejects.toMatchObject({ code: 'MALFORMED_METADATA_FILE' })
        else {
          const { problems } = await verifyCheckpoint(path)
          expect(problems.map(({ file, what }) => `${file}: ${what}`).join('\n'), `${name} ${how}`).toContain(
            name.slice(name.lastIndexOf('/') + 1),
          )
          if (name !== 'state/0/_schema/0') expect(problems, `${name} ${how}`).toHaveLength(1)
        }
        await writeFile(join(path, name), content)
      }
    }
    for (const name of [named('state/changelog/'), snapshot, 'offsets/5', 'runs/1']) {
      const content = await readFile(join(path, name))
      await rm(join(path, name))
      if (name === 'runs/1') expect((await verifyCheckpoint(path)).problems).toMatchObject([{ file: 'runs', code: 'RUN_RECORDS_MISSING' }])
      const { problems } = await verifyCheckpoint(path)
      expect(problems.map(({ file, what }) => file + what).join(), name).toContain(name.replace('/1', ''))
      // a folder in its place is found by its name, as a start would
      await mkdir(join(path, name))
      expect((await verifyCheckpoint(path)).problems.map(({ file, code }) => [file, code])).toContainEqual([name, 'MALFORMED_LOG_FILE'])
      await rm(join(path, name), { recursive: true })
      await writeFile(join(path, name), content)
    }
    await rename(join(path, 'metadata'), join(path, 'kept'))
    await mkdir(join(path, 'metadata'))
    await expect(verifyCheckpoint(path)).rejects.toMatchObject({ code: 'MALFORMED_METADATA_FILE' })
    await rm(join(path, 'metadata'), { recursive: true })
    await rename(join(path, 'kept'), join(path, 'metadata'))
    const commit = await readFile(join(path, 'commits/5'))
    await rm(join(path, 'commits/5'))
    expect(await verifyCheckpoint(path)).toMatchObject({ problems: [], notes: [expect.stringContaining('commits/5 is missing')] })
    await writeFile(join(path, 'commits/5'), commit)
    expect((await verifyCheckpoint(path)).problems).toEqual([])
    await writeFile(join(path, 'offsets/.11.x.tmp'), 'half')
    expect((await verifyCheckpoint(path)).notes.join()).toContain('1 temporary files')
  })

  test('a source log that is damaged or behind, and an output of another query or ahead', async () => {
    const [path, input, output] = [await folder(), await folder(), await folder()]
    await writeFile(join(input, '1.json'), '{"n":1}\n')
    const run = async () => {
      const query = await engine()
        .readStream.schema({ n: t.long() })
        .json(input)
        .writeStream.trigger({ availableNow: true })
        .option('checkpointLocation', path)
        .format('parquet')
        .start(output)
      await query.awaitTermination()
    }
    await run()
    expect(await verifyCheckpoint(path)).toMatchObject({ problems: [], notes: [] })
    const log = join(path, 'sources/0/0')
    const lines = await readFile(log, 'utf8')
    await writeFile(log, lines.replace('1.json', '2.json'))
    expect((await verifyCheckpoint(path)).problems.map(({ code }) => code)).toContain('MALFORMED_LOG_FILE')
    await rm(log)
    expect((await verifyCheckpoint(path)).problems.map(({ code }) => code)).toEqual(['SOURCE_LOG_BEHIND_OFFSETS'])
    await writeFile(log, lines)
    const owner = join(output, '_spark_metadata/.millrace-query')
    const owned = await readFile(owner, 'utf8')
    await writeFile(owner, 'v1\n{"queryId":"somebody else"}')
    expect((await verifyCheckpoint(path)).problems.map(({ code }) => code)).toEqual(['SINK_OWNED_BY_ANOTHER_QUERY'])
    await writeFile(owner, 'v1')
    expect((await verifyCheckpoint(path)).problems.map(({ code }) => code)).toEqual(['MALFORMED_LOG_FILE'])
    await rm(owner)
    expect((await verifyCheckpoint(path)).problems.map(({ code }) => code)).toEqual(['SINK_OWNER_UNKNOWN'])
    await writeFile(owner, owned)
    const part = join(output, (await readdir(output)).find((name) => name.startsWith('part-'))!)
    const rows = await readFile(part)
    for (const damage of [() => truncate(part, 3), () => rm(part), () => mkdir(part)]) {
      await damage()
      expect((await verifyCheckpoint(path)).problems).toMatchObject([{ code: 'FAILED_READ_FILE', what: expect.stringContaining(part) }])
    }
    await rm(part, { recursive: true })
    await writeFile(part, rows)
    await writeFile(join(input, '2.json'), '{"n":2}\n')
    await run()
    await rename(join(output, '_spark_metadata/1'), join(output, 'kept'))
    expect((await verifyCheckpoint(path)).problems.map(({ code }) => code)).toEqual(['SINK_BEHIND_CHECKPOINT'])
    await rename(join(output, 'kept'), join(output, '_spark_metadata/1'))
    for (const name of ['offsets/1', 'commits/1']) await rm(join(path, name))
    expect((await verifyCheckpoint(path)).problems.map(({ code }) => code)).toEqual(['OUTPUT_AHEAD_OF_CHECKPOINT'])
  })
})

describe('gc', () => {
  test('lists first; deletes only what no kept batch needs, and the query goes on', async () => {
    const path = await checkpointOf(kinds.counts, 30)
    await writeFile(join(path, 'state/changelog/.9-1.abc.tmp'), 'half')
    await writeFile(join(path, 'state/changelog/4-7'), 'of a run that died')
    await writeFile(join(path, 'state/0/snapshots/29-1-126-127.parquet'), 'never named')
    const before = await filesBelow(path)
    const dry = await collectCheckpointGarbage(path, { retainBatches: 5, retainDays: 0 })
    expect(await filesBelow(path)).toEqual(before)
    expect(dry).toMatchObject({ deleted: false, mayBeAlive: false })
    const whys = new Set(dry.garbage.map(({ why }) => why))
    expect([...whys].sort()).toEqual([
      'log entry beyond the retention',
      'snapshot that no manifest names',
      'state of a run whose batch another run committed',
      'state that no kept batch needs',
      'temporary file of a process that died',
    ])
    const done = await collectCheckpointGarbage(path, { retainBatches: 5, retainDays: 0, delete: true })
    expect(done.garbage.map(({ file }) => file).sort()).toEqual(dry.garbage.map(({ file }) => file).sort())
    const after = await filesBelow(path)
    const gone = new Set(done.garbage.map(({ file }) => file))
    expect(after).toEqual(expect.arrayContaining(before.filter((file) => !gone.has(file))))
    expect(after.filter((file) => gone.has(file))).toEqual([])
    expect((await verifyCheckpoint(path)).problems).toEqual([])
    // each batch that stays can still be looked at
    for (let batchId = done.oldestKept!; batchId < 30; batchId++) {
      const state = await CheckpointState.open(path, { batchId })
      expect((await state.query('SELECT min(n) AS n FROM state_0')).rows).toEqual([{ n: BigInt(batchId + 1) }])
      state.close()
    }
    expect((await collectCheckpointGarbage(path, { retainBatches: 5, retainDays: 0 })).garbage).toEqual([])
    const query = await start(engine(), kinds.counts, path)
    await query.stop()
  })

  test('restore points and history stay for days; a run that is alive is not disturbed', async () => {
    const path = await checkpointOf(kinds.counts, 30)
    const kept = await collectCheckpointGarbage(path, { retainBatches: 2 })
    expect(kept.oldestKept).toBe(28)
    // changes between the restore points go
    const needless = kept.garbage.filter(({ why }) => why === 'state that no kept batch needs')
    expect(needless.every(({ file }) => file.startsWith('state/changelog/'))).toBe(true)
    await collectCheckpointGarbage(path, { retainBatches: 2, delete: true })
    const { restorePoints, history } = await listCheckpoint(path)
    expect(history).toEqual({ batches: 28, first: 0 })
    expect(restorePoints.length).toBeGreaterThan(2)
    for (const batchId of restorePoints) {
      const to = join(await folder(), 'copy')
      await copyCheckpoint(path, to, { batchId })
      expect((await verifyCheckpoint(to)).problems).toEqual([])
      const state = await CheckpointState.open(to)
      expect((await state.query('SELECT DISTINCT n FROM state_0')).rows).toEqual([{ n: BigInt(batchId + 1) }])
      state.close()
    }
    const later = Date.now() + 9 * 86_400_000
    const all = await collectCheckpointGarbage(path, { retainBatches: 2, nowMs: later })
    expect(all.garbage.some(({ why }) => why === 'state that no kept batch needs')).toBe(true)
    await expect(collectCheckpointGarbage(path, { retainBatches: 0 })).rejects.toMatchObject({ code: 'INVALID_RETENTION' })
    const running = await folder()
    const query = await start(engine(), kinds.counts, running)
    await query.feed(events(1))
    expect((await collectCheckpointGarbage(running)).mayBeAlive).toBe(true)
    const held = await collectCheckpointGarbage(running, { delete: true }).catch((error) => error)
    expect(held).toMatchObject({ code: 'CONCURRENT_QUERY', todo: expect.not.stringContaining('takeover') })
    await query.feed(events(2))
    await query.stop()
  })
})

describe('copy', () => {
  /** Totals by key over files, one file a batch; what is written is kept by batch. */
  async function totals(input: string, checkpoint: string, e: Engine = engine()) {
    const written = new Map<number, Untyped[]>()
    const query = await e.readStream
      .schema({ k: t.string(), n: t.long() })
      .option('maxFilesPerTrigger', 1)
      .json(input)
      .groupBy('k')
      .agg(({ n }) => ({ rows: count(), total: sum(n) }))
      .writeStream.outputMode('update')
      .trigger({ availableNow: true })
      .options({ checkpointLocation: checkpoint, ...often })
      .foreachBatch(async (rows: Untyped, batchId: bigint) => {
        written.set(
          Number(batchId),
          (await rows.collect()).map((row: Untyped) => JSON.stringify(row, (_, v) => (typeof v === 'bigint' ? Number(v) : v))).sort(),
        )
      })
      .start()
    await query.awaitTermination()
    return { written, id: query.id }
  }

  test.each([true, false])('goes on exactly after its batch, with what the original did then (same id: %s)', async (sameId) => {
    const [input, path] = [await folder(), await folder()]
    const write = (i: number) =>
      writeFile(join(input, `${String(i).padStart(3, '0')}.json`), `{"k":"k${i % 4}","n":${i}}\n{"k":"k${i % 3}","n":${i}}\n`)
    for (let i = 0; i < 14; i++) await write(i)
    const original = await totals(input, path)
    for (const batchId of [0, 5, 12]) {
      const to = join(await folder(), 'new', 'copy')
      const report = await copyCheckpoint(path, to, { batchId, sameId })
      expect(report).toMatchObject({ batchId, from: path, to, copiedFrom: original.id })
      expect(report.queryId === original.id).toBe(sameId)
      expect((await verifyCheckpoint(to)).problems).toEqual([])
      const copied = await totals(input, to)
      expect(copied.id).toBe(report.queryId)
      expect([...copied.written]).toEqual([...original.written].filter(([id]) => id > batchId))
    }
    // the original is as it was
    expect((await verifyCheckpoint(path)).problems).toEqual([])
    expect((await totals(input, path)).written.size).toBe(0)
  })

  test.each(Object.values(kinds) as QueryKind[])('the state of $name is that of the original after the batch', async (kind) => {
    const path = await checkpointOf(kind, 9)
    const to = join(await folder(), 'copy')
    const batchId = 6
    await copyCheckpoint(path, to, { batchId })
    const [a, b] = [await CheckpointState.open(path, { batchId }), await CheckpointState.open(to)]
    expect(b).toMatchObject({ batchId })
    expect(b.tables).toEqual(a.tables)
    for (const { name } of a.tables) {
      const rows = async (state: CheckpointState) => (await state.query(`SELECT * FROM ${name} ORDER BY ALL`)).rows
      expect(await rows(b)).toEqual(await rows(a))
    }
    for (const state of [a, b]) state.close()
  })

  test('while the query runs, and removes files all the time', async () => {
    const path = await folder()
    const query = await start(engine(), kinds.counts, path, {
      ...often,
      'spark.sql.streaming.minBatchesToRetain': '2',
    })
    await query.feed(events(1), events(2), events(3))
    let feeding = true
    const feeds = (async () => {
      for (let n = 4; n < 40; n++) await query.feed(events(n))
      feeding = false
    })()
    let copies = 0
    while (feeding) {
      const to = join(await folder(), 'copy')
      const copy = await copyCheckpoint(path, to).catch((error) => error)
      if ('code' in copy) {
        expect(['BATCH_NOT_IN_CHECKPOINT', 'BATCH_NOT_RESTORABLE']).toContain(copy.code)
        continue
      }
      copies++
      const state = await CheckpointState.open(to)
      expect((await state.query('SELECT DISTINCT n FROM state_0')).rows).toEqual([{ n: BigInt(copy.batchId + 1) }])
      state.close()
    }
    await feeds
    await query.stop()
    expect(copies).toBeGreaterThan(0)
  })

  test('refuses a target that is not empty, and batches that are not there', async () => {
    const path = await checkpointOf(kinds.counts, 3, {})
    const full = await folder()
    await writeFile(join(full, 'x'), '')
    await expect(copyCheckpoint(path, full)).rejects.toMatchObject({ code: 'CHECKPOINT_COPY_TARGET_NOT_EMPTY' })
    const to = join(await folder(), 'copy')
    await expect(copyCheckpoint(path, to, { batchId: 9 })).rejects.toMatchObject({ code: 'BATCH_NOT_IN_CHECKPOINT' })
    await rm(join(path, 'commits/2'))
    await expect(copyCheckpoint(path, to, { batchId: 2 })).rejects.toMatchObject({ code: 'BATCH_NOT_RESTORABLE' })
    await expect(copyCheckpoint(join(path, 'none'), to)).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' })
    await expect(stat(to)).rejects.toMatchObject({ code: 'ENOENT' })
    // damage is not copied under new checksums
    const changelog = join(path, 'state/changelog/1-1')
    const content = await readFile(changelog)
    await writeFile(changelog, content.with(40, content[40]! ^ 1))
    await mkdir(to, { recursive: true })
    await expect(copyCheckpoint(path, to, { batchId: 1 })).rejects.toMatchObject({ code: 'CHECKPOINT_FILE_CHECKSUM_VERIFICATION_FAILED' })
  })
})

describe('state as SQL tables', () => {
  test('names, columns and rows', async () => {
    const path = await checkpointOf(kinds.windows, 4, {})
    const state = await CheckpointState.open(path)
    expect(state.tables).toMatchObject([
      {
        name: 'state_0',
        operatorName: 'stateStoreSave',
        expiresBy: 'w.end',
        keys: [
          { name: 'w', type: 'struct<start:timestamp,end:timestamp>' },
          { name: 'k', type: 'string' },
        ],
        values: [{ name: 'n' }, { name: 'total' }, { name: 'mean.sum' }],
      },
    ])
    const { rows } = await state.query(
      'SELECT k, sum(n) AS n, max(w.end) AS last, sum("mean.sum") / sum(n) AS mean FROM state_0 GROUP BY k ORDER BY k',
    )
    expect(rows.map(({ k }) => k)).toEqual(['a', 'b', 'c', 'd'])
    expect(String(rows[0]!['last'])).toMatch(/^1970-01-01T00:00:[12]0Z$/)
    expect((await state.show('state_0', 2)).rows).toHaveLength(2)
    await expect(state.show('other')).rejects.toMatchObject({ code: 'TABLE_OR_VIEW_NOT_FOUND' })
    await expect(state.query('SELECT * FROM state_9')).rejects.toMatchObject({
      code: 'TABLE_OR_VIEW_NOT_FOUND',
      todo: expect.stringContaining('state_0'),
    })
    await expect(state.query('SELECT nothing FROM state_0')).rejects.toMatchObject({ code: 'PARSE_SYNTAX_ERROR' })
    await expect(state.query("SELECT * FROM read_text('/etc/hostname')")).rejects.toMatchObject({ code: 'PARSE_SYNTAX_ERROR' })
    await expect(state.query('DELETE FROM rows_0')).rejects.toMatchObject({ code: 'PARSE_SYNTAX_ERROR' })
    state.close()
    const joined = await CheckpointState.open(await checkpointOf(kinds.join, 2, {}))
    expect(joined.tables.map(({ name }) => name)).toEqual(['state_0_left', 'state_0_right'])
    joined.close()
  })
})

test('the checkpoint of a query with its state in RocksDB is read, checked and copied like any other', async () => {
  const path = await checkpointOf(kinds.join, 8, { ...often, 'spark.sql.streaming.stateStore.providerClass': 'rocksdb' })
  expect((await verifyCheckpoint(path)).problems).toEqual([])
  const to = join(await folder(), 'copy')
  await copyCheckpoint(path, to, { batchId: 6 })
  const [a, b] = [await CheckpointState.open(path, { batchId: 6 }), await CheckpointState.open(to)]
  for (const name of ['state_0_left', 'state_0_right']) {
    const rows = async (state: CheckpointState) => (await state.query(`SELECT * FROM ${name} ORDER BY ALL`)).rows
    expect(await rows(b)).toEqual(await rows(a))
    expect((await rows(a)).length).toBeGreaterThan(0)
  }
  for (const state of [a, b]) state.close()
})

test('a file that vanishes under a reader is looked for again; one that stays away is an error', async () => {
  const path = await checkpointOf(kinds.counts, 3, {})
  const local = new LocalFiles()
  const vanishing = (times: number) => {
    let left = times
    const read = async (file: string) => {
      if (file.includes('/changelog/2-') && left-- > 0) throw Object.assign(new Error('gone'), { code: 'ENOENT' })
      return local.read(file)
    }
    return new Proxy(local as Files, { get: (target, name) => (name === 'read' ? read : bound(target, name)) })
  }
  const state = await CheckpointState.open(path, { files: vanishing(2) })
  expect(state.tables[0]!.rows).toBe(4)
  state.close()
  await expect(CheckpointState.open(path, { files: vanishing(1000) })).rejects.toMatchObject({
    code: 'CANNOT_LOAD_STATE_STORE.CANNOT_READ_DELTA_FILE_NOT_EXISTS',
  })
})
function bound(target: Files, name: string | symbol): unknown {
  const value = Reflect.get(target, name) as unknown
  return typeof value === 'function' ? value.bind(target) : value
}
