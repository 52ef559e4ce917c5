import { InvalidQueryError } from '../base/errors.ts'

/** `spark.sql.streaming.multipleWatermarkPolicy`. */
export type WatermarkPolicy = 'min' | 'max'

/** One withWatermark. */
export interface WatermarkSpec {
  readonly delayMs: number
  /** How long it may see no rows before it is idle; absent: it never is. */
  readonly idleTimeoutMs?: number | undefined
  /** Whether its rows tell their partition, each of which has a watermark of its own. */
  readonly perPartition?: boolean
}

/** What one watermark operator saw in one batch. */
export interface ObservedEventTime {
  /** Rows; with 0 the other value means nothing. */
  readonly count: number
  /** Newest event time in microseconds. */
  readonly maxUs: bigint
  /** The newest of each partition, where the operator tells them apart. */
  readonly partitions?: ReadonlyMap<string, bigint>
}

/** What is known of an operator or a partition; kept in the checkpoint where idle times or partitions are used. */
export interface SeenTime {
  /** Newest event time in whole milliseconds; null before the first row. */
  readonly maxMs: number | null
  /** When the last rows came, by the timestamps of batches; null before the first batch. */
  readonly seenMs: number | null
}
export interface TrackedTime extends SeenTime {
  /** The global watermark at that time. */
  readonly thenMs: number
  readonly partitions?: Readonly<Record<string, SeenTime>>
}

/** So many partitions of one operator are told apart; beyond it idle ones are forgotten. */
export const maxPartitions = 1000

interface Tracked {
  maxMs: number | null
  seenMs: number | null
  thenMs: number
  readonly partitions: Map<string, { maxMs: number | null; seenMs: number | null }>
}

/**
 * The one global watermark of a query. Each operator's own is the newest event time it has seen, in whole milliseconds rounded down,
 * less its delay; the policy makes one of them; it never goes back. An operator without data so far counts as 0.
 *
 * Beyond Spark, where it was asked for: an operator's watermark is the least of its partitions'; an operator or partition that has seen no rows for its
 * idleTimeout holds nothing back; and when all operators are idle, the watermark goes on with the clock from where the furthest one's stood when its last rows came.
 * Time is that of batches (`nowMs`), so a replay decides the same.
 *
 * Without those only the global value is kept in the checkpoint, so after a restart the operators start anew (as in Spark; case A12).
 */
export class WatermarkTracker {
  readonly #specs: readonly WatermarkSpec[]
  readonly #policy: WatermarkPolicy
  readonly #tracked: Tracked[]
  #currentMs: number
  constructor(specs: readonly WatermarkSpec[], policy: WatermarkPolicy, startMs = 0, tracked: readonly TrackedTime[] = []) {
    this.#specs = specs
    this.#policy = policy
    this.#tracked = specs.map((_, i) => restored(tracked[i]))
    this.#currentMs = startMs
  }
  /** The global watermark, milliseconds. */
  get currentMs(): number {
    return this.#currentMs
  }
  /** Whether what it knows must be kept in the checkpoint. */
  get isDurable(): boolean {
    return this.#specs.some(({ idleTimeoutMs, perPartition }) => idleTimeoutMs !== undefined || perPartition)
  }
  get #hasIdleTimeouts(): boolean {
    return this.#specs.some(({ idleTimeoutMs }) => idleTimeoutMs !== undefined)
  }
  /** What it knows, operator by operator. */
  get tracked(): readonly TrackedTime[] {
    return this.#tracked.map(({ maxMs, seenMs, thenMs, partitions }, i) => ({
      maxMs,
      seenMs,
      thenMs,
      ...(this.#specs[i]!.perPartition && { partitions: Object.fromEntries([...partitions].map(([key, seen]) => [key, { ...seen }])) }),
    }))
  }

  /** A run begins: time that passed while nobody looked makes nothing idle. */
  resume(nowMs: number): void {
    for (const operator of this.#tracked) {
      operator.seenMs = nowMs
      operator.thenMs = this.#currentMs
      for (const partition of operator.partitions.values()) partition.seenMs = nowMs
    }
  }

  /** Partitions that there are, whether rows of them have come or not: until then they count as 0, unless they are idle. */
  expect(index: number, partitions: readonly string[], nowMs: number): void {
    const known = this.#tracked[index]!.partitions
    for (const key of partitions) if (!known.has(key)) known.set(key, { maxMs: null, seenMs: nowMs })
  }

  /** Takes in what each operator saw in the batch of that timestamp (by its number; absent means no rows), and gives the new watermark. */
  advance(observed: ReadonlyMap<number, ObservedEventTime>, nowMs: number): number {
    if (this.#specs.length === 0) return this.#currentMs
    for (const [index, operator] of this.#tracked.entries()) this.#take(operator, this.#specs[index]!, observed.get(index), nowMs)
    this.#rise(this.#combine(nowMs, () => false))
    for (const operator of this.#tracked) if (operator.seenMs === nowMs) operator.thenMs = this.#currentMs
    return this.#currentMs
  }

  /**
   * Before a batch is planned: takes in that time has passed. `hasNews`: operators whose sources have something new, which are not idle. While all are idle
   * the watermark moves in steps of the least idleTimeout.
   */
  passTime(nowMs: number, hasNews: (index: number) => boolean): number {
    if (!this.#hasIdleTimeouts) return this.#currentMs
    for (const operator of this.#tracked) operator.seenMs ??= nowMs
    return this.#rise(this.#combine(nowMs, hasNews))
  }

  #rise(toMs: number): number {
    this.#currentMs = Math.max(this.#currentMs, toMs)
    return this.#currentMs
  }

  #take(operator: Tracked, { perPartition, idleTimeoutMs }: WatermarkSpec, seen: ObservedEventTime | undefined, nowMs: number): void {
    operator.seenMs ??= nowMs
    if (!seen || seen.count === 0) return
    operator.maxMs = Math.max(operator.maxMs ?? Number.NEGATIVE_INFINITY, floorToMs(seen.maxUs))
    operator.seenMs = Math.max(operator.seenMs, nowMs)
    if (!perPartition) return
    for (const [key, maxUs] of seen.partitions ?? []) {
      const before = operator.partitions.get(key)
      operator.partitions.set(key, {
        maxMs: Math.max(before?.maxMs ?? Number.NEGATIVE_INFINITY, floorToMs(maxUs)),
        seenMs: Math.max(before?.seenMs ?? nowMs, nowMs),
      })
    }
    forgetIdle(operator, idleTimeoutMs, nowMs)
  }

  #combine(nowMs: number, hasNews: (index: number) => boolean): number {
    const awake = this.#specs.flatMap((spec, i) =>
      hasNews(i) || !isIdle(this.#tracked[i]!, spec.idleTimeoutMs, nowMs) ? [ownWatermark(this.#tracked[i]!, spec, nowMs)] : [],
    )
    if (awake.length > 0) return this.#policy === 'min' ? Math.min(...awake) : Math.max(...awake)
    const runOn = this.#specs.flatMap(({ delayMs }, i) => {
      const { maxMs, seenMs, thenMs } = this.#tracked[i]!
      return maxMs === null || seenMs === null ? [] : [Math.max(maxMs - delayMs, thenMs) + (nowMs - seenMs)]
    })
    const stepMs = Math.min(...this.#specs.map(({ idleTimeoutMs }) => idleTimeoutMs ?? Number.POSITIVE_INFINITY))
    const toMs = Math.max(...runOn)
    return toMs - this.#currentMs >= stepMs ? toMs : this.#currentMs
  }
}

function restored(tracked: TrackedTime | undefined): Tracked {
  const partitions = Object.entries(tracked?.partitions ?? {}).map(([key, seen]) => [key, { ...seen }] as const)
  return { maxMs: tracked?.maxMs ?? null, seenMs: tracked?.seenMs ?? null, thenMs: tracked?.thenMs ?? 0, partitions: new Map(partitions) }
}

function isIdle({ seenMs }: SeenTime, idleTimeoutMs: number | undefined, nowMs: number): boolean {
  return idleTimeoutMs !== undefined && seenMs !== null && nowMs - seenMs >= idleTimeoutMs
}

/** Without rows so far it is 0. Where all partitions are idle, none of them is behind the others. */
function ownWatermark({ maxMs, partitions }: Tracked, { delayMs, idleTimeoutMs, perPartition }: WatermarkSpec, nowMs: number): number {
  if (maxMs === null) return 0
  if (!perPartition) return maxMs - delayMs
  const awake = [...partitions.values()].filter((partition) => !isIdle(partition, idleTimeoutMs, nowMs))
  if (awake.length === 0) return maxMs - delayMs
  return Math.min(...awake.map((partition) => (partition.maxMs === null ? 0 : partition.maxMs - delayMs)))
}

/** An idle partition holds nothing back, and starts anew when it comes again. */
function forgetIdle({ partitions }: Tracked, idleTimeoutMs: number | undefined, nowMs: number): void {
  if (partitions.size <= maxPartitions) return
  const idle = [...partitions].filter(([, partition]) => isIdle(partition, idleTimeoutMs, nowMs))
  idle.sort(([, a], [, b]) => a.seenMs! - b.seenMs!)
  for (const [key] of idle.slice(0, partitions.size - maxPartitions)) partitions.delete(key)
  if (partitions.size <= maxPartitions) return
  throw new InvalidQueryError('WATERMARK_PARTITIONS_EXCEEDED', {
    what: `the columns of perPartition have told ${partitions.size} partitions apart that are not idle, and a watermark follows at most ${maxPartitions}`,
    todo: 'take columns with few values, such as the partition of a topic; with an idleTimeout those that have gone quiet are forgotten',
  })
}

function floorToMs(us: bigint): number {
  const ms = us / 1000n
  return Number(us % 1000n < 0n ? ms - 1n : ms)
}
