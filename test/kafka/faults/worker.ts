/** A process of the fault rounds: runs one query until all input is done, tells each step of each batch and waits for leave, and says how it ended. */
import { col, count, lit, millrace, struct, timestamp_seconds, to_json, window } from 'millrace'
import 'millrace/delta'
import 'millrace/kafka'
import { MillraceError } from '../../../src/base/errors.ts'
import type { StepEvent } from '../../../src/query/steps.ts'
import { windowSize } from './anomalies.ts'

export type Target =
  | { readonly kind: 'kafka'; readonly topic: string; readonly tokenTopic?: string }
  | { readonly kind: 'delta'; readonly table: string }
export interface WorkerTask {
  readonly round: number
  /** Which process of the round this is; part of every result, and of the name that the broker and the proxy see. */
  readonly attempt: number
  readonly takeover: boolean
  readonly bootstrap: string
  readonly input: string
  readonly target: Target
  /** It counts by window, with a watermark, in place of a result for each record. */
  readonly windowed: boolean
  readonly checkpoint: string
  readonly recordsPerBatch: number
  readonly transactionTimeoutMs: number
}
export type FromWorker =
  | { readonly kind: 'step'; readonly event: StepEvent }
  | { readonly kind: 'warning'; readonly text: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'error'; readonly name: string; readonly code: string; readonly message: string }
export const clientIdOf = (round: number, attempt: number) => `round-${round}-process-${attempt}`

// it is started ahead of its time, and loads what it needs before it is given its task
if (process.argv[1] === import.meta.filename) {
  process.once('message', (task) => void run(task as WorkerTask))
  await import('@platformatic/kafka')
}

async function run(task: WorkerTask): Promise<never> {
  const tell = (message: FromWorker) => new Promise<void>((resolve) => void process.send!(message, () => resolve()))
  process.once('disconnect', () => process.exit(1))
  let last: FromWorker = { kind: 'done' }
  try {
    await stream(task, tell)
  } catch (error) {
    const { name, message } = error as Error
    last = { kind: 'error', name, code: error instanceof MillraceError ? error.code : '', message }
  }
  await tell(last)
  process.exit(0)
}

async function stream(task: WorkerTask, tell: (message: FromWorker) => Promise<void>): Promise<void> {
  const leaves: (() => void)[] = []
  process.on('message', () => leaves.shift()?.())
  const engine = await millrace.local({
    threads: 1,
    takeover: task.takeover,
    print: (text) => void tell({ kind: 'warning', text }),
    async observeStep(event) {
      const leave = new Promise<void>((resolve) => leaves.push(resolve))
      await tell({ kind: 'step', event })
      await leave
    },
  })
  const kafka = {
    'kafka.bootstrap.servers': task.bootstrap,
    'kafka.client.id': clientIdOf(task.round, task.attempt),
    'kafka.request.timeout.ms': task.transactionTimeoutMs,
    'kafka.default.api.timeout.ms': 20_000,
    'kafka.retry.backoff.ms': 20,
    'kafka.retry.backoff.max.ms': 200,
  }
  const numbers = engine.readStream
    .format('kafka')
    .options({ ...kafka, subscribe: task.input, startingOffsets: 'earliest', maxOffsetsPerTrigger: task.recordsPerBatch })
    .option('kafka.isolation.level', 'read_committed')
    // every batch fetches for itself
    .options({ prefetchBytes: 0, 'kafka.max.partition.fetch.bytes': 500 })
    .load()
    .select(col('value').cast('string').cast('long').as('n'))
  const made = [lit(task.round).as('round'), lit(task.attempt).as('attempt')] as const
  // partitions are read evenly, and are no more than 80 numbers apart
  const windows = numbers
    .select(timestamp_seconds(col('n')).as('at'))
    .withWatermark('at', '80 seconds')
    .groupBy(({ at }) => ({ window: window(at, `${windowSize} seconds`) }))
    .agg(() => ({ count: count() }))
    .select(col('window.start').cast('long').as('n'), col('count'), ...made)
  const each = numbers.select(col('n'), lit(1n).as('count'), ...made)
  // both have the same columns, and only their output modes differ in what the compiler knows
  const rows = task.windowed ? (windows as unknown as typeof each) : each
  const { target } = task
  const query =
    target.kind === 'delta'
      ? await rows.writeStream
          .trigger({ availableNow: true })
          .option('checkpointLocation', task.checkpoint)
          .format('delta')
          .start(target.table)
      : await rows
          .select(
            col('n').cast('string').cast('binary').as('key'),
            to_json(struct(col('n'), col('count'), col('round'), col('attempt')))
              .cast('binary')
              .as('value'),
          )
          .writeStream.trigger({ availableNow: true })
          .option('checkpointLocation', task.checkpoint)
          .options({ ...kafka, topic: target.topic, 'kafka.transaction.timeout.ms': task.transactionTimeoutMs })
          .options(target.tokenTopic === undefined ? {} : { tokenTopic: target.tokenTopic })
          .option('kafka.delivery.timeout.ms', 30_000)
          .format('kafka')
          .start()
  await query.awaitTermination()
}
