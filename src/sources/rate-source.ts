import { CorruptCheckpointError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import type { SourceContext, SourceProvider } from './provider.ts'
import { refuseSchema } from './refuse-schema.ts'
import type { Offset, ReadLimit, Source } from './source.ts'

/** The columns of both rate sources. */
export const rateSchema = new Schema([
  { name: 'timestamp', type: 'timestamp', nullable: true },
  { name: 'value', type: 'long', nullable: true },
])

interface RateOptions {
  readonly rowsPerSecond: number
  readonly rampUpSeconds: number
}

function rateOptions(given: Readonly<Record<string, string>>): RateOptions {
  const options = new Options('the rate source', given, ['rowsPerSecond', 'rampUpTime', 'numPartitions'])
  options.wholeNumber('numPartitions', 1)
  return {
    rowsPerSecond: options.wholeNumber('rowsPerSecond', 1) ?? 1,
    rampUpSeconds: Math.floor((options.durationMs('rampUpTime', 's') ?? 0) / 1000),
  }
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
    const startMs = await readStartMs(context)
    // the run that wrote it may have been killed before it was durable
    if (startMs !== undefined) await context.files.sync([startFile(context)])
    return new RateSource(context, rateOptions(context.options), startMs)
  },
}

class RateSource implements Source {
  readonly schema = rateSchema
  readonly description: string
  readonly readLimit: ReadLimit = { kind: 'all' }
  readonly #context: SourceContext
  readonly #options: RateOptions
  #startMs: number | undefined
  #latestMs = Number.NEGATIVE_INFINITY
  #frozenSeconds: number | undefined

  constructor(context: SourceContext, options: RateOptions, startMs: number | undefined) {
    this.#context = context
    this.#options = options
    this.#startMs = startMs
    this.description = `RateStreamV2[rowsPerSecond=${options.rowsPerSecond}, rampUpTimeSeconds=${options.rampUpSeconds}]`
  }

  async latestOffset(start: Offset | null): Promise<Offset | null> {
    this.#startMs ??= await this.#writeStartMs()
    const seconds = Math.max(secondsOf(start), this.#frozenSeconds ?? this.#secondsNow(this.#startMs))
    return seconds === secondsOf(start) ? start : seconds
  }

  async rows(start: Offset | null, end: Offset): Promise<SourceBatch> {
    this.#startMs ??= await readStartMs(this.#context)
    if (this.#startMs === undefined) throw lostStart(this.#context)
    const [from, to] = [secondsOf(start), secondsOf(end)]
    const first = valueAtSecond(from, this.#options)
    const last = valueAtSecond(to, this.#options)
    const msPerValue = ((to - from) * 1000) / Number(last - first)
    const startMs = this.#startMs + from * 1000
    // as Spark places them: Math.round over the batch's own time, in whole milliseconds
    const at = `make_timestamp(CAST(${startMs} + floor((range - ${first}) * CAST('${msPerValue}' AS DOUBLE) + 0.5) AS BIGINT) * 1000)`
    return { kind: 'sql', sql: generate(first === last ? 'make_timestamp(0)' : at, first, last), numRows: Number(last - first) }
  }

  async prepareForAvailableNow(): Promise<void> {
    this.#startMs ??= await this.#writeStartMs()
    this.#frozenSeconds = this.#secondsNow(this.#startMs)
  }

  async commit(): Promise<void> {}
  async stop(): Promise<void> {}

  /** Never goes back, also where the clock does. */
  #secondsNow(startMs: number): number {
    this.#latestMs = Math.max(this.#latestMs, this.#context.clock.nowMs())
    return Math.max(0, Math.floor((this.#latestMs - startMs) / 1000))
  }

  async #writeStartMs(): Promise<number> {
    const { files, checkFence, clock } = this.#context
    await checkFence()
    const nowMs = clock.nowMs()
    if (await files.createExclusive(startFile(this.#context), `v1\n${nowMs}`)) return nowMs
    const written = await readStartMs(this.#context)
    if (written === undefined) throw lostStart(this.#context)
    return written
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
  const delta = BigInt(Math.floor(rowsPerSecond / (rampUpSeconds + 1)))
  const ramped = BigInt(Math.min(seconds, rampUpSeconds))
  return ((ramped * (ramped + 1n)) / 2n) * delta + BigInt(Math.max(0, seconds - rampUpSeconds)) * BigInt(rowsPerSecond)
}

function startFile(context: SourceContext): string {
  return `${context.metadataFolder}/0`
}

async function readStartMs(context: SourceContext): Promise<number | undefined> {
  let text: string
  try {
    text = Buffer.from(await context.files.read(startFile(context))).toString('utf8')
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined
    throw error
  }
  const match = /^v1\n(\d{1,16})\n?$/.exec(text)
  if (match) return Number(match[1])
  throw new CorruptCheckpointError('MALFORMED_LOG_FILE', {
    what: `${startFile(context)} holds ${JSON.stringify(text.slice(0, 80))}, and not v1 and a time in milliseconds`,
    todo: 'restore it from a backup; nothing was overwritten',
  })
}

function lostStart(context: SourceContext): CorruptCheckpointError {
  return new CorruptCheckpointError('BATCH_METADATA_NOT_FOUND', {
    what: `${startFile(context)} is missing, and with it the time at which the source began`,
    todo: 'restore it from a backup; Millrace will not guess which rows were read',
  })
}

function secondsOf(offset: Offset | null): number {
  if (offset === null || offset === undefined) return 0
  if (typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= 0) return offset
  throw new CorruptCheckpointError('MALFORMED_OFFSET', {
    what: `${JSON.stringify(offset)} is not an offset of the rate source, which is a number of seconds`,
    todo: 'start the query with the checkpoint that belongs to it; a source cannot change its kind',
  })
}
