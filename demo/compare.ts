import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { millrace } from 'millrace'
import { delaysAsBatch, readOutput } from './flights.ts'
import type { DemoFolders } from './lay-out.ts'

export interface Comparison {
  readonly streamRows: number
  readonly batchRows: number
  /** What the batch counted: the sum of its column of counts. */
  readonly counted: number
  readonly onlyInStream: number
  readonly onlyInBatch: number
}

/** Runs the query once as a batch over the given files and compares it with the stream's output as bags of rows, in both directions. */
export async function compareWithBatch(folders: DemoFolders, files: readonly string[]): Promise<Comparison> {
  const streamed = join(folders.root, 'delays-as-read')
  const engine = await millrace.local()
  try {
    const paths = files.map((file) => join(folders.flights, file))
    await delaysAsBatch(engine, paths, folders.airports).write.parquet(folders.expected)
    // Read as any reader of the output does: by its log, which names the files that count.
    await readOutput(engine, folders.output).write.parquet(streamed)
  } finally {
    await engine.close()
  }
  return exceptAll(join(streamed, '*.parquet'), join(folders.expected, '*.parquet'), 'flights')
}

/** By DuckDB itself: the comparison trusts nothing of Millrace's but the files. */
export async function exceptAll(stream: string, batch: string, counts: string): Promise<Comparison> {
  const duckdb = await DuckDBInstance.create()
  const connection = await duckdb.connect()
  try {
    const result = await connection.runAndReadAll(`
      SELECT (SELECT count(*) FROM '${stream}'), (SELECT count(*) FROM '${batch}'), (SELECT sum(${counts}) FROM '${batch}'),
        (SELECT count(*) FROM (FROM '${stream}' EXCEPT ALL FROM '${batch}')), (SELECT count(*) FROM (FROM '${batch}' EXCEPT ALL FROM '${stream}'))`)
    const [streamRows, batchRows, counted, onlyInStream, onlyInBatch] = result.getRows()[0]!.map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ]
    return { streamRows, batchRows, counted, onlyInStream, onlyInBatch }
  } finally {
    connection.closeSync()
    duckdb.closeSync()
  }
}
