import type { SourceProvider } from '../sources/provider.ts'
import { refuseSchema } from '../sources/refuse-schema.ts'
import { readBounded } from './bounded.ts'
import { KafkaCluster } from './cluster.ts'
import { KafkaSource } from './kafka-source.ts'
import { kafkaOrigin, kafkaSchema } from './schema.ts'
import { sourceOptions } from './source-options.ts'

/** `readStream.format('kafka')`. */
export const kafkaSourceProvider: SourceProvider = {
  formats: ['kafka'],
  parsesJson: ['value'],
  originColumns: kafkaOrigin,
  schemaOf(_format, userSchema, given) {
    refuseSchema('kafka', userSchema)
    return kafkaSchema(sourceOptions(given, 'stream').includeHeaders)
  },
  bounded: {
    schemaOf: (given) => kafkaSchema(sourceOptions(given, 'batch').includeHeaders),
    read: readBounded,
  },
  async open(context) {
    const options = sourceOptions(context.options, 'stream')
    return new KafkaSource(context, options, await KafkaCluster.open(options.connection))
  },
}
