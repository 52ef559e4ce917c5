// The subpath export millrace/delta: importing it makes the format `delta` known to every engine of the process.
import { registerSource } from '../sources/providers.ts'
import { deltaSourceProvider } from './provider.ts'

registerSource(deltaSourceProvider)

export { deltaSourceProvider }
