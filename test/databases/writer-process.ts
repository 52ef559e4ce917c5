/** `writer-process.ts FOLDER TABLE URL FORMAT KILL_AT`: writes FOLDER/in into a table, a file a batch, and kills itself at a step such as `sink/commit after 1`. */
import { join } from 'node:path'
import { millrace, t } from 'millrace'

const [, , folder, table, url, format, killAt] = process.argv as unknown as [string, string, string, string, string, string, string]
await import(`millrace/${format}`)
const engine = await millrace.local({
  observeStep: ({ step, when, batchId }: { step: string; when: string; batchId: number }) => {
    if (`${step} ${when} ${batchId}` === killAt) process.kill(process.pid, 'SIGKILL')
  },
} as never)
const query = await engine.readStream
  .schema({ id: t.long() })
  .option('maxFilesPerTrigger', 1)
  .parquet(join(folder, 'in'))
  .writeStream.option('checkpointLocation', join(folder, 'checkpoint'))
  .options({ url, dbtable: table })
  .trigger({ availableNow: true })
  .format(format)
  .start()
await query.awaitTermination()
await engine.close()
