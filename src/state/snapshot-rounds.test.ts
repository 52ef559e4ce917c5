// Snapshots, manifests and the removal of what they make needless, while batches go on: whatever is on its way when the process dies, the next start finds all that it asks for.
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import type { StateSchema } from '../data/state-schema.ts'
import type { FileQueryState } from './file-query-state.ts'
import { GroupSnapshots } from './group-snapshots.ts'
import { openQueryState } from './open-query-state.ts'
import type { QueryState } from './state-store.ts'
import { isRocksdb, keyed, MemoryFiles, newProvider, plainRows, runsHere } from './state-test-kit.ts'

const schema: StateSchema = {
  keys: [{ name: 'id', type: 'int', nullable: false }],
  values: [{ name: 'count', type: 'long', nullable: false, merge: 'sum' }],
  eventTime: null,
}

/** Snapshots and manifests that are written later than they were asked for. */
class SlowFiles extends MemoryFiles {
  #held: (() => void)[] = []
  isSlow = false
  override async createExclusive(path: string, content: Uint8Array | string): Promise<boolean> {
    const bytes = new Uint8Array(typeof content === 'string' ? Buffer.from(content) : content)
    if (this.isSlow && path.includes('/snapshots/')) await new Promise<void>((resolve) => this.#held.push(resolve))
    return super.createExclusive(path, bytes)
  }
  /** None of those that wait ever goes on. */
  lose(): void {
    this.#held = []
  }
  /** Lets so many of those that wait go on. */
  async release(count = Number.POSITIVE_INFINITY): Promise<void> {
    for (const resume of this.#held.splice(0, count)) resume()
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }
}

class Lab {
  readonly files = new SlowFiles()
  readonly clock = new ManualClock(1000)
  readonly commits = new Map<number, number>()
  readonly model = new Map<number, bigint>()
  readonly #provider = newProvider()
  readonly #batchesToRetain: number
  state!: QueryState
  #epoch = 0
  #version = 0
  constructor(batchesToRetain: number) {
    this.#batchesToRetain = batchesToRetain
  }
  /** `dies`: what is on its way is lost, and the run before does nothing more. */
  async start({ dies = false } = {}): Promise<void> {
    this.files.isSlow = false
    // a database is let go of by the end of its process, and this one goes on
    if (dies && !isRocksdb()) this.files.lose()
    else {
      await this.files.release()
      await this.state?.close()
    }
    this.#epoch++
    this.state = await openQueryState({
      files: this.files,
      folder: '/checkpoint/state',
      queryId: 'query-1',
      epoch: this.#epoch,
      version: this.#version,
      epochOf: async (version) => this.commits.get(version),
      operators: [{ operatorId: 0, name: 'stateStoreSave', schema }],
      keyGroups: 8,
      partitions: 2,
      checkFence: async () => {},
      clock: this.clock,
      provider: this.#provider(),
      maintenanceIntervalMs: 0,
      minBatchesToRetain: this.#batchesToRetain,
      maxTailBytes: 1,
    })
    expect(plainRows(this.state.store(0).scan())).toEqual(plainRows([this.#expected()]))
    this.files.isSlow = true
  }
  async batch(ids: readonly number[], gone: readonly number[] = []): Promise<void> {
    const rows = ids.map((id) => ({ id, count: 1n }))
    this.state.store(0).merge(keyed(schema, rows))
    for (const id of ids) this.model.set(id, (this.model.get(id) ?? 0n) + 1n)
    this.state.store(0).remove(
      keyed(
        schema,
        gone.map((id) => ({ id, count: 0n })),
      ).keyIds,
    )
    for (const id of gone) this.model.delete(id)
    await this.state.commit()
    this.commits.set(++this.#version, this.#epoch)
    this.clock.advance(1000)
    await this.state.afterCommit()
  }
  #expected() {
    return keyed(
      schema,
      [...this.model].map(([id, count]) => ({ id, count })),
    ).rows
  }
  settle = async () => {
    await this.files.release()
    await this.state.afterCommit()
    await this.files.release()
  }
}

// the rows of a database are read by other threads, whose steps can't be told one by one
test.skipIf(isRocksdb())(
  'a key that nobody has touched for long, and that is touched while a manifest is on its way, asks for no changelog that is gone',
  async () => {
    const groupOf = (id: number) => keyed(schema, [{ id, count: 1n }]).keyIds[0]! % 8
    const others = [2, 3, 4, 5, 6, 7, 8, 9].filter((id) => groupOf(id) !== groupOf(1))
    const lab = new Lab(2)
    await lab.start()
    await lab.batch([1])
    for (let i = 0; i < 6; i++) await lab.settle()
    // many versions that change other keys: no changelog of theirs is kept
    for (let n = 0; n < 10; n++) {
      await lab.batch(others)
      for (let i = 0; i < 6; i++) await lab.settle()
    }
    expect([...lab.files.content.keys()].filter((path) => path.includes('/changelog/2-'))).toEqual([])
    // a round is on its way when the key changes
    await lab.batch(others)
    await lab.batch([1])
    const manifests = () => [...lab.files.content.keys()].filter((path) => path.includes('/manifests/')).at(-1)
    for (const before = manifests(); manifests() === before; ) await lab.settle()
    await lab.start()
  },
)

const someId = fc.integer({ min: 0, max: 11 })
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      ids: fc.array(someId, { maxLength: 3 }),
      gone: fc.array(someId, { maxLength: 2 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), dies: fc.boolean() }) },
)

test('whatever is on its way, a restart finds the rows', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }),
      fc.integer({ min: 1, max: 4 }),
      async (steps, retained) => {
        const lab = new Lab(retained)
        await lab.start()
        for (const action of steps) {
          if (action.kind === 'batch') await lab.batch(action.ids, action.gone)
          else if (action.kind === 'release') await lab.files.release(action.count)
          else await lab.start({ dies: action.dies })
        }
        await lab.start()
        await (lab.state as FileQueryState).settled()
        await lab.state.close()
      },
    ),
    { numRuns: runsHere(60) },
  )
})

test('up to which version a group needs no changelog never goes back', () => {
  const change = fc.record({ changed: fc.array(fc.nat(3), { maxLength: 2 }), takes: fc.boolean(), settles: fc.boolean() })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40, size: 'max' }), (changes) => {
      let now: readonly number[] = []
      const store = { keyGroups: 4, rowsIn: () => 1, changesIn: (group: number) => (now.includes(group) ? 1 : 0) } as never
      const snapshots = new GroupSnapshots(0, store)
      const lastChanged = [0, 0, 0, 0]
      const through = [0, 0, 0, 0]
      let taken: { readonly unit: ReturnType<GroupSnapshots['takeUnit']>; readonly version: number } | null = null
      changes.forEach(({ changed, takes, settles }, i) => {
        const version = i + 1
        now = changed
        snapshots.noteChanges(version)
        for (const group of changed) lastChanged[group] = version
        if (taken === null && takes && snapshots.begin(version, true, 1) > 0) {
          taken = { unit: snapshots.takeUnit([[0, 3]], 2), version }
          snapshots.taken(taken.unit!)
        }
        if (taken !== null && settles) {
          snapshots.settled(taken.unit!, taken.version, null)
          taken = null
        }
        for (const range of snapshots.ranges(version)) {
          for (let group = range.first; group <= range.last; group++) {
            expect(range.through).toBeGreaterThanOrEqual(through[group]!)
            // and what is said is so: nothing changed since then, unless the changelogs above tell of it
            if (range.through === version && lastChanged[group] === version) expect(taken).toBeNull()
            through[group] = range.through
          }
        }
      })
    }),
    { numRuns: 300 },
  )
})
