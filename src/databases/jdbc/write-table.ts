import { assert, InvalidQueryError } from '../../base/errors.ts'
import { Options } from '../../base/options.ts'
import type { BoundedSink, BoundedWrite } from '../../sinks/sink.ts'
import { newColumns, planWrite } from '../compare-schema.ts'
import { createTable } from '../create-table.ts'
import { Reconnecting } from '../retry.ts'
import { sinkOptionNames, sinkOptionsOf } from '../sink-options.ts'
import { quotedTable, tableText } from '../table-name.ts'
import { serverOf } from './provider.ts'
import type { JdbcServer } from './reader.ts'

/** `df.write.format('jdbc')` and the formats of the servers: all rows in one transaction. `server` is null where the URL says which. */
export function tableWriter(server: JdbcServer | null): BoundedSink {
  return {
    modes: ['append', 'overwrite', 'errorifexists', 'ignore'],
    write: (context) => writeTable(server ?? serverOf(context.options), context),
  }
}

async function writeTable(server: JdbcServer, { format, mode, schema, options: given, clock, withRows }: BoundedWrite): Promise<void> {
  const options = new Options(`the ${format} writer`, given, [...new Set([...sinkOptionNames, ...server.optionNames, 'driver'])])
  const wanted = sinkOptionsOf(options, 'append')
  const { table, retries } = wanted
  const connection = new Reconnecting(server.database(options), retries, clock)
  try {
    await connection.use(`writing the table ${tableText(table)}`, async (session) => {
      const { dialect } = session
      let shape = await session.describe(table)
      if (shape && mode === 'ignore') return
      if (shape && mode === 'errorifexists') {
        throw new InvalidQueryError('TABLE_OR_VIEW_ALREADY_EXISTS', {
          what: `there is a table ${tableText(shape.table)} already`,
          todo: "choose another name, or say .mode('append') or .mode('overwrite')",
        })
      }
      if (!shape) {
        await createTable(session, wanted, newColumns(schema, wanted, dialect))
        shape = await session.describe(table)
        assert(shape, 'a table that was created is there')
      }
      const plan = planWrite(schema, shape, wanted, dialect)
      await session.transaction(async () => {
        if (mode === 'overwrite') await session.run(`DELETE FROM ${quotedTable(plan.table, dialect.quote)}`)
        await withRows((rows) => session.write(plan, rows, false))
      })
    })
  } finally {
    await connection.close()
  }
}
