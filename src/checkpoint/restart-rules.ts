import { InvalidQueryError } from '../base/errors.ts'
import { type ColumnShape, isNamed, type QueryShape, type StateFunctionShape } from './query-shape.ts'

/**
 * `told`: allowed, and the user hears what it means. `migrated`: the state is changed on start, and the user hears how. `rebuilt`: the operator begins with
 * empty state, or gives up what it had, and the user hears why that is right.
 */
export type Verdict = 'allowed' | 'told' | 'migrated' | 'rebuilt' | 'refused'
/** How a query is deployed whose checkpoint can't follow it (docs/state-changes.md). */
export type DeploymentPattern = 'replay' | 'blue-green' | 'initial-state'
export interface RestartRule {
  /** What changed, in words, for docs/restart.md. */
  readonly change: string
  readonly verdict: Verdict
  readonly because: string
  /** Of what is refused: the error's code. */
  readonly code?: string
  /** What to do in its place. */
  readonly todo?: string
  readonly pattern?: DeploymentPattern
}

const sourcesChanged = 'STREAMING_SOURCES_CHANGED'
const operatorsChanged = 'STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA'
const anew = 'go back to what the checkpoint was begun with, or start the changed query with a new checkpointLocation'
const replay = 'go back to what the checkpoint was begun with, or start with a new checkpointLocation and read the sources again (replay)'
const giveDefault =
  'give old rows a value in it with the option stateDefaults, by its name as JSON: {"region": "none"}; or make it nullable; or go back to what the checkpoint was begun with'
const blueGreen =
  'go back to what the checkpoint was begun with, or start the changed query with a new checkpointLocation beside the old one, and stop the old one when its open state has come out (blue-green)'

/**
 * What may change between two starts on one checkpoint. Each start is compared with the run before it; what is not in this table
 * (filters, expressions of a projection, rate limits, options of the sink, user functions, the trigger) may change freely.
 */
export const restartRules = {
  'source-added': {
    change: 'a source was added, and sources have names',
    verdict: 'allowed',
    because: 'offsets are kept by name; the new source begins where its options say',
  },
  'source-removed': {
    change: 'a source was removed, and sources have names',
    verdict: 'told',
    because: 'its offset stays in the log: under its name it goes on from there',
  },
  'source-count-changed': {
    change: 'the number of sources without a name changed',
    verdict: 'refused',
    because: 'their offsets are kept by their place in the plan, so that they would go to the wrong source',
    code: sourcesChanged,
    todo: 'give the query the sources it had, or start it with a new checkpointLocation, and name its sources: readStream.name(…)',
  },
  'source-format-changed': {
    change: 'a source became one of another format',
    verdict: 'refused',
    because: 'its offsets mean nothing to the other one',
    code: sourcesChanged,
    todo: 'give the new source a name of its own, or start with a new checkpointLocation',
  },
  'source-path-changed': {
    change: 'a source reads another path',
    verdict: 'told',
    because: 'what the old path had and was not read yet is left; all of the new path counts as new',
  },
  'source-schema-changed': {
    change: 'the schema of a source changed',
    verdict: 'allowed',
    because: 'it holds for what is read from now on',
  },
  'sink-to-file': {
    change: 'the sink became files',
    verdict: 'refused',
    because: 'the output would begin in the middle, and its log with it',
    code: 'STREAMING_SINK_CHANGED',
    todo: anew,
  },
  'sink-format-changed': {
    change: 'the sink became another one, not files',
    verdict: 'told',
    because: 'it gets the rows from now on; those before stay where they are',
  },
  'sink-path-changed': {
    change: 'the files go to another folder',
    verdict: 'refused',
    because: 'a batch that is replayed would be in both, or in neither',
    code: 'STREAMING_SINK_CHANGED',
    todo: 'start the query with the folder that it had, or with a new checkpointLocation; to move an output, stop the query and move the folder to a path that you give to both',
  },
  'columns-changed': {
    change: 'the columns that go to the sink changed',
    verdict: 'told',
    because: 'the sink gets them from now on; what is there keeps its columns',
  },
  'mode-to-complete': {
    change: 'the output mode became complete',
    verdict: 'refused',
    because: 'groups that the watermark has closed are gone from the state, and would be missing from the result',
    code: 'STREAMING_OUTPUT_MODE_CHANGED',
    todo: anew,
  },
  'mode-changed': {
    change: 'the output mode became append or update',
    verdict: 'told',
    because: 'rows that were shown before may be shown again in the new mode',
  },
  'watermark-delay-changed': {
    change: 'the delay of a watermark changed',
    verdict: 'allowed',
    because: 'the watermark itself never goes back: a longer delay holds it until the event times have caught up',
  },
  'watermark-changed': {
    change: 'a watermark was added or removed, or is on another column',
    verdict: 'told',
    because: 'the watermark stands where it stood and rises by the new column',
  },
  'operator-added': {
    change: 'a stateful operator was added, no deduplication',
    verdict: 'refused',
    because: 'it has no state of the rows before, so that its results would be wrong from the start',
    code: operatorsChanged,
    todo: replay,
    pattern: 'replay',
  },
  'operator-removed': {
    change: 'a stateful operator was removed, neither a deduplication nor a limit',
    verdict: 'refused',
    because: 'what its state holds would never come out',
    code: operatorsChanged,
    todo: blueGreen,
    pattern: 'blue-green',
  },
  'operator-changed': {
    change: 'a stateful operator became another one, or a join of another kind',
    verdict: 'refused',
    because: 'the state of one means nothing to the other',
    code: operatorsChanged,
    todo: replay,
    pattern: 'replay',
  },
  'operator-ambiguous': {
    change: 'of several operators of one kind some came or went, and others changed in the same start',
    verdict: 'refused',
    because: 'state that went to the wrong operator would give wrong results without a word',
    code: operatorsChanged,
    todo: 'make the changes in two deployments: first those of one operator, then those of the other',
    pattern: 'replay',
  },
  'deduplication-added': {
    change: 'a deduplication was added',
    verdict: 'rebuilt',
    because: 'it begins empty: of rows that were read before it knows nothing, so that a first repetition of one comes through',
  },
  'deduplication-removed': {
    change: 'a deduplication was removed',
    verdict: 'rebuilt',
    because: 'its state held rows back and would never give any out; from now on repetitions come through',
  },
  'limit-removed': {
    change: 'a limit was removed',
    verdict: 'rebuilt',
    because: 'its state is a count of rows; those that it held back while it was there are not read again',
  },
  'stores-changed': {
    change: 'an operator, no processor, keeps another number of stores',
    verdict: 'refused',
    because: 'each of them is a part of what the operator knows',
    code: operatorsChanged,
    todo: replay,
    pattern: 'replay',
  },
  'keys-changed': {
    change:
      'the keys of a stateful operator changed: one was removed, or has a type that does not hold all values of the old one; any but wider types for the keys of a join',
    verdict: 'refused',
    because: 'the rows of the state are found by these keys',
    code: 'STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE',
    todo: replay,
    pattern: 'replay',
  },
  'key-without-default': {
    change: 'a grouping or a deduplication has a key more that is never null and has no value in stateDefaults',
    verdict: 'refused',
    because: 'what the state has would have nothing in the new key',
    code: 'STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE',
    todo: giveDefault,
    pattern: 'replay',
  },
  'key-added': {
    change: 'a grouping or a deduplication has a nullable key more, or one with a value in stateDefaults',
    verdict: 'migrated',
    because:
      'what the state has gets null, or the default, in the new key, and a new identity; rows with another value in it are another group',
  },
  'keys-reordered': {
    change: 'the keys of a grouping or a deduplication are in another order',
    verdict: 'migrated',
    because: 'groups are the same, and get a new identity',
  },
  'key-widened': {
    change: 'a key has a wider type',
    verdict: 'migrated',
    because: 'the new type holds every old value exactly',
  },
  'state-function-changed': {
    change: 'the output mode or the time mode (timeout) of (flat)mapGroupsWithState or transformWithState changed',
    verdict: 'refused',
    because: 'timers and timeouts that are there were set by the other clock, and rows that are out meant something else',
    code: 'STATE_STORE_INVALID_CONFIG_AFTER_RESTART',
    todo: anew,
  },
  'variable-added': { change: 'a processor has a new state variable', verdict: 'allowed', because: 'it begins empty' },
  'variable-removed': {
    change: 'a processor does not declare a state variable any more',
    verdict: 'told',
    because: 'its values stay, for when it is declared again; deleteIfExists removes them',
  },
  'variable-deleted': {
    change: 'a processor deletes a state variable (deleteIfExists)',
    verdict: 'rebuilt',
    because: 'its values go with the first batch of this start; after that a variable of any kind may begin under its name',
  },
  'variable-kind-changed': {
    change: 'a state variable became one of another kind (value, list, map)',
    verdict: 'refused',
    because: 'its rows mean nothing to the other kind',
    code: 'STATE_STORE_INVALID_VARIABLE_TYPE_CHANGE',
    todo: 'give the variable another name, or go back to the kind that it had; or let one deployment delete it (deleteIfExists) and the next one declare it',
  },
  'variable-changed': {
    change: 'the columns of a state variable changed otherwise than by nullable fields or wider types, or it got or lost a TTL',
    verdict: 'refused',
    because: 'the state holds other columns',
    code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    todo: 'give the variable another name, or go back to what it was; or let one deployment delete it (deleteIfExists) and the next one declare it',
  },
  'keys-expression-changed': {
    change: 'a key is computed otherwise, with the same name or the same place and a type that fits',
    verdict: 'told',
    because: 'groups of the old keys stay in the state beside the new ones until the watermark closes them (without one: for good)',
  },
  'values-changed': {
    change: 'what a stateful operator keeps has a type that does not hold all values of the old one',
    verdict: 'refused',
    because: 'the state holds other columns',
    code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    todo: `${replay}; an aggregate may begin anew under a new name beside the others`,
    pattern: 'replay',
  },
  'value-without-default': {
    change: 'a join or the state of (flat)mapGroupsWithState has a column more that is never null and has no value in stateDefaults',
    verdict: 'refused',
    because: 'old rows would have nothing in it',
    code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    todo: giveDefault,
    pattern: 'replay',
  },
  'value-added': {
    change: 'a join or the state of (flat)mapGroupsWithState has a nullable column more, or one with a value in stateDefaults',
    verdict: 'migrated',
    because: 'rows that were stored before have null, or the default, in it',
  },
  'value-dropped': {
    change: 'a join or the state of (flat)mapGroupsWithState has a column less',
    verdict: 'migrated',
    because: 'nobody reads it any more',
  },
  'value-widened': {
    change: 'what an aggregate, a join or a function with state keeps has a wider type',
    verdict: 'migrated',
    because: 'the new type holds every old value exactly',
  },
  'value-renamed': {
    change: 'a join or the state of (flat)mapGroupsWithState has a column of another name in the place of one of the same type',
    verdict: 'refused',
    because: 'a new name of the same column can not be told from a new column',
    code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    todo: 'keep the name below the join and rename above it; or, where it is another column, drop the old one in one deployment and add the new one in the next',
    pattern: 'replay',
  },
  'aggregate-added': {
    change: 'an aggregate was added',
    verdict: 'migrated',
    because: 'for keys that are in the state it begins as of no rows, and tells of the rows from this start on',
  },
  'aggregate-dropped': {
    change: 'an aggregate was dropped',
    verdict: 'migrated',
    because: 'its accumulators go; where it comes back it begins anew',
  },
  'aggregate-expression-changed': {
    change: 'an aggregate of the same name reads something else, with the same function and a type that fits',
    verdict: 'told',
    because: 'groups that are open go on from the value that they have',
  },
  'functions-changed': {
    change: 'an aggregate of the same name became another function',
    verdict: 'refused',
    because: 'what is in the state was made by the old one, and nobody could tell the sum of both from a result',
    code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    todo: 'give the new aggregate another name: the old one is then dropped and the new one begins; or start with a new checkpointLocation and read the sources again (replay)',
    pattern: 'replay',
  },
  'names-changed': {
    change: 'keys or aggregates have other names',
    verdict: 'allowed',
    because: 'they are found by what they are made of',
  },
} as const satisfies Readonly<Record<string, RestartRule>>
export type RestartRuleName = keyof typeof restartRules

/** One thing that changed, with the old and the new by name. */
export interface RestartFinding {
  readonly rule: RestartRuleName
  readonly verdict: Verdict
  readonly what: string
}

/** What changed in the stateful operators, which the state itself says best (state/match-state.ts). */
export type StateFinding = Pick<RestartFinding, 'rule' | 'what'>

/** What changed between the run before and this one. Pure: the order is that of the query, and nothing is thrown. */
export function compareShapes(before: QueryShape, now: QueryShape, state: readonly StateFinding[] = []): RestartFinding[] {
  const found: { readonly rule: RestartRuleName; readonly what: string }[] = [
    ...sourceChanges(before, now),
    ...watermarkChanges(before, now),
    ...state,
    ...stateFunctionChanges(before, now),
    ...modeChanges(before, now),
    ...sinkChanges(before, now),
  ]
  return found.map(findingOf)
}
export function findingOf({ rule, what }: StateFinding): RestartFinding {
  return { rule, what, verdict: (restartRules[rule] as RestartRule).verdict }
}

/** The query has changed in a way that its checkpoint can't follow. */
export class ChangedQueryError extends InvalidQueryError {}

/** The error where something that changed is refused; it names all that is. */
export function restartRefusal(findings: readonly RestartFinding[], folder: string): ChangedQueryError | undefined {
  const refused = findings.filter(({ verdict }) => verdict === 'refused')
  const first = refused[0] && (restartRules[refused[0].rule] as RestartRule)
  if (!first) return undefined
  return new ChangedQueryError(first.code!, {
    what: `the query is not the one that the checkpoint ${folder} belongs to: ${refused.map((each) => each.what).join('; ')} (${first.because})`,
    todo: first.todo!,
  })
}

type Change = { readonly rule: RestartRuleName; readonly what: string }

function sourceChanges(before: QueryShape, now: QueryShape): Change[] {
  const old = new Map(before.sources.map((source) => [source.name, source]))
  const current = new Map(now.sources.map((source) => [source.name, source]))
  const added = now.sources.filter(({ name }) => !old.has(name))
  const removed = before.sources.filter(({ name }) => !current.has(name))
  const counts = [before, now].map(({ sources }) => sources.filter(({ name }) => !isNamed(name)))
  const kept = now.sources.flatMap((source) => {
    const was = old.get(source.name)
    return was ? [[was, source] as const] : []
  })
  const list = (sources: readonly { readonly name: string; readonly format: string }[]) =>
    sources.length === 0 ? 'none' : sources.map(({ name, format }) => `${name} (${format})`).join(', ')
  return [
    ...(counts[0]!.length === counts[1]!.length
      ? []
      : [
          {
            rule: 'source-count-changed' as const,
            what: `its sources without a name were ${list(counts[0]!)} and are ${list(counts[1]!)}`,
          },
        ]),
    ...added
      .filter(({ name }) => isNamed(name))
      .map((source) => ({ rule: 'source-added' as const, what: `the source ${list([source])} is new` })),
    ...removed
      .filter(({ name }) => isNamed(name))
      .map((source) => ({ rule: 'source-removed' as const, what: `the source ${list([source])} is gone` })),
    ...kept.flatMap(([was, is]): Change[] => {
      if (was.format !== is.format)
        return [{ rule: 'source-format-changed', what: `the source ${is.name} was ${was.format} and is ${is.format}` }]
      const changes: Change[] = []
      if (was.path !== is.path)
        changes.push({
          rule: 'source-path-changed',
          what: `the source ${is.name} read ${was.path ?? 'no path'} and reads ${is.path ?? 'no path'}`,
        })
      if (text(was.columns) !== text(is.columns))
        changes.push({
          rule: 'source-schema-changed',
          what: `the source ${is.name} had (${text(was.columns)}) and has (${text(is.columns)})`,
        })
      return changes
    }),
  ]
}

function watermarkChanges(before: QueryShape, now: QueryShape): Change[] {
  const columns = (shape: QueryShape) => shape.watermarks.map(({ column }) => column).join(', ') || 'none'
  if (columns(before) !== columns(now))
    return [{ rule: 'watermark-changed', what: `the watermarks were on ${columns(before)} and are on ${columns(now)}` }]
  return now.watermarks.flatMap((mark, i): Change[] => {
    const was = before.watermarks[i]!
    if (was.delayMs === mark.delayMs) return []
    return [
      { rule: 'watermark-delay-changed', what: `the watermark on ${mark.column} was ${was.delayMs} ms behind and is ${mark.delayMs} ms` },
    ]
  })
}

/** (flat)mapGroupsWithState and transformWithState; what they keep the state itself says. */
function stateFunctionChanges(before: QueryShape, now: QueryShape): Change[] {
  const config = ({ outputMode, timeMode }: StateFunctionShape) => `${outputMode}, ${timeMode}`
  return now.operators.flatMap(({ operator, operatorId, stateFunction: is }): Change[] => {
    const was = before.operators.find((each) => each.operatorId === operatorId && each.operator === operator)?.stateFunction
    if (!was || !is || config(was) === config(is)) return []
    return [{ rule: 'state-function-changed', what: `${operator} ${operatorId} was in ${config(was)} and is in ${config(is)}` }]
  })
}

function modeChanges(before: QueryShape, now: QueryShape): Change[] {
  if (before.outputMode === now.outputMode || before.operators.length === 0) return []
  const what = `its output mode was ${before.outputMode} and is ${now.outputMode}`
  return [{ rule: now.outputMode === 'complete' ? 'mode-to-complete' : 'mode-changed', what }]
}

function sinkChanges(before: QueryShape, now: QueryShape): Change[] {
  const [was, is] = [before.sink, now.sink]
  const changes: Change[] = []
  const show = (sink: QueryShape['sink']) => `${sink.format}${sink.path === null ? '' : ` in ${sink.path}`}`
  if (isFile(is.format) && !isFile(was.format)) changes.push({ rule: 'sink-to-file', what: `its sink was ${show(was)} and is ${show(is)}` })
  else if (isFile(is.format) && was.path !== is.path)
    changes.push({ rule: 'sink-path-changed', what: `its output was ${show(was)} and is ${show(is)}` })
  else if (was.format !== is.format) changes.push({ rule: 'sink-format-changed', what: `its sink was ${show(was)} and is ${show(is)}` })
  if (text(before.columns) !== text(now.columns))
    changes.push({ rule: 'columns-changed', what: `its result was (${text(before.columns)}) and is (${text(now.columns)})` })
  return changes
}

function isFile(format: string): boolean {
  return ['parquet', 'json', 'csv', 'text', 'orc', 'avro', 'xml'].includes(format.toLowerCase())
}
function text(columns: readonly ColumnShape[]): string {
  return columns.map(({ name, type }) => `${name} ${type}`).join(', ')
}
