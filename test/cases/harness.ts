import { count, type Engine, MemoryStream, millrace, t, timestamp_seconds, window } from 'millrace'
import { afterAll, beforeAll } from 'vitest'
import { providerKey } from '../oracle/property.ts'

/** One engine for a file of cases; `on-rocksdb.test.ts` runs files of cases again with their state in RocksDB. */
export function useEngine(options: Parameters<typeof millrace.local>[0] = {}): () => Engine {
  let engine: Engine
  beforeAll(async () => {
    const provider = (globalThis as { casesProvider?: string }).casesProvider
    const conf = { ...(provider !== undefined && { [providerKey]: provider }), ...options.conf }
    engine = await millrace.local({ threads: 2, ...options, conf })
  })
  afterAll(() => engine.close())
  return () => engine
}

/** A stream of integers, which are seconds. */
export function seconds(engine: Engine) {
  return new MemoryStream(engine, { value: t.int() })
}
export const rows = (...values: number[]) => values.map((value) => ({ value }))

/** The W(d, g): a watermark of d seconds, tumbling windows of g seconds, count; rows (window start in seconds, count). */
export function windowedCount(input: ReturnType<typeof seconds>, delaySeconds: number, windowSeconds: number) {
  return input
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
    .withWatermark('at', `${delaySeconds} seconds`)
    .groupBy(({ at }) => ({ window: window(at, `${windowSeconds} seconds`) }))
    .agg(() => ({ count: count() }))
    .select(({ window, count }) => ({ start: window.start.cast('long'), count }))
}
