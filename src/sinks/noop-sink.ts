import { Options } from '../base/options.ts'
import { queryOptions } from './file-sink-options.ts'
import type { SinkProvider } from './sink.ts'

/** `noop`: computes every row and keeps none. For measuring, and for queries that are run for their observations. */
export const noopSinkProvider: SinkProvider = {
  formats: ['noop'],
  outputModes: ['append', 'update', 'complete'],
  allowsTemporaryCheckpoint: true,
  async open({ options }) {
    new Options('the noop sink', options, queryOptions)
    return {
      description: 'NoopSink',
      guarantee: 'none',
      prepare: ({ rows }) => rows.consume(),
      async addBatch({ rows }) {
        await rows.consume()
        return { status: 'committed', numOutputRows: -1 }
      },
      async stop() {},
    }
  },
}
