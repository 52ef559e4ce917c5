import { describe, expect, test } from 'vitest'
import type { StateAggregate, StateSchema, StateValue } from '../data/state-schema.ts'
import type { DataType } from '../data/types.ts'
import type { StateDefaults } from './match-columns.ts'
import { matchState } from './match-state.ts'
import { type StoreId, storeIdOf } from './state-files.ts'
import type { StateOperator } from './state-options.ts'
import type { StoredStore } from './state-schema-file.ts'

const key = (name: string, type: DataType = 'string', nullable = true, origin = name) => ({ name, type, nullable, origin })
const value = (name: string, type: DataType = 'long', nullable = true): StateValue => ({ name, type, nullable, merge: 'replace' })
const sum = (name: string, type: DataType = 'long', lineage?: string): StateValue => ({
  name,
  type,
  nullable: true,
  merge: 'sum',
  ...(lineage !== undefined && { lineage }),
})
const call = (name: string, text: string, columns: number[], types = ['bigint']): StateAggregate => ({
  name,
  call: text,
  function: text.slice(0, text.indexOf('(')),
  types,
  columns,
})
const schema = (keys: StateSchema['keys'], values: StateValue[], aggregates?: StateAggregate[]): StateSchema => ({
  keys,
  values,
  eventTime: null,
  ...(aggregates && { aggregates }),
})
type Planned = readonly [kind: string, schemas: Readonly<Record<string, StateSchema>>, name?: string]
const names: Readonly<Record<string, string>> = { aggregate: 'stateStoreSave', dedupe: 'dedupe', limit: 'globalLimit' }
const operators = (planned: readonly Planned[]): StateOperator[] =>
  planned.flatMap(([kind, schemas, name], operatorId) =>
    Object.entries(schemas).map(([storeName, each]) => ({ operatorId, name: name ?? names[kind]!, kind, storeName, schema: each })),
  )
const storedOf = (planned: readonly Planned[]): Map<StoreId, StoredStore> =>
  new Map(
    operators(planned).map(({ operatorId, storeName, name, kind, schema: each }) => {
      const id = storeIdOf(operatorId, storeName)
      const current = { operatorId: id, operatorName: name, kind: kind!, schemaId: 0, keyGroups: 16, schema: each }
      return [id, { versions: [current], current, isCurrent: true }]
    }),
  )
const match = (before: readonly Planned[], now: readonly Planned[], defaults: StateDefaults = {}) =>
  matchState(operators(now), storedOf(before), { version: 7, keyGroups: 16, defaults })
const rulesOf = (before: readonly Planned[], now: readonly Planned[], defaults?: StateDefaults) =>
  match(before, now, defaults).flatMap(({ changes }) => changes.map(({ rule }) => rule))
const grouped = (keys: string[], ...calls: string[]): Planned => [
  'aggregate',
  {
    default: schema(
      keys.map((name) => key(name)),
      calls.map((_, i) => sum(`c${i}`)),
      calls.map((each, i) => call(`c${i}`, each, [i])),
    ),
  },
]

describe('operators', () => {
  test('are found by what they keep, whatever their order', () => {
    const [a, b] = [grouped(['a'], 'sum(x)'), grouped(['b'], 'sum(x)')]
    const matches = match([a, b], [b, a])
    expect(matches.map(({ stores }) => stores[0]!.id)).toEqual([1, 0])
    expect(matches.flatMap(({ changes }) => changes)).toEqual([])
  })
  test('keep their number where one before them goes; a new one gets a free number', () => {
    const dedupe: Planned = ['dedupe', { default: schema([key('id')], []) }]
    expect(match([dedupe, grouped(['a'], 'sum(x)')], [grouped(['a'], 'sum(x)')]).map(({ stores }) => stores[0]?.id)).toEqual([1, undefined])
    expect(match([grouped(['a'], 'sum(x)')], [dedupe, grouped(['a'], 'sum(x)')]).map(({ stores }) => stores[0]!.id)).toEqual([1, 0])
  })
  test('that can not be told apart are refused', () => {
    expect(rulesOf([grouped(['a'], 'sum(x)'), grouped(['b'], 'sum(x)')], [grouped(['c'], 'sum(x)')])).toEqual(['operator-ambiguous'])
  })
  test('a join of another kind is another operator', () => {
    const join = (kind: string): Planned => [
      kind,
      { left: schema([key('k')], [value('v')]), right: schema([key('k')], []) },
      'symmetricHashJoin',
    ]
    expect(rulesOf([join('inner join')], [join('inner join')])).toEqual([])
    expect(rulesOf([join('inner join')], [join('semi join')])).toEqual(['operator-changed'])
    expect(rulesOf([join('inner join')], [['inner join', { left: join('')[1]['left']! }, 'symmetricHashJoin']])).toEqual(['stores-changed'])
  })
  test('at version 0 anything may begin', () => {
    const [one] = matchState(operators([grouped(['a'], 'sum(x)')]), storedOf([grouped(['b', 'c'], 'max(x)')]), {
      version: 0,
      keyGroups: 16,
      defaults: {},
    })
    expect([one!.changes, one!.stores[0]!.schemaId, one!.stores[0]!.newSchema !== null]).toEqual([[], 0, true])
  })
})

describe('aggregates', () => {
  const average = (lineage?: string): [StateValue[], StateAggregate] => [
    [sum('m.sum', 'double', lineage), { ...sum('m.count', 'long', lineage), nullable: false }],
    call('m', 'avg(v)', [0, 1]),
  ]
  test('one that is new shares no accumulator with one that is older', () => {
    const count: StateValue = { ...sum('n'), nullable: false }
    const before = schema([key('k')], [count], [call('n', 'count(1)', [0])])
    const together = schema([key('k')], [count, sum('m.sum', 'double')], [call('n', 'count(1)', [0]), call('m', 'avg(v)', [1, 0])])
    const [one] = match([['aggregate', { default: before }]], [['aggregate', { default: together }]])
    expect(one!.lineages).toEqual([undefined, '1'])
    const [values, own] = average('1')
    const apart = schema([key('k')], [count, ...values], [call('n', 'count(1)', [0]), { ...own, columns: [1, 2] }])
    const [store] = match([['aggregate', { default: before }]], [['aggregate', { default: apart }]])[0]!.stores
    expect(store!.newSchema!.migration).toEqual({
      from: 0,
      newIds: false,
      sources: [0, 1, null, null].map((from) => ({ from, fill: null })),
    })
  })
  test('are found by their calls; a name says which one has changed', () => {
    expect(rulesOf([grouped(['k'], 'sum(x)', 'max(x)')], [grouped(['k'], 'max(x)', 'sum(x)')])).toEqual([])
    expect(rulesOf([grouped(['k'], 'sum(x)')], [grouped(['k'], 'sum(y)')])).toEqual(['aggregate-expression-changed'])
    expect(rulesOf([grouped(['k'], 'sum(x)')], [grouped(['k'], 'max(x)')])).toEqual(['functions-changed'])
  })
  test('distinct values are counted by their encoding, which only whole numbers share', () => {
    const counted = (type: string): Planned => [
      'aggregate',
      { default: schema([key('k')], [{ ...value('d', 'binary'), merge: 'hll' }], [call('d', 'approx_count_distinct(x)', [0], [type])]) },
    ]
    expect(rulesOf([counted('int')], [counted('bigint')])).toEqual([])
    expect(rulesOf([counted('int')], [counted('double')])).toEqual(['values-changed'])
  })
  test('a key that is never null needs a default', () => {
    const more = (nullable: boolean): Planned => ['aggregate', { default: schema([key('a'), key('r', 'string', nullable)], [], []) }]
    const before: Planned = ['aggregate', { default: schema([key('a')], [], []) }]
    expect(rulesOf([before], [more(true)])).toEqual(['key-added'])
    expect(rulesOf([before], [more(false)])).toEqual(['key-without-default'])
    expect(rulesOf([before], [more(false)], { r: 'eu' })).toEqual(['key-added'])
  })
})

describe('state variables of a processor', () => {
  const keys = [key('k')]
  const processor = (schemas: Readonly<Record<string, StateSchema>>): Planned => ['transform', schemas, 'transformWithStateExec']
  const single = (more: Partial<StateSchema>, ...values: StateValue[]): StateSchema => ({
    ...schema(keys, values),
    variable: { kind: 'value' },
    ...more,
  })
  const before = processor({ total: single({}, value('value.a', 'int'), value('value.b')) })
  test('come and go', () => {
    expect(rulesOf([before], [processor({ total: before[1]['total']!, more: single({}, value('value')) })])).toEqual(['variable-added'])
    expect(rulesOf([processor({ total: before[1]['total']!, more: single({}, value('value')) })], [before])).toEqual(['variable-removed'])
  })
  test('gain and lose nullable fields, and take wider types', () => {
    const now = processor({ total: single({}, value('value.c', 'string'), value('value.a', 'long')) })
    expect(rulesOf([before], [now])).toEqual(['value-added', 'value-widened', 'value-dropped'])
    expect(match([before], [now])[0]!.stores[0]!.newSchema!.migration!.sources.map(({ from }) => from)).toEqual([0, null, 1])
  })
  test('keep their kind, whether they expire, and fields that are never null', () => {
    expect(
      rulesOf(
        [before],
        [processor({ total: single({ variable: { kind: 'list' }, rowsPerKey: 'many' }, value('value.a', 'int'), value('value.b')) })],
      ),
    ).toContain('variable-kind-changed')
    expect(
      rulesOf(
        [before],
        [processor({ total: single({ variable: { kind: 'value', ttl: true } }, value('value.a', 'int'), value('value.b')) })],
      ),
    ).toEqual(['variable-changed'])
    expect(
      rulesOf([before], [processor({ total: single({}, value('value.a', 'int'), value('value.b'), value('value.c', 'int', false)) })]),
    ).toEqual(['variable-changed'])
    expect(rulesOf([before], [processor({ total: single({}, value('value.a', 'string'), value('value.b')) })])).toEqual([
      'variable-changed',
    ])
  })
})
