// Several calls of a processor at a time: what comes out, and what is written into the stores, in which order, must not depend on the order in which the calls end.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StatefulProcessorHandle } from '../../api/state-function-types.ts'
import { processorFunction } from '../../api/state-functions.ts'
import { t } from '../../api/types.ts'
import { keyIdOf } from '../../data/key-encoding.ts'
import type { Row } from '../../data/row-set.ts'
import { Schema } from '../../data/schema.ts'
import type { ListState, MapState, ValueState } from '../../data/state-function.ts'
import { encodeUserKey, timersName, timersSchema, variableSchema } from '../../data/state-layout.ts'
import type { StateSchema } from '../../data/state-schema.ts'
import { columnsToRows, rowsToColumns } from '../../data/values.ts'
import { MemoryStateStore } from '../../state/memory-state-store.ts'
import type { KeyedBatch } from '../../state/state-store.ts'
import { groupRows } from './key-set.ts'
import { ProcessorRun } from './processor-run.ts'
import { CollectedRows } from './user-rows.ts'

type Writes = string[]

/** A store that notes what is written, in order. */
class NotedStore extends MemoryStateStore {
  readonly #name: string
  readonly #writes: Writes
  constructor(name: string, schema: StateSchema, writes: Writes) {
    super(schema, 4)
    this.#name = name
    this.#writes = writes
  }
  override put(batch: KeyedBatch): void {
    this.#writes.push(`put ${this.#name} ${[...batch.keyIds]} ${textOf(columnsToRows(batch.rows))}`)
    super.put(batch)
  }
  override remove(keyIds: Uint32Array): number {
    this.#writes.push(`remove ${this.#name} ${[...keyIds]}`)
    return super.remove(keyIds)
  }
}
const textOf = (value: unknown) => JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner))

/** Lets one of those go on that wait, as it was drawn. */
class Turns {
  readonly #draws: readonly number[]
  #drawn = 0
  readonly #waiting: (() => void)[] = []
  constructor(draws: readonly number[]) {
    this.#draws = draws
  }
  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(() => this.#release())
    })
  }
  #release() {
    const draw = this.#draws[this.#drawn++ % this.#draws.length]!
    this.#waiting.splice(draw % this.#waiting.length, 1)[0]!()
    if (this.#waiting.length > 0) setImmediate(() => this.#release())
  }
}

interface Given {
  readonly k: number
  readonly v: number
}
interface Outcome {
  readonly rows: readonly Row[][]
  readonly writes: Writes
}

async function outcome(batches: readonly (readonly Given[])[], concurrency: number, draws: readonly number[]): Promise<Outcome> {
  const turns = new Turns(draws)
  const create = () => {
    let count: ValueState<number>
    let seen: ListState<number>
    let byValue: MapState<number, number>
    let timers: StatefulProcessorHandle
    return {
      init(handle: StatefulProcessorHandle) {
        timers = handle
        count = handle.getValueState('count', t.int())
        seen = handle.getListState('seen', t.int())
        byValue = handle.getMapState('byValue', t.int(), t.int())
      },
      async *handleInputRows({ k }: { k: number }, rows: readonly Given[]) {
        for (const { v } of rows) {
          if (v % 3 === 0) await turns.next()
          count.update((count.get() ?? 0) + v)
          if (v % 5 === 0) seen.clear()
          seen.appendValue(v)
          await turns.next()
          byValue.updateValue(v % 4, (byValue.getValue(v % 4) ?? 0) + 1)
          if (v === 7) byValue.clear()
          if (v > 3) timers.registerTimer(v * 10 + (k % 3))
          yield { text: `${k} ${count.get()} [${seen.get()}] ${[...byValue.iterator()]}` }
        }
      },
      async handleExpiredTimer({ k }: { k: number }, _: unknown, { getExpiryTimeInMs }: { getExpiryTimeInMs(): number }) {
        await turns.next()
        seen.appendValue(-1)
        if (getExpiryTimeInMs() % 4 === 0) for (const ms of timers.listTimers()) if (ms > getExpiryTimeInMs()) timers.deleteTimer(ms)
        return [{ text: `${k} at ${getExpiryTimeInMs()} of ${timers.listTimers()}` }]
      },
    }
  }
  const f = processorFunction(create, { timeMode: 'ProcessingTime', concurrency, callTimeout: undefined })
  const keyFields = [{ name: 'k', type: 'int', nullable: false }] as const
  const writes: Writes = []
  const stores = new Map(
    f.variables.map((variable) => [variable.name, new NotedStore(variable.name, variableSchema(keyFields, variable), writes)]),
  )
  stores.set(timersName('ProcessingTime'), new NotedStore('timers', timersSchema(keyFields), writes))
  const run = new ProcessorRun(f, {
    keys: keyFields,
    store: (name) => stores.get(name)!,
    storeIfThere: () => null,
    isDeleted: () => false,
    checkMemory: () => {},
    checkStop: () => {},
    salt: '',
  })
  const schema = new Schema([...keyFields, { name: 'v', type: 'int', nullable: false }])
  const out: Row[][] = []
  for (const [batchId, given] of batches.entries()) {
    const ids = new Uint32Array(given.length * 4)
    given.forEach(({ k }, i) => ids.set(keyIdOf('', encodeUserKey({ kind: 'row', fields: keyFields }, { k })), i * 4))
    const rows = rowsToColumns(
      schema,
      given.map((row) => ({ ...row })),
    )
    const output = new CollectedRows(new Schema([{ name: 'text', type: 'string', nullable: false }]))
    await run.batch({
      failed: null,
      groups: groupRows({ keyIds: ids, rows }, [{ name: 'k', column: 0 }], 2),
      initial: null,
      times: { nowMs: batchId * 40, watermarkMs: null },
      query: { queryId: '', runId: '', batchId },
      output,
    })
    out.push(output.finish().flatMap((batch) => columnsToRows(batch)))
  }
  return { rows: out, writes }
}

const given = fc.record({ k: fc.integer({ min: 0, max: 20 }), v: fc.integer({ min: 0, max: 9 }) })
test('rows and writes are the same whatever the order in which calls end, and the rows those of one call after the other', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(given, { maxLength: 30 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 2, max: 30 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 40 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 40 }),
      async (batches, concurrency, draws, otherDraws) => {
        const one = await outcome(batches, concurrency, draws)
        expect(await outcome(batches, concurrency, otherDraws)).toEqual(one)
        expect((await outcome(batches, 1, [0])).rows).toEqual(one.rows)
      },
    ),
    { numRuns: 60 },
  )
})
