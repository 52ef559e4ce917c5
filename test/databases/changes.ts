// What every sink that writes by key does with the changes of a table: rows as they are now, and rows that say that theirs is gone.
import fc from 'fast-check'
import { ObjectRowSet } from 'millrace/testing'
import { expect } from 'vitest'
import { Schema } from '../../src/data/schema.ts'
import type { Sink } from '../../src/sinks/sink.ts'

export const changeSchema = new Schema([
  { name: 'k', type: 'long', nullable: false },
  { name: 'gone', type: 'boolean', nullable: true },
  { name: 's', type: 'string', nullable: false },
  { name: 'v', type: 'string', nullable: true },
])
export const changeKey = 'k, s'

export interface SinkOfChanges {
  readonly sink: Sink
  /** Whether a null in `v` is a row that is gone, too. */
  readonly nullIsGone?: boolean
  /** `k s v` of each row that is there, in any order. */
  shown(): Promise<string[]>
}
const change = fc.record({
  k: fc.integer({ min: 1, max: 3 }).map(BigInt),
  s: fc.constantFrom('a', "b'\\"),
  v: fc.option(fc.constantFrom('x', 'y', 'z')),
  gone: fc.constantFrom(true, true, false, null),
})
const batches = fc.array(fc.array(change, { maxLength: 8 }), { minLength: 1, maxLength: 4 })

/** Any changes, in any batches, each of which may come twice, leave the rows that a fold over them leaves. */
export async function checkChanges(open: () => Promise<SinkOfChanges>, numRuns = 25): Promise<void> {
  await fc.assert(
    fc.asyncProperty(batches, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), async (given, comesTwice) => {
      const { sink, shown, nullIsGone = false } = await open()
      const expected = new Map<string, string>()
      for (const [batchId, rows] of given.entries()) {
        for (const { k, s, v, gone } of rows) {
          if (gone || (nullIsGone && v === null)) expected.delete(`${k} ${s}`)
          else expected.set(`${k} ${s}`, `${k} ${s} ${v}`)
        }
        for (const _ of comesTwice[batchId] ? [1, 2] : [1]) {
          await sink.addBatch({ batchId, rows: new ObjectRowSet(changeSchema, rows), outputMode: 'update', keepsDeadLetters: false })
        }
      }
      expect((await shown()).sort()).toEqual([...expected.values()].sort())
      await sink.stop()
    }),
    { numRuns },
  )
}
