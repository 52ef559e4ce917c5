import * as fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { FencedError } from '../base/errors.ts'
import type { Row } from '../data/row-set.ts'
import type { StateSchema } from '../data/state-schema.ts'
import type { FileQueryState } from './file-query-state.ts'
import { openQueryState } from './open-query-state.ts'
import type { OpenState, StateOperator } from './state-options.ts'
import type { QueryState } from './state-store.ts'
import {
  everySchema,
  isRocksdb,
  keyed,
  MemoryFiles,
  newProvider,
  plainRow,
  plainRows,
  runsHere,
  StateModel,
  someRows,
  someTime,
} from './state-test-kit.ts'

const countSchema: StateSchema = {
  keys: [
    { name: 'id', type: 'int', nullable: false },
    { name: 'at', type: 'timestamp', nullable: true },
  ],
  values: [{ name: 'count', type: 'long', nullable: false, merge: 'sum' }],
  eventTime: { key: 1 },
}
const folder = '/checkpoint/state'

/** A checkpoint: files, the epochs that its commit log names, and a run on it. */
class Lab {
  files = new MemoryFiles()
  clock = new ManualClock(1000)
  /** commits: version -> epoch. */
  commits = new Map<number, number>()
  epoch = 0
  version = 0
  operators: StateOperator[]
  options: Partial<OpenState> = {}
  readonly #provider = newProvider()
  state!: QueryState
  constructor(...schemas: StateSchema[]) {
    this.operators = schemas.map((schema, operatorId) => ({ operatorId, name: 'stateStoreSave', schema }))
  }
  open(more: Partial<OpenState> = {}): Promise<QueryState> {
    return openQueryState({
      files: this.files,
      folder,
      queryId: 'query-1',
      epoch: this.epoch,
      version: this.version,
      epochOf: async (version) => this.commits.get(version),
      operators: this.operators,
      keyGroups: 16,
      partitions: 3,
      checkFence: async () => {},
      clock: this.clock,
      provider: this.#provider(),
      ...this.options,
      ...more,
    })
  }
  async start(more: Partial<OpenState> = {}): Promise<void> {
    this.epoch++
    // a process that died has let go of its database
    await this.state?.close()
    this.state = await this.open(more)
  }
  /** A whole batch: state, commit log, maintenance. */
  async batch(change: (state: QueryState) => void = () => {}): Promise<void> {
    change(this.state)
    await this.state.commit()
    this.version++
    this.commits.set(this.version, this.epoch)
    await this.state.afterCommit()
  }
  async count(...ids: number[]): Promise<void> {
    await this.batch((state) =>
      state.store(0).merge(
        keyed(
          countSchema,
          ids.map((id) => countRow(id)),
        ),
      ),
    )
  }
  rows(operatorId = 0): string[] {
    return plainRows(this.state.store(operatorId).scan())
  }
  /** Lets snapshots happen now, all of them. */
  async snapshot(): Promise<void> {
    this.clock.advance(60_000)
    for (let i = 0; i < 40; i++) {
      await this.state.afterCommit()
      await (this.state as FileQueryState).settled()
    }
  }
  paths(part = ''): string[] {
    return [...this.files.content.keys()].filter((path) => path.includes(part)).sort()
  }
}
const settled = () => (lab.state as FileQueryState).settled()
const countRow = (id: number): Row => ({ id, at: new Date(1_700_000_000_000 + id * 1000), count: 1n })
const corrupt = (code: string, path: string) =>
  expect.objectContaining({ name: 'CorruptCheckpointError', code, what: expect.stringContaining(path) })

let lab: Lab
beforeEach(() => {
  lab = new Lab(countSchema)
})

test('state comes back from its changelogs at any version, by any number of partitions', async () => {
  await lab.start()
  const expected: string[][] = [[]]
  for (let n = 0; n < 5; n++) {
    await lab.count(n, n + 1, 100 - n)
    expected.push(lab.rows())
  }
  await lab.batch((state) => expect(state.store(0).evict(1_700_000_001_000_000n, false).removed).toBe(2))
  expected.push(lab.rows())
  for (let version = 0; version < expected.length; version++) {
    for (const partitions of [1, 7, 16]) {
      const state = await lab.open({ version, partitions })
      expect(plainRows(state.store(0).scan())).toEqual(expected[version])
      expect(state.store(0).version).toBe(version)
      expect(state.metrics).toMatchObject({ partitions, numRows: expected[version]!.length })
    }
  }
})

test('any mix of merges, evictions, snapshots, restarts, lost batches and other partition counts keeps the state', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: someRows(everySchema, 200, 25).map((rows) => ({ kind: 'batch' as const, rows })) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('evict' as const),
        us: someTime,
        before: someRows(everySchema, 200, 15),
        after: someRows(everySchema, 200, 15),
      }),
    },
    { weight: 3, arbitrary: fc.constantFrom({ kind: 'snapshot' as const }, { kind: 'step' as const }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('restart' as const),
        partitions: fc.integer({ min: 1, max: 16 }),
        back: fc.integer({ min: 0, max: 3 }),
      }),
    },
    { weight: 1, arbitrary: someRows(everySchema, 200, 10).map((rows) => ({ kind: 'lost' as const, rows })) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), fc.integer({ min: 1, max: 40 }), async (steps, maxSnapshotRows) => {
      const lab = new Lab(everySchema, { ...everySchema, eventTime: null })
      lab.options = { maxSnapshotRows, minBatchesToRetain: 4, maintenanceIntervalMs: 10 }
      await lab.start()
      const models = [new StateModel(everySchema), new StateModel(everySchema)]
      const history = [models.map((model) => model.copy())]
      for (const action of steps) {
        if (action.kind === 'batch') {
          await lab.batch((state) =>
            models.forEach((model, operatorId) => {
              model.merge(action.rows)
              state.store(operatorId).merge(keyed(everySchema, action.rows), false)
            }),
          )
          history.push(models.map((model) => model.copy()))
        } else if (action.kind === 'evict') {
          // keys come, go, come back and go again within one batch
          await lab.batch((state) => {
            for (const rows of [action.before, action.after]) {
              models[0]!.merge(rows)
              state.store(0).merge(keyed(everySchema, rows), false)
              if (rows === action.before || action.after.length % 2 === 0)
                expect(state.store(0).evict(action.us, false).removed).toBe(models[0]!.evict(action.us).length)
            }
          })
          history.push(models.map((model) => model.copy()))
        } else if (action.kind === 'snapshot') await lab.snapshot()
        else if (action.kind === 'step') {
          lab.clock.advance(20)
          await lab.state.afterCommit()
        } else if (action.kind === 'lost') {
          lab.state.store(0).merge(keyed(everySchema, action.rows), false)
          await lab.state.commit() // and no commits/N: the process dies
          await lab.start()
        } else {
          const version = Math.max(0, lab.version - action.back)
          if (action.back > 0) {
            const old = await lab.open({ version, partitions: action.partitions })
            models.forEach((_, operatorId) =>
              expect(plainRows(old.store(operatorId).scan())).toEqual([...history[version]![operatorId]!.values()].map(plainRow).sort()),
            )
          }
          await lab.start({ partitions: action.partitions })
        }
        models.forEach((model, operatorId) => expect(lab.rows(operatorId)).toEqual(model.all()))
      }
      await lab.state.close()
      await lab.start()
      models.forEach((model, operatorId) => expect(lab.rows(operatorId)).toEqual(model.all()))
    }),
    { numRuns: runsHere(30) },
  )
})

describe('snapshots', () => {
  test('are taken after the interval, of what changed, and make old changelogs needless', async () => {
    lab.options = { minBatchesToRetain: 2 }
    await lab.start()
    for (let n = 0; n < 6; n++) await lab.count(...Array.from({ length: 40 }, (_, i) => n * 40 + i))
    expect(lab.paths('snapshots')).toEqual([])
    await lab.snapshot()
    expect(lab.state.metrics).toMatchObject({ lastSnapshotVersion: 6, changelogTailBytes: 0, snapshotsWritten: 3 })
    expect(lab.paths('/snapshots/').map((path) => path.slice(path.lastIndexOf('/') + 1))).toEqual([
      '6-1-0-4.parquet',
      '6-1-10-15.parquet',
      '6-1-5-9.parquet',
    ])
    for (let n = 0; n < 3; n++) await lab.count(n)
    await lab.snapshot()
    expect(lab.paths('/changelog/').map((path) => path.slice(path.lastIndexOf('/') + 1))).toEqual(['7-1', '8-1', '9-1'])
    const rows = lab.rows()
    await lab.start()
    expect(lab.rows()).toEqual(rows)
  })

  test('groups that did not change keep their file, and need no changelog', async () => {
    lab.options = { minBatchesToRetain: 1, partitions: 16 }
    await lab.start()
    await lab.count(...Array.from({ length: 300 }, (_, i) => i))
    await lab.snapshot()
    const before = lab.paths('/snapshots/')
    for (let n = 0; n < 5; n++) {
      await lab.count(7)
      await lab.snapshot()
    }
    const after = lab.paths('/snapshots/')
    expect(after.filter((path) => before.includes(path))).toHaveLength(15)
    expect(lab.paths('/changelog/').length).toBeLessThan(3)
    const rows = lab.rows()
    await lab.start({ partitions: 2 })
    expect(lab.rows()).toEqual(rows)
    expect(rows).toContain('7 | 2023-11-14T22:13:27Z | 6')
  })

  test('are taken early when a restart would have much to read', async () => {
    lab.options = { maxTailBytes: 3000 }
    await lab.start()
    for (let n = 0; n < 10; n++) {
      await lab.count(...Array.from({ length: 20 }, (_, i) => n * 20 + i))
      await settled()
      await settled()
    }
    expect(lab.state.metrics.lastSnapshotVersion).toBeGreaterThan(0)
    expect(lab.state.metrics.changelogTailBytes).toBeLessThan(
      lab.paths('/changelog/').reduce((sum, path) => sum + lab.files.content.get(path)!.length, 0),
    )
    const rows = lab.rows()
    await lab.start()
    expect(lab.rows()).toEqual(rows)
  })

  test('none is taken of a version that another run committed', async () => {
    await lab.start()
    await lab.count(1)
    await lab.start()
    await lab.snapshot()
    expect(lab.paths('/snapshots/')).toEqual([])
    await lab.count(2)
    await lab.snapshot()
    expect(lab.paths('/snapshots/').every((path) => path.includes('/2-2-'))).toBe(true)
  })

  test('an old version is loaded from the snapshots of its time', async () => {
    await lab.start()
    const expected: string[][] = []
    for (let n = 0; n < 8; n++) {
      await lab.count(n, n + 1, n + 50)
      if (n % 2 === 1) await lab.snapshot()
      expected[n + 1] = lab.rows()
    }
    for (let version = 1; version <= 8; version++)
      expect(plainRows((await lab.open({ version })).store(0).scan())).toEqual(expected[version])
  })
})

describe('runs', () => {
  test('what a run left of a batch that another committed does not count, and goes', async () => {
    lab.options = { minBatchesToRetain: 2 }
    await lab.start()
    await lab.count(1)
    lab.state.store(0).merge(keyed(countSchema, [countRow(1)]))
    await lab.state.commit()
    await lab.start()
    expect(lab.rows()).toEqual(['1 | 2023-11-14T22:13:21Z | 1'])
    await lab.count(1)
    expect(lab.paths('/changelog/')).toEqual(['1-1', '2-1', '2-2'].map((name) => `${folder}/changelog/${name}`))
    await lab.start()
    expect(lab.rows()).toEqual(['1 | 2023-11-14T22:13:21Z | 2'])
    await lab.count(2)
    await lab.snapshot()
    expect(lab.paths('/changelog/2-1')).toEqual([])
  })

  test('without its commit log a version is that of the last run that wrote it', async () => {
    await lab.start()
    await lab.count(1)
    lab.state.store(0).merge(keyed(countSchema, [countRow(99)]))
    await lab.state.commit()
    await lab.start()
    await lab.count(2)
    await lab.count(3)
    const rows = lab.rows()
    lab.commits.clear()
    await lab.start()
    expect(lab.rows()).toEqual(rows)
  })

  test('files of a newer run, and those still in the making, are left alone', async () => {
    lab.options = { minBatchesToRetain: 0 }
    await lab.start()
    await lab.count(1)
    const foreign = [`${folder}/changelog/1-9`, `${folder}/manifests/1-9`, `${folder}/0/snapshots/1-9-0-15.parquet`]
    for (const path of foreign) lab.files.content.set(path, new Uint8Array(3))
    lab.files.content.set(`${folder}/changelog/.5-1.ab-1.tmp`, new Uint8Array(3))
    for (let n = 0; n < 4; n++) {
      await lab.count(n)
      await lab.snapshot()
    }
    for (const path of foreign) expect(lab.paths()).toContain(path)
    expect(lab.paths('.tmp')).toHaveLength(1)
    const { version } = lab
    for (const path of foreign) lab.files.content.delete(path)
    await lab.start()
    await lab.state.afterCommit()
    await settled()
    expect(lab.paths('.tmp')).toEqual([])
    expect(lab.version).toBe(version)
  })

  test('a changelog that is there already means another run', async () => {
    await lab.start()
    lab.files.content.set(`${folder}/changelog/1-1`, new Uint8Array(3))
    await expect(lab.state.commit()).rejects.toThrow(expect.objectContaining({ name: 'FencedError', code: 'CONCURRENT_STREAM_LOG_UPDATE' }))
  })

  test('a superseded run writes nothing more', async () => {
    let fenced = false
    const checkFence = async () => {
      if (fenced) throw new FencedError('FENCED', { what: 'another run took over', todo: 'stop' })
    }
    await lab.start({ checkFence })
    await lab.count(1)
    fenced = true
    const before = lab.paths()
    await expect(lab.state.commit()).rejects.toThrow(FencedError)
    lab.clock.advance(60_000)
    await lab.state.afterCommit()
    await settled()
    await expect(lab.state.afterCommit()).rejects.toThrow(FencedError)
    expect(lab.paths()).toEqual(before)
  })
})

test('nothing that a retained version needs is ever removed', async () => {
  const step = fc.oneof(
    fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 8 }),
    fc.constantFrom('snapshot' as const, 'restart' as const, 'lost' as const),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }),
      fc.integer({ min: 0, max: 4 }),
      async (steps, minBatchesToRetain) => {
        const lab = new Lab(countSchema)
        lab.options = { minBatchesToRetain, maxSnapshotRows: 10 }
        await lab.start()
        const history = [lab.rows()]
        for (const action of steps) {
          if (action === 'snapshot') await lab.snapshot()
          else if (action === 'restart') await lab.start()
          else if (action === 'lost') {
            await lab.state.commit()
            await lab.start()
          } else {
            await lab.count(...action)
            history[lab.version] = lab.rows()
          }
        }
        await lab.snapshot()
        for (let version = Math.max(0, lab.version - minBatchesToRetain); version <= lab.version; version++) {
          expect(plainRows((await lab.open({ version })).store(0).scan())).toEqual(history[version])
        }
      },
    ),
    { numRuns: runsHere(30) },
  )
})

describe('damage', () => {
  beforeEach(async () => {
    await lab.start()
    await lab.count(1, 2, 3)
    await lab.snapshot()
    await lab.count(4, 5)
    await lab.count(6)
    await lab.state.close()
  })
  // on another machine: local state that is good spares a load from looking at what it does not need
  const load = () => lab.open({ epoch: 9, provider: newProvider()() })
  const step = isRocksdb() ? 61 : 1

  test('every flipped bit of every file is found, and the file named', async () => {
    for (const path of lab.paths()) {
      const whole = lab.files.content.get(path)!
      const isNeeded = !path.endsWith('/changelog/1-1')
      for (let at = 0; at < whole.length; at += step) {
        const flipped = whole.slice()
        flipped[at]! ^= 1 << (at % 8)
        lab.files.content.set(path, flipped)
        if (isNeeded)
          await expect(load(), `${path} at ${at} of ${whole.length}`).rejects.toThrow(
            expect.objectContaining({ name: 'CorruptCheckpointError', what: expect.stringContaining(path) }),
          )
      }
      lab.files.content.set(path, whole)
    }
    expect((await load()).metrics.numRows).toBe(6)
  })
  test('so is every length at which a file may be cut', async () => {
    for (const path of lab.paths().filter((path) => !path.endsWith('/changelog/1-1'))) {
      const whole = lab.files.content.get(path)!
      for (let length = 0; length < whole.length; length += step) {
        lab.files.content.set(path, whole.slice(0, length))
        await expect(load(), `${path} cut at ${length} of ${whole.length}`).rejects.toThrow(
          expect.objectContaining({ name: 'CorruptCheckpointError', what: expect.stringContaining(path) }),
        )
      }
      lab.files.content.set(path, Uint8Array.from([...whole, 0]))
      await expect(load(), `${path} made longer`).rejects.toThrow(expect.objectContaining({ name: 'CorruptCheckpointError' }))
      lab.files.content.set(path, whole)
    }
  })
  test('a missing changelog is named', async () => {
    lab.files.content.delete(`${folder}/changelog/2-1`)
    await expect(load()).rejects.toThrow(corrupt('CANNOT_LOAD_STATE_STORE.CANNOT_READ_DELTA_FILE_NOT_EXISTS', `${folder}/changelog/2-1`))
    lab.commits.clear()
    await expect(load()).rejects.toThrow(corrupt('CANNOT_LOAD_STATE_STORE.CANNOT_READ_DELTA_FILE_NOT_EXISTS', `${folder}/changelog/2-`))
  })
  test('a missing snapshot is named', async () => {
    const [path] = lab.paths('/snapshots/')
    lab.files.content.delete(path!)
    await expect(load()).rejects.toThrow(corrupt('CANNOT_LOAD_STATE_STORE.CANNOT_READ_MISSING_SNAPSHOT_FILE', path!))
  })
  test('a changelog in a newer format is refused as such', async () => {
    const path = `${folder}/changelog/3-1`
    const newer = lab.files.content.get(path)!.slice()
    newer[8] = 2
    lab.files.content.set(path, newer)
    await expect(load()).rejects.toThrow(corrupt('CANNOT_LOAD_STATE_STORE.INVALID_CHANGE_LOG_READER_VERSION', path))
  })
  test('files of another query, another version or another lineage are refused', async () => {
    await expect(lab.open({ queryId: 'query-2', epoch: 9 })).rejects.toThrow(expect.objectContaining({ name: 'CorruptCheckpointError' }))
    const first = lab.files.content.get(`${folder}/changelog/2-1`)!
    lab.files.content.set(`${folder}/changelog/3-1`, first)
    await expect(load()).rejects.toThrow(corrupt('STATE_STORE_FILE_OF_ANOTHER_QUERY', `${folder}/changelog/3-1`))
  })
  test('a version that builds on what another run wrote is refused', async () => {
    const other = new Lab(countSchema)
    await other.start()
    await other.count(1)
    await other.count(2)
    const stranger = new Lab(countSchema)
    await stranger.start({ epoch: 7 })
    await stranger.count(3)
    other.files.content.set(`${folder}/changelog/1-7`, stranger.files.content.get(`${folder}/changelog/1-7`)!)
    other.commits.set(1, 7)
    await expect(other.open({ epoch: 9 })).rejects.toThrow(corrupt('STATE_STORE_FILE_OF_ANOTHER_QUERY', `${folder}/changelog/2-1`))
  })
  test('nothing is written or removed by a load that fails', async () => {
    lab.files.content.delete(`${folder}/changelog/3-1`)
    const before = new Map(lab.files.content)
    await expect(load()).rejects.toThrow()
    expect(lab.files.content).toEqual(before)
  })
})

describe('schemas', () => {
  const withOperators = (change: (schema: StateSchema) => StateSchema) => ({
    operators: [{ operatorId: 0, name: 'stateStoreSave', schema: change(countSchema) }],
  })
  const key = (schema: StateSchema, more: object) => ({ ...schema, keys: [schema.keys[0]!, { ...schema.keys[1]!, ...more }] })
  const count = (schema: StateSchema, more: object) => ({ ...schema, values: [{ ...schema.values[0]!, ...more }] })
  beforeEach(async () => {
    await lab.start()
    await lab.count(1)
  })

  test('names may change, and a column may stop being nullable', async () => {
    const state = await lab.open(withOperators((schema) => key(count(schema, { name: 'n' }), { name: 'time', nullable: false })))
    expect([...state.store(0).scan()][0]!.schema.names).toEqual(['id', 'time', 'n'])
  })
  test('types that do not hold the old ones, operations and numbers of columns may not', async () => {
    const refused = (more: Partial<OpenState>, code: string) =>
      expect(lab.open(more)).rejects.toThrow(expect.objectContaining({ name: 'InvalidQueryError', code }))
    await refused(
      withOperators((schema) => key(schema, { type: 'long' })),
      'STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE',
    )
    await refused(
      withOperators((schema) => ({ ...schema, keys: schema.keys.slice(0, 1), eventTime: null })),
      'STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE',
    )
    await refused(
      withOperators((schema) => count(schema, { type: 'double' })),
      'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    )
    await refused(
      withOperators((schema) => count(schema, { merge: 'max' })),
      'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    )
    await refused(
      withOperators((schema) => count(schema, { type: 'int' })),
      'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    )
  })
  test('a column may begin to be nullable: the rows are migrated', async () => {
    const state = await lab.open(withOperators((schema) => count(schema, { nullable: true })))
    expect([...state.store(0).scan()].reduce((rows, { length }) => rows + length, 0)).toBe(1)
  })
  test('the operators must be those of the checkpoint', async () => {
    const code = 'STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA'
    await expect(lab.open({ operators: [] })).rejects.toThrow(expect.objectContaining({ code }))
    await expect(lab.open({ operators: [{ operatorId: 0, name: 'dedupe', schema: countSchema }] })).rejects.toThrow(
      expect.objectContaining({ code }),
    )
    await expect(
      lab.open({ operators: [...lab.operators, { operatorId: 1, name: 'stateStoreSave', schema: countSchema }] }),
    ).rejects.toThrow(expect.objectContaining({ code }))
  })
  test('the number of key groups is fixed, and no partition may be without one', async () => {
    await expect(lab.open({ keyGroups: 8 })).rejects.toThrow(expect.objectContaining({ name: 'CorruptCheckpointError' }))
    for (const partitions of [0, 17, Number.NaN]) {
      await expect(lab.open({ partitions })).rejects.toThrow(
        expect.objectContaining({ name: 'InvalidQueryError', code: 'STATE_STORE_INVALID_PARTITION_COUNT' }),
      )
    }
  })
  test('nothing is on disk before the first commit, and until then the schema is free', async () => {
    const fresh = new Lab(countSchema)
    await fresh.start()
    expect(fresh.paths()).toEqual([])
    fresh.state.store(0).merge(keyed(countSchema, [countRow(1)]))
    await fresh.state.commit() // the process dies before commits/0
    fresh.operators = [{ operatorId: 0, name: 'stateStoreSave', schema: everySchema }]
    await fresh.start()
    await fresh.batch()
    expect((await fresh.open({ epoch: 9 })).store(0).numRows).toBe(0)
  })
})
