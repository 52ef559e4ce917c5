import { CorruptCheckpointError, InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import type { SourceContext, SourceProvider } from './provider.ts'
import { refuseSchema } from './refuse-schema.ts'
import type { Offset, ReadLimit, Source } from './source.ts'
import { type NoteFormat, StartNote } from './start-note.ts'

/** The columns of both rate sources. */
export const rateSchema = new Schema([
  { name: 'timestamp', type: 'timestamp', nullable: true },
  { name: 'value', type: 'long', nullable: true },
])

interface RateOptions {
  readonly rowsPerSecond: bigint
  readonly rampUpSeconds: number
}

const maxLong = 2n ** 63n - 1n

function rateOptions(given: Readonly<Record<string, string>>): RateOptions {
  const options = new Options('the rate source', given, ['rowsPerSecond', 'rampUpTime', 'numPartitions'])
  options.wholeNumber('numPartitions', 1)
  const rowsPerSecond = options.long('rowsPerSecond', 1n) ?? 1n
  const rampUpSeconds = Math.floor((options.durationMs('rampUpTime', 's') ?? 0) / 1000)
  if (rampUpSeconds > maxLong / rowsPerSecond) {
    throw new InvalidQueryError('INCORRECT_RAMP_UP_RATE', {
      what: `with ${rowsPerSecond} rowsPerSecond the numbers of rows are longs for ${maxLong / rowsPerSecond} s, and rampUpTime is ${rampUpSeconds} s`,
      todo: 'give fewer rowsPerSecond, or a shorter rampUpTime',
    })
  }
  return { rowsPerSecond, rampUpSeconds }
}

/** `rate`: so many rows a second since the query's first start, numbered from 0. An offset is whole seconds since then. */
export const rateProvider: SourceProvider = {
  formats: ['rate'],
  schemaOf(_format, userSchema, options) {
    refuseSchema('rate', userSchema)
    rateOptions(options)
    return rateSchema
  },
  async open(context) {
    const note = new StartNote(context, startFormat)
    return new RateSource(context, rateOptions(context.options), note, await note.read())
  },
}

class RateSource implements Source {
  readonly schema = rateSchema
  readonly description: string
  readonly readLimit: ReadLimit = { kind: 'all' }
  readonly #context: SourceContext
  readonly #options: RateOptions
  readonly #note: StartNote<number>
  #startMs: number | undefined
  #latestMs = Number.NEGATIVE_INFINITY
  #frozenSeconds: number | undefined

  constructor(context: SourceContext, options: RateOptions, note: StartNote<number>, startMs: number | undefined) {
    this.#context = context
    this.#options = options
    this.#note = note
    this.#startMs = startMs
    this.description = `RateStreamV2[rowsPerSecond=${options.rowsPerSecond}, rampUpTimeSeconds=${options.rampUpSeconds}]`
  }

  async latestOffset(start: Offset | null): Promise<Offset | null> {
    this.#startMs ??= await this.#note.write(this.#context.clock.nowMs())
    const seconds = Math.max(secondsOf(start), this.#frozenSeconds ?? this.#secondsNow(this.#startMs))
    return seconds === secondsOf(start) ? start : seconds
  }

  async rows(start: Offset | null, end: Offset): Promise<SourceBatch> {
    this.#startMs ??= await this.#note.readWritten()
    const [from, to] = [secondsOf(start), secondsOf(end)]
    const { rowsPerSecond } = this.#options
    if (to > maxLong / rowsPerSecond) {
      throw new InvalidQueryError('INCORRECT_END_OFFSET', {
        what: `the largest offset with ${rowsPerSecond} rowsPerSecond is ${maxLong / rowsPerSecond}, and it is ${to} now: the rows' numbers would not be longs`,
        todo: 'give fewer rowsPerSecond, with a new checkpoint',
      })
    }
    const first = valueAtSecond(from, this.#options)
    const last = valueAtSecond(to, this.#options)
    const msPerValue = ((to - from) * 1000) / Number(last - first)
    const startMs = this.#startMs + from * 1000
    // as Spark places them: Math.round over the batch's own time, in whole milliseconds
    const at = `make_timestamp(CAST(${startMs} + floor((range - ${first}) * CAST('${msPerValue}' AS DOUBLE) + 0.5) AS BIGINT) * 1000)`
    return { kind: 'sql', sql: generate(first === last ? 'make_timestamp(0)' : at, first, last), numRows: Number(last - first) }
  }

  async prepareForAvailableNow(): Promise<void> {
    this.#startMs ??= await this.#note.write(this.#context.clock.nowMs())
    this.#frozenSeconds = this.#secondsNow(this.#startMs)
  }

  async commit(): Promise<void> {}
  async stop(): Promise<void> {}

  /** Never goes back, also where the clock does. */
  #secondsNow(startMs: number): number {
    this.#latestMs = Math.max(this.#latestMs, this.#context.clock.nowMs())
    return Math.max(0, Math.floor((this.#latestMs - startMs) / 1000))
  }
}

/** A SELECT of rows numbered `first` to `last` - 1. */
export function generate(timestampSql: string, first: bigint, last: bigint): string {
  return `SELECT ${timestampSql} AS "timestamp", range AS "value" FROM range(CAST(${first} AS BIGINT), CAST(${last} AS BIGINT))`
}

/**
 * How many rows there are by the end of a second. While the rate ramps up, each second brings `delta` rows more than the one before:
 * with 10 rows a second and 4 s of ramp-up 0, 2, 6, 12, 20, and then 10 more each second.
 */
export function valueAtSecond(seconds: number, { rowsPerSecond, rampUpSeconds }: RateOptions): bigint {
  const delta = rowsPerSecond / BigInt(rampUpSeconds + 1)
  const ramped = BigInt(Math.min(seconds, rampUpSeconds))
  return ((ramped * (ramped + 1n)) / 2n) * delta + BigInt(Math.max(0, seconds - rampUpSeconds)) * rowsPerSecond
}

const startFormat: NoteFormat<number> = {
  encode: (startMs) => `v1\n${startMs}`,
  decode: (text) => {
    const match = /^v1\n(\d{1,16})\n?$/.exec(text)
    return match ? Number(match[1]) : undefined
  },
  content: 'v1 and a time in milliseconds',
  meaning: 'the time at which the source began',
}

function secondsOf(offset: Offset | null): number {
  if (offset === null || offset === undefined) return 0
  if (typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= 0) return offset
  throw new CorruptCheckpointError('MALFORMED_OFFSET', {
    what: `${JSON.stringify(offset)} is not an offset of the rate source, which is a number of seconds`,
    todo: 'start the query with the checkpoint that belongs to it; a source cannot change its kind',
  })
}
