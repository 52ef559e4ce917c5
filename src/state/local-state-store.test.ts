// Both providers do the same under the same calls, whatever stays in memory, over commits and restarts.
import * as fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { columnsToRows } from '../data/values.ts'
import { openQueryState } from './open-query-state.ts'
import type { QueryState, StateStore } from './state-store.ts'
import { everySchema, keyed, MemoryFiles, newProvider, plainRow, plainRows, someRows, someTime } from './state-test-kit.ts'

beforeAll(() => {
  process.env['MILLRACE_TEST_STATE'] = 'rocksdb'
})

/** The event time as a value, which moves. */
const moving: StateSchema = {
  keys: everySchema.keys,
  values: [
    { name: 'expires', type: 'timestamp', nullable: true, merge: 'max' },
    { name: 'last', type: 'string', nullable: true, merge: 'last' },
  ],
  eventTime: { value: 0 },
}
const schemas = [everySchema, moving, { ...everySchema, eventTime: null }] as const

/** Where a third of the keys have their event times. */
const nearTime = fc.integer({ min: 0, max: 20 }).map((id) => 1_700_000_000_000_000n + BigInt(id) * 10_000n)

const call = (schema: StateSchema) =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constantFrom('merge', 'insert', 'put', 'get', 'remove', 'remove'), rows: someRows(schema, 20, 8) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('evict', 'count', 'count', 'take'), us: fc.oneof(someTime, nearTime) }) },
    { weight: 3, arbitrary: fc.constantFrom({ kind: 'commit' }, { kind: 'commit' }, { kind: 'scan' }, { kind: 'restart' }) },
  ) as fc.Arbitrary<{ readonly kind: string; readonly rows?: never; readonly us?: bigint }>

/** What a call gives, as text. */
function answer(
  store: StateStore,
  schema: StateSchema,
  { kind, rows = [] as never, us = 0n }: { kind: string; rows?: never; us?: bigint },
) {
  const batch = keyed(schema, rows)
  switch (kind) {
    case 'merge':
      return columnsToRows(store.merge(batch)).map(plainRow)
    case 'insert':
      return [...store.insert(batch)]
    case 'put':
      return store.put(batch)
    case 'get': {
      const found = store.get(batch.keyIds)
      return columnsToRows(found.rows)
        .map((row, i) => `${found.asked[i]} ${plainRow(row)}`)
        .sort()
    }
    case 'remove':
      return store.remove(batch.keyIds)
    case 'evict':
      return plainRows([store.evict(us, true).rows])
    case 'count':
      return store.evict(us, false).removed
    case 'take':
      return plainRows([store.take(us).rows])
    default:
      return plainRows(store.scan())
  }
}

test.each([0, 1, 2] as const)('schema %i', async (which) => {
  const schema = schemas[which]
  const run = async (calls: readonly { readonly kind: string }[], memoryBytes: number) => {
    const local = newProvider(memoryBytes)
    const places = [new MemoryFiles(), new MemoryFiles()]
    let [version, epoch] = [0, 1]
    const open = (which: number): Promise<QueryState> =>
      openQueryState({
        files: places[which]!,
        folder: '/checkpoint/state',
        queryId: 'query-1',
        epoch,
        version,
        epochOf: async () => undefined,
        operators: [{ operatorId: 0, name: 'x', schema }],
        keyGroups: 8,
        partitions: 2,
        checkFence: async () => {},
        clock: new ManualClock(0),
        ...(which === 1 && { provider: local() }),
      })
    let states = await Promise.all([open(0), open(1)])
    for (const each of calls) {
      if (each.kind === 'commit') {
        version++
        for (const state of states) {
          await state.commit()
          await state.afterCommit()
        }
      } else if (each.kind === 'restart') {
        epoch++
        for (const state of states) await state.close()
        states = await Promise.all([open(0), open(1)])
      } else {
        const [expected, got] = states.map((state) => answer(state.store(0), schema, each))
        expect(got, each.kind).toEqual(expected)
      }
      expect(states[1]!.store(0).numRows).toBe(states[0]!.store(0).numRows)
    }
    for (const state of states) await state.close()
  }
  await fc.assert(fc.asyncProperty(fc.array(call(schema), { maxLength: 30, size: 'max' }), fc.constantFrom(1, 10_000_000), run), {
    numRuns: Number(process.env['MILLRACE_STATE_RUNS'] ?? 15),
    endOnFailure: true,
  })
})
