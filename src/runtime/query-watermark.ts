import type { ObservedEventTime, TrackedTime, WatermarkPolicy } from '../operators/watermark-tracker.ts'
import { WatermarkTracker } from '../operators/watermark-tracker.ts'
import { type EventTime, inputsOfNode, type PhysicalNode, type StreamingPlan } from '../planner/streaming-plan.ts'
import type { Offset, Source } from '../sources/source.ts'
import { partitionKey } from './partition-times.ts'

/** The watermark of a running query: what is known of it, and which sources feed which withWatermark. */
export class QueryWatermark {
  readonly #plan: StreamingPlan
  readonly #policy: WatermarkPolicy
  readonly #sources: ReadonlyMap<string, Source>
  /** By the number of the withWatermark. */
  readonly #sourcesBelow: readonly ReadonlySet<string>[]
  #tracker: WatermarkTracker
  #hasResumed = false

  constructor(plan: StreamingPlan, policy: WatermarkPolicy, sources: ReadonlyMap<string, Source>) {
    this.#plan = plan
    this.#policy = policy
    this.#sources = sources
    this.#sourcesBelow = plan.watermarks.map((mark) => sourcesBelow(mark))
    this.#tracker = this.#newTracker(0)
  }

  /** Milliseconds. */
  get currentMs(): number {
    return this.#tracker.currentMs
  }
  /** What the logs keep of it besides; undefined where that is nothing. */
  get kept(): { readonly watermarks: readonly TrackedTime[] } | undefined {
    return this.#tracker.isDurable ? { watermarks: this.#tracker.tracked } : undefined
  }

  /** As a log entry has it. */
  restore(currentMs: number, kept: unknown): void {
    // what another number of watermarks left behind says nothing about these
    const tracked = Array.isArray(kept) && kept.length === this.#plan.watermarks.length ? (kept as TrackedTime[]) : []
    this.#tracker = this.#newTracker(currentMs, tracked)
  }

  /** Before a batch is planned: time has passed, partitions may have come, and of these sources there is something new. */
  passTime(nowMs: number, newSources: ReadonlySet<string>, ends: Readonly<Record<string, Offset | null>>): void {
    if (!this.#tracker.isDurable) return
    if (!this.#hasResumed) this.#tracker.resume(nowMs)
    this.#hasResumed = true
    for (const { index, partitions } of this.#plan.watermarks)
      if (partitions) this.#tracker.expect(index, this.#toldPartitions(index, partitions.names, ends), nowMs)
    this.#tracker.passTime(nowMs, (index) => !this.#sourcesBelow[index]!.isDisjointFrom(newSources))
  }

  /** The batch of that timestamp has run. */
  advance(observed: ReadonlyMap<number, ObservedEventTime>, nowMs: number): number {
    return this.#tracker.advance(this.#together(observed), nowMs)
  }

  /** A withWatermark that stands in the plan several times, under different filters, is one: each has seen what all of them have, as in Spark. */
  #together(observed: ReadonlyMap<number, ObservedEventTime>): ReadonlyMap<number, ObservedEventTime> {
    const byCall = Map.groupBy(this.#plan.watermarks, ({ callId }) => callId)
    if (byCall.size === this.#plan.watermarks.length) return observed
    return new Map(
      [...byCall.values()].flatMap((marks) => {
        const seen = marks.flatMap(({ index }) => observed.get(index) ?? []).filter(({ count }) => count > 0)
        return seen.length === 0 ? [] : marks.map(({ index }) => [index, newestOf(seen)] as const)
      }),
    )
  }

  /** Partitions that sources tell of by the columns that the watermark goes by. */
  #toldPartitions(index: number, names: readonly string[], ends: Readonly<Record<string, Offset | null>>): string[] {
    return [...this.#sourcesBelow[index]!].flatMap((name) => {
      const told = this.#sources.get(name)?.partitions?.(ends[name] ?? null) ?? []
      return told.filter((values) => names.every((each) => each in values)).map((values) => partitionKey(names.map((each) => values[each])))
    })
  }

  #newTracker(startMs: number, tracked: readonly TrackedTime[] = []): WatermarkTracker {
    const specs = this.#plan.watermarks.map(({ delayMs, idleTimeoutMs, partitions }) => ({
      delayMs,
      idleTimeoutMs,
      perPartition: partitions !== undefined,
    }))
    return new WatermarkTracker(specs, this.#policy, startMs, tracked)
  }
}

function newestOf(seen: readonly ObservedEventTime[]): ObservedEventTime {
  const partitions = new Map<string, bigint>()
  for (const each of seen)
    for (const [key, maxUs] of each.partitions ?? []) if (maxUs > (partitions.get(key) ?? maxUs - 1n)) partitions.set(key, maxUs)
  return {
    count: seen.reduce((sum, { count }) => sum + count, 0),
    maxUs: seen.reduce((newest, { maxUs }) => (maxUs > newest ? maxUs : newest), seen[0]!.maxUs),
    ...(partitions.size > 0 && { partitions }),
  }
}

function sourcesBelow(mark: EventTime): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (node: PhysicalNode) => {
    if (node.kind === 'source') found.add(node.source)
    inputsOfNode(node).forEach(visit)
  }
  visit(mark)
  return found
}
