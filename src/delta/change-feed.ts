/** The change data feed: what each commit inserted, deleted and updated, from the files that it wrote for that, or else from those that it added and removed. */
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { Schema } from '../data/schema.ts'
import type { SourceBatch, TableFile } from '../data/source-batch.ts'
import type { Field } from '../data/types.ts'
import type { Action, AddFile, RemoveFile } from './actions.ts'
import { readDeletionVector } from './deletion-vector.ts'
import { commitPath, type LogFiles, listLog } from './log-files.ts'
import { pathOf } from './paths.ts'
import { readCommit } from './read-actions.ts'
import { type AsOf, commitTimes, readSnapshot, type Snapshot } from './snapshot.ts'
import { liveRows, storedColumns, type TableLayout } from './table-rows.ts'
import { tableSchema } from './table-schema.ts'
import { type ChangeType, changeType, keepsChanges } from './write-plan.ts'

const changeFields: readonly Field[] = [
  { name: changeType, type: 'string', nullable: true },
  { name: '_commit_version', type: 'long', nullable: true },
  { name: '_commit_timestamp', type: 'timestamp', nullable: true },
]

/** The table's columns, and what the feed says of each row. */
export function withChangeFields(schema: Schema): Schema {
  return new Schema([...schema.fields, ...changeFields])
}

/** A file of rows that changed. */
export interface ChangedFile extends AddFile {
  readonly change: {
    /** null: each row of the file says it. */
    readonly type: ChangeType | null
    readonly version: number
    readonly timestampMs: number
    /** The numbers of the only rows that changed. */
    readonly only?: readonly number[]
  }
}

/** The rows of such files, for the engine to read. */
export async function changedRows(
  files: Files,
  { table, metadata }: TableLayout,
  changed: readonly ChangedFile[],
): Promise<Extract<SourceBatch, { kind: 'table-files' }>> {
  const read: TableFile[] = []
  let numRows: number | undefined = 0
  for (const file of changed) {
    const { type, version, timestampMs, only } = file.change
    const deleted = file.deletionVector && only === undefined ? await readDeletionVector(files, table, file.deletionVector) : undefined
    const said = { [changeType]: type, _commit_version: String(version), _commit_timestamp: new Date(timestampMs).toISOString() }
    read.push({
      path: pathOf(table, file.path),
      sizeBytes: file.size,
      constants: { ...file.partitionValues, ...said },
      ...(deleted && { deleted }),
      ...(only && { only }),
    })
    const rows = only?.length ?? liveRows(file)
    numRows = numRows === undefined || rows === undefined ? undefined : numRows + rows
  }
  const columns = [
    ...storedColumns(tableSchema(table, metadata), metadata.partitionColumns),
    ...changeFields.map(({ name, type }) => ({ name, type, isConstant: true, mayBeStored: name === changeType })),
  ]
  return { kind: 'table-files', files: read, columns, numRows }
}

/** What a commit changed. InvalidQueryError DELTA_MISSING_CHANGE_DATA where it ends the feed. */
export async function changesOf(
  files: Files,
  table: string,
  { version, timestampMs, actions }: { readonly version: number; readonly timestampMs: number; readonly actions: readonly Action[] },
): Promise<ChangedFile[]> {
  for (const { metaData } of actions) if (metaData && !keepsChanges(metaData)) throw notRecorded(table, version)
  const changed = (file: AddFile, type: ChangeType | null, only?: readonly number[]): ChangedFile => ({
    ...file,
    change: { type, version, timestampMs, ...(only && { only }) },
  })
  const cdc = actions.flatMap((action) => (action.cdc ? [action.cdc] : []))
  if (cdc.length > 0) return cdc.map((file) => changed({ ...file, modificationTime: 0 }, null))
  const adds = actions.flatMap(({ add }) => (add?.dataChange ? [add] : []))
  const removes = actions.flatMap(({ remove }) => (remove?.dataChange ? [removed(table, version, remove)] : []))
  const found: ChangedFile[] = []
  const again = new Map(adds.map((add) => [add.path, add]))
  for (const before of removes) {
    const after = again.get(before.path)
    if (!after) found.push(changed(before, 'delete'))
    else {
      // the same file with other rows deleted
      again.delete(before.path)
      const [was, is] = [await vectorOf(files, table, before), await vectorOf(files, table, after)]
      const [gone, back] = [is.filter((row) => !was.includes(row)), was.filter((row) => !is.includes(row))]
      if (gone.length > 0) found.push(changed(after, 'delete', gone))
      if (back.length > 0) found.push(changed(after, 'insert', back))
    }
  }
  return [...found, ...[...again.values()].map((add) => changed(add, 'insert'))]
}
async function vectorOf(files: Files, table: string, { deletionVector }: AddFile): Promise<number[]> {
  return deletionVector ? readDeletionVector(files, table, deletionVector) : []
}
function removed(table: string, version: number, remove: RemoveFile): AddFile {
  const { path, partitionValues, size, deletionVector } = remove
  if (!partitionValues) {
    throw new InvalidQueryError('DELTA_MISSING_CHANGE_DATA', {
      what: `version ${version} of the Delta table ${table} removed the file ${path} without saying of which partition it was`,
      todo: 'read the changes of other versions: this one was written without what the feed needs',
    })
  }
  return { path, partitionValues, size: size ?? 0, modificationTime: 0, dataChange: true, ...(deletionVector && { deletionVector }) }
}

function notRecorded(table: string, version: number): InvalidQueryError {
  return new InvalidQueryError('DELTA_MISSING_CHANGE_DATA', {
    what: `the Delta table ${table} did not record its changes at version ${version}`,
    todo: 'begin at a later version, or read the table without readChangeFeed; a table records its changes from when delta.enableChangeDataFeed is true',
  })
}
/** InvalidQueryError DELTA_MISSING_CHANGE_DATA. */
export function checkKeepsChanges({ table, version, metadata }: Pick<Snapshot, 'table' | 'version' | 'metadata'>): void {
  if (!keepsChanges(metadata)) throw notRecorded(table, version)
}

/** From where to where a batch reads the changes, both ends among them. */
export interface ChangeRange {
  readonly start: AsOf
  readonly end: AsOf
}

/** The changes of some versions. The columns are those of the last one. */
export async function readChanges(files: Files, table: string, { start, end }: ChangeRange) {
  const log = (await listLog(files, table))!
  const newest = await readSnapshot(files, table)
  const times = await commitTimes(files, table, log)
  const first = firstVersion(table, log, times, start, newest.version)
  const last = lastVersion(times, end, newest.version)
  if (last < first) {
    throw new InvalidQueryError('DELTA_INVALID_CDC_RANGE', {
      what: `the changes of the Delta table ${table} were asked for from version ${first} to version ${last}, which is before it`,
      todo: 'give an end that is not before the start',
    })
  }
  const from = await readSnapshot(files, table, { version: first })
  checkKeepsChanges(from)
  const changed: ChangedFile[] = []
  for (const { version, timestampMs } of times) {
    if (version < first || version > last) continue
    changed.push(
      ...(await changesOf(files, table, { version, timestampMs, actions: await readCommit(files, table, commitPath(table, version)) })),
    )
  }
  return { snapshot: last === newest.version ? newest : await readSnapshot(files, table, { version: last }), changed }
}

type Times = readonly { readonly version: number; readonly timestampMs: number }[]
function firstVersion(table: string, log: LogFiles, times: Times, start: AsOf, newest: number): number {
  if (start === null) {
    throw new InvalidQueryError('DELTA_NO_START_FOR_CDC_READ', {
      what: `the changes of the Delta table ${table} were asked for without a start`,
      todo: "say where: option('startingVersion', 0) or option('startingTimestamp', '2026-01-31')",
    })
  }
  const oldest = log.commits[0]?.version ?? 0
  if ('version' in start) {
    if (start.version >= oldest && start.version <= newest) return start.version
    throw new InvalidQueryError('DELTA_VERSION_NOT_FOUND', {
      what: `startingVersion is ${start.version}, and the log of ${table} has the commits ${oldest} to ${newest}`,
      todo: 'start at one of those',
    })
  }
  const found = times.find(({ timestampMs }) => timestampMs >= start.timestampMs)
  if (found) return found.version
  throw new InvalidQueryError('DELTA_TIMESTAMP_NOT_FOUND', {
    what: `startingTimestamp is ${new Date(start.timestampMs).toISOString()}, later than every commit of ${table}`,
    todo: 'start at an earlier time',
  })
}
function lastVersion(times: Times, end: AsOf, newest: number): number {
  if (end === null) return newest
  if ('version' in end) return Math.min(end.version, newest)
  return times.filter(({ timestampMs }) => timestampMs <= end.timestampMs).at(-1)?.version ?? -1
}
