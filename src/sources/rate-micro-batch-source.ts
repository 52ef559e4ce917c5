import { CorruptCheckpointError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import type { SourceProvider } from './provider.ts'
import { generate, rateSchema } from './rate-source.ts'
import { refuseSchema } from './refuse-schema.ts'
import type { Offset, ReadLimit, Source } from './source.ts'

interface MicroBatchOptions {
  readonly rowsPerBatch: number
  readonly startMs: number
  readonly advanceMs: number
}

function microBatchOptions(given: Readonly<Record<string, string>>): MicroBatchOptions {
  const options = new Options('the rate-micro-batch source', given, [
    'rowsPerBatch',
    'numPartitions',
    'startTimestamp',
    'advanceMillisPerBatch',
  ])
  options.required('rowsPerBatch', ".option('rowsPerBatch', 100)")
  options.wholeNumber('numPartitions', 1)
  return {
    rowsPerBatch: options.wholeNumber('rowsPerBatch', 1)!,
    startMs: options.wholeNumber('startTimestamp', 0) ?? 0,
    advanceMs: options.wholeNumber('advanceMillisPerBatch', 0) ?? 1000,
  }
}

/** `rate-micro-batch`: batch n has the values n·rows … (n+1)·rows − 1, all at startTimestamp + n·advance. The same in every run, whatever the clock says. */
export const rateMicroBatchProvider: SourceProvider = {
  formats: ['rate-micro-batch'],
  schemaOf(_format, userSchema, options) {
    refuseSchema('rate-micro-batch', userSchema)
    microBatchOptions(options)
    return rateSchema
  },
  async open(context) {
    return new RateMicroBatchSource(microBatchOptions(context.options))
  },
}

/** `offset` rows have been given; the next batch's stand at `timestamp`, milliseconds. */
interface Position {
  readonly offset: number
  readonly timestamp: number
}

class RateMicroBatchSource implements Source {
  readonly schema = rateSchema
  readonly description: string
  readonly readLimit: ReadLimit = { kind: 'all' }
  readonly #options: MicroBatchOptions
  #oneBatchOnly = false
  #lastOffset: number | undefined

  constructor(options: MicroBatchOptions) {
    this.#options = options
    this.description = `RatePerMicroBatchStream[rowsPerBatch=${options.rowsPerBatch}, startTimestamp=${options.startMs}, advanceMsPerBatch=${options.advanceMs}]`
  }

  async latestOffset(start: Offset | null): Promise<Offset | null> {
    const { rowsPerBatch, advanceMs } = this.#options
    const from = this.#position(start)
    if (this.#lastOffset !== undefined && from.offset >= this.#lastOffset) return start
    const end: Position = { offset: from.offset + rowsPerBatch, timestamp: from.timestamp + advanceMs }
    if (this.#oneBatchOnly) this.#lastOffset = end.offset
    return end
  }

  async rows(start: Offset | null, end: Offset): Promise<SourceBatch> {
    const from = this.#position(start)
    const to = this.#position(end)
    if (from.offset > to.offset) throw malformedState('OFFSET', `offset ${from.offset}`, `offset ${to.offset}`)
    if (from.timestamp > to.timestamp) throw malformedState('TIMESTAMP', `time ${from.timestamp}`, `time ${to.timestamp}`)
    return {
      kind: 'sql',
      sql: generate(`make_timestamp(CAST(${from.timestamp} AS BIGINT) * 1000)`, BigInt(from.offset), BigInt(to.offset)),
      numRows: to.offset - from.offset,
    }
  }

  /** There is always a next batch; an AvailableNow run takes one, as in Spark. */
  async prepareForAvailableNow(): Promise<void> {
    this.#oneBatchOnly = true
  }
  async commit(): Promise<void> {}
  async stop(): Promise<void> {}

  #position(offset: Offset | null): Position {
    if (offset === null || offset === undefined) return { offset: 0, timestamp: this.#options.startMs }
    const { offset: rows, timestamp } = offset as Partial<Position>
    if (Number.isSafeInteger(rows) && Number.isSafeInteger(timestamp)) return { offset: rows!, timestamp: timestamp! }
    throw new CorruptCheckpointError('MALFORMED_OFFSET', {
      what: `${JSON.stringify(offset)} is not an offset of the rate-micro-batch source, which looks like {"offset":10,"timestamp":1000}`,
      todo: 'start the query with the checkpoint that belongs to it; a source cannot change its kind',
    })
  }
}

function malformedState(part: 'OFFSET' | 'TIMESTAMP', from: string, to: string): CorruptCheckpointError {
  return new CorruptCheckpointError(`MALFORMED_STATE_IN_RATE_PER_MICRO_BATCH_SOURCE.INVALID_${part}`, {
    what: `the batch begins at ${from} and ends at ${to}: the options are not those that the batch was planned with`,
    todo: 'start the query with the startTimestamp that it began with, or with a new checkpoint',
  })
}
