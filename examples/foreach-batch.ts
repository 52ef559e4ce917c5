/** Running totals into a table of one's own, each batch counted once although it may come twice: `npm run example -- examples/foreach-batch.ts`. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { millrace, sum, t } from 'millrace'

const work = await mkdtemp(join(tmpdir(), 'millrace-example-'))
await mkdir(join(work, 'orders'))
await writeFile(join(work, 'orders/1.json'), '{"shop":"north","cents":1200}\n{"shop":"south","cents":350}\n')
await writeFile(join(work, 'orders/2.json'), '{"shop":"north","cents":99}\n')

/** Stands for a database: what matters is that rows and batch id change together. */
const table = { lastBatch: -1n, totals: new Map<string, bigint | null>() }

const engine = await millrace.local()
const query = await engine.readStream
  .schema({ shop: t.string(), cents: t.long() })
  .option('maxFilesPerTrigger', 1)
  .json(join(work, 'orders'))
  .groupBy('shop')
  .agg(({ cents }) => ({ total: sum(cents) }))
  .writeStream.outputMode('update')
  .trigger({ availableNow: true })
  .option('checkpointLocation', join(work, 'checkpoint'))
  .foreachBatch(async (rows, batchId) => {
    if (batchId <= table.lastBatch) return // after a crash the last batch comes again, with the same rows
    for (const { shop, total } of await rows.collect()) table.totals.set(shop, total)
    table.lastBatch = batchId
  })
  .start()
await query.awaitTermination()
await engine.close()

console.log(table)
