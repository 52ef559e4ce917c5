import { resolve } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { Options } from '../../base/options.ts'
import type { SinkProvider } from '../../sinks/sink.ts'
import { DatabaseSink } from '../database-sink.ts'
import { sinkOptionNames, sinkOptionsOf } from '../sink-options.ts'
import { SqliteDatabase } from './session.ts'

export const sqliteOptionNames = ['url', 'database', 'lockTimeout']

/** `writeStream.format('sqlite')`: each batch exactly once, in one transaction with its id. */
export const sqliteSinkProvider: SinkProvider = {
  formats: ['sqlite'],
  refusesRows: true,
  outputModes: ['append', 'update', 'complete'],
  allowsTemporaryCheckpoint: false,
  async open(context) {
    const options = new Options('the SQLite sink', context.options, [...sinkOptionNames, ...sqliteOptionNames])
    const sink = new DatabaseSink(context, sqliteDatabase(options, context.clock), sinkOptionsOf(options, context.outputMode))
    await sink.open()
    return sink
  },
}

/** The file that `database` names, or `url` as `sqlite:shop.db` or `jdbc:sqlite:shop.db`. */
export function sqliteDatabase(options: Options, clock: Clock): SqliteDatabase {
  const given = options.text('database') ?? options.text('url') ?? options.required('database', ".option('database', 'shop.db')")
  const path = resolve(given.replace(/^(?:jdbc:)?sqlite:(?:\/\/(?=\/))?/i, ''))
  return new SqliteDatabase(path, { clock, timeoutMs: options.durationMs('lockTimeout') ?? 30_000 })
}
