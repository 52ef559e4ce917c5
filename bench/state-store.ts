/** What the columnar state store costs by itself: `node bench/state-store.ts [keys]`. Window start and end, a 12-character key, two long aggregates. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalFiles } from '../src/base/local-files.ts'
import type { StateSchema } from '../src/data/state-schema.ts'
import { ByteWriter } from '../src/state/byte-writer.ts'
import { MemoryStateStore } from '../src/state/memory-state-store.ts'
import { openQueryState } from '../src/state/open-query-state.ts'
import type { KeyedBatch } from '../src/state/state-store.ts'

const schema: StateSchema = {
  keys: [
    { name: 'start', type: 'timestamp', nullable: false },
    { name: 'end', type: 'timestamp', nullable: false },
    { name: 'id', type: 'string', nullable: false },
  ],
  values: [
    { name: 'count', type: 'long', nullable: false, merge: 'sum' },
    { name: 'total', type: 'long', nullable: true, merge: 'sum' },
  ],
  eventTime: { key: 1 },
}

/** Keys first..first+rows-1 times `step`, each always with the same id and window. */
export function keyedRows(store: MemoryStateStore, rows: number, keyAt: (row: number) => number): KeyedBatch {
  const keyIds = new Uint32Array(rows * 4)
  const start = new BigInt64Array(rows)
  const end = new BigInt64Array(rows)
  const ones = new BigInt64Array(rows)
  const offsets = new Uint32Array(rows + 1)
  const heap = new Uint8Array(rows * 12)
  const startHalves = new Int32Array(start.buffer)
  const endHalves = new Int32Array(end.buffer)
  const oneHalves = new Int32Array(ones.buffer)
  for (let r = 0; r < rows; r++) {
    const key = keyAt(r)
    keyIds[4 * r] = mix(key, 0x9e3779b1)
    keyIds[4 * r + 1] = mix(key, 0x85ebca6b)
    keyIds[4 * r + 2] = mix(key, 0xc2b2ae35)
    keyIds[4 * r + 3] = key
    const window = Math.floor(key / 100_000) * 10_000_000 + 1_700_000_000_000_000
    putNumber(startHalves, r, window)
    putNumber(endHalves, r, window + 10_000_000)
    oneHalves[2 * r] = 1
    for (let i = 0; i < 12; i++) heap[12 * r + i] = 48 + (Math.floor(key / 10 ** (11 - i)) % 10)
    offsets[r + 1] = 12 * (r + 1)
  }
  return {
    keyIds,
    rows: {
      schema: store.rowSchema,
      length: rows,
      columns: [
        { kind: 'fixed', type: 'timestamp', data: start, valid: null },
        { kind: 'fixed', type: 'timestamp', data: end, valid: null },
        { kind: 'bytes', type: 'string', offsets, heap, valid: null },
        { kind: 'fixed', type: 'long', data: ones, valid: null },
        { kind: 'fixed', type: 'long', data: ones, valid: null },
      ],
    },
  }
}
function putNumber(halves: Int32Array, row: number, value: number): void {
  halves[2 * row] = value | 0
  halves[2 * row + 1] = Math.floor(value / 4294967296)
}
function mix(key: number, seed: number): number {
  let h = Math.imul(key ^ seed, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 16), seed)
  return (h ^ (h >>> 15)) >>> 0
}

function percentiles(times: number[]): string {
  times.sort((a, b) => a - b)
  return `p50 ${times[times.length >> 1]!.toFixed(2)} ms, p99 ${times[Math.floor(times.length * 0.99)]!.toFixed(2)} ms, max ${times.at(-1)!.toFixed(2)} ms`
}

function run(keys: number): void {
  const before = process.memoryUsage().rss
  const store = new MemoryStateStore(schema, 128)
  const writer = new ByteWriter()
  const times: number[] = []
  const commitTimes: number[] = []
  for (let at = 0; at < keys; at += 100_000) {
    const batch = keyedRows(store, Math.min(keys, 100_000), (row) => at + row)
    let t = performance.now()
    store.merge(batch)
    times.push(performance.now() - t)
    t = performance.now()
    writer.clear()
    for (let p = 0; p < 2; p++) store.encodeChanges(writer, 64 * p, 64 * p + 63)
    store.committed(store.version + 1)
    commitTimes.push(performance.now() - t)
  }
  const total = times.reduce((a, b) => a + b)
  console.log(
    `${keys} new keys by 100,000: ${(keys / total / 1000).toFixed(2)} M keys/s, a batch ${percentiles(times)}; encoding changes ${percentiles(commitTimes)}`,
  )
  console.log(
    `  memory: ${(store.memoryUsedBytes / keys).toFixed(0)} bytes a key, resident ${((process.memoryUsage().rss - before) / keys).toFixed(0)}`,
  )
  const small: number[] = []
  for (let i = 0; i < 1000; i++) {
    const batch = keyedRows(store, 1000, (row) => (i * 7919 + row * 104_729) % keys)
    const t = performance.now()
    store.merge(batch)
    writer.clear()
    store.encodeChanges(writer, 0, 127)
    store.committed(store.version + 1)
    small.push(performance.now() - t)
  }
  console.log(`  1,000 old keys a batch: ${percentiles(small)}`)
  let t = performance.now()
  const { removed } = store.evict(1_700_000_000_000_000n + 10_000_000n, true)
  console.log(`  evict ${removed} rows: ${(performance.now() - t).toFixed(1)} ms`)
  t = performance.now()
  let scanned = 0
  for (const slice of store.scan()) scanned += slice.length
  console.log(`  scan ${scanned} rows: ${(scanned / (performance.now() - t) / 1000).toFixed(1)} M rows/s`)
}

/** The same with everything on disk: changelog synced in each batch, snapshots running, then a restart. */
async function runDurable(keys: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'state-bench-'))
  const files = new LocalFiles()
  const before = process.memoryUsage().rss
  let version = 0
  const open = (epoch: number) =>
    openQueryState({
      files,
      folder,
      queryId: 'bench',
      epoch,
      version,
      epochOf: async () => 1,
      operators: [{ operatorId: 0, name: 'stateStoreSave', schema }],
      keyGroups: 128,
      partitions: 2,
      checkFence: async () => {},
    })
  let state = await open(1)
  const store = () => state.store(0) as MemoryStateStore
  const phases = { merge: [] as number[], commit: [] as number[], after: [] as number[] }
  const batch = async (rows: KeyedBatch) => {
    const start = performance.now()
    store().merge(rows)
    const merged = performance.now()
    await state.commit()
    version++
    const committed = performance.now()
    await state.afterCommit()
    phases.merge.push(merged - start)
    phases.commit.push(committed - merged)
    phases.after.push(performance.now() - committed)
    return performance.now() - start
  }
  const report = () => {
    const text = Object.entries(phases)
      .map(([name, times]) => `${name} ${percentiles(times)}`)
      .join('; ')
    for (const times of Object.values(phases)) times.length = 0
    return text
  }
  const times: number[] = []
  for (let at = 0; at < keys; at += 100_000) times.push(await batch(keyedRows(store(), Math.min(keys, 100_000), (row) => at + row)))
  const total = times.reduce((a, b) => a + b)
  console.log(`durable, ${keys} new keys by 100,000: ${(keys / total / 1000).toFixed(2)} M keys/s, a batch ${percentiles(times)}`)
  console.log(`  ${report()}`)
  console.log(
    `  memory: ${(state.metrics.memoryUsedBytes / keys).toFixed(0)} bytes a key, resident ${((process.memoryUsage().rss - before) / keys).toFixed(0)}; snapshots ${state.metrics.snapshotsWritten}`,
  )
  const small: number[] = []
  for (let i = 0; i < 2000; i++) small.push(await batch(keyedRows(store(), 1000, (row) => (i * 7919 + row * 104_729) % keys)))
  console.log(`  1,000 old keys a batch: ${percentiles(small)}`)
  console.log(`  ${report()}`)
  const { changelogTailBytes, snapshotsWritten } = state.metrics
  await state.close()
  const start = performance.now()
  state = await open(2)
  const ms = performance.now() - start
  console.log(
    `  restart with ${state.metrics.numRows} keys and ${(changelogTailBytes / 2 ** 20).toFixed(0)} MiB of changelog: ${ms.toFixed(0)} ms (${snapshotsWritten} snapshots written)`,
  )
  await state.close()
  rmSync(folder, { recursive: true })
}

if (import.meta.main) {
  const most = Number(process.argv[2] ?? 5_000_000)
  for (const keys of [5_000, 1_000_000, most]) run(keys)
  for (const keys of [5_000, 1_000_000, most]) await runDurable(keys)
}
