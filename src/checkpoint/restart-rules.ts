import { InvalidQueryError } from '../base/errors.ts'
import { type ColumnShape, isNamed, type OperatorShape, type QueryShape, type StateFunctionShape } from './query-shape.ts'

/** `told`: allowed, and the user hears what it means. */
export type Verdict = 'allowed' | 'told' | 'refused'
export interface RestartRule {
  /** What changed, in words, for docs/restart.md. */
  readonly change: string
  readonly verdict: Verdict
  readonly because: string
  /** Of what is refused: the error's code. */
  readonly code?: string
  /** What to do in its place. */
  readonly todo?: string
}

const sourcesChanged = 'STREAMING_SOURCES_CHANGED'
const operatorsChanged = 'STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA'
const anew = 'go back to what the checkpoint was begun with, or start the changed query with a new checkpointLocation'

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
    change: 'a stateful operator was added',
    verdict: 'refused',
    because: 'it has no state of the rows before, so that its results would be wrong from the start',
    code: operatorsChanged,
    todo: anew,
  },
  'operator-removed': {
    change: 'a stateful operator was removed',
    verdict: 'refused',
    because: 'what its state holds would never come out',
    code: operatorsChanged,
    todo: anew,
  },
  'operator-changed': {
    change: 'a stateful operator became another one',
    verdict: 'refused',
    because: 'the state of one means nothing to the other',
    code: operatorsChanged,
    todo: anew,
  },
  'keys-changed': {
    change: 'the keys of a stateful operator changed in number, order or type (grouping, deduplication, join)',
    verdict: 'refused',
    because: 'the rows of the state are found by these keys',
    code: 'STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE',
    todo: anew,
  },
  'values-changed': {
    change: 'what a stateful operator keeps changed in number, order or type',
    verdict: 'refused',
    because: 'the state holds other columns',
    code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    todo: anew,
  },
  'functions-changed': {
    change: 'an aggregate became another function with state of the same type',
    verdict: 'refused',
    because: 'what is in the state was made by the old one, and nobody could tell the sum of both from a result',
    code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    todo: anew,
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
  'variable-kind-changed': {
    change: 'a state variable became one of another kind (value, list, map)',
    verdict: 'refused',
    because: 'its rows mean nothing to the other kind',
    code: 'STATE_STORE_INVALID_VARIABLE_TYPE_CHANGE',
    todo: 'give the variable another name, or go back to the kind that it had',
  },
  'variable-changed': {
    change: 'the columns of a state variable changed in number, order or type, or it got or lost a TTL',
    verdict: 'refused',
    because: 'the state holds other columns',
    code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE',
    todo: 'give the variable another name, or go back to what it was',
  },
  'names-changed': { change: 'keys or aggregates have other names', verdict: 'allowed', because: 'state goes by position' },
  'keys-expression-changed': {
    change: 'a key is computed otherwise, with the same type',
    verdict: 'told',
    because: 'groups of the old keys stay in the state beside the new ones until the watermark closes them',
  },
  'aggregate-expression-changed': {
    change: 'an aggregate reads something else, with the same function and type',
    verdict: 'told',
    because: 'groups that are open go on from the value that they have',
  },
} as const satisfies Readonly<Record<string, RestartRule>>
export type RestartRuleName = keyof typeof restartRules

/** One thing that changed, with the old and the new by name. */
export interface RestartFinding {
  readonly rule: RestartRuleName
  readonly verdict: Verdict
  readonly what: string
}

/** What changed between the run before and this one. Pure: the order is that of the query, and nothing is thrown. */
export function compareShapes(before: QueryShape, now: QueryShape): RestartFinding[] {
  const found: { readonly rule: RestartRuleName; readonly what: string }[] = [
    ...sourceChanges(before, now),
    ...watermarkChanges(before, now),
    ...operatorChanges(before, now),
    ...modeChanges(before, now),
    ...sinkChanges(before, now),
  ]
  return found.map(({ rule, what }) => ({ rule, what, verdict: (restartRules[rule] as RestartRule).verdict }))
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

function operatorChanges(before: QueryShape, now: QueryShape): Change[] {
  const old = new Map(before.operators.map((operator) => [operator.operatorId, operator]))
  const current = new Set(now.operators.map(({ operatorId }) => operatorId))
  return [
    ...before.operators
      .filter(({ operatorId }) => !current.has(operatorId))
      .map((operator): Change => ({ rule: 'operator-removed', what: `${describe(operator)} is gone` })),
    ...now.operators.flatMap((operator): Change[] => {
      const was = old.get(operator.operatorId)
      if (!was) return [{ rule: 'operator-added', what: `${describe(operator)} is new` }]
      if (was.operator !== operator.operator)
        return [{ rule: 'operator-changed', what: `operator ${operator.operatorId} was ${describe(was)} and is ${describe(operator)}` }]
      return stateChanges(was, operator)
    }),
  ]
}

function stateChanges(was: OperatorShape, is: OperatorShape): Change[] {
  const of = `${is.operator} ${is.operatorId}`
  const changes: Change[] = []
  const differ = (rule: RestartRuleName, part: string, old: string, current: string) => {
    if (old !== current) changes.push({ rule, what: `the ${part} of ${of} were (${old}) and are (${current})` })
    return old !== current
  }
  const words = (texts: readonly string[] | undefined) => (texts ?? []).join(', ')
  if (types(was.keys) !== types(is.keys)) differ('keys-changed', 'keys', text(was.keys), text(is.keys))
  else differ('keys-expression-changed', 'keys', words(was.groupedBy), words(is.groupedBy))
  if (types(was.values) !== types(is.values)) differ('values-changed', 'values', text(was.values), text(is.values))
  else if (words(was.functions) !== words(is.functions)) differ('functions-changed', 'aggregates', words(was.computes), words(is.computes))
  else differ('aggregate-expression-changed', 'aggregates', words(was.computes), words(is.computes))
  if (is.stateFunction && was.stateFunction) changes.push(...stateFunctionChanges(of, was.stateFunction, is.stateFunction))
  const names = (operator: OperatorShape) => [...operator.keys, ...operator.values].map(({ name }) => name).join(', ')
  if (changes.length === 0) differ('names-changed', 'columns', names(was), names(is))
  return changes
}

function stateFunctionChanges(of: string, was: StateFunctionShape, is: StateFunctionShape): Change[] {
  const changes: Change[] = []
  const config = ({ outputMode, timeMode }: StateFunctionShape) => `${outputMode}, ${timeMode}`
  if (config(was) !== config(is))
    changes.push({ rule: 'state-function-changed', what: `${of} was in ${config(was)} and is in ${config(is)}` })
  const old = new Map(was.variables.map((variable) => [variable.name, variable]))
  const current = new Set(is.variables.map(({ name }) => name))
  for (const { name, kind, columns } of is.variables) {
    const before = old.get(name)
    if (!before) changes.push({ rule: 'variable-added', what: `the state "${name}" of ${of} is new` })
    else if (before.kind !== kind)
      changes.push({ rule: 'variable-kind-changed', what: `the state "${name}" of ${of} was a ${before.kind} and is a ${kind}` })
    else if (types(before.columns) !== types(columns))
      changes.push({
        rule: 'variable-changed',
        what: `the state "${name}" of ${of} had (${text(before.columns)}) and has (${text(columns)})`,
      })
  }
  for (const { name } of was.variables)
    if (!current.has(name)) changes.push({ rule: 'variable-removed', what: `${of} does not declare the state "${name}" any more` })
  return changes
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
function describe(operator: OperatorShape): string {
  const keys = operator.groupedBy ?? operator.keys.map(({ name }) => name)
  return `${operator.operator} ${operator.operatorId}${keys.length > 0 ? ` by ${keys.join(', ')}` : ''}`
}
function text(columns: readonly ColumnShape[]): string {
  return columns.map(({ name, type }) => `${name} ${type}`).join(', ')
}
function types(columns: readonly ColumnShape[]): string {
  return columns.map(({ type }) => type).join(', ')
}
