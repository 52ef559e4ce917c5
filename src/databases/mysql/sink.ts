import { Options } from '../../base/options.ts'
import type { SinkProvider } from '../../sinks/sink.ts'
import { DatabaseSink } from '../database-sink.ts'
import { sinkOptionNames, sinkOptionsOf } from '../sink-options.ts'
import { mysqlConnection, mysqlOptionNames } from './connection.ts'
import { MySqlDatabase } from './session.ts'

/** `writeStream.format('mysql')`, MariaDB too: each batch exactly once, in one InnoDB transaction with its id. */
export const mysqlSinkProvider: SinkProvider = {
  formats: ['mysql', 'mariadb'],
  refusesRows: true,
  outputModes: ['append', 'update', 'complete'],
  allowsTemporaryCheckpoint: false,
  async open(context) {
    const options = new Options('the MySQL sink', context.options, [...sinkOptionNames, ...mysqlOptionNames])
    const sink = new DatabaseSink(context, new MySqlDatabase(mysqlConnection(options)), sinkOptionsOf(options, context.outputMode))
    await sink.open()
    return sink
  },
}
