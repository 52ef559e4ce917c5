/** The Kafka demo's worker: one process, a query into a Delta table and one into a topic. Told to hold, each stands still in the middle of its next batch. */
import { millrace } from 'millrace'
import { asRecords, outputTopic, viewsAsStream } from './kafka-views.ts'
import type { FromWorker, ToWorker } from './messages.ts'

const [, , bootstrap, table, checkpoints] = process.argv
if (!bootstrap || !table || !checkpoints || !process.send) throw new Error('the worker is started by kafka.ts')
const tell = (message: FromWorker) => process.send!(message)

let holds = false
/** Delta: the state is there and the output is not. Kafka: the transaction is committed, and the query has not noted it. */
const heldAt = { 'to-delta': 'before', 'to-kafka': 'after' } as const

const engine = await millrace.local({
  async observeStep({ step, when, batchId, queryName }) {
    if (!holds || step !== 'sink/commit' || when !== heldAt[queryName as keyof typeof heldAt]) return
    tell({ kind: 'holding', batchId, queryName })
    await new Promise(() => {})
  },
})
engine.streams.addListener({ onQueryProgress: ({ progress }) => void tell({ kind: 'progress', progress }) })
const perMinute = viewsAsStream(engine, bootstrap)
const queries = await Promise.all([
  perMinute.writeStream.queryName('to-delta').option('checkpointLocation', `${checkpoints}/to-delta`).format('delta').start(table),
  asRecords(perMinute)
    .writeStream.queryName('to-kafka')
    .option('checkpointLocation', `${checkpoints}/to-kafka`)
    .option('kafka.bootstrap.servers', bootstrap)
    .option('topic', outputTopic)
    .format('kafka')
    .start(),
])

process.on('message', async (message: ToWorker) => {
  if (message.kind === 'hold') holds = true
  if (message.kind !== 'finish') return
  // Everything that lies there now, and the batch without data that writes the windows it closed.
  await Promise.all(queries.map((query) => query.processAllAvailable()))
  await Promise.all(queries.map((query) => query.stop()))
})
// Whatever ends the demo ends its worker.
process.once('disconnect', () => process.exit(1))
await Promise.all(queries.map((query) => query.awaitTermination()))
await engine.close()
process.exit(0)
