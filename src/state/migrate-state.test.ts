// State that is migrated, again and again, between batches, snapshots, lost starts and other partition counts, is what a plain map becomes.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { encodeKey, keyIdOf } from '../data/key-encoding.ts'
import type { Row } from '../data/row-set.ts'
import type { StateSchema, StateValue } from '../data/state-schema.ts'
import type { DataType } from '../data/types.ts'
import { rowsToColumns } from '../data/values.ts'
import type { FileQueryState } from './file-query-state.ts'
import { openQueryState } from './open-query-state.ts'
import type { KeyedBatch, QueryState } from './state-store.ts'
import { MemoryFiles, plainRow, plainRows, schemaFields } from './state-test-kit.ts'

const seed = Number(process.env['MILLRACE_STATE_SEED'] ?? Date.now() % 1_000_000)
const numRuns = Number(process.env['MILLRACE_STATE_RUNS'] ?? 25)
const salt = 'pepper'
const folder = '/checkpoint/state'
const key = (name: string, type: DataType, nullable = false) => ({ name, type, nullable })
const value = (name: string, type: DataType): StateValue => ({ name, type, nullable: true, merge: 'replace' })
/** What the query keeps, one deployment after the other: keys more and in another order, wider types, columns that come, go and come back. */
const deployments: readonly StateSchema[] = [
  { keys: [key('k', 'string'), key('g', 'int')], values: [value('a', 'int'), value('b', 'float')], eventTime: null },
  {
    keys: [key('g', 'long'), key('k', 'string'), key('r', 'string', true)],
    values: [value('b', 'double'), value('c', 'string'), value('a', 'long')],
    eventTime: null,
  },
  {
    keys: [key('r', 'string', true), key('g', 'long'), key('k', 'string')],
    values: [value('a', 'long'), value('b', 'double')],
    eventTime: null,
  },
  {
    keys: [key('r', 'string', true), key('g', 'long'), key('k', 'string'), key('s', 'double', true)],
    values: [value('a', 'long'), value('b', 'double'), value('c', 'string')],
    eventTime: null,
  },
]
type Plain = Readonly<Record<string, number | string | null>>
const names = ({ keys, values }: StateSchema) => [...keys, ...values].map(({ name }) => name)
const rowOf = (schema: StateSchema, row: Plain): Row =>
  Object.fromEntries(
    [...schema.keys, ...schema.values].map(({ name, type }) => {
      const cell = row[name] ?? null
      return [name, type === 'long' && cell !== null ? BigInt(cell) : cell]
    }),
  )
const keyText = (schema: StateSchema, row: Plain) =>
  encodeKey(
    schema.keys.map(({ type }) => type),
    schema.keys.map(({ name }) => row[name] ?? null),
  )
function keyed(schema: StateSchema, rows: readonly Plain[]): KeyedBatch {
  const keyIds = new Uint32Array(rows.length * 4)
  rows.forEach((row, i) => keyIds.set(keyIdOf(salt, keyText(schema, row)), 4 * i))
  return {
    keyIds,
    rows: rowsToColumns(
      schemaFields(schema),
      rows.map((row) => rowOf(schema, row)),
    ),
  }
}

class Lab {
  readonly files = new MemoryFiles()
  readonly clock = new ManualClock(1000)
  readonly commits = new Map<number, number>()
  epoch = 0
  version = 0
  deployment = 0
  /** What the state must be, by key, and which deployment wrote each version. */
  model = new Map<string, Plain>()
  committed = new Map<string, Plain>()
  readonly history: { readonly deployment: number; readonly rows: string[] }[] = [{ deployment: 0, rows: [] }]
  state!: QueryState
  get schema(): StateSchema {
    return deployments[this.deployment]!
  }
  open(version: number, deployment: number, partitions: number): Promise<QueryState> {
    return openQueryState({
      files: this.files,
      folder,
      queryId: 'query-1',
      epoch: this.epoch,
      version,
      epochOf: async (each) => this.commits.get(each),
      operators: [{ operatorId: 0, name: 'dedupe', schema: deployments[deployment]! }],
      keyGroups: 64,
      partitions,
      checkFence: async () => {},
      clock: this.clock,
      // a unit of a snapshot is a group: a manifest, at every sixteenth, may come in the middle of a round
      maxSnapshotRows: 1,
      minBatchesToRetain: 4,
      maintenanceIntervalMs: 10,
      salt,
    })
  }
  async start(partitions: number): Promise<void> {
    this.epoch++
    this.state = await this.open(this.version, this.deployment, partitions)
  }
  put(rows: readonly Plain[]): void {
    this.state.store(0).put(keyed(this.schema, rows))
  }
  async batch(rows: readonly Plain[]): Promise<void> {
    this.put(rows)
    for (const row of rows)
      this.model.set(keyText(this.schema, row), Object.fromEntries(names(this.schema).map((name) => [name, row[name] ?? null])))
    await this.state.commit()
    this.commits.set(++this.version, this.epoch)
    this.committed = this.model
    this.history.push({ deployment: this.deployment, rows: this.wanted() })
    await this.maintain()
  }
  async maintain(): Promise<void> {
    this.clock.advance(20)
    await this.state.afterCommit()
    await (this.state as FileQueryState).settled()
  }
  /** The next deployment starts: in the model the committed rows have null where they lack a column. One that committed nothing leaves no trace. */
  async deploy(partitions: number): Promise<void> {
    if (this.deployment === deployments.length - 1) return
    this.deployment++
    this.model = new Map(
      [...this.committed.values()].map((row) => {
        const migrated = Object.fromEntries(names(this.schema).map((name) => [name, row[name] ?? null]))
        return [keyText(this.schema, migrated), migrated]
      }),
    )
    await this.start(partitions)
  }
  wanted(): string[] {
    return [...this.model.values()].map((row) => plainRow(rowOf(this.schema, row))).sort()
  }
  rows(): string[] {
    return plainRows(this.state.store(0).scan())
  }
}

const someRows = fc.array(
  fc.record({
    k: fc.constantFrom('', 'a', 'ü', 'long key'),
    g: fc.integer({ min: -30, max: 30 }),
    r: fc.constantFrom(null, 'eu', 'us'),
    s: fc.constantFrom(null, 0.5),
    a: fc.option(fc.integer({ min: -1000, max: 1000 })),
    b: fc.option(fc.integer({ min: -8, max: 8 }).map((n) => n / 4)),
    c: fc.option(fc.string({ maxLength: 5 })),
  }),
  { maxLength: 40, size: 'max' },
)
const partitions = fc.integer({ min: 1, max: 64 })
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: someRows.map((rows) => ({ kind: 'batch' as const, rows })) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 40 }).map((times) => ({ kind: 'maintain' as const, times })) },
    { weight: 2, arbitrary: partitions.map((count) => ({ kind: 'restart' as const, count })) },
    { weight: 2, arbitrary: partitions.map((count) => ({ kind: 'deploy' as const, count })) },
    // the batch's state is written and its commit is not: the next start is this deployment's, or the one before's again
    { weight: 1, arbitrary: someRows.map((rows) => ({ kind: 'lost' as const, rows })) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 4 }).map((back) => ({ kind: 'old' as const, back })) },
  ),
  { maxLength: 24, size: 'max' },
)

test(`rows are those of a map that was migrated (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (actions) => {
      const lab = new Lab()
      await lab.start(3)
      for (const action of actions) {
        if (action.kind === 'batch') await lab.batch(action.rows)
        else if (action.kind === 'maintain') for (let i = 0; i < action.times; i++) await lab.maintain()
        else if (action.kind === 'restart') await lab.start(action.count)
        else if (action.kind === 'deploy') await lab.deploy(action.count)
        else if (action.kind === 'lost') {
          lab.put(action.rows)
          await lab.state.commit()
          await lab.start(5)
        } else {
          // every version that is retained is loadable by the code that wrote it
          const version = Math.max(0, lab.version - action.back)
          const { deployment, rows } = lab.history[version]!
          expect(plainRows((await lab.open(version, deployment, 2)).store(0).scan())).toEqual(rows)
        }
        expect(lab.rows()).toEqual(lab.wanted())
      }
    }),
    { numRuns, seed },
  )
})

test('a deployment that never committed is taken back without a trace', async () => {
  const lab = new Lab()
  await lab.start(3)
  await lab.batch([{ k: 'a', g: 1, a: 5, b: 0.5 }])
  const before = new Map(lab.files.content)
  await lab.deploy(3)
  expect(lab.files.content).toEqual(before)
  lab.put([{ k: 'b', g: 2, r: 'eu', a: 6 }])
  await lab.state.commit() // and no commits/N
  const old = await lab.open(lab.version, 0, 3)
  expect(plainRows(old.store(0).scan())).toEqual(lab.history[1]!.rows)
})

test('a widened state is not narrowed, and a key that was added is not taken away', async () => {
  const lab = new Lab()
  await lab.start(3)
  await lab.batch([{ k: 'a', g: 1, a: 5, b: 0.5 }])
  await lab.deploy(3)
  await lab.batch([])
  await expect(lab.open(lab.version, 0, 3)).rejects.toMatchObject({ code: 'STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE' })
})
