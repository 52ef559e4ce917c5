// The subpath export millrace/kafka: importing it makes the format `kafka` known to every engine of the process.
import { registerSource } from '../sources/providers.ts'
import { kafkaSourceProvider } from './provider.ts'

registerSource(kafkaSourceProvider)

export { type FormatOptions, from_avro, from_protobuf, to_avro, to_protobuf } from './formats/functions.ts'
export { type RegistryOptions, RegistrySubject, SchemaRegistry } from './formats/registry.ts'
export { kafkaSourceProvider }
