import { CorruptCheckpointError } from '../base/errors.ts'

/** A partition in Kafka's own spelling, `clicks-0`, and the offset of its next record. */
export type PartitionOffsets = ReadonlyMap<string, number>

/** An offset of the source, in Spark's form: `{"clicks":{"0":23,"1":5}}`. */
export type KafkaOffset = Readonly<Record<string, Readonly<Record<string, number>>>>

export function partitionKey(topic: string, partition: number): string {
  return `${topic}-${partition}`
}
export function topicOf(key: string): string {
  return key.slice(0, key.lastIndexOf('-'))
}
export function partitionOf(key: string): number {
  return Number(key.slice(key.lastIndexOf('-') + 1))
}

/** Topics and partitions in order, as Spark writes them. */
export function offsetJson(offsets: PartitionOffsets): KafkaOffset {
  const topics: Record<string, Record<string, number>> = {}
  for (const key of sortedKeys(offsets.keys())) (topics[topicOf(key)] ??= {})[partitionOf(key)] = offsets.get(key)!
  return topics
}
export function sortedKeys(keys: Iterable<string>): string[] {
  return [...keys].sort((a, b) => {
    const [topicA, topicB] = [topicOf(a), topicOf(b)]
    return topicA === topicB ? partitionOf(a) - partitionOf(b) : topicA < topicB ? -1 : 1
  })
}

/** Reads an offset of a checkpoint. CorruptCheckpointError MALFORMED_OFFSET. */
export function offsetsOf(json: unknown): PartitionOffsets {
  const offsets = parseOffsets(json, 0)
  if (offsets) return offsets
  throw new CorruptCheckpointError('MALFORMED_OFFSET', {
    what: `${JSON.stringify(json)} is not an offset of the Kafka source, which is {"topic":{"partition":offset}}`,
    todo: 'start the query with the checkpoint that belongs to it; a source cannot change its kind',
  })
}

/** `{"topic":{"partition":number}}` with numbers from `least` up; undefined for anything else. Where `most` is given it stands for all that are greater. */
export function parseOffsets(json: unknown, least: number, most?: number): Map<string, number> | undefined {
  if (!isObject(json)) return undefined
  const offsets = new Map<string, number>()
  for (const [topic, partitions] of Object.entries(json)) {
    if (!isObject(partitions)) return undefined
    for (const [partition, given] of Object.entries(partitions)) {
      const offset = most !== undefined && typeof given === 'number' ? Math.min(given, most) : given
      if (!/^\d{1,9}$/.test(partition) || typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < least) return undefined
      offsets.set(partitionKey(topic, Number(partition)), offset)
    }
  }
  return offsets
}
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Cuts a batch to `limit` records, each partition in proportion to what waits there, as Spark does: a share below one record is rounded
 * up, so that a small partition is not starved, any other down. `from` has every partition of `until`.
 */
export function proRata(limit: number, from: PartitionOffsets, until: PartitionOffsets): PartitionOffsets {
  const sizes = new Map([...until].map(([key, end]) => [key, Math.max(0, end - (from.get(key) ?? end))] as const))
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  if (total <= limit) return until
  return new Map(
    [...until].map(([key, end]) => {
      const size = sizes.get(key)!
      if (size === 0) return [key, end]
      const share = limit * (size / total)
      return [key, Math.min(end, from.get(key)! + (share < 1 ? Math.ceil(share) : Math.floor(share)))]
    }),
  )
}

/** Records between two offsets; a partition that was set back counts from its beginning. */
export function countBetween(from: PartitionOffsets, until: PartitionOffsets): number {
  let count = 0
  for (const [key, end] of until) count += Math.max(0, end - (from.get(key) ?? 0))
  return count
}
