import { join } from 'node:path'
import { millrace } from 'millrace'
import { exceptAll } from './compare.ts'
import { readRecords, viewsAsBatch } from './kafka-views.ts'

/** Each output beside the same query, run once as a batch over all of the topic, as bags of rows in both directions. */
export async function compareOutputs(bootstrap: string, table: string, root: string) {
  const parquet = (name: string) => join(root, 'compare', name)
  const engine = await millrace.local()
  try {
    await (await viewsAsBatch(engine, bootstrap)).write.parquet(parquet('batch'))
    await (await engine.read.format('delta').load(table)).write.parquet(parquet('delta'))
    await (await readRecords(engine, bootstrap)).write.parquet(parquet('kafka'))
  } finally {
    await engine.close()
  }
  const outputs = { 'the Delta table': 'delta', 'the topic': 'kafka' }
  return Promise.all(
    Object.entries(outputs).map(async ([name, folder]) => {
      const found = await exceptAll(join(parquet(folder), '*.parquet'), join(parquet('batch'), '*.parquet'), 'views')
      const { streamRows, batchRows, counted, onlyInStream, onlyInBatch } = found
      const same = onlyInStream === 0 && onlyInBatch === 0 && streamRows === batchRows && streamRows > 0
      return { name, rows: streamRows, batchRows, views: counted, onlyInOutput: onlyInStream, onlyInBatch, same }
    }),
  )
}
