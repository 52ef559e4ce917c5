// The subpath export millrace/kafka: importing it makes the format `kafka` known to every engine of the process.
import { registerSource } from '../sources/providers.ts'
import { kafkaSourceProvider } from './provider.ts'

registerSource(kafkaSourceProvider)

export { kafkaSourceProvider }
