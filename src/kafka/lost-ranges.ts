import { InvalidQueryError } from '../base/errors.ts'
import type { SourceContext } from '../sources/provider.ts'

/** Records that were due and can't be read. */
export interface LostRange {
  readonly topic: string
  readonly partition: number
  /** The first offset that is missing. */
  readonly from: number
  /** Behind the last one. */
  readonly until: number
  readonly why: string
}

/** More than a batch has; of a range that is told twice the worst is a second line. */
const mostTold = 10_000

type Checkpoint = Pick<SourceContext, 'metadataFolder' | 'files' | 'warn'>
type Kind = 'COULD_NOT_READ_OFFSET_RANGE' | 'PARTITIONS_DELETED' | 'START_OFFSET_RESET' | 'ADDED_PARTITION_DOES_NOT_START_FROM_OFFSET_ZERO'

/** Spark's codes for what an AvailableNow run had in view when it began and finds gone. */
export type AvailableNowLoss =
  | 'LOST_TOPIC_PARTITIONS_IN_END_OFFSET_WITH_TRIGGER_AVAILABLENOW'
  | 'END_OFFSET_HAS_GREATER_OFFSET_FOR_TOPIC_PARTITION_THAN_LATEST_WITH_TRIGGER_AVAILABLENOW'

/** What becomes of records that are gone: the query stops, or (failOnDataLoss = false) they are written down in the checkpoint and left out. */
export class LostRanges {
  readonly #context: Checkpoint | undefined
  readonly #fails: boolean
  /** A batch that is begun again reads its ranges once more. */
  readonly #told = new Set<string>()
  #written = 0
  #ranges = 0
  #records = 0
  /** Without a checkpoint nothing is written. */
  constructor(context: Checkpoint | undefined, fails: boolean) {
    this.#context = context
    this.#fails = fails
  }

  /** `code`: the error's, where `kind` does not say it. */
  async report(kind: Kind, ranges: readonly LostRange[], code?: AvailableNowLoss): Promise<void> {
    if (ranges.length === 0) return
    if (this.#fails) throw dataLoss(code ?? kind, ranges.map(describe).join('; '))
    const news = kind === 'COULD_NOT_READ_OFFSET_RANGE' ? ranges.filter((range) => this.#isNew(range)) : ranges
    if (news.length === 0) return
    this.#ranges += news.length
    for (const { from, until } of news) this.#records += until - from
    this.#context?.warn?.(`${news.map(describe).join('; ')}: left out, as failOnDataLoss = false says`)
    if (this.#context) await this.#write(this.#context, kind, news)
  }

  #isNew({ topic, partition, from, until }: LostRange): boolean {
    if (this.#told.size >= mostTold) this.#told.clear()
    return this.#told.size < this.#told.add(`${topic}-${partition} ${from} ${until}`).size
  }

  metrics(): Record<string, string> {
    return this.#ranges === 0 ? {} : { lostRanges: String(this.#ranges), lostOffsets: String(this.#records) }
  }

  /** `sources/<name>/lost/<n>`: for whoever wants to know what is missing in the results. */
  async #write({ files, metadataFolder }: Checkpoint, kind: Kind, ranges: readonly LostRange[]): Promise<void> {
    const lines = ranges.map((range) => `${JSON.stringify({ kind, ...range })}\n`).join('')
    while (!(await files.createExclusive(`${metadataFolder}/lost/${this.#written++}`, `v1\n${lines}`)));
  }
}

function describe({ topic, partition, from, until, why }: LostRange): string {
  if (until === from) return `what came behind offset ${from - 1} of ${topic}-${partition} may be lost: ${why}`
  const offsets = until - from === 1 ? `offset ${from}` : `offsets ${from} to ${until - 1}`
  return `${offsets} of ${topic}-${partition} are lost: ${why}`
}

function dataLoss(kind: Kind | AvailableNowLoss, what: string): InvalidQueryError {
  const todo =
    "records may have aged out (retention) or their topic may have been deleted and made anew. To go on without them set option('failOnDataLoss', false): what is left out is then written down in the checkpoint"
  switch (kind) {
    case 'COULD_NOT_READ_OFFSET_RANGE':
      return new InvalidQueryError('KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE', { what: `records are gone: ${what}`, todo })
    case 'PARTITIONS_DELETED':
      return new InvalidQueryError('KAFKA_DATA_LOSS.PARTITIONS_DELETED', { what: `partitions were deleted: ${what}`, todo })
    case 'START_OFFSET_RESET':
      return new InvalidQueryError('KAFKA_DATA_LOSS.START_OFFSET_RESET', { what: `partitions begin anew: ${what}`, todo })
    case 'ADDED_PARTITION_DOES_NOT_START_FROM_OFFSET_ZERO':
      return new InvalidQueryError('KAFKA_DATA_LOSS.ADDED_PARTITION_DOES_NOT_START_FROM_OFFSET_ZERO', {
        what: `partitions came without their first records: ${what}`,
        todo,
      })
    case 'LOST_TOPIC_PARTITIONS_IN_END_OFFSET_WITH_TRIGGER_AVAILABLENOW':
      return new InvalidQueryError('LOST_TOPIC_PARTITIONS_IN_END_OFFSET_WITH_TRIGGER_AVAILABLENOW', {
        what: `partitions were deleted while the run with availableNow read them: ${what}`,
        todo,
      })
    case 'END_OFFSET_HAS_GREATER_OFFSET_FOR_TOPIC_PARTITION_THAN_LATEST_WITH_TRIGGER_AVAILABLENOW':
      return new InvalidQueryError('END_OFFSET_HAS_GREATER_OFFSET_FOR_TOPIC_PARTITION_THAN_LATEST_WITH_TRIGGER_AVAILABLENOW', {
        what: `partitions end before the offsets that the run with availableNow found when it began: ${what}`,
        todo,
      })
  }
}
