import { join } from 'node:path'
import { type Anomaly, anomaliesOf, type Result } from './anomalies.ts'
import { batchesOf } from './batches.ts'
import { abortedRanges } from './broker-files.ts'
import { readDelta } from './delta-reader.ts'
import { Faults, type Struck } from './faults.ts'
import { fillInput, recordsOfRound } from './input.ts'
import { Dice, drawFaults } from './plan.ts'
import { type ResultRow, resultOf } from './result-row.ts'
import { outputPartitions, outputTopic, type Stage } from './stage.ts'
import type { Target, WorkerTask } from './worker.ts'
import { type WorkerEnd, WorkerProcess } from './worker-process.ts'

const batches = 10
const roundTimeoutMs = 120_000

export interface RoundSpec {
  readonly round: number
  readonly seed: number
  readonly kind: Target['kind']
  /** How long a transaction may be open; the longest faults last longer. */
  readonly transactionTimeoutMs: number
}
export interface RoundReport {
  readonly round: number
  readonly target: Target['kind']
  /** Counts by window, with state, in place of a result for each record. */
  readonly windowed: boolean
  readonly struck: readonly Struck[]
  readonly anomalies: readonly Anomaly[]
  /** What should not be, beside anomalies in the output: a query that stops for good, or never ends. */
  readonly problems: readonly string[]
  readonly ends: readonly WorkerEnd[]
  readonly transactions: number
  /** Ranges of the output that the broker has aborted. */
  readonly abortedRanges: number
  readonly results: number
}

/** Runs a query over a new topic until all its input is done, under the faults that the seed draws, and looks at what a reader sees. */
export async function runRound(stage: Stage, { round, seed, kind, transactionTimeoutMs }: RoundSpec): Promise<RoundReport> {
  const input = `input-${round}`
  const windowed = round % 3 === 2
  const given = await fillInput(stage.cluster, stage.broker.folder, input, windowed)
  const target = targetOf(stage, round, kind)
  const abortedBefore = abortedInOutput(stage)
  const run = new Run(stage, { round, bootstrap: stage.bootstrapBehindProxy, input, target, windowed, transactionTimeoutMs }, seed)
  stage.proxy.interference = run.faults
  await run.toItsEnd()
  await stage.settled()
  const settled = kind === 'delta' || (await stage.readPast(round, 30_000))
  if (run.faults.struck.length === 0) run.problems.push('no fault struck, so that nothing was tried')
  if (!settled) run.problems.push('a transaction stays open: a read_committed consumer does not come past it')
  const found =
    kind === 'kafka' ? { results: resultsOf(stage, round), anomalies: [] } : await readDelta((target as { table: string }).table)
  return {
    round,
    target: kind,
    struck: run.faults.struck,
    windowed,
    anomalies: [
      ...found.anomalies,
      ...anomaliesOf({ ...given, results: found.results, windowed, batchOf: batchesOf(run.checkpoint, input) }),
    ],
    problems: [...run.problems, ...stage.reader.changed.splice(0).map((text) => `the console consumer got another record at ${text}`)],
    ends: run.ends,
    transactions: run.faults.transactions.begun,
    abortedRanges: abortedInOutput(stage) - abortedBefore,
    results: found.results.length,
  }
}

/** What may pass, what a run that took over does, and the end of a batch whose time the faults have used up twice: then somebody starts it again. */
function isExpected({ name, code }: Extract<WorkerEnd, { end: 'error' }>): boolean {
  return name === 'UnavailableError' || name === 'FencedError' || code === 'KAFKA_TRANSACTION_TIMEOUT_TOO_SHORT'
}

function targetOf(stage: Stage, round: number, kind: Target['kind']): Target {
  if (kind === 'delta') return { kind, table: join(stage.work, `table-${round}`) }
  // the token stands in a group's offset, or in a topic of its own
  return { kind, topic: outputTopic, ...(round % 4 > 1 && { tokenTopic: 'tokens' }) }
}

/** The processes of a round: one after the other, and two at once where one is frozen. */
class Run {
  readonly faults: Faults
  readonly checkpoint: string
  readonly problems: string[] = []
  readonly ends: WorkerEnd[] = []
  readonly #task: Omit<WorkerTask, 'attempt' | 'takeover'>
  readonly #workers: WorkerProcess[] = []
  /** Resolves when the newest worker is frozen and another is to take over. */
  #takeover = Promise.withResolvers<void>()
  #isOver = false

  constructor(stage: Stage, task: Omit<WorkerTask, 'attempt' | 'takeover' | 'checkpoint' | 'recordsPerBatch'>, seed: number) {
    const { round, target, transactionTimeoutMs } = task
    this.checkpoint = join(stage.work, `checkpoint-${round}`)
    this.#task = { ...task, checkpoint: this.checkpoint, recordsPerBatch: recordsOfRound / batches }
    const plan = drawFaults(new Dice(seed), round, target.kind, batches)
    const clock = target.kind === 'kafka' ? 'transactions' : 'batches'
    this.faults = new Faults(plan, clock, transactionTimeoutMs + 500, {
      workerOf: (clientId) => this.#workers.find((worker) => worker.clientId === clientId),
      restartBroker: (signal) => stage.restartBroker(signal),
      freeze: (worker, takeover) => this.#freeze(worker, takeover),
    })
  }

  async toItsEnd(): Promise<void> {
    const timer = setTimeout(() => this.#giveUp(), roundTimeoutMs)
    for (let isDone = false; !isDone && !this.#isOver; ) {
      this.#takeover = Promise.withResolvers()
      const worker = this.#start()
      const end = await Promise.race([worker.ended, this.#takeover.promise])
      isDone = end?.end === 'done'
      if (this.#workers.length > 40) this.#giveUp()
    }
    await Promise.all(this.#workers.map((worker) => worker.ended))
    clearTimeout(timer)
  }

  #start(): WorkerProcess {
    // the one before may be frozen, and then holds the checkpoint
    const takeover = this.#workers.at(-1)?.isAlive ?? false
    const worker = new WorkerProcess({ ...this.#task, attempt: this.#workers.length, takeover }, (own, event) =>
      this.faults.step(own, event),
    )
    this.#workers.push(worker)
    void worker.ended.then((end) => {
      this.faults.transactions.forget(worker.clientId)
      this.ends.push(end)
      if (end.end === 'error' && !isExpected(end)) {
        this.problems.push(`process ${worker.attempt} ended with ${end.name} ${end.code}: ${end.message}`)
      }
    })
    return worker
  }

  async #freeze(worker: WorkerProcess, takeover: 'at once' | 'after the timeout' | 'never'): Promise<void> {
    worker.freeze()
    const own = this.#takeover
    const timeout = new Promise((resolve) => setTimeout(resolve, this.#task.transactionTimeoutMs + 400))
    if (takeover === 'at once') own.resolve()
    await timeout
    if (takeover === 'after the timeout') own.resolve()
    if (takeover !== 'never') await this.#untilAnotherCommitted(worker)
    worker.goOn()
  }
  /** Or has ended, or was slow. */
  async #untilAnotherCommitted(frozen: WorkerProcess): Promise<void> {
    for (const deadlineMs = Date.now() + 8000; Date.now() < deadlineMs; ) {
      const others = this.#workers.slice(frozen.attempt + 1)
      if (others.some(({ committed }) => committed > 0) || others.at(-1)?.isAlive === false) return
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  #giveUp(): void {
    this.#isOver = true
    this.problems.push(`the round was not done after ${roundTimeoutMs / 1000} s and ${this.#workers.length} processes`)
    for (const worker of this.#workers) {
      if (!worker.isAlive) continue
      this.problems.push(`process ${worker.attempt} was still running: ${worker.errorText.slice(-1000)}`)
      worker.kill()
    }
  }
}

function resultsOf({ reader, broker }: Stage, round: number): Result[] {
  const aborted = Array.from({ length: outputPartitions }, (_, partition) => abortedRanges(broker.folder, outputTopic, partition))
  const own: Result[] = []
  for (const { partition, offset, value } of reader.delivered.values()) {
    const row = JSON.parse(value) as Partial<ResultRow>
    if (row.round !== round) continue
    const isAborted = aborted[partition]!.some(({ first, last }) => offset >= first && offset <= last)
    own.push(resultOf(row as ResultRow, `${outputTopic}-${partition}@${offset}`, isAborted))
  }
  return own
}
function abortedInOutput({ broker }: Stage): number {
  let count = 0
  for (let partition = 0; partition < outputPartitions; partition++) count += abortedRanges(broker.folder, outputTopic, partition).length
  return count
}
