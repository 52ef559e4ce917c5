// The subpath export millrace/redis: importing it makes the format `redis` known to every engine of the process.
import { registerSink } from '../../sinks/providers.ts'
import { redisSinkProvider } from './sink.ts'

registerSink(redisSinkProvider)

export { redisSinkProvider }
