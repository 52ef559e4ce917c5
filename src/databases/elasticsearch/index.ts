// The subpath export millrace/elasticsearch: importing it makes the formats `elasticsearch` and `opensearch` known to every engine of the process.
import { registerSink } from '../../sinks/providers.ts'
import { searchSinkProvider } from './sink.ts'

registerSink(searchSinkProvider)

export { searchSinkProvider }
