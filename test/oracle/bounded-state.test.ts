// State stays bounded: over many widths of the watermark rows, bytes in memory and bytes on disk stay what they were, for every step with state.
// `npm run bounded` has many more batches.
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { boundedConf, boundedSteps, growthOf, mostRows, rocksdbBytes, runBounded, type Size } from './bounded.ts'
import { providers } from './property.ts'

describe.each(providers)('%s', (provider) => {
  const engine = useEngine({ conf: boundedConf(provider) })

  test.each(Object.keys(boundedSteps))('%s', { timeout: 600_000 }, async (name) => {
    const sizes: Size[] = []
    await runBounded({
      engine: engine(),
      name,
      batches: 20,
      sees: (size) => sizes.push(size),
      each: 1,
      folder: tmpdir(),
      countsJournal: false,
    })
    const { rows, memoryBytes, diskBytes } = growthOf(sizes)
    expect(rows[1]).toBeLessThanOrEqual(Math.min(rows[0], mostRows(name)))
    // what RocksDB takes is a cache, which fills up to its bound; buffers of snapshots grow when a snapshot comes, beside the batches
    expect(memoryBytes[1]).toBeLessThanOrEqual(provider === 'rocksdb' ? rocksdbBytes : memoryBytes[0] * 1.25 + 4096)
    // files come and go beside the batches
    expect(diskBytes[1]).toBeLessThanOrEqual(diskBytes[0] * 1.3 + 16_384)
  })
})
