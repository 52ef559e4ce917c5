import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import { LocalFiles } from '../base/local-files.ts'
import type { Schema } from '../data/schema.ts'
import type { SourceProvider } from '../sources/provider.ts'
import type { Action, Metadata } from './actions.ts'
import { changedRows, readChanges, withChangeFields } from './change-feed.ts'
import { metadataTag } from './checkpoint.ts'
import { DeltaSource, openTable } from './delta-source.ts'
import { logFolder } from './log-files.ts'
import { withColumnsOf } from './match-columns.ts'
import { checkReadable } from './protocol.ts'
import { filesWith } from './skipping.ts'
import { readSnapshot, type Snapshot } from './snapshot.ts'
import { batchOptions, streamOptionsOf } from './source-options.ts'
import { tableRows } from './table-rows.ts'
import { tableSchema } from './table-schema.ts'

/** `read.format('delta')`: the table as it stands when the rows are asked for, or as it stood (versionAsOf, timestampAsOf); `readStream.format('delta')`: its rows, and then what commits add. With readChangeFeed each change of a row. */
export const deltaSourceProvider: SourceProvider = {
  formats: ['delta'],
  tellsRecords: true,
  schemaOf(_format, userSchema, given) {
    const { table, readChangeFeed } = streamOptionsOf(given)
    if (userSchema) return userSchema
    return readChangeFeed ? withChangeFields(columnsInCommits(table)) : columnsInCommits(table)
  },
  bounded: {
    async schemaOf(given) {
      const { changes, ...options } = batchOptions(given)
      if (changes) {
        const { snapshot } = await readChanges(new LocalFiles(), options.table, changes)
        checkReadable(options.table, snapshot.protocol)
        return withChangeFields(tableSchema(options.table, snapshot.metadata).schema)
      }
      const { table, metadata } = await openSnapshot(given)
      return tableSchema(table, metadata).schema
    },
    async read(given, { conditions = [], schema }) {
      const { changes, table } = batchOptions(given)
      if (changes) {
        const { snapshot, changed } = await readChanges(new LocalFiles(), table, changes)
        const now = withChangeFields(tableSchema(table, snapshot.metadata).schema)
        return withColumnsOf(schema, table, now, await changedRows(new LocalFiles(), snapshot, changed))
      }
      const snapshot = await openSnapshot(given)
      const now = tableSchema(table, snapshot.metadata).schema
      // conditions know columns by their number
      const isAsKnown = JSON.stringify(schema?.fields) === JSON.stringify(now.fields)
      const mayHold = filesWith(snapshot, isAsKnown ? conditions : [])
      return withColumnsOf(schema, table, now, await tableRows(new LocalFiles(), snapshot, snapshot.files.filter(mayHold)))
    },
  },
  async open(context) {
    const options = streamOptionsOf(context.options)
    return new DeltaSource(context, options, await openTable(context.files, options, context.schema))
  },
}

async function openSnapshot(given: Readonly<Record<string, string>>): Promise<Snapshot> {
  const { table, asOf } = batchOptions(given)
  const snapshot = await readSnapshot(new LocalFiles(), table, asOf)
  checkReadable(table, snapshot.protocol)
  return snapshot
}

/** A stream's columns are asked for while the query is written, when nothing can be waited for: the newest commit that says them. */
function columnsInCommits(table: string): Schema {
  const folder = logFolder(table)
  let names: string[] = []
  try {
    names = readdirSync(folder)
  } catch {
    // told below
  }
  const commits = names
    .filter((name) => /^\d{20}\.json$/.test(name))
    .sort()
    .reverse()
  for (const name of commits) {
    const metadata = metadataIn(readFileSync(join(folder, name), 'utf8'))
    if (metadata) return tableSchema(table, metadata).schema
  }
  const checkpointed = commits.length === 0 ? undefined : metadataOfCheckpoint(folder)
  if (checkpointed) return tableSchema(table, checkpointed).schema
  if (commits.length === 0) {
    throw new InvalidQueryError('DELTA_TABLE_NOT_FOUND', {
      what: `${table} is not a Delta table: it has no _delta_log with a commit in it`,
      todo: 'check the path; a stream or a write with format delta creates the table',
    })
  }
  throw new InvalidQueryError('DELTA_SCHEMA_NOT_PROVIDED', {
    what: `the commits that the log of ${table} still has do not say its columns, which stand in a checkpoint`,
    todo: "read them first: readStream.format('delta').schema((await engine.read.format('delta').load(path)).schema).load(path)",
  })
}
/** Of the newest checkpoint, where Millrace wrote it. No commit that is there says others. */
function metadataOfCheckpoint(folder: string): Metadata | undefined {
  try {
    const { tags } = JSON.parse(readFileSync(join(folder, '_last_checkpoint'), 'utf8')) as {
      readonly tags?: Readonly<Record<string, string>>
    }
    return tags?.[metadataTag] === undefined ? undefined : (JSON.parse(tags[metadataTag]) as Metadata)
  } catch {
    return undefined
  }
}
function metadataIn(commit: string): Metadata | undefined {
  for (const line of commit.split('\n')) {
    if (!line.includes('"metaData"')) continue
    const { metaData } = JSON.parse(line) as Action
    if (metaData) return metaData
  }
  return undefined
}
