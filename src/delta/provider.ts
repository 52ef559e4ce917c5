import { InvalidQueryError } from '../base/errors.ts'
import { LocalFiles } from '../base/local-files.ts'
import { Options } from '../base/options.ts'
import { absolutePath } from '../data/file-uri.ts'
import type { SourceProvider } from '../sources/provider.ts'
import { checkReadable } from './protocol.ts'
import { type AsOf, readSnapshot, type Snapshot } from './snapshot.ts'
import { tableRows } from './table-rows.ts'
import { tableSchema } from './table-schema.ts'

const batchOptions = ['path', 'versionAsOf', 'timestampAsOf']

/** `read.format('delta')`: the table as it stands when the rows are asked for, or as it stood (versionAsOf, timestampAsOf). */
export const deltaSourceProvider: SourceProvider = {
  formats: ['delta'],
  schemaOf() {
    throw new InvalidQueryError('DELTA_STREAM_NOT_THERE', {
      what: 'a stream of a Delta table is not there yet',
      todo: 'read it as a table',
    })
  },
  bounded: {
    async schemaOf(given) {
      const { table, metadata } = await openSnapshot(given)
      return tableSchema(table, metadata).schema
    },
    async read(given) {
      const snapshot = await openSnapshot(given)
      return tableRows(new LocalFiles(), snapshot, snapshot.files)
    },
  },
  async open() {
    throw new InvalidQueryError('DELTA_STREAM_NOT_THERE', {
      what: 'a stream of a Delta table is not there yet',
      todo: 'read it as a table',
    })
  },
}

async function openSnapshot(given: Readonly<Record<string, string>>): Promise<Snapshot> {
  const options = new Options('the Delta table', given, batchOptions)
  const table = absolutePath(options.required('path', `read.format('delta').load('tables/orders')`))
  const snapshot = await readSnapshot(new LocalFiles(), table, asOf(options))
  checkReadable(table, snapshot.protocol)
  return snapshot
}

function asOf(options: Options): AsOf {
  const version = options.wholeNumber('versionAsOf', 0)
  const time = options.text('timestampAsOf')
  if (version !== undefined && time !== undefined) {
    throw new InvalidQueryError('DELTA_TIME_TRAVEL_MULTIPLE_FORMATS', {
      what: `the Delta table was given both versionAsOf = ${version} and timestampAsOf = ${time}`,
      todo: 'leave out one of them',
    })
  }
  if (version !== undefined) return { version }
  if (time === undefined) return null
  const timestampMs = parseTime(time)
  if (Number.isNaN(timestampMs)) {
    throw new InvalidQueryError('DELTA_TIMESTAMP_INVALID', {
      what: `timestampAsOf is ${JSON.stringify(time)}, which is no time`,
      todo: 'write it as 2026-01-31 or 2026-01-31T12:00:00Z; without an offset it is UTC',
    })
  }
  return { timestampMs }
}
/** Without an offset, in UTC. */
function parseTime(text: string): number {
  const iso = text.trim().replace(' ', 'T')
  return Date.parse(/T/.test(iso) && !/(Z|[+-]\d{2}:?\d{2})$/i.test(iso) ? `${iso}Z` : iso)
}
