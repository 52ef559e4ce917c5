/** Which columns of the state that there is become which of those that a changed query keeps. Pure. */
import type { StateAggregate, StateColumn, StateSchema, StateValue } from '../data/state-schema.ts'
import { typeText } from '../data/types.ts'
import { holds, isEncodedAlike, isSamePhysically } from '../data/widening.ts'

/** What about the state changed, by its name in the table of restart rules (checkpoint/restart-rules.ts). */
export type StateRule =
  | 'operator-added'
  | 'operator-removed'
  | 'operator-changed'
  | 'operator-ambiguous'
  | 'deduplication-added'
  | 'deduplication-removed'
  | 'limit-removed'
  | 'stores-changed'
  | 'variable-added'
  | 'variable-removed'
  | 'variable-deleted'
  | 'variable-kind-changed'
  | 'variable-changed'
  | 'keys-changed'
  | 'key-added'
  | 'key-without-default'
  | 'keys-reordered'
  | 'key-widened'
  | 'keys-expression-changed'
  | 'values-changed'
  | 'value-added'
  | 'value-without-default'
  | 'value-dropped'
  | 'value-widened'
  | 'value-renamed'
  | 'aggregate-added'
  | 'aggregate-dropped'
  | 'aggregate-expression-changed'
  | 'functions-changed'
  | 'state-function-changed'
  | 'names-changed'
export interface StateChange {
  readonly rule: StateRule
  readonly what: string
}

/** Where a column of the new schema comes from: one of the stored (by its place among keys and values together), or null: it begins with `fill`. */
export interface ColumnSource {
  readonly from: number | null
  /** As JSON; null where the column begins as null, or with the empty value of its aggregate. */
  readonly fill: unknown
}
/** Values for columns that old rows lack, by the name of the column; of what a function keeps, whose columns are `state.n` here, also by that of its field. */
export type StateDefaults = Readonly<Record<string, unknown>>

function defaultOf(defaults: StateDefaults, { name }: StateColumn): unknown {
  const found = [name, name.replace(/^(state|value)\./, '')].find((each) => Object.hasOwn(defaults, each))
  return found === undefined ? undefined : defaults[found]
}

const noFill = (from: number | null): ColumnSource => ({ from, fill: null })

/** The keys of a grouping or of a deduplication: found by what they are made of, then by name, then, where as many are left, by their order. */
export function matchKeys(stored: StateSchema, wanted: StateSchema, of: string, defaults: StateDefaults) {
  const changes: StateChange[] = []
  const sources: (ColumnSource | undefined)[] = wanted.keys.map(() => undefined)
  const left = new Set(stored.keys.keys())
  const pair = (fits: (key: StateColumn, was: StateColumn) => boolean) => {
    wanted.keys.forEach((key, i) => {
      if (sources[i] !== undefined) return
      const at = [...left].find((candidate) => fits(key, stored.keys[candidate]!))
      if (at === undefined) return
      left.delete(at)
      sources[i] = noFill(at)
    })
  }
  pair((key, was) => key.origin !== undefined && key.origin === was.origin)
  pair((key, was) => key.name === was.name)
  const missing = wanted.keys.flatMap((_, i) => (sources[i] === undefined ? [i] : []))
  if (missing.length === left.size) {
    const order = [...left].sort((a, b) => a - b)
    missing.forEach((i, n) => {
      if (isSamePhysically(wanted.keys[i]!.type, stored.keys[order[n]!]!.type)) {
        sources[i] = noFill(order[n]!)
        left.delete(order[n]!)
      }
    })
  }
  const whole = `the keys of ${of} were (${describe(stored.keys)}) and are (${describe(wanted.keys)})`
  let isBroken = left.size > 0
  const without: StateChange[] = []
  wanted.keys.forEach((key, i) => {
    const source = sources[i]
    if (source === undefined) {
      const fill = defaultOf(defaults, key)
      sources[i] = { from: null, fill: fill ?? null }
      if (fill === undefined && !key.nullable)
        without.push({ rule: 'key-without-default', what: `${of} has a new key ${describe([key])}, which old rows have no value for` })
      else
        changes.push({
          rule: 'key-added',
          what: `${of} has a new key ${describe([key])}: what is in the state has ${fill === undefined ? 'null' : JSON.stringify(fill)} in it`,
        })
      return
    }
    const was = stored.keys[source.from!]!
    if (!holds(key.type, was.type)) isBroken = true
    else if (!isSamePhysically(key.type, was.type))
      changes.push({ rule: 'key-widened', what: `the key ${key.name} of ${of} was ${typeText(was.type)} and is ${typeText(key.type)}` })
    if (was.origin !== undefined && key.origin !== undefined && key.origin !== was.origin)
      changes.push({ rule: 'keys-expression-changed', what: `the key ${key.name} of ${of} was ${was.origin} and is ${key.origin}` })
  })
  const kept = sources.flatMap((source) => source!.from ?? [])
  if (kept.some((at, i) => i > 0 && at < kept[i - 1]!)) changes.push({ rule: 'keys-reordered', what: whole })
  if (isBroken) return { sources: sources as ColumnSource[], changes: [{ rule: 'keys-changed' as const, what: whole }] }
  return { sources: sources as ColumnSource[], changes: [...without, ...changes] }
}

/** The keys of a join: both sides are found by them, so that they only may be widened. */
export function matchKeysInOrder(stored: StateSchema, wanted: StateSchema, of: string) {
  const fits = stored.keys.length === wanted.keys.length && wanted.keys.every((key, i) => holds(key.type, stored.keys[i]!.type))
  const changes: StateChange[] = []
  if (!fits)
    changes.push({ rule: 'keys-changed', what: `the keys of ${of} were (${describe(stored.keys)}) and are (${describe(wanted.keys)})` })
  else
    wanted.keys.forEach((key, i) => {
      const was = stored.keys[i]!
      if (!isSamePhysically(key.type, was.type))
        changes.push({ rule: 'key-widened', what: `the key ${key.name} of ${of} was ${typeText(was.type)} and is ${typeText(key.type)}` })
      else if (was.origin !== undefined && key.origin !== undefined && key.origin !== was.origin && key.name !== was.name)
        changes.push({ rule: 'keys-expression-changed', what: `the key ${key.name} of ${of} was ${was.origin} and is ${key.origin}` })
    })
  return { sources: wanted.keys.map((_, i) => noFill(fits ? i : null)), changes }
}

/** Values that are kept as they are (rows of a join, state variables): by what they are made of, or by name. A value may have been a key before. */
export function matchValues(
  stored: StateSchema,
  wanted: StateSchema,
  of: string,
  defaults: StateDefaults,
  broken: 'values-changed' | 'variable-changed',
) {
  const changes: StateChange[] = []
  const all: readonly StateColumn[] = [...stored.keys, ...stored.values]
  const left = new Set(stored.values.map((_, i) => stored.keys.length + i))
  const identity = (column: StateColumn) => column.origin ?? column.name
  const found = wanted.values.map((value) => {
    const own = all.findIndex((column, at) => at >= stored.keys.length && identity(column) === identity(value))
    const at = own >= 0 ? own : all.findIndex((column) => identity(column) === identity(value))
    left.delete(at)
    return at < 0 ? undefined : at
  })
  const sources = wanted.values.map((value, i): ColumnSource => {
    const at = found[i]
    if (at !== undefined) {
      const was = all[at]!
      const merges = (column: StateColumn) => ('merge' in column ? column.merge : value.merge)
      if (!holds(value.type, was.type) || merges(was) !== value.merge)
        changes.push({ rule: broken, what: `the stored column ${value.name} of ${of} was ${describe([was])} and is ${describe([value])}` })
      else if (!isSamePhysically(value.type, was.type))
        changes.push({
          rule: 'value-widened',
          what: `the stored column ${value.name} of ${of} was ${typeText(was.type)} and is ${typeText(value.type)}`,
        })
      return noFill(at)
    }
    // fields of a variable are known by their names alone, as in Spark
    const twin =
      broken === 'variable-changed'
        ? undefined
        : [...left].find((candidate) => candidate - stored.keys.length === i && isSamePhysically(all[candidate]!.type, value.type))
    if (twin !== undefined && wanted.values.length === stored.values.length) {
      changes.push({
        rule: 'value-renamed',
        what: `the stored columns of ${of} have ${value.name} where ${all[twin]!.name} was, of the same type`,
      })
      return noFill(null)
    }
    const fill = defaultOf(defaults, value)
    if (fill === undefined && !value.nullable)
      changes.push({
        // a variable may as well be another one, under another name
        rule: broken === 'variable-changed' ? broken : 'value-without-default',
        what: `the stored rows of ${of} lack the column ${describe([value])}, which is never null`,
      })
    else
      changes.push({
        rule: 'value-added',
        what: `${of} stores a new column ${describe([value])}: old rows have ${fill === undefined ? 'null' : JSON.stringify(fill)} in it`,
      })
    return { from: null, fill: fill ?? null }
  })
  for (const at of left) changes.push({ rule: 'value-dropped', what: `${of} no longer stores ${describe([all[at]!])}` })
  return { sources, changes }
}

/** What an aggregate of the changed query goes on with. */
export interface AggregateMatch {
  /** The stored aggregate, by its place; null: it begins anew. */
  readonly stored: number | null
  readonly lineage: string | undefined
}

/**
 * The aggregates of a query, found by their calls (`sum(price)`), then by the names of their columns. All accumulators of one come from the same stored
 * aggregate, or none: half an average would be wrong. `schemaId`, which is higher than that of the stored schema, names the lineage of what begins now.
 */
export function matchAggregates(stored: StateSchema, wanted: StateSchema, of: string, schemaId: number) {
  const changes: StateChange[] = []
  const [olds, news] = [stored.aggregates!, wanted.aggregates!]
  const claimed = new Map<number, number>()
  const matches: (AggregateMatch | undefined)[] = news.map(() => undefined)
  const lineageOf = (old: StateAggregate) => old.columns.map((at) => stored.values[at]!.lineage)[0]
  const claim = (i: number, old: number, lineage: string | undefined) => {
    if (!claimed.has(old)) claimed.set(old, i)
    matches[i] = { stored: old, lineage }
  }
  const pair = (fits: (aggregate: StateAggregate, old: StateAggregate) => boolean) =>
    news.forEach((aggregate, i) => {
      if (matches[i] !== undefined) return
      const at = olds.findIndex((old, o) => !claimed.has(o) && fits(aggregate, old))
      if (at >= 0) claim(i, at, lineageOf(olds[at]!))
    })
  pair((aggregate, old) => aggregate.call === old.call && aggregate.name === old.name)
  pair((aggregate, old) => aggregate.call === old.call)
  news.forEach((aggregate, i) => {
    if (matches[i] !== undefined) return
    // a second column of the same accumulators
    const twin = news.findIndex((other, o) => matches[o] !== undefined && String(other.columns) === String(aggregate.columns))
    if (twin >= 0 && news[twin]!.call === aggregate.call) matches[i] = matches[twin]
  })
  news.forEach((aggregate, i) => {
    if (matches[i] !== undefined) return
    const at = olds.findIndex((old, o) => !claimed.has(o) && old.name === aggregate.name)
    if (at < 0) {
      changes.push({ rule: 'aggregate-added', what: `${of} has a new aggregate ${label(aggregate)}: for old keys it begins now` })
      matches[i] = { stored: null, lineage: String(schemaId) }
      return
    }
    const old = olds[at]!
    // kept apart from those of aggregates that have always read the same
    claim(i, at, `${schemaId}.${i}`)
    if (old.function !== aggregate.function)
      changes.push({ rule: 'functions-changed', what: `the column ${aggregate.name} of ${of} was ${old.call} and is ${aggregate.call}` })
    else
      changes.push({
        rule: 'aggregate-expression-changed',
        what: `the column ${aggregate.name} of ${of} was ${old.call} and is ${aggregate.call}`,
      })
  })
  olds.forEach((old, o) => {
    if (!claimed.has(o) && !matches.some((match) => match?.stored === o))
      changes.push({ rule: 'aggregate-dropped', what: `${of} no longer has ${label(old)}` })
  })
  news.forEach((aggregate, i) => {
    const at = matches[i]!.stored
    if (at === null) return
    const old = olds[at]!
    const [from, to] = [old.columns.map((c) => stored.values[c]!), aggregate.columns.map((c) => wanted.values[c]!)]
    if (old.function !== aggregate.function) return
    const fits = from.length === to.length && to.every((value, k) => value.merge === from[k]!.merge && holds(value.type, from[k]!.type))
    const isHashedAlike =
      to.every(({ merge }) => merge !== 'hll') || old.types[0] === aggregate.types[0] || areWhole(old.types[0], aggregate.types[0])
    if (!fits || !isHashedAlike)
      changes.push({
        rule: 'values-changed',
        what: `${label(old)} of ${of} keeps (${describe(from)}) of (${old.types.join(', ')}), and now would keep (${describe(to)}) of (${aggregate.types.join(', ')})`,
      })
    else if (to.some((value, k) => !isSamePhysically(value.type, from[k]!.type)))
      changes.push({
        rule: 'value-widened',
        what: `${label(aggregate)} of ${of} was kept as (${describe(from)}) and is as (${describe(to)})`,
      })
  })
  return {
    matches: matches as AggregateMatch[],
    changes: changes.some(({ rule }) => rule === 'functions-changed') ? withoutDuplicates(changes) : changes,
  }
}
function withoutDuplicates(changes: readonly StateChange[]): StateChange[] {
  return changes.filter((change, i) => changes.findIndex(({ what }) => what === change.what) === i)
}
const wholes: readonly (string | undefined)[] = ['tinyint', 'smallint', 'int', 'bigint']
function areWhole(a: string | undefined, b: string | undefined): boolean {
  return wholes.includes(a) && wholes.includes(b)
}

/** The sources of the values of an aggregation, whose accumulators lie where the matches want them. */
export function aggregateSources(stored: StateSchema, planned: StateSchema, matches: readonly AggregateMatch[]): ColumnSource[] {
  // what belongs to no aggregate, the bounds of a session, goes by its name
  const sources: ColumnSource[] = planned.values.map(({ name }) => {
    const at = stored.values.findIndex((value) => value.name === name)
    return noFill(at < 0 ? null : stored.keys.length + at)
  })
  planned.aggregates!.forEach(({ columns }, i) => {
    const at = matches[i]!.stored
    for (const column of columns) sources[column] = noFill(null)
    if (at === null) return
    columns.forEach((column, k) => {
      sources[column] = noFill(stored.keys.length + stored.aggregates![at]!.columns[k]!)
    })
  })
  return sources
}

/** Whether all old keys and aggregates keep a value that no label says anything about: then columns go by their places. */
export function matchByPlace(stored: StateSchema, wanted: StateSchema, of: string) {
  const fits = (value: StateValue, was: StateValue | undefined) =>
    was !== undefined && value.merge === was.merge && holds(value.type, was.type)
  const isSame = stored.values.length === wanted.values.length && wanted.values.every((value, i) => fits(value, stored.values[i]))
  const changes: StateChange[] = isSame
    ? []
    : [{ rule: 'values-changed', what: `the state of ${of} was (${describe(stored.values)}) and is (${describe(wanted.values)})` }]
  return { sources: wanted.values.map((_, i) => noFill(isSame ? stored.keys.length + i : null)), changes }
}

/** Whether a store's rows need new identities: the encoding of their keys is another one. */
export function needsNewIds(stored: StateSchema, wanted: StateSchema, keySources: readonly ColumnSource[]): boolean {
  return (
    stored.keys.length !== wanted.keys.length ||
    keySources.some(({ from }, i) => from !== i || !isEncodedAlike(wanted.keys[i]!.type, stored.keys[i]!.type))
  )
}

function label({ name, call }: StateAggregate): string {
  return name === call ? call : `${name} = ${call}`
}
export function describe(columns: readonly StateColumn[]): string {
  return columns.map(({ name, type, nullable }) => `${name} ${typeText(type)}${nullable ? '' : ' not null'}`).join(', ')
}
