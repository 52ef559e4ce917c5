import { systemClock } from '../../base/clock.ts'
import { InvalidQueryError, MillraceError } from '../../base/errors.ts'
import { Options } from '../../base/options.ts'
import type { ColumnBatch } from '../../data/column-batch.ts'
import { Schema } from '../../data/schema.ts'
import type { SourceBatch } from '../../data/source-batch.ts'
import type { Field } from '../../data/types.ts'
import { rowsToColumns } from '../../data/values.ts'
import type { SourceProvider } from '../../sources/provider.ts'
import type { RowsNeeded } from '../../sources/source.ts'
import { withoutPassword } from '../connection-url.ts'
import { databaseError } from '../errors.ts'
import { parseTableName, quotedTable } from '../table-name.ts'
import { readCell } from './cells.ts'
import { whereOf } from './conditions.ts'
import { matchColumns } from './match-columns.ts'
import { partitionNames, partitionsOf } from './partitions.ts'
import { type JdbcServer, jdbcServers, type TableReader } from './reader.ts'

/** What of Spark's options is taken. */
export const readOptionNames = [
  'path',
  'dbtable',
  'query',
  'fetchsize',
  'refreshInterval',
  'pushDownPredicate',
  'sessionInitStatement',
  ...partitionNames,
  'driver',
]
const refused = {
  customSchema: 'cast the columns in the query',
  prepareQuery: 'write it into the option query',
  hint: 'write it into the option query',
  queryTimeout: 'PostgreSQL has statementTimeout',
  pushDownAggregate: 'aggregates are computed here; write them into the option query',
  pushDownLimit: 'limits are applied here; write them into the option query',
  pushDownOffset: 'offsets are applied here; write them into the option query',
  pushDownTableSample: 'samples are taken here; write them into the option query',
  preferTimestampNTZ: 'the type comes from the column; cast it in the query',
  isolationLevel: 'reads see what is committed',
  keytab: 'Kerberos is not supported',
  principal: 'Kerberos is not supported',
}

type Given = Readonly<Record<string, string>>

/** `read.format('jdbc')` and the formats of the servers, as bounded tables. `server` is null where the URL says which. */
export function tableProvider(formats: readonly string[], server: JdbcServer | null): SourceProvider {
  const of = (given: Given) => {
    const found = server ?? serverOf(given)
    return {
      found,
      options: new Options(`the ${formats[0]} table`, given, [...readOptionNames, ...found.optionNames], refused),
    }
  }
  return {
    formats,
    schemaOf: notAStream,
    open: notAStream,
    bounded: {
      async schemaOf(given) {
        const { found, options } = of(given)
        return withReader(found, options, async (reader) => schemaOf(reader))
      },
      read(given, needed) {
        const { found, options } = of(given)
        return refreshed(options.durationMs('refreshInterval'), given, needed, () =>
          withReader(found, options, (reader) => readRows(reader, needed, options, (use) => withReader(found, options, use))),
        )
      },
    },
  }
}

function notAStream(): never {
  throw new InvalidQueryError('DATABASE_NOT_A_STREAM', {
    what: 'a table of a database is not a stream: it does not say which rows are new',
    todo: 'read it with engine.read and join streams with it (refreshInterval says how often it is read again)',
  })
}

/** The server whose URL it is. */
export function serverOf(given: Given): JdbcServer {
  const url = Object.entries(given).find(([name]) => name.toLowerCase() === 'url')?.[1] ?? ''
  const scheme = /^(?:jdbc:)?([a-z]+):/i.exec(url)?.[1]?.toLowerCase() ?? ''
  const server = jdbcServers.find(({ schemes }) => schemes.includes(scheme))
  if (server) return server
  throw new InvalidQueryError('DATABASE_SERVER_UNKNOWN', {
    what: `format jdbc was given url = ${JSON.stringify(withoutPassword(url))}, and the servers that are known are ${jdbcServers.flatMap(({ schemes }) => schemes).join(', ')}`,
    todo: "give a URL such as jdbc:postgresql://host/database, and import its server first: import 'millrace/postgres' (or mysql, sqlite)",
  })
}

async function withReader<T>(server: JdbcServer, options: Options, use: (reader: TableReader) => Promise<T>): Promise<T> {
  const { dialect, address } = server.database(options)
  let reader: TableReader | undefined
  try {
    reader = await server.open(options, selected(options, dialect.quote), options.text('sessionInitStatement'))
    return await use(reader)
  } catch (error) {
    if (error instanceof MillraceError || dialect.faultOf(error) === 'foreign') throw error
    throw databaseError(error, dialect, address, 'reading a table')
  } finally {
    await reader?.close().catch(() => {})
  }
}

/** As Spark has it: dbtable may also be a SELECT in parentheses with a name. */
function selected(options: Options, quote: string): string {
  const query = options.text('query')
  const table = options.text('dbtable') ?? options.text('path')
  if (query !== undefined && table === undefined) return `(${query}) AS millrace_query`
  if (table !== undefined && query === undefined) return table.trim().startsWith('(') ? table : quotedTable(parseTableName(table), quote)
  throw new InvalidQueryError(query === undefined ? 'MISSING_OPTION' : 'INCOMPATIBLE_OPTIONS', {
    what: `a table is read by one of the options dbtable and query, and ${query === undefined ? 'none' : 'both'} were given`,
    todo: ".option('dbtable', 'shop.items') or .option('query', 'SELECT …')",
  })
}

function schemaOf({ columns }: TableReader): Schema {
  const repeated = columns.find(({ name }, i) => columns.findIndex((each) => each.name === name) !== i)
  if (repeated) {
    throw new InvalidQueryError('COLUMN_ALREADY_EXISTS', {
      what: `the query gives two columns named "${repeated.name}"`,
      todo: 'give one of them another name: SELECT … AS …',
    })
  }
  return new Schema(columns)
}

async function readRows(reader: TableReader, needed: RowsNeeded, options: Options, another: WithReader): Promise<SourceBatch> {
  const known = needed.schema ?? schemaOf(reader)
  const found = matchColumns(known, reader)
  const where = options.flag('pushDownPredicate', true) ? whereOf(needed.conditions ?? [], found, reader) : undefined
  const parts = partitionsOf(options, reader)
  const places = [...needed.columns].filter((place) => place < known.fields.length).sort((a, b) => a - b)
  const columns = places.map((place) => known.fields[place]!)
  // 0 leaves it to the driver in Spark
  const fetchSize = options.wholeNumber('fetchsize', 0) || 10_000
  const readPart = async (from: TableReader, part: string | undefined): Promise<ColumnBatch[]> => {
    const conditions = [where, part].filter((each) => each !== undefined).map((each) => `(${each})`)
    const rows = from.rows(
      places.map((place) => found[place]!),
      fetchSize,
      conditions.length === 0 ? undefined : conditions.join(' AND '),
    )
    const schema = new Schema(columns)
    const batches: ColumnBatch[] = []
    for await (const some of rows) {
      const objects = some.map((row) =>
        Object.fromEntries(columns.map((column, i) => [column.name, notNull(column, readCell(column, row[i]))])),
      )
      batches.push(rowsToColumns(schema, objects))
    }
    return batches
  }
  const [first, ...others] = parts.length === 0 ? [undefined] : parts
  const read = await Promise.all([readPart(reader, first), ...others.map((part) => another((own) => readPart(own, part)))])
  return { kind: 'columns', batches: read.flat(), positions: places }
}
type WithReader = (use: (reader: TableReader) => Promise<ColumnBatch[]>) => Promise<ColumnBatch[]>

function notNull({ name, nullable }: Field, value: unknown): unknown {
  if (value !== null || nullable) return value
  throw new InvalidQueryError('NOT_NULL_ASSERT_VIOLATION', {
    what: `column ${name} of the table holds a null, and the schema that was given says that it has none`,
    todo: `declare the column nullable: ${name}: t.….nullable(), or leave such rows out in the option query`,
  })
}

interface Kept {
  readonly untilMs: number
  readonly rows: Promise<SourceBatch>
}
const kept = new Map<string, Kept>()
/** Reads the rows, or gives those that were read less than the interval ago. Without an interval they are read whenever they are asked for. */
function refreshed(
  intervalMs: number | undefined,
  given: Given,
  needed: RowsNeeded,
  read: () => Promise<SourceBatch>,
): Promise<SourceBatch> {
  if (intervalMs === undefined || intervalMs === 0) return read()
  const nowMs = systemClock.monotonicMs()
  for (const [key, { untilMs }] of kept) if (untilMs <= nowMs) kept.delete(key)
  const key = JSON.stringify([
    Object.entries(given).sort(),
    [...needed.columns].sort(),
    needed.conditions ?? null,
    needed.schema?.fields ?? null,
  ])
  const there = kept.get(key)
  if (there) return there.rows
  const rows = read()
  kept.set(key, { untilMs: nowMs + intervalMs, rows })
  rows.catch(() => kept.delete(key))
  return rows
}
