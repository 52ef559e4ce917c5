import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Offsets of a partition that the broker knows as aborted: its transaction index, 34 bytes an entry (version, producer, first, last, last stable). */
export function abortedRanges(brokerFolder: string, topic: string, partition: number): { readonly first: number; readonly last: number }[] {
  const folder = join(brokerFolder, 'data', `${topic}-${partition}`)
  const indexes = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.txnindex')) : []
  return indexes.sort().flatMap((name) => {
    const bytes = readFileSync(join(folder, name))
    return Array.from({ length: Math.floor(bytes.length / 34) }, (_, i) => ({
      first: Number(bytes.readBigInt64BE(i * 34 + 10)),
      last: Number(bytes.readBigInt64BE(i * 34 + 18)),
    }))
  })
}

/** First offsets of the batches of a partition that stand outside transactions, in order: headers of its log's first segment. */
export function plainBatches(brokerFolder: string, topic: string, partition: number): number[] {
  const bytes = readFileSync(join(brokerFolder, 'data', `${topic}-${partition}`, `${'0'.repeat(20)}.log`))
  const found: number[] = []
  for (let at = 0; at + 61 <= bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
    if ((bytes.readInt16BE(at + 21) & 0b11_0000) === 0) found.push(Number(bytes.readBigInt64BE(at)))
  }
  return found
}
