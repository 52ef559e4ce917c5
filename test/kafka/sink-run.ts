import { systemClock } from '../../src/base/clock.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import type { Row } from '../../src/data/row-set.ts'
import { Schema } from '../../src/data/schema.ts'
import type { Field } from '../../src/data/types.ts'
import { KafkaCluster } from '../../src/kafka/cluster.ts'
import { openKafkaSink } from '../../src/kafka/sink/provider.ts'
import { sinkOptions } from '../../src/kafka/sink/sink-options.ts'
import type { Sink, SinkContext } from '../../src/sinks/sink.ts'
import { ObjectRowSet } from '../../src/testing/object-row-set.ts'

export interface SinkRunOptions {
  readonly queryId?: string
  readonly epoch?: number
  readonly checkFence?: () => Promise<void>
  readonly schema?: Schema
  readonly options: Readonly<Record<string, string>>
  /** Gets between the sink and the brokers. */
  readonly wrap?: (cluster: KafkaCluster) => KafkaCluster
  readonly print?: (text: string) => void
}

export const keyAndValue = schemaOf({ key: 'string', value: 'string' })

/** A Kafka sink as a run of a query opens it. */
export async function openSink({ queryId = 'query-1', epoch = 1, schema = keyAndValue, ...run }: SinkRunOptions): Promise<Sink> {
  const context: SinkContext = {
    format: 'kafka',
    schema,
    options: run.options,
    partitionBy: [],
    outputMode: 'append',
    queryId,
    queryName: null,
    epoch,
    recovering: epoch > 1,
    files: new LocalFiles(),
    clock: systemClock,
    checkFence: run.checkFence ?? (async () => {}),
    conf: () => undefined,
    print: run.print ?? (() => {}),
  }
  const options = sinkOptions(run.options)
  const cluster = await KafkaCluster.open(options.connection)
  return openKafkaSink(context, options, run.wrap ? run.wrap(cluster) : cluster)
}

export function schemaOf(types: Readonly<Record<string, Field['type']>>): Schema {
  return new Schema(Object.entries(types).map(([name, type]) => ({ name, type, nullable: true })))
}
/** Rows of keys and values: `k1=v1`, or a value without a key. */
export function keyed(...texts: readonly string[]): ObjectRowSet {
  return rowsOf(
    keyAndValue,
    texts.map((text) => (text.includes('=') ? { key: text.split('=')[0]!, value: text.split('=')[1]! } : { key: null, value: text })),
  )
}
export function rowsOf(schema: Schema, rows: readonly Row[]): ObjectRowSet {
  return new ObjectRowSet(schema, rows)
}
