import type { SinkProvider } from '../../sinks/sink.ts'
import { redisSinkOptions } from './options.ts'
import { RedisSink } from './redis-sink.ts'

/** `writeStream.format('redis')`: each batch once, by a script that notes its id beside the rows. */
export const redisSinkProvider: SinkProvider = {
  formats: ['redis'],
  refusesRows: true,
  outputModes: ['append', 'update', 'complete'],
  allowsTemporaryCheckpoint: false,
  async open(context) {
    const sink = new RedisSink(context, redisSinkOptions(context))
    await sink.open()
    return sink
  },
}
