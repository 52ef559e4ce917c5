import { FencedError, InvalidQueryError } from '../base/errors.ts'
import type { CommitEntry, OffsetEntry, StagedEntry } from '../checkpoint/checkpoint.ts'
import { decideStart } from '../checkpoint/decide-start.ts'
import { emptyColumns } from '../data/column-batch.ts'
import type { BatchWatermarks } from '../operators/step.ts'
import { propagateWatermark } from '../operators/watermark-propagation.ts'
import type { StatefulNode } from '../planner/streaming-plan.ts'
import type { QueryProgress } from '../query/query-progress.ts'
import type { BatchStep } from '../query/steps.ts'
import type { Offset, ReadLimit, Source } from '../sources/source.ts'
import type { SqlBatch } from '../sql/sql-batch.ts'
import type { QueryState } from '../state/state-store.ts'
import { type Delivery, deliverBatch } from './deliver-batch.ts'
import { Evaluation } from './evaluate.ts'
import type { ExecutionParts } from './execution-parts.ts'
import { mayBeOfRow, PlainRuns } from './plain-runs.ts'
import { ProgressReporter } from './progress-reporter.ts'
import { QueryWatermark } from './query-watermark.ts'
import { type AheadBatch, type BatchRange, ReadAhead, readAheadOf } from './read-ahead.ts'
import { originOf, readPlain, readSource, withOrigin } from './read-source.ts'
import { SetAside } from './set-aside.ts'
import { checkReplayedSources, checkSources, latestOffsets, noOffsets, sameOffset } from './source-offsets.ts'
import { StateUpkeep } from './state-upkeep.ts'
import { closeSteps } from './stateful-steps.ts'
import { nextBatchTimeMs, Pace } from './triggers.ts'

/** A batch that stands in the offset log and is not committed. */
interface PlannedBatch {
  readonly entry: OffsetEntry
  readonly isReplay: boolean
  /** Resolves when the entry is durable. Rows may be read and computed before; nothing may leave the process. */
  readonly logged: Promise<void>
  /** Where its rows have been read before. */
  readonly ahead: AheadBatch | null
}

/** Clocks are set right by a little all the time. */
const clockToleranceMs = 1000

/** Thrown inside the loop by stop() without drain; never leaves this file. */
class Abandoned extends Error {}

/**
 * Runs a streaming query batch by batch. It alone knows the order of the durable steps:
 * offsets/N → source.commit(N−1) → run → state N+1 → sink commit N → commits/N. After a crash the last planned batch is run again
 * with what its offsets entry says; everything between must therefore count once however often it is done (docs/architecture.md).
 */
export class MicroBatchExecution {
  readonly #parts: ExecutionParts
  readonly #abort = new AbortController()
  readonly #reporter: ProgressReporter
  readonly #watermark: QueryWatermark
  #state: QueryState | null = null
  #upkeep: StateUpkeep | null = null
  readonly #plainRuns: PlainRuns
  #batchId = 0
  /** End offsets of the batch before the next one. */
  #start: Record<string, Offset | null> = {}
  #planned: PlannedBatch | null = null
  readonly #readAhead: ReadAhead | null
  /** The watermark of the batch before: by it the next batch judges lateness. */
  #previousWatermarkMs = 0
  /** What the last batch of this run evicted by; undefined before the first, so that a restart alone causes no batch. */
  #evictedByMs: number | undefined
  /** Of the last batch, of this run or the one before. */
  #lastTimestampMs = Number.NEGATIVE_INFINITY
  #stopping = false
  #abandon = false
  /** Of the batch that runs. */
  #batchWatermarks: (operatorId: number) => BatchWatermarks = () => ({ lateUs: null, evictionUs: null })
  /** When the last progress was made, idle ones included; null before the first. */
  #lastProgressMs: number | null = null
  #message = 'Initializing sources'
  #isDataAvailable = false
  /** Rises with every look at the sources that found nothing. */
  #quietTriggers = 0
  #quietWaiters: { readonly after: number; readonly resolve: () => void }[] = []

  constructor(parts: ExecutionParts) {
    this.#parts = parts
    this.#plainRuns = new PlainRuns(parts.plan, parts.setAside, parts.outputs !== undefined)
    const readFirst = readAheadOf(parts)
    this.#readAhead = readFirst && new ReadAhead(readFirst, (batchId, start) => this.#openNext(batchId, start))
    this.#watermark = new QueryWatermark(parts.plan, parts.settings.watermarkPolicy, parts.sources)
    this.#reporter = new ProgressReporter(parts.identity, parts.plan, parts.sources, parts.sink, parts.clock, (name) =>
      parts.limits.metricsOf(name),
    )
  }

  get isTriggerActive(): boolean {
    return this.#reporter.isTriggerActive
  }
  /** What the loop is doing, in Spark's words. */
  get message(): string {
    return this.#message
  }
  /** Whether the last look at the sources found something new. */
  get isDataAvailable(): boolean {
    return this.#isDataAvailable
  }

  /** Ends the loop after the current batch, or (drain false) at its next step or between two calls of the program's functions, leaving the batch to the next start. */
  stop(drain: boolean): void {
    this.#stopping = true
    if (!drain) this.#abandon = true
    this.#parts.wake.wake()
    this.#abort.abort()
  }

  /** Resolves when a look at all sources that began after this call has found nothing new. */
  untilQuiet(): Promise<void> {
    this.#parts.wake.wake()
    // the trigger that runs now may have looked before the caller added data, so the one after it counts
    const after = this.#quietTriggers + (this.#reporter.isTriggerActive ? 1 : 0)
    return new Promise((resolve) => this.#quietWaiters.push({ after, resolve }))
  }

  /** Reads the logs and loads the state. Must be called once, before run(). */
  async recover(): Promise<void> {
    const { checkpoint, openState } = this.#parts
    const planned = await checkpoint.offsets.latest()
    const committed = await checkpoint.commits.latest()
    const decision = decideStart(planned?.batchId, committed?.batchId)
    this.#batchId = decision.batchId
    if (planned) {
      this.#lastTimestampMs = planned.entry.batchTimestampMs
      checkSources(planned.entry, this.#parts.sources, checkpoint.folder)
      // openCheckpoint has made sure that it is there, but for batch 0
      const before = await checkpoint.offsets.get(planned.batchId - 1)
      if (decision.kind === 'replay') {
        this.#isDataAvailable = Object.keys(planned.entry.sources).some(
          (name) => !sameOffset(planned.entry.sources[name], before?.sources[name]),
        )
        if (decision.missingCommits > 0)
          this.#parts.warn(
            `the commit log ends ${decision.missingCommits + 1} batches before the offset log; only batch ${planned.batchId} is run again`,
          )
        checkReplayedSources(this.#batchId, planned.entry, this.#parts.sources, before?.sources ?? {})
        this.#planned = { entry: planned.entry, isReplay: true, logged: Promise.resolve(), ahead: null }
        this.#start = { ...noOffsets(this.#parts.sources), ...before?.sources }
        this.#previousWatermarkMs = before?.batchWatermarkMs ?? 0
        this.#watermark.restore(planned.entry.batchWatermarkMs, planned.entry.watermarks)
      } else {
        this.#start = { ...noOffsets(this.#parts.sources), ...planned.entry.sources }
        this.#previousWatermarkMs = planned.entry.batchWatermarkMs
        const watermarkMs = Math.max(planned.entry.batchWatermarkMs, committed?.entry.nextBatchWatermarkMs ?? 0)
        this.#watermark.restore(watermarkMs, committed?.entry.watermarks)
      }
    } else this.#start = noOffsets(this.#parts.sources)
    this.#state = openState ? await openState(this.#batchId) : null
    this.#upkeep = this.#state && new StateUpkeep(this.#state)
  }

  /** Runs until the trigger has no more to do or stop() is called. Rejects with what broke the query. */
  async run(): Promise<void> {
    try {
      const { trigger } = this.#parts
      if (trigger.kind === 'processing-time') await this.#runPeriodically(trigger.intervalMs)
      else if (trigger.kind === 'once' || !this.#allCanFreeze()) await this.#runOnce()
      else await this.#runAvailableNow()
      await this.#upkeep?.finish()
    } catch (error) {
      if (!(error instanceof Abandoned)) throw await this.#reasonOf(error)
    }
  }

  /** A run that took over removes and writes what this one counts on: whatever failed here, that is then the reason, and the other run is named. */
  async #reasonOf(error: unknown): Promise<unknown> {
    try {
      await this.#parts.checkpoint.checkFence()
    } catch (superseded) {
      if (superseded instanceof FencedError) return superseded
    }
    return error
  }

  /** Lets go of state, sources and sink, whatever state they are in. */
  async close(): Promise<void> {
    const { plan, sources, sink, setAside } = this.#parts
    await this.#readAhead?.close()
    const closing = [
      ...[...sources.values()].map((source) => source.stop()),
      sink.stop(),
      setAside?.outputs.stop(),
      this.#state?.close(),
      closeSteps(plan.stateful),
    ]
    const results = await Promise.allSettled(closing)
    for (const waiter of this.#quietWaiters.splice(0)) waiter.resolve()
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  async #runPeriodically(intervalMs: number): Promise<void> {
    const { clock, settings, warn } = this.#parts
    const pace = new Pace(intervalMs, warn)
    while (!this.#stopping) {
      const startMs = clock.nowMs()
      const ran = await this.#trigger({ limited: true, noDataBatches: settings.noDataMicroBatches })
      pace.took(clock.nowMs() - startMs)
      if (this.#stopping) return
      // a clock that has gone back makes the next trigger no later than an interval from now
      if (intervalMs > 0) await this.#idleUntil(Math.min(nextBatchTimeMs(startMs, intervalMs), clock.nowMs() + intervalMs))
      else if (!ran) await this.#parts.wake.wait(settings.pollingDelayMs)
    }
  }

  async #idleUntil(timeMs: number): Promise<void> {
    this.#message = 'Waiting for next trigger'
    await this.#parts.clock.sleepUntil(timeMs, this.#abort.signal)
  }

  async #runAvailableNow(): Promise<void> {
    for (const source of this.#parts.sources.values()) await source.prepareForAvailableNow?.()
    while (!this.#stopping && (await this.#trigger({ limited: true, noDataBatches: this.#parts.settings.noDataMicroBatches }))) {
      // until nothing is left, the no-data batch included
    }
  }

  async #runOnce(): Promise<void> {
    if (!this.#stopping) await this.#trigger({ limited: false, noDataBatches: false })
  }

  #allCanFreeze(): boolean {
    return [...this.#parts.sources.values()].every((source) => source.prepareForAvailableNow !== undefined)
  }

  /** One look at the sources, and the batch that follows from it. Gives whether there was one. */
  async #trigger(how: { readonly limited: boolean; readonly noDataBatches: boolean }): Promise<boolean> {
    const { clock, onProgress } = this.#parts
    this.#reporter.startTrigger()
    let planned: PlannedBatch | null
    try {
      planned = this.#planned ?? (await this.#constructNextBatch(how.limited, how.noDataBatches))
      await (planned ? this.#runBatch(planned) : this.#upkeep?.finish())
    } catch (error) {
      // whatever failed beside it, the log entry is written or refused before anything is closed
      await Promise.allSettled([this.#planned?.logged])
      this.#reporter.endTrigger()
      throw error
    }
    const progress = this.#reporter.endTrigger()
    if (progress) {
      this.#lastProgressMs = clock.nowMs()
      onProgress(progress)
    }
    if (!planned) this.#quiet()
    this.#message = planned ? 'Waiting for next trigger' : 'Waiting for data to arrive'
    return planned !== null
  }

  #quiet(): void {
    this.#reportIdleness()
    this.#quietTriggers++
    const due = this.#quietWaiters.filter((waiter) => this.#quietTriggers > waiter.after)
    this.#quietWaiters = this.#quietWaiters.filter((waiter) => this.#quietTriggers <= waiter.after)
    for (const waiter of due) waiter.resolve()
  }

  /** At once where this run has made no progress yet, then once an interval. */
  #reportIdleness(): void {
    const { clock, settings, onIdle } = this.#parts
    const nowMs = clock.nowMs()
    if (this.#lastProgressMs !== null && nowMs - this.#lastProgressMs < settings.noDataProgressEventIntervalMs) return
    const isFirst = this.#lastProgressMs === null
    this.#lastProgressMs = nowMs
    onIdle(this.#reporter.idleProgress({ batchId: this.#batchId, offsets: this.#start, watermarkMs: this.#watermark.currentMs }), isFirst)
  }

  /** Asks the sources for the end of the next batch and, where there is one to run, writes it down before anything else happens. */
  async #constructNextBatch(limited: boolean, noDataBatches: boolean): Promise<PlannedBatch | null> {
    const { limits, pinnedConf, sources } = this.#parts
    const limitOf = (name: string, source: Source): ReadLimit => {
      this.#message = `Getting offsets from ${source.description}`
      return limited ? limits.limitOf(name, source) : { kind: 'all' }
    }
    const ahead = this.#readAhead && (await this.#readAhead.take())
    const end = ahead?.end ?? (await this.#reporter.time('latestOffset', () => latestOffsets(sources, this.#start, limitOf)))
    const newSources = new Set([...sources.keys()].filter((name) => !sameOffset(end[name], this.#start[name])))
    const isNew = newSources.size > 0
    this.#isDataAvailable = isNew
    if (isNew || (noDataBatches && this.#holdsRows())) this.#passTime(newSources, end)
    if (!isNew && !(noDataBatches && this.#needsNoDataBatch())) return null
    const entry: OffsetEntry = {
      batchWatermarkMs: this.#watermark.currentMs,
      batchTimestampMs: ahead?.batchTimestampMs ?? this.#batchTimestampMs(),
      conf: pinnedConf,
      // with those of sources that were removed: under its name one goes on from where it stood
      sources: { ...this.#start, ...end },
      ...this.#watermark.kept,
    }
    const logged = this.#writeAhead(entry)
    // runBatch waits for it; until then a failure is nobody's
    logged.catch(() => {})
    this.#planned = { entry, isReplay: false, logged, ahead }
    return this.#planned
  }

  /** What time alone does to the watermark is news, after a restart too. */
  #passTime(newSources: ReadonlySet<string>, end: Readonly<Record<string, Offset | null>>): void {
    const beforeMs = this.#watermark.currentMs
    this.#watermark.passTime(this.#parts.clock.nowMs(), newSources, end)
    if (this.#watermark.currentMs > beforeMs) this.#evictedByMs ??= beforeMs
  }

  #batchTimestampMs(): number {
    const [nowMs, beforeMs] = [this.#parts.clock.nowMs(), this.#lastTimestampMs]
    this.#lastTimestampMs = nowMs
    if (nowMs < beforeMs - clockToleranceMs) {
      this.#parts.warn(
        `the clock went back from ${new Date(beforeMs).toISOString()} to ${new Date(nowMs).toISOString()}: current_timestamp() does too; watermarks and what was committed stay as they are`,
      )
    }
    return nowMs
  }

  async #writeAhead(entry: OffsetEntry): Promise<void> {
    const { checkpoint } = this.#parts
    await this.#reporter.time('walCommit', () =>
      this.#step('offset-log/write', async () => {
        await checkpoint.offsets.add(this.#batchId, entry)
      }),
    )
    await this.#step('source/commit', () => this.#commitSources())
    await this.#purgeLogs()
  }

  /** A stateful operator wants to evict by a watermark that it has not seen yet, or looks at the clock. */
  #needsNoDataBatch(): boolean {
    const { plan } = this.#parts
    if (plan.stateful.some((operator) => operator.noDataBatches === 'when-due' && this.#isDue(operator))) return true
    if (this.#evictedByMs === undefined || plan.stateful.length === 0) return false
    if (this.#watermark.currentMs <= this.#evictedByMs) return false
    const before = propagateWatermark(plan.root, this.#evictedByMs)
    const next = propagateWatermark(plan.root, this.#watermark.currentMs)
    return plan.stateful.some(
      ({ operatorId, noDataBatches }) => noDataBatches === 'when-watermark-moves' && next.get(operatorId)! > before.get(operatorId)!,
    )
  }

  /** Whether a stateful operator has anything that the watermark may bring out. */
  #holdsRows(): boolean {
    return this.#parts.plan.stateful.some(
      ({ noDataBatches, operatorId, stores }) =>
        noDataBatches !== 'never' && stores.some(({ name }) => this.#state!.store(operatorId, name).numRows > 0),
    )
  }

  /** The time has come of a timeout, a timer or a value's end: also where it came while the query was down. */
  #isDue(operator: StatefulNode): boolean {
    // timeouts come after their time, timers and ends at it
    const isTimeout = operator.kind === 'groups' && operator.function.kind === 'group-function'
    const nowUs = BigInt(this.#parts.clock.nowMs()) * 1000n - (isTimeout ? 1n : 0n)
    return operator.stores.some(({ name, schema }) => {
      if (schema.eventTime === null) return false
      const earliestUs = this.#state!.store(operator.operatorId, name).earliestTime?.()
      return earliestUs === undefined || (earliestUs !== null && earliestUs <= nowUs)
    })
  }

  /** With batch N in the log, nobody asks for the rows of N−1 again. */
  async #commitSources(): Promise<void> {
    for (const [name, source] of this.#parts.sources) {
      const offset = this.#start[name]
      if (offset !== null && offset !== undefined) await source.commit(offset)
    }
  }

  async #purgeLogs(): Promise<void> {
    const { checkpoint, settings } = this.#parts
    const oldest = this.#batchId - settings.minBatchesToRetain
    if (oldest <= 0) return
    await checkpoint.offsets.purgeBelow(oldest)
    await checkpoint.commits.purgeBelow(oldest)
  }

  /** The batch after one whose rows have been read and whose log entry is written; null where there is none. */
  async #openNext(batchId: number, start: BatchRange['start']): Promise<Omit<AheadBatch, 'reading'> | null> {
    if (this.#stopping || this.#batchId !== batchId - 1) return null
    this.#reporter.holdSources()
    const end = { ...start, ...(await latestOffsets(this.#parts.sources, start, (_, source) => source.readLimit)) }
    if (Object.keys(end).every((name) => sameOffset(end[name], start[name]))) return null
    const range = { batchId, start, end, batchTimestampMs: this.#batchTimestampMs() }
    const sql = await this.#parts.beginBatch({ batchTimestampMs: range.batchTimestampMs, salt: this.#parts.salt })
    return { ...range, sql, evaluation: this.#evaluate(sql, range, undefined, false) }
  }

  async #runBatch({ entry, isReplay, logged, ahead }: PlannedBatch): Promise<void> {
    const { beginBatch, checkpoint, salt } = this.#parts
    this.#message = this.#isDataAvailable ? 'Processing new data' : 'No new data but cleaning up state'
    this.#reporter.startBatch({ batchId: this.#batchId, start: this.#start, entry, isReplay })
    this.#batchWatermarks = this.#watermarksOf(entry.batchWatermarkMs)
    const range = { batchId: this.#batchId, start: this.#start, end: entry.sources, batchTimestampMs: entry.batchTimestampMs }
    const begin = async (isPlain: boolean) => {
      if (ahead) return { sql: ahead.sql, setAside: undefined, evaluation: ahead.evaluation, isPlain: false }
      const sql = await beginBatch({ batchTimestampMs: entry.batchTimestampMs, salt })
      const setAside = this.#setAside(sql, entry)
      return { sql, setAside, evaluation: this.#evaluate(sql, range, setAside, isPlain), isPlain }
    }
    const isTried = this.#plainRuns.isDue
    let batch = await begin(isTried)
    const run = async () => {
      try {
        return await this.#run(batch.sql, batch.evaluation, batch.setAside)
      } catch (error) {
        if (!batch.evaluation.mayBeginAgain || !mayBeOfRow(error)) throw error
        await batch.sql.close()
        batch = await begin(false)
        return this.#run(batch.sql, batch.evaluation, batch.setAside)
      }
    }
    const readAhead = this.#readAhead
    if (readAhead) {
      const reading = ahead?.reading ?? readAhead.read(batch.evaluation)
      // the rows of a batch that was read ahead have been asked for long since
      Promise.all([ahead ? null : reading, logged]).then(
        () => readAhead.begin(range.batchId + 1, entry.sources, reading),
        () => {}, // the batch fails with it
      )
    }
    let staged: Promise<StagedEntry> | undefined
    let committed: CommitEntry | undefined
    try {
      const delivery = await this.#reporter.time('addBatch', async () => {
        // the disk writes the log entry while the rows are read: neither needs the other, and everything after needs both
        const [ran, log] = await Promise.allSettled([this.#step('batch/run', run), logged])
        if (log.status === 'rejected') throw log.reason
        if (ran.status === 'rejected') throw ran.reason
        await batch.setAside?.checkLimits()
        const watermarkMs = this.#watermark.advance(batch.evaluation.record.eventTimes, entry.batchTimestampMs)
        // the entry that will say that the batch is done waits for its name, on a disk that is busy with the state anyway
        committed = { nextBatchWatermarkMs: watermarkMs, epoch: checkpoint.epoch, ...this.#watermark.kept }
        staged = checkpoint.commits.stage(this.#batchId, committed)
        staged.catch(() => {}) // asked for below
        const [result, state] = await Promise.allSettled([this.#workAhead(batch.sql, ran.value, batch.setAside), this.#commitState()])
        if (state.status === 'rejected') throw state.reason
        if (result.status === 'rejected') throw result.reason
        return ran.value
      })
      const { sql, setAside, evaluation, isPlain } = batch
      this.#plainRuns.finished(isTried, !isPlain)
      const commit = await this.#reporter.time('addBatch', () =>
        this.#step('sink/commit', () => deliverBatch(this.#parts, sql, delivery, setAside)),
      )
      const inputRows = await sql.inputRows()
      this.#reporter.finishBatch({
        commit,
        record: evaluation.record,
        inputRows,
        readCounts: sql.readCounts(),
        state: this.#state,
        sideOutputs: this.#parts.setAside?.outputs.progress as QueryProgress['sideOutputs'],
        books: setAside ? setAside.books(evaluation.record.books, inputRows) : booksOf(evaluation),
      })
      await this.#reporter.time('commitOffsets', () => this.#step('commit-log/write', async () => (await staged!).publish()))
      staged = undefined
      this.#parts.history?.add({ batchId: this.#batchId, offsets: entry, commit: committed!, before: this.#start })
      this.#parts.limits.finished(inputRows, this.#reporter.elapsedMs)
    } finally {
      await staged?.then(
        (entry) => entry.drop(),
        () => {},
      )
      await batch.sql.close()
    }
    this.#start = { ...entry.sources }
    this.#previousWatermarkMs = entry.batchWatermarkMs
    this.#evictedByMs = entry.batchWatermarkMs
    this.#planned = null
    this.#batchId++
    this.#upkeep?.due()
    await this.#parts.sink.maintain?.()
    await this.#parts.setAside?.outputs.maintain()
  }

  async #run(sql: SqlBatch, evaluation: Evaluation, setAside: SetAside | undefined): Promise<Delivery> {
    const { outputs, plan, sink, warn } = this.#parts
    const relation = await evaluation.relationOf(plan.root)
    const keepsDeadLetters = setAside?.deadLetters !== undefined
    const batch = {
      batchId: this.#batchId,
      rows: sql.rowSet(relation),
      outputMode: plan.outputMode,
      ...(keepsDeadLetters && { keepsDeadLetters }),
    }
    if (keepsDeadLetters) {
      // what an expression has no value for must be known before anything is delivered
      if (outputs || sql.mayFail(relation)) await sql.materialize(relation)
      await outputs?.compute(sql, relation, { deadLetters: setAside.deadLetters!, warn, rowsOrigin: plan.origin })
    } else if (!this.#state && this.#mayPrepare(setAside)) await sink.prepare?.(batch)
    return { relation, batch }
  }

  /** What nobody sees of a batch with state is done while the disk writes the state: what the sink prepares, or else a small result. */
  async #workAhead(sql: SqlBatch, { relation, batch }: Delivery, setAside: SetAside | undefined): Promise<void> {
    const { sink } = this.#parts
    if (!this.#state) return
    if (sink.prepare && this.#mayPrepare(setAside)) await sink.prepare(batch)
    else await sql.prefetch(relation, sink.use ?? 'rows')
  }
  /** Whether the sink's rows are known before anything is set aside, and no code of the program sees them. */
  #mayPrepare(setAside: SetAside | undefined): boolean {
    return setAside === undefined && this.#parts.withRelation === undefined
  }

  /** The rows of a batch that go to side outputs; undefined where there are none. */
  #setAside(sql: SqlBatch, { batchTimestampMs }: OffsetEntry): SetAside | undefined {
    const { setAside } = this.#parts
    return setAside === null ? undefined : new SetAside(setAside, sql, this.#batchId, batchTimestampMs)
  }

  #evaluate(sql: SqlBatch, range: BatchRange, setAside: SetAside | undefined, isPlain: boolean): Evaluation {
    const { identity, plan, sources } = this.#parts
    return new Evaluation(plan.root, {
      sql,
      lateRows: setAside?.lateRows,
      deadLetters: setAside?.deadLetters,
      isPlain,
      warn: this.#parts.warn,
      originOf: (node) => originOf(node, sources.get(node.source)!),
      stepSql: this.#upkeep?.beside(sql) ?? sql,
      watermarks: (operatorId) => this.#batchWatermarks(operatorId),
      batchTimestampMs: range.batchTimestampMs,
      table: (scan, columns) => this.#parts.readTable(scan, columns, sql),
      source: (node) =>
        this.#reporter.time('getBatch', async () => {
          const source = sources.get(node.source)!
          const [start, end] = [range.start[node.source] ?? null, range.end[node.source] ?? null]
          const rows = sameOffset(start, end)
            ? { kind: 'columns' as const, batches: [emptyColumns(node.schema)] }
            : await source.rows(start, end, setAside?.deadLetters && !isPlain ? withOrigin(node, source) : node)
          this.#parts.limits.reads(node.source, rows)
          if (!setAside?.deadLetters) return sql.source(node.source, rows, node.schema)
          const read = await (isPlain ? readPlain : readSource)(sql, node, rows, setAside.deadLetters, source)
          setAside.hasRead(read.account)
          return read.rows
        }),
      relation: () => {
        throw new InvalidQueryError('STREAMING_QUERY_OVER_BATCH_RELATION', {
          what: 'a streaming query reads a relation that only lived during another batch',
          todo: 'use the DataFrame that foreachBatch gives only inside its function',
        })
      },
      store: (operatorId, name) => this.#upkeep!.store(operatorId, name),
      checkMemory: () => this.#state!.checkMemory(),
      checkStop: () => this.#checkStop(),
      isDeleted: (operatorId, name) => this.#state!.hasDeleted(operatorId, name),
      storeIfThere: (operatorId, name) => (this.#state!.hasStore(operatorId, name) ? this.#upkeep!.store(operatorId, name) : null),
      salt: this.#parts.salt,
      skipsInitialKeys: this.#parts.settings.skipsInitialKeys,
      query: { queryId: identity.id, runId: identity.runId, batchId: range.batchId },
      settleState: (groups) => Promise.all([groups, this.#upkeep?.finish()]).then(() => this.#readAhead?.isUnderWay()),
    })
  }

  /** What each operator drops and evicts by: late is what the batch before evicted by. */
  #watermarksOf(watermarkMs: number): (operatorId: number) => BatchWatermarks {
    const { plan } = this.#parts
    if (plan.watermarks.length === 0) return () => ({ lateUs: null, evictionUs: null })
    const late = propagateWatermark(plan.root, this.#previousWatermarkMs)
    const eviction = propagateWatermark(plan.root, watermarkMs)
    const us = (ms: number | undefined) => BigInt(ms ?? 0) * 1000n
    return (operatorId) => ({ lateUs: us(late.get(operatorId)), evictionUs: us(eviction.get(operatorId)) })
  }

  async #commitState(): Promise<void> {
    if (!this.#state) return
    const state = this.#state
    await this.#reporter.time('stateCommit', () =>
      this.#step('state/commit', async () => {
        await this.#parts.checkpoint.checkFence()
        this.#reporter.stateCommit = await state.commit()
      }),
    )
  }

  #checkStop(): void {
    if (this.#abandon) throw new Abandoned()
  }

  /** Tells the observer before and after, and stops here where the query was told to stop without draining. */
  async #step<T>(step: BatchStep, work: () => Promise<T>): Promise<T> {
    const { observeStep, identity } = this.#parts
    this.#checkStop()
    const batchId = this.#batchId
    await observeStep?.({ step, when: 'before', batchId, queryName: identity.name })
    const result = await work()
    await observeStep?.({ step, when: 'after', batchId, queryName: identity.name })
    return result
  }
}

/** Of a query without side outputs: what it has dropped for being too far ahead, if it looks. */
function booksOf({ record }: Evaluation): QueryProgress['books'] {
  return record.books.length > 0 ? record.books : undefined
}
