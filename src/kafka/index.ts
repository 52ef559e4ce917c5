// The subpath export millrace/kafka: importing it makes the format `kafka` known to every engine of the process.
import { registerSink } from '../sinks/providers.ts'
import { registerSource } from '../sources/providers.ts'
import { kafkaSourceProvider } from './provider.ts'
import { kafkaSinkProvider } from './sink/provider.ts'

registerSource(kafkaSourceProvider)
registerSink(kafkaSinkProvider)

export { type FormatOptions, from_avro, from_protobuf, to_avro, to_protobuf } from './formats/functions.ts'
export { type RegistryOptions, RegistrySubject, SchemaRegistry } from './formats/registry.ts'
export { kafkaSinkProvider, kafkaSourceProvider }
