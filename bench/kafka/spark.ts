import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Ads } from '../kafka-events.ts'

export interface SparkRun {
  readonly bootstrap: string
  readonly topic: string
  readonly ads: Ads
  /** A folder for what Spark is given. */
  readonly work: string
  readonly offsetsPerBatch: number
  readonly events: number
  /** Views by campaign and window, as they were sent. */
  readonly expected: ReadonlyMap<string, number>
}

/** The same query from the same topic on Spark 4.2.0 `local[2]`, in records/s; undefined where SPARK_PYTHON names no Python that has it. */
export async function sparkRecordsPerSecond(run: SparkRun, say: (line: string) => void): Promise<number | undefined> {
  const python = process.env['SPARK_PYTHON']
  if (python === undefined) {
    say('Spark is not measured: SPARK_PYTHON names no Python with pyspark 4.2.0')
    return undefined
  }
  const ads = join(run.work, 'ads.json')
  await writeFile(ads, run.ads.map((ad) => `${JSON.stringify(ad)}\n`).join(''))
  const script = join(import.meta.dirname, 'spark.py')
  const { stdout } = await promisify(execFile)(python, [script, run.bootstrap, run.topic, ads, String(run.offsetsPerBatch)], {
    maxBuffer: 1 << 26,
  })
  const { ms, views, keys } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { ms: number; views: number; keys: number }
  const expected = [...run.expected.values()].reduce((sum, each) => sum + each, 0)
  if (views !== expected || keys !== run.expected.size)
    throw new Error(`Spark counted ${views} views of ${keys} keys, and ${expected} of ${run.expected.size} were sent`)
  const rate = Math.round((run.events * 1000) / ms)
  say(`Spark local[2]: ${rate} records/s (${ms} ms)`)
  return rate
}
