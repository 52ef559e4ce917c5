// The subpath export millrace/delta: importing it makes the format `delta` known to every engine of the process.
import { registerSink } from '../sinks/providers.ts'
import { registerSource } from '../sources/providers.ts'
import { deltaSinkProvider } from './delta-sink.ts'
import { deltaSourceProvider } from './provider.ts'

registerSource(deltaSourceProvider)
registerSink(deltaSinkProvider)

export { deltaSinkProvider, deltaSourceProvider }
