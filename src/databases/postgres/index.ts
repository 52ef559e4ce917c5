// The subpath export millrace/postgres: importing it makes the format `postgres` known to every engine of the process.
import { registerSink } from '../../sinks/providers.ts'
import { postgresSinkProvider } from './sink.ts'

registerSink(postgresSinkProvider)

export { postgresSinkProvider }
