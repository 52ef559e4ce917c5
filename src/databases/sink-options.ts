import { InvalidQueryError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import type { OutputMode } from '../plan/logical-plan.ts'
import { refuseDeleteColumn, refuseInCompleteMode } from '../sinks/delete-column.ts'
import { queryOptions } from '../sinks/file-sink-options.ts'
import { defaultNotesTable, notesTableOf, type Sharing } from './batch-notes.ts'
import { columnList } from './column-names.ts'
import type { WritePlan } from './dialect.ts'
import type { Retries } from './retry.ts'
import { parseTableName, type TableName } from './table-name.ts'

/** What every SQL sink takes beside the options of its connection. `path` is what start('clicks') gives. */
export const sinkOptionNames = [
  ...queryOptions,
  'path',
  'dbtable',
  'key',
  'onConflict',
  'deleteColumn',
  'createTable',
  'checkNullability',
  'batchSize',
  'batchesTable',
  'sharedTable',
  'adoptOutput',
  'maxRetries',
  'retryDelay',
]

export interface SinkOptions {
  readonly table: TableName
  readonly notesTable: TableName
  readonly key: readonly string[]
  readonly onConflict: WritePlan['onConflict']
  /** The column that says which rows take one away. */
  readonly deleteColumn: string | null
  readonly createTable: boolean
  readonly checkNullability: boolean
  readonly batchSize: number
  readonly sharing: Sharing
  readonly retries: Retries
}

/** Checks the options of a SQL sink. All errors are InvalidQueryError. */
export function sinkOptionsOf(options: Options, outputMode: OutputMode): SinkOptions {
  const table = parseTableName(
    options.text('dbtable') ?? options.text('path') ?? options.required('dbtable', ".option('dbtable', 'shop.clicks')"),
  )
  const key = columnList(outputMode === 'update' ? options.required('key', ".option('key', 'user, window_start')") : options.text('key'))
  const sharedTable = options.flag('sharedTable', false)
  const adoptOutput = options.flag('adoptOutput', false)
  if (sharedTable && (adoptOutput || outputMode === 'complete')) {
    const [other, why] = adoptOutput
      ? ['adoptOutput = true', 'takes the table from all others']
      : ['output mode complete', 'replaces what the others wrote']
    throw new InvalidQueryError('INCOMPATIBLE_OPTIONS', {
      what: `sharedTable = true lets several queries write to one table, and ${other} ${why}`,
      todo: 'leave one of them out',
    })
  }
  const onConflict = outputMode === 'update' ? 'update' : conflictOf(options, key)
  const deleteColumn = options.text('deleteColumn') ?? null
  refuseInCompleteMode(deleteColumn, outputMode, 'rows')
  if (deleteColumn !== null && onConflict !== 'update') {
    refuseDeleteColumn(deleteColumn, `onConflict = ${onConflict} writes none by key`, "set .option('onConflict', 'update'), with a key")
  }
  const notesName = parseTableName(options.text('batchesTable') ?? defaultNotesTable)
  return {
    table,
    notesTable: notesName.schema === null ? notesTableOf(table, notesName.name) : notesName,
    key,
    onConflict,
    deleteColumn,
    createTable: options.flag('createTable', true),
    checkNullability: options.flag('checkNullability', true),
    batchSize: options.wholeNumber('batchSize', 1) ?? 1000,
    sharing: sharedTable ? 'shared' : adoptOutput ? 'adopt' : 'own',
    retries: { maxRetries: options.wholeNumber('maxRetries', 0) ?? 6, retryDelayMs: options.durationMs('retryDelay') ?? 200 },
  }
}

function conflictOf(options: Options, key: readonly string[]): WritePlan['onConflict'] {
  const given = options.text('onConflict')?.toLowerCase() ?? 'error'
  if (given !== 'error' && given !== 'update' && given !== 'ignore') {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: `onConflict = ${JSON.stringify(given)} is not error, update or ignore`,
      todo: 'give one of them, or leave the option out',
    })
  }
  if (given !== 'error' && key.length === 0) {
    throw new InvalidQueryError('MISSING_OPTION', {
      what: `onConflict = ${given} goes by the key of a row, and no option "key" was given`,
      todo: "name the columns: .option('key', 'user, day')",
    })
  }
  return given
}
