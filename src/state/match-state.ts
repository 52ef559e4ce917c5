/**
 * What of the state that a checkpoint has becomes which store of a query: operators are found by their kind and what they keep, not by their places alone;
 * columns as match-columns.ts has it. Pure: nothing is read, nothing is thrown.
 */
import { type RestartRule, restartRules } from '../checkpoint/restart-rules.ts'
import type { StateSchema, StateValue } from '../data/state-schema.ts'
import { isEncodedAlike, isSamePhysically, withNullsOf } from '../data/widening.ts'
import {
  type AggregateMatch,
  aggregateSources,
  type ColumnSource,
  describe,
  matchAggregates,
  matchByPlace,
  matchKeys,
  matchKeysInOrder,
  matchValues,
  needsNewIds,
  type StateChange,
  type StateDefaults,
} from './match-columns.ts'
import { type StoreId, storeIdOf } from './state-files.ts'
import type { StateOperator } from './state-options.ts'
import type { StoredSchema, StoredStore } from './state-schema-file.ts'

/** One store of a query, and what of the checkpoint it goes on with. */
export interface StoreMatch {
  readonly operator: StateOperator
  /** Under which it is kept; another one than the plan's where operators came or went. */
  readonly id: StoreId
  /** Its schema as the rows are kept: the query's, with null allowed wherever stored rows may have it. */
  readonly schema: StateSchema
  readonly schemaId: number
  /** To be written before the first changelog that uses it; null where the checkpoint has it. */
  readonly newSchema: StoredSchema | null
}

/** What becomes of one stateful operator, of the query or of the checkpoint. */
export interface OperatorMatch {
  /** `aggregate 0 by user` */
  readonly label: string
  /** In the plan; null where the query has it no more. */
  readonly operatorId: number | null
  readonly changes: readonly StateChange[]
  readonly stores: readonly StoreMatch[]
  /** Stores that the version has and the operator deletes, by their names. */
  readonly deleted?: readonly string[]
  /** Which accumulators must be kept apart, by the place of the aggregate; where the schema was planned so it is undefined. */
  readonly lineages?: readonly (string | undefined)[]
}

/** What of a checkpoint and of the configuration a match depends on. */
export interface MatchSettings {
  /** Of the state. At version 0 there is none, in any schema, whatever an earlier start has begun. */
  readonly version: number
  readonly keyGroups: number
  readonly defaults: StateDefaults
}

/** The stateful operators of a query against those of the state at some version. */
export function matchState(
  wanted: readonly StateOperator[],
  stored: ReadonlyMap<StoreId, StoredStore>,
  settings: MatchSettings,
): OperatorMatch[] {
  const olds = operatorsOf(
    [...stored.values()]
      .filter(({ isCurrent }) => isCurrent && settings.version > 0)
      .map(({ current }) => [current.operatorId, current.kind ?? current.operatorName, current.schema]),
  )
  const news = operatorsOf(
    wanted.map((operator) => [storeIdOf(operator.operatorId, operator.storeName), operator.kind ?? operator.name, operator.schema]),
  )
  const pairs = pairOperators(news, olds)
  let free = Math.max(-1, ...[...stored.keys()].map(numberOf)) + 1
  const isFirst = settings.version === 0
  const matches = news.map((operator): OperatorMatch => {
    const own = wanted.filter(({ operatorId }) => operatorId === operator.number)
    const old = pairs.found.get(operator)
    const durable = old?.number ?? (isFirst ? operator.number : free++)
    const label = labelOf(operator)
    if (!old) {
      const changes = isFirst ? [] : [pairs.strange.get(operator) ?? added(operator, label)]
      return { label, operatorId: operator.number, changes, stores: own.map((each) => begin(each, durable, stored, settings)) }
    }
    return { label, operatorId: operator.number, ...matchStores(own, old, durable, label, stored, settings) }
  })
  const gone = olds.filter((old) => ![...pairs.found.values()].includes(old) && !pairs.replaced.has(old))
  return [...matches, ...gone.map((old): OperatorMatch => ({ label: labelOf(old), operatorId: null, changes: [removed(old)], stores: [] }))]
}

/** The changes that are refused. */
export function refusedChanges(matches: readonly OperatorMatch[]): StateChange[] {
  return matches.flatMap(({ changes }) => changes.filter(({ rule }) => (restartRules[rule] as RestartRule).verdict === 'refused'))
}

/** An operator with its stores, whose names are told apart. */
interface Operator {
  readonly number: number
  readonly kind: string
  readonly stores: ReadonlyMap<string, StateSchema>
}

function operatorsOf(stores: readonly (readonly [StoreId, string, StateSchema])[]): Operator[] {
  const byNumber = new Map<number, { number: number; kind: string; stores: Map<string, StateSchema> }>()
  for (const [id, kind, schema] of stores) {
    const number = numberOf(id)
    const operator = byNumber.get(number) ?? { number, kind, stores: new Map() }
    operator.stores.set(storeNameOf(id), schema)
    byNumber.set(number, operator)
  }
  return [...byNumber.values()].sort((a, b) => a.number - b.number)
}
function numberOf(id: StoreId): number {
  return Number.parseInt(String(id), 10)
}
/** As in file names. */
function storeNameOf(id: StoreId): string {
  return typeof id === 'number' ? '' : id.slice(id.indexOf('/') + 1)
}
function labelOf({ kind, number, stores }: Operator): string {
  // a window is two keys, its start and its end
  const keyText = ({ name, origin }: { readonly name: string; readonly origin?: string }) =>
    (origin ?? name).replace(/^(window\(.*\))\.(start|end)$/, '$1')
  const keys = new Set([...stores.values()][0]!.keys.map(keyText))
  return `${kind} ${number}${keys.size > 0 ? ` by ${[...keys].join(', ')}` : ''}`
}

/** Operators of one kind are told apart by what they keep, then by their keys, then by their order where as many are left. */
function pairOperators(news: readonly Operator[], olds: readonly Operator[]) {
  const found = new Map<Operator, Operator>()
  const strange = new Map<Operator, StateChange>()
  const replaced = new Set<Operator>()
  const isFree = (old: Operator) => ![...found.values()].includes(old)
  const identities: readonly ((operator: Operator) => string)[] = [
    ({ stores }) =>
      JSON.stringify(
        [...stores].map(([name, { keys, values, aggregates }]) => [
          name,
          keys.map(identity),
          aggregates?.map(({ call }) => call) ?? values.map(identity),
        ]),
      ),
    ({ stores }) => JSON.stringify([...stores].map(([name, { keys }]) => [name, keys.map(identity)])),
    ({ stores }) => JSON.stringify([...stores].map(([name, { keys }]) => [name, keys.map((key) => key.name)])),
  ]
  for (const kind of new Set(news.map((operator) => operator.kind))) {
    const left = () =>
      [news.filter((each) => each.kind === kind && !found.has(each)), olds.filter((each) => each.kind === kind && isFree(each))] as const
    for (const identityOf of identities) {
      for (const operator of left()[0]) {
        const [others, candidates] = left().map((each) => each.filter((one) => identityOf(one) === identityOf(operator)))
        // several that are the same in all that is known stay in their order
        if (candidates!.length > 0 && others!.length === candidates!.length) found.set(operator, candidates![others!.indexOf(operator)]!)
      }
    }
    const [others, candidates] = left()
    if (others.length === candidates.length) others.forEach((operator, i) => found.set(operator, candidates[i]!))
    else if (others.length > 0 && candidates.length > 0) {
      const what = `of the operators ${candidates.map(labelOf).join('; ')} it can't be told which ones became ${others.map(labelOf).join('; ')}`
      for (const operator of others) strange.set(operator, { rule: 'operator-ambiguous', what })
      for (const old of candidates) replaced.add(old)
    }
  }
  // what came in the place of another one
  const lost = olds.filter((old) => isFree(old) && !replaced.has(old))
  for (const operator of news.filter((each) => !found.has(each) && !strange.has(each))) {
    const old = lost.find((each) => each.number === operator.number && !(mayGo(each) || mayCome(operator)))
    if (!old) continue
    replaced.add(old)
    strange.set(operator, { rule: 'operator-changed', what: `operator ${operator.number} was ${labelOf(old)} and is ${labelOf(operator)}` })
  }
  return { found, strange, replaced }
}
function identity({ name, origin }: { readonly name: string; readonly origin?: string }): string {
  return origin ?? name
}

const isDedupe = ({ kind }: Operator) => kind.startsWith('dedupe')
function mayCome(operator: Operator): boolean {
  return isDedupe(operator)
}
function mayGo(operator: Operator): boolean {
  return isDedupe(operator) || operator.kind === 'limit'
}
function added(operator: Operator, label: string): StateChange {
  return { rule: isDedupe(operator) ? 'deduplication-added' : 'operator-added', what: `${label} is new` }
}
function removed(operator: Operator): StateChange {
  const rule = isDedupe(operator) ? 'deduplication-removed' : operator.kind === 'limit' ? 'limit-removed' : 'operator-removed'
  return { rule, what: `${labelOf(operator)} is gone` }
}

function begin(
  operator: StateOperator,
  durable: number,
  stored: ReadonlyMap<StoreId, StoredStore>,
  { version, keyGroups }: MatchSettings,
): StoreMatch {
  const id = storeIdOf(durable, operator.storeName)
  const versions = stored.get(id)?.versions ?? []
  // at version 0 nothing was ever committed in a schema, so that its file may be written over
  return settle(operator, id, operator.schema, version === 0 ? 0 : highest(versions) + 1, versions, keyGroups)
}

function settle(
  operator: StateOperator,
  id: StoreId,
  schema: StateSchema,
  schemaId: number,
  versions: readonly StoredSchema[],
  keyGroups: number,
  migration?: StoredSchema['migration'],
): StoreMatch {
  const wanted = (number: number): StoredSchema => ({
    operatorId: id,
    operatorName: operator.name,
    ...(operator.kind !== undefined && { kind: operator.kind }),
    schemaId: number,
    keyGroups,
    schema,
    ...(migration && { migration }),
  })
  // one that a start has written which never came to commit in it
  const known = versions.find((each) => each.schemaId >= schemaId - 1 && JSON.stringify(each) === JSON.stringify(wanted(each.schemaId)))
  if (known && (migration === undefined ? known.schemaId === schemaId : known.schemaId > migration.from))
    return { operator, id, schema, schemaId: known.schemaId, newSchema: null }
  return { operator, id, schema, schemaId, newSchema: wanted(schemaId) }
}
function highest(versions: readonly StoredSchema[]): number {
  return Math.max(-1, ...versions.map(({ schemaId }) => schemaId))
}

function matchStores(
  own: readonly StateOperator[],
  old: Operator,
  durable: number,
  label: string,
  stored: ReadonlyMap<StoreId, StoredStore>,
  settings: MatchSettings,
): Pick<OperatorMatch, 'changes' | 'stores' | 'deleted' | 'lineages'> {
  const changes: StateChange[] = []
  const stores: StoreMatch[] = []
  const deleted: string[] = []
  let lineages: readonly (string | undefined)[] | undefined
  const hasVariables = own[0]!.name.startsWith('transformWithState')
  const names = own.map((operator) => storeNameOf(storeIdOf(durable, operator.storeName)))
  for (const name of old.stores.keys()) {
    if (names.includes(name)) continue
    const { variable } = old.stores.get(name)!
    const storeName = decodeURIComponent(name)
    if (hasVariables && own[0]!.deletes?.includes(storeName)) {
      deleted.push(storeName)
      changes.push({ rule: 'variable-deleted', what: `${label} deletes the state "${storeName}"` })
    } else if (hasVariables && variable !== undefined && variable.kind !== 'group' && variable.kind !== 'timers') {
      // its rows stay until deleteIfExists removes them
      const { current } = stored.get(`${durable}/${name}`)!
      const operator = { operatorId: own[0]!.operatorId, name: own[0]!.name, storeName, schema: current.schema }
      stores.push({ operator, id: current.operatorId, schema: current.schema, schemaId: current.schemaId, newSchema: null })
      changes.push({ rule: 'variable-removed', what: `${label} does not declare the state "${storeName}" any more` })
    } else if (!hasVariables) changes.push({ rule: 'stores-changed', what: `${label} no longer has the store ${name || 'default'}` })
  }
  for (const operator of own) {
    const id = storeIdOf(durable, operator.storeName)
    const there = stored.get(id)
    if (!there?.isCurrent) {
      const isTimers = operator.schema.variable?.kind === 'timers'
      const what = isTimers
        ? `the timers store of ${label} is new`
        : `the ${hasVariables ? 'state' : 'store'} "${operator.storeName ?? 'default'}" of ${label} is new`
      changes.push({ rule: hasVariables ? 'variable-added' : 'stores-changed', what })
      stores.push(begin(operator, durable, stored, settings))
      continue
    }
    const storeName = operator.storeName ?? 'default'
    const isOnlyOne = old.stores.size === 1 && names.length === 1
    const of = hasVariables ? `the state "${storeName}" of ${label}` : isOnlyOne ? label : `${label}, ${storeName},`
    const match = matchStore(operator, id, of, there, settings)
    changes.push(...match.changes)
    stores.push(match.store)
    lineages ??= match.lineages
  }
  return { changes, stores, deleted, ...(lineages && { lineages }) }
}

function matchStore(operator: StateOperator, id: StoreId, of: string, there: StoredStore, { keyGroups, defaults }: MatchSettings) {
  const { current, versions } = there
  const [was, is] = [current.schema, operator.schema]
  const nextId = highest(versions) + 1
  const hasVariables = operator.name.startsWith('transformWithState')
  const changes: StateChange[] = []
  const otherKind = otherKindOf(operator, was, is, of)
  if (otherKind !== null) {
    // nothing more is to be said of columns: they are those of something else
    return { changes: [otherKind], store: { operator, id, schema: is, schemaId: current.schemaId, newSchema: null }, lineages: undefined }
  }
  if (was.rowsPerKey !== is.rowsPerKey) {
    const rows = ({ rowsPerKey }: StateSchema) => (rowsPerKey === 'many' ? 'any number of rows' : 'one row')
    changes.push({
      rule: hasVariables ? 'variable-kind-changed' : 'keys-changed',
      what: `${of} kept ${rows(was)} for a key and now keeps ${rows(is)}`,
    })
  }
  if (!isSameUserKey(was, is)) {
    changes.push({ rule: 'variable-changed', what: `${of} was (${describe(was.values)}) and is (${describe(is.values)})` })
  }
  const isGrouped = ['stateStoreSave', 'sessionWindowStateStoreSaveExec'].includes(operator.name) || operator.name.startsWith('dedupe')
  const keys = isGrouped ? matchKeys(was, is, of, defaults) : matchKeysInOrder(was, is, of)
  changes.push(...keys.changes)
  let values: readonly ColumnSource[]
  let lineages: readonly (string | undefined)[] | undefined
  if (is.aggregates !== undefined && was.aggregates !== undefined) {
    const match = matchAggregates(was, is, of, current.schemaId + 1)
    changes.push(...match.changes)
    lineages = match.matches.map(({ lineage }: AggregateMatch) => lineage)
    values = aggregateSources(was, is, match.matches)
    changes.push(...boundChanges(was, is, of))
  } else {
    const isByPlace = ['stateStoreSave', 'sessionWindowStateStoreSaveExec', 'globalLimit'].includes(operator.name)
    const match = isByPlace
      ? matchByPlace(was, is, of)
      : matchValues(was, is, of, defaults, hasVariables ? 'variable-changed' : 'values-changed')
    changes.push(...match.changes)
    values = match.sources
  }
  const sources = [...keys.sources, ...values]
  const schema = effectiveSchema(was, is, sources)
  const newIds = needsNewIds(was, is, keys.sources)
  const store =
    isSameText(schema, was) && sources.every(({ from }, i) => from === i)
      ? { operator, id, schema, schemaId: current.schemaId, newSchema: null }
      : settle(operator, id, schema, nextId, versions, keyGroups, { from: current.schemaId, sources, newIds })
  return { changes, store, lineages }
}

/** What is kept as something else altogether: the one change that is to be told, or null. */
function otherKindOf({ name }: StateOperator, was: StateSchema, is: StateSchema, of: string): StateChange | null {
  const [before, now] = [was.variable, is.variable]
  if (before?.kind !== now?.kind) {
    const kind = (variable: StateSchema['variable']) => variable?.kind ?? 'row of columns'
    return { rule: 'variable-kind-changed', what: `${of} kept a ${kind(before)} for each key and now keeps a ${kind(now)}` }
  }
  if (before?.ttl !== now?.ttl)
    return { rule: 'variable-changed', what: now?.ttl ? `${of} has a TTL and had none` : `${of} had a TTL and has none` }
  if (now?.kind === 'group' && (was.eventTime === null) !== (is.eventTime === null))
    return {
      rule: 'state-function-changed',
      what: is.eventTime === null ? `${of} had timeouts and has none` : `${of} has timeouts and had none`,
    }
  if (!name.startsWith('dedupe') || (was.values.length === 0) === (is.values.length === 0)) return null
  const method = ({ values }: StateSchema) => (values.length === 0 ? 'dropDuplicates' : 'dropDuplicatesWithinWatermark')
  return { rule: 'operator-changed', what: `${of} was ${method(was)} and is ${method(is)}` }
}

/** A session that is made otherwise: its bounds are the only values of an aggregation that say what they are made of. */
function boundChanges(was: StateSchema, is: StateSchema, of: string): StateChange[] {
  const bound = is.values.find(({ origin }) => origin !== undefined)
  const before = bound && was.values.find(({ name }) => name === bound.name)
  if (!before || before.origin === undefined || before.origin === bound.origin) return []
  return [{ rule: 'keys-expression-changed', what: `the sessions of ${of} were ${before.origin} and are ${bound.origin}` }]
}

/** Entries of a map are identified by the encoding of their keys. */
function isSameUserKey(was: StateSchema, is: StateSchema): boolean {
  const of = ({ values, variable }: StateSchema) => values.slice(0, variable?.userKeyColumns ?? 0)
  const [before, after] = [of(was), of(is)]
  return (
    before.length === after.length && after.every(({ name, type }, i) => name === before[i]!.name && isEncodedAlike(type, before[i]!.type))
  )
}

/** Null is allowed wherever it is in the query or may be in the rows that there are. */
function effectiveSchema(was: StateSchema, is: StateSchema, sources: readonly ColumnSource[]): StateSchema {
  const all = [...was.keys, ...was.values]
  const column = <C extends StateSchema['keys'][number]>(wanted: C, { from }: ColumnSource): C => {
    const old = from === null ? undefined : all[from]
    return old === undefined ? wanted : { ...wanted, type: withNullsOf(wanted.type, old.type), nullable: wanted.nullable || old.nullable }
  }
  return {
    ...is,
    keys: is.keys.map((key, i) => column(key, sources[i]!)),
    values: is.values.map((value, i): StateValue => column(value, sources[is.keys.length + i]!)),
  }
}
function isSameText(a: StateSchema, b: StateSchema): boolean {
  const ordered = ({ keys, values, eventTime, rowsPerKey, aggregates, variable }: StateSchema) => {
    const column = ({ name, type, nullable, origin }: StateSchema['keys'][number]) => [name, type, nullable, origin ?? null]
    return JSON.stringify([
      keys.map(column),
      values.map((value) => [column(value), value.merge, value.lineage ?? null]),
      eventTime,
      rowsPerKey ?? null,
      aggregates ?? null,
      variable ?? null,
    ])
  }
  return ordered(a) === ordered(b)
}

/** Whether rows in one schema are, byte for byte, rows in the other: only names differ. */
export function isRelabelling(was: StateSchema, { migration, schema }: StoredSchema): boolean {
  if (migration === undefined || migration.newIds) return false
  const [before, after] = [was, schema].map(({ keys, values }) => [...keys, ...values])
  return (
    before!.length === after!.length &&
    migration.sources.every(({ from }, i) => from === i) &&
    after!.every(({ type, nullable }, i) => nullable === before![i]!.nullable && isSamePhysically(type, before![i]!.type))
  )
}
