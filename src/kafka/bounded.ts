import { InvalidQueryError } from '../base/errors.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import { refuseSchema } from '../sources/refuse-schema.ts'
import type { RowsNeeded } from '../sources/source.ts'
import { KafkaCluster } from './cluster.ts'
import { Fetcher, type OffsetRange } from './fetcher.ts'
import { LostRanges } from './lost-ranges.ts'
import { OffsetReader } from './offset-reader.ts'
import { partitionOf, topicOf } from './offsets.ts'
import { readRanges } from './read-ranges.ts'
import { kafkaSchema } from './schema.ts'
import { sourceOptions } from './source-options.ts'

/** Reads what lies between the starting and the ending offsets now. */
export async function readBounded(given: Readonly<Record<string, string>>, needed: RowsNeeded): Promise<SourceBatch> {
  const options = sourceOptions(given, 'batch')
  const schema = kafkaSchema(options.includeHeaders)
  if (needed.schema && JSON.stringify(needed.schema.fields) !== JSON.stringify(schema.fields)) refuseSchema('kafka', needed.schema)
  const cluster = await KafkaCluster.open(options.connection)
  const fetcher = new Fetcher(cluster, { ...options.fetch, ...options, prefetchBytes: 0 })
  const reader = new OffsetReader(cluster, options)
  // a batch has no checkpoint to write lost ranges into: with failOnDataLoss = false they are left out, as in Spark
  const lost = new LostRanges(undefined, options.failOnDataLoss)
  try {
    const partitions = await reader.partitions()
    const from = await reader.resolve(options.starting, 'starting', partitions)
    const until = await reader.resolve(options.ending, 'ending', partitions)
    const ranges = partitions.map((key): OffsetRange => ({ key, from: from.get(key)!, until: until.get(key)! }))
    const reversed = ranges.find((range) => range.from > range.until)
    if (reversed) {
      throw new InvalidQueryError('RESOLVED_START_OFFSET_GREATER_THAN_END_OFFSET', {
        what: `the resolved start offset ${reversed.from} is greater than the resolved end offset ${reversed.until} for ${reversed.key}`,
        todo: 'give a start at or before the end; where one of them is a time, look which offset it stands for, and where the end is latest, whether the start is beyond it',
      })
    }
    return await readRanges(
      ranges.filter((range) => range.from < range.until),
      { fetcher, cluster, options, schema, needed, onLost: (range, why) => whereItGoesOn(range, why) },
    )
  } finally {
    await fetcher.stop()
    await cluster.close()
  }

  async function whereItGoesOn({ key, from, until }: OffsetRange, why: string): Promise<number> {
    const earliest = (await reader.earliest([key])).get(key)!
    const next = earliest > from ? Math.min(earliest, until) : until
    await lost.report('COULD_NOT_READ_OFFSET_RANGE', [{ topic: topicOf(key), partition: partitionOf(key), from, until: next, why }])
    return next
  }
}
