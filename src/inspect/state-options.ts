/** Options of `format('statestore')` and `format('state-metadata')`, with Spark's rules and error classes (STDS_…). */
import { InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import { type CheckpointView, steady } from './checkpoint-view.ts'
import { requireRestorable } from './loadable.ts'

export interface StateReadOptions {
  readonly operatorId: number
  /** `default` unless said. */
  readonly storeName: string
  readonly joinSide: 'left' | 'right' | 'none'
  /** The batch after which the state is read. */
  readonly batchId: number
  /** Begin with the snapshots that were taken after this batch, and read one partition only. */
  readonly snapshot: { readonly startBatchId: number; readonly partitionId: number } | null
  /** What the batches start … end changed, in place of the rows as they stand. */
  readonly changeFeed: { readonly start: number; readonly end: number } | null
  readonly stateVarName: string | null
  readonly readRegisteredTimers: boolean
  /** Lists and maps as a row for each element. */
  readonly flattenCollectionTypes: boolean
}

const known = [
  'path',
  'batchId',
  'operatorId',
  'storeName',
  'joinSide',
  'snapshotStartBatchId',
  'snapshotPartitionId',
  'readChangeFeed',
  'changeStartBatchId',
  'changeEndBatchId',
  'stateVarName',
  'readRegisteredTimers',
  'flattenCollectionTypes',
]

/** What was asked for; a batch that was left open is undefined. */
type AskedRead = Omit<StateReadOptions, 'batchId' | 'changeFeed' | 'snapshot'> &
  (
    | { readonly changeFeed: { readonly start: number; readonly end: number | undefined }; readonly batchId?: undefined }
    | { readonly changeFeed: null; readonly batchId: number | undefined; readonly snapshot: StateReadOptions['snapshot'] }
  )

/**
 * Options that are wrong whatever the checkpoint holds are told before it is looked at, as in Spark. InvalidQueryError: STDS_INVALID_OPTION_VALUE.…,
 * STDS_CONFLICT_OPTIONS, STDS_REQUIRED_OPTION_UNSPECIFIED, UNKNOWN_OPTION.
 */
export function askedRead(given: Readonly<Record<string, string>>): AskedRead {
  const options = new Options('the source "statestore"', given, known)
  const has = (name: string) => options.text(name) !== undefined
  const joinSide = joinSideOf(options.text('joinSide') ?? 'none')
  const storeName = options.text('storeName')?.trim() ?? 'default'
  if (storeName === '') throw isEmpty('storeName')
  const stateVarName = options.text('stateVarName')?.trim() ?? null
  if (stateVarName === '') throw isEmpty('stateVarName')
  const readRegisteredTimers = flag(options, 'readRegisteredTimers', false)
  if (joinSide !== 'none' && storeName !== 'default') throw conflict('joinSide', 'storeName')
  if (joinSide !== 'none' && stateVarName !== null) throw conflict('joinSide', 'stateVarName')
  if (stateVarName !== null && readRegisteredTimers) throw conflict('readRegisteredTimers', 'stateVarName')
  if (stateVarName !== null && has('storeName')) throw conflict('stateVarName', 'storeName')
  const shared = {
    operatorId: batchNumber(options, 'operatorId') ?? 0,
    storeName,
    joinSide,
    stateVarName,
    readRegisteredTimers,
    flattenCollectionTypes: flag(options, 'flattenCollectionTypes', true),
  }
  if (flag(options, 'readChangeFeed', false)) {
    if (joinSide !== 'none') throw conflict('joinSide', 'readChangeFeed')
    for (const name of ['batchId', 'snapshotStartBatchId', 'snapshotPartitionId']) if (has(name)) throw conflict(name, 'readChangeFeed')
    if (!shared.flattenCollectionTypes)
      throw invalid('flattenCollectionTypes', 'the change feed has a row for each element: it is always flattened')
    const [start, end] = [batchNumber(options, 'changeStartBatchId'), batchNumber(options, 'changeEndBatchId')]
    if (start === undefined) throw required('changeStartBatchId')
    if (end !== undefined) checkFeed(start, end)
    return { ...shared, changeFeed: { start, end } }
  }
  for (const name of ['changeStartBatchId', 'changeEndBatchId']) {
    if (has(name)) throw invalid(name, 'only specify this option when readChangeFeed is set to true')
  }
  const batchId = batchNumber(options, 'batchId')
  return { ...shared, changeFeed: null, batchId, snapshot: snapshotOf(options, batchId) }
}

/** What was asked for, bound to batches of a checkpoint. InvalidQueryError: STDS_OFFSET_LOG_UNAVAILABLE, STDS_COMMITTED_BATCH_UNAVAILABLE, STDS_INVALID_OPTION_VALUE.…. */
export async function stateReadOptions(asked: AskedRead, view: CheckpointView): Promise<StateReadOptions> {
  if (asked.changeFeed !== null) {
    const { start } = asked.changeFeed
    const end = await committedBatch(view, asked.changeFeed.end)
    checkFeed(start, end)
    return { ...asked, changeFeed: { start, end }, batchId: end, snapshot: null }
  }
  const batchId = await committedBatch(view, asked.batchId)
  checkSnapshotStart(asked.snapshot?.startBatchId, batchId)
  return { ...asked, batchId }
}

/** The options with what was left open filled in, so that a DataFrame gives the same rows whenever it is run. */
export function pinnedOptions(given: Readonly<Record<string, string>>, read: Pick<StateReadOptions, 'batchId' | 'changeFeed'>) {
  const name = read.changeFeed === null ? 'batchId' : 'changeEndBatchId'
  const others = Object.entries(given).filter(([each]) => each.toLowerCase() !== name.toLowerCase())
  return Object.fromEntries([...others, [name, String(read.batchId)]])
}

function checkFeed(start: number, end: number): void {
  if (end >= start) return
  throw invalid(
    'changeEndBatchId',
    `changeEndBatchId (${end}) cannot be smaller than changeStartBatchId (${start}); where it was left out it is the newest committed batch`,
  )
}

function snapshotOf(options: Options, batchId: number | undefined): StateReadOptions['snapshot'] {
  const startBatchId = batchNumber(options, 'snapshotStartBatchId')
  if (batchId !== undefined) checkSnapshotStart(startBatchId, batchId)
  const partitionId = batchNumber(options, 'snapshotPartitionId')
  if (startBatchId === undefined && partitionId === undefined) return null
  if (startBatchId === undefined) throw required('snapshotStartBatchId')
  if (partitionId === undefined) throw required('snapshotPartitionId')
  return { startBatchId, partitionId }
}
function checkSnapshotStart(startBatchId: number | undefined, batchId: number): void {
  if (startBatchId !== undefined && startBatchId > batchId)
    throw invalid('snapshotStartBatchId', `value should be less than or equal to ${batchId}`)
}

/** The batch that was asked for, which must be committed and still there, or the newest. */
export async function committedBatch(view: CheckpointView, asked: number | undefined): Promise<number> {
  const newest = await view.latestCommitted()
  if (newest === undefined) {
    throw new InvalidQueryError('STDS_COMMITTED_BATCH_UNAVAILABLE', {
      what: `no committed batch found in the checkpoint ${view.folder}`,
      todo: 'wait until the query has committed its first batch',
    })
  }
  if (asked === undefined) return newest
  const committed = asked <= newest ? await steady(() => view.commit(asked)) : undefined
  if (committed !== undefined) return asked
  const oldest = (await view.committedIds())[0]
  throw new InvalidQueryError('STDS_OFFSET_LOG_UNAVAILABLE', {
    what: `the checkpoint ${view.folder} has no committed batch ${asked}: its log goes from ${oldest} to ${newest}`,
    todo: 'give a batch within it; spark.sql.streaming.minBatchesToRetain says how many are kept',
  })
}

/** Refuses to read the state after a batch that the checkpoint has lost: as gone where nothing knows the batch any more, else (BATCH_NOT_RESTORABLE) as one that only the history knows. */
export async function requireReadable(view: CheckpointView, batchId: number): Promise<void> {
  try {
    await requireRestorable(view, batchId)
  } catch (error) {
    // a query that runs may have removed it since it was chosen
    await committedBatch(view, batchId)
    throw error
  }
}

function flag(options: Options, name: string, otherwise: boolean): boolean {
  const value = options.text(name)?.toLowerCase()
  if (value === undefined) return otherwise
  if (value !== 'true' && value !== 'false') throw invalid(name, 'boolean value expected')
  return value === 'true'
}
function batchNumber(options: Options, name: string): number | undefined {
  const value = options.text(name)
  if (value === undefined) return undefined
  if (!/^\s*-?\d+\s*$/.test(value)) throw invalid(name, `a whole number is expected, not ${JSON.stringify(value)}`)
  if (Number(value) >= 0) return Number(value)
  throw new InvalidQueryError('STDS_INVALID_OPTION_VALUE.IS_NEGATIVE', {
    what: `invalid value for source option '${name}': value cannot be negative`,
    todo: 'give a number from 0 up',
  })
}
function joinSideOf(text: string): 'left' | 'right' | 'none' {
  const side = text.toLowerCase()
  if (side === 'left' || side === 'right' || side === 'none') return side
  throw invalid('joinSide', 'valid values are left, right and none')
}

export function invalid(name: string, why: string): InvalidQueryError {
  return new InvalidQueryError('STDS_INVALID_OPTION_VALUE.WITH_MESSAGE', {
    what: `invalid value for source option '${name}': ${why}`,
    todo: 'see docs/state.md for what each option takes; millrace state ls lists operators and stores',
  })
}
function isEmpty(name: string): InvalidQueryError {
  return new InvalidQueryError('STDS_INVALID_OPTION_VALUE.IS_EMPTY', {
    what: `invalid value for source option '${name}': value cannot be empty`,
    todo: 'give a name, or leave the option out',
  })
}
function conflict(a: string, b: string): InvalidQueryError {
  return new InvalidQueryError('STDS_CONFLICT_OPTIONS', {
    what: `the options '${a}' and '${b}' cannot be specified together`,
    todo: 'leave one of them out',
  })
}
export function required(name: string): InvalidQueryError {
  return new InvalidQueryError('STDS_REQUIRED_OPTION_UNSPECIFIED', {
    what: `'${name}' must be specified`,
    todo: `set it with .option('${name}', …)`,
  })
}
