// The subpath export millrace/sqlite: importing it makes the format `sqlite` known to every engine of the process.
import { registerSink } from '../../sinks/providers.ts'
import { sqliteSinkProvider } from './sink.ts'

registerSink(sqliteSinkProvider)

export { sqliteSinkProvider }
