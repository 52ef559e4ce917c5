// `millrace state move`: the same checkpoint with another provider; refused while a run holds it, and whole whenever the process dies.
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, millrace, moveState, type Row, sum, t } from 'millrace'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import { systemRandom } from '../../src/base/random.ts'
import { moveProvider } from '../../src/checkpoint/move-provider.ts'
import { state } from '../../src/cli/state.ts'
import { SimFileSystem, SimulatedCrash } from '../../src/testing/sim-file-system.ts'

const providerClass = 'spark.sql.streaming.stateStore.providerClass'
let folder: string
let batches = 0
const checkpoint = () => join(folder, 'checkpoint')

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-move-'))
  await mkdir(join(folder, 'in'))
  batches = 0
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function arrive(...rows: readonly (readonly [k: string, v: number])[]): Promise<void> {
  const lines = rows.map(([k, v]) => JSON.stringify({ k, v }))
  await writeFile(join(folder, 'in', `${batches++}.json`), `${lines.join('\n')}\n`)
}
/** What one run shows of the keys that it met. `during` is done while the run holds the checkpoint. */
async function run(provider = 'memory', during: () => Promise<void> = async () => {}): Promise<Record<string, string>> {
  const printed: string[] = []
  const engine = await millrace.local({ threads: 1, print: (line) => printed.push(line), conf: { [providerClass]: provider } })
  try {
    const rows: Row[] = []
    const query = await engine.readStream
      .schema({ k: t.string(), v: t.long() })
      .json(join(folder, 'in'))
      .groupBy('k')
      .agg(({ v }) => ({ n: count(), total: sum(v) }))
      .writeStream.outputMode('update')
      .trigger({ availableNow: true })
      .option('checkpointLocation', checkpoint())
      .foreachBatch(async (batch) => {
        await during()
        rows.push(...(await batch.collect()))
      })
      .start()
    await query.awaitTermination()
    expect(printed).toEqual([])
    return Object.fromEntries(rows.map((row) => [row['k'], `${row['n']} ${row['total']}`]).sort())
  } finally {
    await engine.close()
  }
}
async function command(...args: string[]) {
  let [out, err] = ['', '']
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text), isScreen: false, nowMs: () => 0 }
  return { code: await state(['move', ...args], terminal), out, err }
}

test('there and back, the rows stay', async () => {
  await arrive(['a', 1], ['b', 2])
  await run()
  expect(await moveState(checkpoint(), 'rocksdb')).toMatchObject({ from: 'memory', to: 'rocksdb', batchId: 0 })
  await arrive(['a', 10], ['c', 3])
  expect(await run('rocksdb')).toEqual({ a: '2 11', c: '1 3' })
  expect(existsSync(join(checkpoint(), 'local/db'))).toBe(true)
  expect(await moveState(checkpoint(), 'memory')).toMatchObject({ from: 'rocksdb', to: 'memory', batchId: 1 })
  expect(existsSync(join(checkpoint(), 'local'))).toBe(false)
  await arrive(['a', 100])
  expect(await run('memory')).toEqual({ a: '3 111' })
})

test('state that outgrows its memory says so, stops before it does, and goes on in RocksDB where it stood', async () => {
  const printed: string[] = []
  const counted = async (conf: Readonly<Record<string, string>>) => {
    const engine = await millrace.local({ threads: 1, print: (line) => printed.push(line), conf })
    try {
      const rows = new Map<unknown, unknown>()
      const query = await engine.readStream
        .schema({ k: t.string(), v: t.long() })
        .option('maxFilesPerTrigger', 1)
        .json(join(folder, 'in'))
        .groupBy('k')
        .agg(({ v }) => ({ n: count(), total: sum(v) }))
        .writeStream.outputMode('update')
        .trigger({ availableNow: true })
        .option('checkpointLocation', checkpoint())
        .foreachBatch(async (batch) => {
          for (const row of await batch.collect()) rows.set(row['k'], `${row['n']} ${row['total']}`)
        })
        .start()
      const error = await query.awaitTermination().then(
        () => null,
        (reason: { code: string; message: string }) => reason,
      )
      return { error, rows, batches: query.recentProgress.filter(({ isIdle }) => !isIdle).length }
    } finally {
      await engine.close()
    }
  }
  // twenty files of a thousand keys; the first key is in each of them
  for (let file = 0; file < 20; file++)
    await arrive(...Array.from({ length: 1000 }, (_, i) => [i === 0 ? 'always' : `key-${file}-${i}`, file] as [string, number]))
  const stopped = await counted({ 'millrace.stateStore.memoryLimit': '1m' })
  expect(stopped.error).toMatchObject({ code: 'STATE_STORE_MEMORY_LIMIT_REACHED', message: expect.stringContaining('millrace state move') })
  expect(stopped.batches).toBeGreaterThan(2)
  expect(stopped.batches).toBeLessThan(20)
  expect(printed.filter((line) => line.includes('STATE_STORE_MEMORY_LIMIT_NEAR')).length).toBeGreaterThan(0)
  expect(printed[0]).toContain('--to rocksdb')

  const { code } = await command(checkpoint(), '--to', 'rocksdb')
  expect(code).toBe(0)
  const rest = await counted({ [providerClass]: 'rocksdb' })
  expect(rest.error).toBeNull()
  // what was committed stays, the batch that was not is run again, and the key of all files has been counted through
  expect(stopped.batches + rest.batches).toBe(20)
  expect(rest.rows.get('always')).toBe('20 190')
  expect(new Set([...stopped.rows.keys(), ...rest.rows.keys()]).size).toBe(20 * 999 + 1)
})

test('a batch that was planned and not committed is run again with the new provider', async () => {
  await arrive(['a', 1])
  await run()
  await arrive(['a', 2])
  await expect(run('memory', () => Promise.reject(new Error('the power fails')))).rejects.toThrow('the power fails')
  await moveState(checkpoint(), 'rocksdb')
  expect(await run('rocksdb')).toEqual({ a: '2 3' })
})

test('refused while a run holds the checkpoint, and where there is none', async () => {
  await arrive(['a', 1])
  await run('memory', async () => {
    const error = await moveState(checkpoint(), 'rocksdb').catch((e) => e)
    expect(error).toMatchObject({ code: 'CONCURRENT_QUERY', todo: expect.stringContaining('stop that run first') })
    expect(error.todo).not.toContain('takeover')
  })
  await expect(moveState(join(folder, 'nowhere'), 'rocksdb')).rejects.toThrow(expect.objectContaining({ code: 'PATH_NOT_FOUND' }))
  expect(existsSync(join(folder, 'nowhere'))).toBe(false)
})

test('whenever it dies the checkpoint is one of the old provider or of the new one', async () => {
  await arrive(['a', 1])
  await run()
  const original = join(folder, 'original')
  await cp(checkpoint(), original, { recursive: true })
  const move = async (crashAt?: number) => {
    await rm(checkpoint(), { recursive: true, force: true })
    await cp(original, checkpoint(), { recursive: true })
    const sim = new SimFileSystem(checkpoint())
    if (crashAt !== undefined) sim.crashAt({ operation: crashAt, when: 'after' })
    const files = new LocalFiles(sim, systemRandom)
    const parts = { files, clock: systemClock, random: systemRandom, folder: checkpoint(), to: 'rocksdb', millraceVersion: '0' } as const
    await moveProvider(parts).catch((error: unknown) => {
      for (let each = error; each instanceof Error; each = each.cause) if (each instanceof SimulatedCrash) return
      throw error
    })
    return sim
  }
  const { operations } = await move()
  expect(operations).toBeGreaterThan(5)
  const kept = new Set<string>()
  for (let operation = 1; operation <= operations; operation++) {
    const sim = await move(operation)
    await sim.losePower({ unsynced: 'drop', entries: 'undo' })
    const entry = await readFile(join(checkpoint(), 'offsets/0'), 'utf8')
    const { conf } = JSON.parse(entry.split('\n')[1]!) as { conf: Record<string, string> }
    kept.add(conf[providerClass]!)
  }
  expect([...kept].sort()).toEqual(['memory', 'rocksdb'])
})

test('on the command line', async () => {
  await arrive(['a', 1])
  await run()
  expect(await command(checkpoint())).toMatchObject({ code: 2, err: expect.stringContaining('--to memory or --to rocksdb') })
  expect(await command(checkpoint(), '--to', 'disk')).toMatchObject({ code: 2, err: expect.stringContaining('not "disk"') })
  const moved = await command(checkpoint(), '--to', 'rocksdb', '--json')
  expect(JSON.parse(moved.out)).toMatchObject({ from: 'memory', to: 'rocksdb', batchId: 0 })
  expect((await command(checkpoint(), '--to', 'rocksdb')).out).toContain('already; nothing was changed')
  expect((await command(join(folder, 'nowhere'), '--to', 'memory')).code).toBe(5)
})
