import { InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import { absolutePath } from '../data/file-uri.ts'
import type { ChangeRange } from './change-feed.ts'
import type { AsOf } from './snapshot.ts'

const travel = ['versionAsOf', 'timestampAsOf']
const changes = ['readChangeFeed', 'startingVersion', 'startingTimestamp', 'endingVersion', 'endingTimestamp']
const streamOptions = [
  'path',
  'readChangeFeed',
  'startingVersion',
  'startingTimestamp',
  'maxFilesPerTrigger',
  'maxBytesPerTrigger',
  'ignoreDeletes',
  'ignoreChanges',
  'skipChangeCommits',
]

export interface BatchOptions {
  readonly table: string
  readonly asOf: AsOf
  /** Where the changes of versions are asked for, and not the rows. */
  readonly changes: ChangeRange | null
}
export function batchOptions(given: Readonly<Record<string, string>>): BatchOptions {
  const options = new Options('the Delta table', given, ['path', ...travel, ...changes])
  const table = absolutePath(options.required('path', `read.format('delta').load('tables/orders')`))
  const asOf = pointOf(options, 'versionAsOf', 'timestampAsOf')
  const range = {
    start: pointOf(options, 'startingVersion', 'startingTimestamp'),
    end: pointOf(options, 'endingVersion', 'endingTimestamp'),
  }
  const feed = options.flag('readChangeFeed', false)
  if (feed ? asOf !== null : range.start !== null || range.end !== null) {
    throw new InvalidQueryError('DELTA_CHANGE_FEED_OPTIONS', {
      what: `the Delta table ${table} was given ${feed ? 'versionAsOf or timestampAsOf with readChangeFeed' : 'a start or an end without readChangeFeed'}`,
      todo: 'the rows as they were take versionAsOf or timestampAsOf; the changes of versions take readChangeFeed = true, startingVersion and endingVersion',
    })
  }
  return { table, asOf, changes: feed ? range : null }
}

export interface StreamOptions {
  readonly table: string
  /** Whether each change of a row is read, and not what commits add. */
  readonly readChangeFeed: boolean
  /** null: the rows that are there first, then what comes. `latest`: only what comes. */
  readonly start: AsOf | 'latest'
  readonly maxFiles: number | undefined
  readonly maxBytes: number | undefined
  /** Commits that only remove rows are passed over. */
  readonly ignoreDeletes: boolean
  /** Commits that change rows are read as what they add: rows that stayed come again. */
  readonly ignoreChanges: boolean
  /** Commits that remove rows are passed over, with all that they add. */
  readonly skipChangeCommits: boolean
}
export function streamOptionsOf(given: Readonly<Record<string, string>>): StreamOptions {
  const options = new Options('the Delta source', given, streamOptions)
  const maxBytes = options.text('maxBytesPerTrigger')
  return {
    table: absolutePath(options.required('path', `readStream.format('delta').load('tables/orders')`)),
    start:
      options.text('startingVersion')?.trim().toLowerCase() === 'latest'
        ? 'latest'
        : pointOf(options, 'startingVersion', 'startingTimestamp'),
    readChangeFeed: options.flag('readChangeFeed', false),
    maxFiles: options.wholeNumber('maxFilesPerTrigger', 1) ?? (maxBytes === undefined ? 1000 : undefined),
    maxBytes: options.bytes('maxBytesPerTrigger', 1),
    ignoreDeletes: options.flag('ignoreDeletes', false),
    ignoreChanges: options.flag('ignoreChanges', false),
    skipChangeCommits: options.flag('skipChangeCommits', false),
  }
}

function pointOf(options: Options, versionName: string, timeName: string): AsOf {
  const version = options.wholeNumber(versionName, 0)
  const time = options.text(timeName)
  if (version !== undefined && time !== undefined) {
    throw new InvalidQueryError('DELTA_TIME_TRAVEL_MULTIPLE_FORMATS', {
      what: `the Delta table was given both ${versionName} = ${version} and ${timeName} = ${time}`,
      todo: 'leave out one of them',
    })
  }
  if (version !== undefined) return { version }
  return time === undefined ? null : asOfTime(timeName, time)
}
/** InvalidQueryError DELTA_TIMESTAMP_INVALID. */
export function asOfTime(name: string, time: string): NonNullable<AsOf> {
  const timestampMs = parseTime(time)
  if (!Number.isNaN(timestampMs)) return { timestampMs }
  throw new InvalidQueryError('DELTA_TIMESTAMP_INVALID', {
    what: `${name} is ${JSON.stringify(time)}, which is no time`,
    todo: 'write it as 2026-01-31 or 2026-01-31T12:00:00Z; without an offset it is UTC',
  })
}
/** InvalidQueryError DELTA_VERSION_INVALID. */
export function asOfVersion(version: number): NonNullable<AsOf> {
  if (Number.isSafeInteger(version) && version >= 0) return { version }
  throw new InvalidQueryError('DELTA_VERSION_INVALID', {
    what: `restoreToVersion was given ${version}, which is no version`,
    todo: 'give a whole number from 0 up: history() has them',
  })
}
/** Without an offset, in UTC. */
function parseTime(text: string): number {
  const iso = text.trim().replace(' ', 'T')
  return Date.parse(/T/.test(iso) && !/(Z|[+-]\d{2}:?\d{2})$/i.test(iso) ? `${iso}Z` : iso)
}
