import type { SinkProvider } from '../../sinks/sink.ts'
import { searchSinkOptions } from './options.ts'
import { SearchSink } from './search-sink.ts'

/** `writeStream.format('elasticsearch')` and `format('opensearch')`: documents by id, with the API that both servers have. */
export const searchSinkProvider: SinkProvider = {
  formats: ['elasticsearch', 'opensearch'],
  refusesRows: true,
  outputModes: ['append', 'update'],
  allowsTemporaryCheckpoint: false,
  async open(context) {
    const sink = new SearchSink(context, searchSinkOptions(context))
    await sink.open()
    return sink
  },
}
