/**
 * `npm run bounded`: every step with state, with every provider of state, through many batches (MILLRACE_BOUNDED_BATCHES, default 1000), each of which passes two
 * widths of the watermark. Rows, bytes in memory and bytes on disk, the journal of RocksDB among them, must not grow between the second quarter of the run and the
 * last; the memory of RocksDB, which is a cache and fills up, must keep to what it may take. With words behind `--` only runs whose names (`rocksdb inner join`) hold
 * one of them. The last line is JSON.
 */
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { millrace } from 'millrace'
import { boundedConf, boundedSteps, type Growth, growthOf, mostRows, rocksdbBytes, runBounded, type Size } from '../test/oracle/bounded.ts'
import { providers } from '../test/oracle/providers.ts'

const batches = Number(process.env['MILLRACE_BOUNDED_BATCHES'] ?? 1000)
/** The one row of a limit takes many batches to fill a write buffer of RocksDB, after which its journal begins anew. */
const batchesOf = (step: string) => (step === 'limit' ? 6 * batches : batches)
const words = process.argv.slice(2)
// the same bytes, without waiting for a disk
const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
const progressMs = 15_000

const runs: { readonly provider: string; readonly step: string; readonly flat: boolean; readonly growth: Growth }[] = []
for (const provider of providers) {
  for (const step of Object.keys(boundedSteps)) {
    const name = `${provider} ${step}`
    if (words.length > 0 && !words.some((word) => name.includes(word))) continue
    const growth = await run(provider, step, name)
    const flat = isFlat(provider, step, growth)
    runs.push({ provider, step, flat, growth })
    console.log(`${name}: ${text(growth)}${flat ? '' : '  GROWS'}`)
  }
}
console.log(JSON.stringify({ bench: 'bounded', batches, flat: runs.every(({ flat }) => flat), runs }))
process.exitCode = runs.every(({ flat }) => flat) ? 0 : 1

async function run(provider: string, name: string, title: string): Promise<Growth> {
  const sizes: Size[] = []
  const engine = await millrace.local({ threads: 2, conf: boundedConf(provider) })
  let toldMs = performance.now()
  const sees = (size: Size) => {
    sizes.push(size)
    if (performance.now() - toldMs < progressMs) return
    toldMs = performance.now()
    console.log(`  ${title}: ${size.batch + 1} of ${batchesOf(name)} batches`)
  }
  await runBounded({ engine, name, batches: batchesOf(name), sees, each: 5, folder, countsJournal: true })
  await engine.close()
  return growthOf(sizes)
}

function isFlat(provider: string, name: string, { rows, memoryBytes, diskBytes }: Growth): boolean {
  const memory = provider === 'rocksdb' ? rocksdbBytes : memoryBytes[0] * 1.1 + 4096
  // files come and go beside the batches, and a look may come between a new one and the end of those that it stands for
  return rows[1] <= Math.min(rows[0], mostRows(name)) && memoryBytes[1] <= memory && diskBytes[1] <= diskBytes[0] * 1.3 + 16_384
}

function text({ rows, memoryBytes, diskBytes }: Growth): string {
  const kilobytes = ([early, late]: readonly [number, number]) => `${Math.round(early / 1024)} and ${Math.round(late / 1024)} kB`
  return `${rows[0]} and ${rows[1]} rows, ${kilobytes(memoryBytes)} of memory, ${kilobytes(diskBytes)} on disk`
}
