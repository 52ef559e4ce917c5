import { Options } from '../../base/options.ts'
import type { SinkProvider } from '../../sinks/sink.ts'
import { DatabaseSink } from '../database-sink.ts'
import { sinkOptionNames, sinkOptionsOf } from '../sink-options.ts'
import { postgresConnection, postgresOptionNames } from './connection.ts'
import { PostgresDatabase } from './session.ts'

/** `writeStream.format('postgres')`: each batch exactly once, in one transaction with its id. */
export const postgresSinkProvider: SinkProvider = {
  formats: ['postgres', 'postgresql'],
  refusesRows: true,
  outputModes: ['append', 'update', 'complete'],
  allowsTemporaryCheckpoint: false,
  async open(context) {
    const options = new Options('the PostgreSQL sink', context.options, [...sinkOptionNames, ...postgresOptionNames])
    const database = new PostgresDatabase(postgresConnection(options))
    const sink = new DatabaseSink(context, database, sinkOptionsOf(options, context.outputMode))
    await sink.open()
    return sink
  },
}
