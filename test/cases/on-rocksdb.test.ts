// The cases of every step with state once more, with the state in RocksDB.
import { describe, expect, test } from 'vitest'
import { providers } from '../oracle/property.ts'
import { seconds, useEngine } from './harness.ts'

const suites = [
  'group-a',
  'group-b',
  'group-d-e',
  'streaming-session-window-suite',
  'streaming-join-suite',
  'streaming-outer-join-suite',
  'flat-map-groups-with-state-suite',
  'transform-with-state-suite',
  'transform-with-state-restart',
  'transform-with-state-stores',
  'transform-with-state-metrics',
  'initial-state-suites',
  'state-function-suites',
  'ttl-and-chaining-suites',
  'dead-letters-of-state',
  'dead-letters-of-functions',
  'dead-letters-origin',
] as const

const isThere = providers.includes('rocksdb')
describe.skipIf(!isThere).each(suites)('%s', async (suite) => {
  if (!isThere) return
  Object.assign(globalThis, { casesProvider: 'rocksdb' })
  await import(`./${suite}.test.ts`)
})
describe.skipIf(!isThere)('which provider these cases have', () => {
  const engine = useEngine()
  test('it is RocksDB', async () => {
    const input = seconds(engine())
    const query = await input.toDF().groupBy('value').count().writeStream.outputMode('update').format('noop').start()
    input.addData({ value: 1 })
    await query.processAllAvailable()
    expect(Object.keys(query.lastProgress!.stateOperators[0]!.customMetrics)).toContain('rocksdbPutCount')
    await query.stop()
  })
})
test.skipIf(isThere)('RocksDB is not installed here', () => expect(isThere).toBe(false))
