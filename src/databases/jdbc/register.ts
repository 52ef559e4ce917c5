import { InvalidQueryError } from '../../base/errors.ts'
import { registerSink } from '../../sinks/providers.ts'
import type { SinkProvider } from '../../sinks/sink.ts'
import { registerSource } from '../../sources/providers.ts'
import { tableProvider } from './provider.ts'
import { type JdbcServer, registerServer } from './reader.ts'
import { tableWriter } from './write-table.ts'

const jdbcTables = tableProvider(['jdbc'], null)
/** A stream says its server by name, since the guarantees are the server's. */
const jdbcSink: SinkProvider = {
  formats: ['jdbc'],
  outputModes: ['append', 'update', 'complete'],
  allowsTemporaryCheckpoint: false,
  bounded: tableWriter(null),
  async open() {
    throw new InvalidQueryError('DATA_SOURCE_NOT_FOUND', {
      what: 'a stream is not written with the format jdbc',
      todo: "use the server's own format, which writes each batch exactly once: postgres, mysql or sqlite",
    })
  },
}

/** Makes a server known: its own formats for reading and writing, and `jdbc` for its URLs. */
export function registerDatabase(server: JdbcServer, sink: SinkProvider): void {
  registerServer(server)
  registerSource(tableProvider(sink.formats, server))
  registerSource(jdbcTables)
  registerSink({ ...sink, bounded: tableWriter(server) })
  registerSink(jdbcSink)
}
