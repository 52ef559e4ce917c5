/** The demo's worker: one process, one query. `worker.ts <folder> [batch]`: with a batch it stops there, between the state and the output, and waits. */
import { join } from 'node:path'
import { millrace } from 'millrace'
import { delaysAsStream } from './flights.ts'
import { demoFolders } from './lay-out.ts'
import type { FromWorker, ToWorker } from './messages.ts'

const [, , root, holdAt] = process.argv
if (!root || !process.send) throw new Error('the worker is started by demo.ts')
const folders = demoFolders(root)
const tell = (message: FromWorker) => process.send!(message)

const engine = await millrace.local({
  async observeStep({ step, when, batchId, queryName }) {
    if (step !== 'sink/commit' || when !== 'before' || batchId !== Number(holdAt ?? Number.NaN)) return
    tell({ kind: 'holding', batchId, queryName })
    await new Promise(() => {})
  },
})
engine.streams.addListener({ onQueryProgress: ({ progress }) => void tell({ kind: 'progress', progress }) })
const query = await delaysAsStream(engine, folders.flights, folders.airports)
  .writeStream.queryName('delays')
  .option('checkpointLocation', join(folders.checkpoint))
  .format('parquet')
  .start(folders.output)

process.on('message', async (message: ToWorker) => {
  if (message.kind !== 'finish') return
  // Everything that lies there now, and the batch without data that writes the windows it closed.
  await query.processAllAvailable()
  await query.stop()
})
// Whatever ends the demo ends its worker.
process.once('disconnect', () => process.exit(1))
await query.awaitTermination()
await engine.close()
process.exit(0)
