import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Which batch of a query a record of its one topic belongs to, by the offsets that the checkpoint's log gives each batch. */
export function batchesOf(checkpoint: string, topic: string): (partition: number, offset: number) => number | undefined {
  const folder = join(checkpoint, 'offsets')
  const ends = readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ batch: Number(name), end: endOf(readFileSync(join(folder, name), 'utf8'), topic) }))
    .sort((a, b) => a.batch - b.batch)
  return (partition, offset) => ends.find(({ end }) => (end[partition] ?? 0) > offset)?.batch
}
function endOf(entry: string, topic: string): Readonly<Record<number, number>> {
  const line = entry.split('\n').find((each) => each.startsWith('0:{'))
  if (line === undefined) return {}
  return (JSON.parse(line.slice(2, line.lastIndexOf('}') + 1)) as Record<string, Record<number, number>>)[topic] ?? {}
}
