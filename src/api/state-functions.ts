/** (flat)mapGroupsWithState and transformWithState: what the user gave, as the plan has it. */
import { textOf } from '../base/arguments.ts'
import { InvalidQueryError, MillraceError, UserFunctionError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { GroupFunction, GroupStateTimeout, Processor, ProcessorFunction, ProcessorHandle, TimeMode } from '../data/state-function.ts'
import { type DeclaredVariable, hasMap, type StateShape } from '../data/state-layout.ts'
import type { AggregateItem } from '../plan/analyze.ts'
import { groups } from '../plan/analyze-groups.ts'
import { parseDurationMs } from '../plan/intervals.ts'
import type { Groups, LogicalPlan } from '../plan/logical-plan.ts'
import { parseType } from '../plan/schema-text.ts'
import { callTimeoutMs } from './call-timeout.ts'
import type { StatefulProcessor, StatefulProcessorHandle, TTLConfig } from './state-function-types.ts'
import { type SchemaInput, schemaOf, type TypeToken } from './types.ts'

interface Given {
  readonly input: LogicalPlan
  readonly keys: readonly AggregateItem[]
}
interface GroupOptions {
  readonly state: unknown
  readonly output: SchemaInput<unknown>
  readonly outputMode?: unknown
  readonly timeout?: unknown
  readonly initialState?: unknown
  readonly concurrency?: unknown
  readonly callTimeout?: unknown
}

/** The plan of (flat)mapGroupsWithState. */
export function groupFunctionPlan({ input, keys }: Given, isMap: boolean, f: unknown, options: GroupOptions): Groups {
  const method = isMap ? 'mapGroupsWithState' : 'flatMapGroupsWithState'
  checkFunction(method, f)
  checkOptions(method, options)
  const body: GroupFunction = {
    kind: 'group-function',
    name: f.name === '' ? 'the function' : f.name,
    isMap,
    timeout: timeoutOf(method, options.timeout),
    state: shapeOf(`the state of ${method}`, options.state),
    durationMs: parseDurationMs,
    concurrency: concurrencyOf(method, options.concurrency),
    timeoutMs: callTimeoutMs(method, options.callTimeout),
    call: f as GroupFunction['call'],
  }
  return groups(input, {
    keys,
    method,
    function: body,
    output: schemaOf(options.output),
    outputMode: isMap ? 'update' : outputModeOf(method, options.outputMode),
    initialState: planOf(method, options.initialState),
  })
}

interface ProcessorOptions {
  readonly output: SchemaInput<unknown>
  readonly timeMode?: unknown
  readonly outputMode?: unknown
  readonly initialState?: unknown
  readonly eventTimeColumnName?: string
  readonly concurrency?: unknown
  readonly callTimeout?: unknown
}

/** The plan of transformWithState. */
export function processorPlan({ input, keys }: Given, create: unknown, options: ProcessorOptions): Groups {
  const method = 'transformWithState'
  checkFunction(method, create)
  checkOptions(method, options)
  return groups(input, {
    keys,
    method,
    function: processorFunction(create as () => AnyProcessor, {
      timeMode: timeModeOf(options.timeMode),
      concurrency: options.concurrency,
      callTimeout: options.callTimeout,
      hasInitialState: (options.initialState ?? null) !== null,
    }),
    output: schemaOf(options.output),
    outputMode: outputModeOf(method, options.outputMode),
    initialState: planOf(method, options.initialState),
    eventTimeColumn:
      options.eventTimeColumnName === undefined
        ? undefined
        : textOf('eventTimeColumnName', options.eventTimeColumnName, 'name a column of the output that is a timestamp'),
  })
}

type AnyProcessor = StatefulProcessor<any, any, any, any>
interface ProcessorSettings {
  readonly timeMode: TimeMode
  readonly concurrency: unknown
  readonly callTimeout: unknown
  readonly hasInitialState?: boolean
}

/** Makes a processor once, to learn the variables that its init declares. */
export function processorFunction(
  create: () => AnyProcessor,
  { timeMode, concurrency: given, callTimeout, hasInitialState = false }: ProcessorSettings,
): ProcessorFunction {
  const concurrency = concurrencyOf('transformWithState', given)
  const timeoutMs = callTimeoutMs('transformWithState', callTimeout)
  const variables: DeclaredVariable[] = []
  const deleted: string[] = []
  const processor = create()
  checkProcessor(processor)
  const name = processor.constructor === Object ? 'the processor' : processor.constructor.name
  if (hasInitialState && typeof processor.handleInitialState !== 'function')
    throw new InvalidQueryError('STATEFUL_PROCESSOR_WITHOUT_INITIAL_STATE', {
      what: `transformWithState was given an initial state, and ${name} has no handleInitialState`,
      todo: 'write handleInitialState(key, initialState, timerValues)',
    })
  const recorder: ProcessorHandle = {
    declare: (variable) => {
      checkVariable(variable, variables, timeMode)
      variables.push(variable)
      return unusable(variable.name) as ReturnType<ProcessorHandle['declare']>
    },
    deleteIfExists: (stateName) => deleted.push(stateName),
    registerTimer: () => outOfCall('registerTimer()'),
    deleteTimer: () => outOfCall('deleteTimer()'),
    listTimers: () => outOfCall('listTimers()'),
    getQueryInfo: () => ({ queryId: noQuery, runId: noQuery, batchId: 0 }),
  }
  const checkDeleted = () => {
    const both = variables.find((variable) => deleted.includes(variable.name))
    if (both === undefined) return
    throw new InvalidQueryError('STATEFUL_PROCESSOR_DUPLICATE_STATE_VARIABLE_DEFINED', {
      what: `init of ${name} both declares the state "${both.name}" and deletes it with deleteIfExists`,
      todo: 'let one deployment delete it, and declare it anew in the next one, when that has committed a batch',
    })
  }
  const close = () => processor.close?.()
  try {
    const pending = processor.init(typedHandle(recorder)) as Promise<unknown> | undefined
    // an asynchronous init has declared its variables before it waits; what becomes of it here shows when the query runs
    if (typeof pending?.then === 'function') void pending.then(close).catch(() => {})
    else void Promise.resolve(close()).catch(() => {})
    checkDeleted()
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause
    throw new UserFunctionError('TRANSFORM_WITH_STATE_USER_FUNCTION_ERROR', {
      what: `init of ${name} threw: ${cause instanceof Error ? cause.message : String(cause)}`,
      todo: 'see the cause: init is called once when the query is written, to learn the variables',
      cause,
    })
  }
  return {
    kind: 'processor',
    name,
    timeMode,
    create: () => typedProcessor(create()),
    concurrency,
    timeoutMs,
    variables,
    deleted,
    eventTimeColumn: null,
  }
}

const noQuery = '00000000-0000-0000-0000-000000000000'

function typedProcessor(processor: AnyProcessor): Processor {
  return {
    init: (handle) => processor.init(typedHandle(handle)),
    handleInputRows: (key, rows, timerValues) => processor.handleInputRows(key, rows, timerValues),
    ...(processor.handleExpiredTimer && {
      handleExpiredTimer: (key, timerValues, info) => processor.handleExpiredTimer!(key, timerValues, info),
    }),
    ...(processor.handleInitialState && {
      handleInitialState: (key, state, timerValues) => processor.handleInitialState!(key, state, timerValues),
    }),
    close: () => processor.close?.(),
  }
}

/** The handle as processors see it: types in the forms of the API. */
function typedHandle(handle: ProcessorHandle): StatefulProcessorHandle {
  const declare = (kind: DeclaredVariable['kind'], name: string, type: unknown, ttl: TTLConfig | undefined, userKey?: unknown) =>
    handle.declare({
      name,
      kind,
      value: shapeOf(`the state "${name}"`, type),
      ...(kind === 'map' && { userKey: shapeOf(`the keys of the state "${name}"`, userKey) }),
      ttlMs: ttlMsOf(name, ttl),
    })
  const typed = {
    getValueState: (name: string, type: unknown, ttl?: TTLConfig) => declare('value', name, type, ttl),
    getListState: (name: string, type: unknown, ttl?: TTLConfig) => declare('list', name, type, ttl),
    getMapState: (name: string, keyType: unknown, type: unknown, ttl?: TTLConfig) => declare('map', name, type, ttl, keyType),
    deleteIfExists: (name: string) => handle.deleteIfExists(name),
    registerTimer: (expiryMs: number) => handle.registerTimer(expiryMs),
    deleteTimer: (expiryMs: number) => handle.deleteTimer(expiryMs),
    listTimers: () => handle.listTimers(),
    getQueryInfo: () => handle.getQueryInfo(),
  }
  return typed as unknown as StatefulProcessorHandle
}

/** One value or a row, in any form that a type or a schema may be given in. */
export function shapeOf(what: string, given: unknown): StateShape {
  if (given === undefined || given === null)
    throw new InvalidQueryError('INVALID_SCHEMA', {
      what: `${what} was given no type`,
      todo: "give t.long() or another type, { n: t.long() } for a row, or DDL text such as 'n bigint'",
    })
  const isToken = typeof given === 'object' && 'isNullable' in given && 'type' in given && 'nullable' in given
  if (isToken) return { kind: 'single', type: (given as TypeToken<unknown>).type }
  if (typeof given === 'string') {
    const single = typeIn(given)
    if (single !== undefined) return { kind: 'single', type: single }
  }
  const { fields } = schemaOf(given as SchemaInput<unknown>)
  if (fields.length === 0)
    throw new InvalidQueryError('INVALID_SCHEMA', { what: `${what} was given a row without fields`, todo: 'give it at least one' })
  return { kind: 'row', fields: fields.map(({ name, type, nullable }) => ({ name, type, nullable })) }
}
function typeIn(text: string) {
  if (text.trimStart().startsWith('{')) return undefined
  try {
    return parseType(text)
  } catch {
    return undefined
  }
}

function checkVariable({ name, userKey, ttlMs }: DeclaredVariable, known: readonly DeclaredVariable[], timeMode: TimeMode): void {
  if (typeof name !== 'string' || name === '' || name !== name.trim() || /^[$_.]/.test(name) || name === 'default')
    throw new InvalidQueryError('STATE_STORE_CANNOT_CREATE_COLUMN_FAMILY_WITH_RESERVED_CHARS', {
      what: `a state can't be called ${JSON.stringify(name)}`,
      todo: "choose a name that does not begin with $, _ or a dot, has no spaces around it and is not 'default'",
    })
  if (known.some((other) => other.name === name))
    throw new InvalidQueryError('STATEFUL_PROCESSOR_DUPLICATE_STATE_VARIABLE_DEFINED', {
      what: `the state "${name}" is declared twice`,
      todo: 'give each variable a name of its own',
    })
  const types = userKey === undefined ? [] : userKey.kind === 'single' ? [userKey.type] : userKey.fields.map(({ type }) => type)
  if (types.some(hasMap))
    throw new InvalidQueryError('GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE', {
      what: `the keys of the state "${name}" hold a map, and maps can't be told apart as keys`,
      todo: 'use entries of the map as keys',
    })
  if (ttlMs === null) return
  if (timeMode !== 'ProcessingTime')
    throw new InvalidQueryError('STATEFUL_PROCESSOR_INCORRECT_TIME_MODE_TO_ASSIGN_TTL', {
      what: `the state "${name}" has a TTL, and the time mode is ${timeMode}`,
      todo: "give transformWithState timeMode: 'ProcessingTime': values expire in processing time",
    })
}

function ttlMsOf(name: string, ttl: TTLConfig | undefined): number | null {
  if (ttl === undefined || ttl === null) return null
  const { ttlDuration } = ttl
  const ms = typeof ttlDuration === 'string' ? parseDurationMs(ttlDuration) : ttlDuration
  if (Number.isSafeInteger(ms) && ms > 0) return ms
  throw new InvalidQueryError('STATEFUL_PROCESSOR_TTL_DURATION_MUST_BE_POSITIVE', {
    what: `the state "${name}" was given the TTL ${JSON.stringify(ttl)}`,
    todo: "give { ttlDuration: '1 hour' }, or whole milliseconds of at least 1; leave it out for none",
  })
}

function unusable(name: string): object {
  return new Proxy(
    {},
    // asked for `then` by whoever awaits what init gave
    { get: (_, method) => (method === 'then' ? undefined : () => outOfCall(`${String(method)}() of the state "${name}"`)) },
  )
}
function outOfCall(operation: string): never {
  throw new InvalidQueryError('STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE', {
    what: `${operation} was called in init of the processor`,
    todo: 'declare and delete variables in init; use them, and timers, in handleInputRows, handleExpiredTimer and handleInitialState',
  })
}

function checkFunction(method: string, f: unknown): asserts f is (...args: never[]) => unknown {
  if (typeof f === 'function') return
  const todo = method === 'transformWithState' ? '() => new MyProcessor()' : '(key, rows, state) => …'
  throw new InvalidQueryError('INVALID_UDF', {
    what: `${method} was given a value of type ${typeof f}, and takes a function`,
    todo: `write ${method}(${todo}, { … })`,
  })
}
function checkProcessor(processor: unknown): void {
  const { init, handleInputRows } = (processor ?? {}) as { init?: unknown; handleInputRows?: unknown }
  if (typeof init === 'function' && typeof handleInputRows === 'function') return
  throw new InvalidQueryError('INVALID_UDF', {
    what: 'the function given to transformWithState made no processor: it needs the methods init and handleInputRows',
    todo: 'write transformWithState(() => new MyProcessor(), { … }), or give an object with these methods',
  })
}
function checkOptions(method: string, options: unknown): void {
  if (typeof options === 'object' && options !== null && 'output' in options) return
  throw new InvalidQueryError('INVALID_SCHEMA', {
    what: `${method} was not told the columns of its output`,
    todo: `write ${method}(…, { output: { id: t.string(), n: t.long() }, … })`,
  })
}
function outputModeOf(method: string, given: unknown): 'append' | 'update' {
  const mode = given === undefined ? 'append' : String(given).toLowerCase()
  if (mode === 'append' || mode === 'update') return mode
  throw new InvalidQueryError('STREAMING_OUTPUT_MODE.INVALID', {
    what: `${method} was given outputMode ${JSON.stringify(given)}`,
    todo: "use 'append' or 'update'",
  })
}
function timeoutOf(method: string, given: unknown): GroupStateTimeout {
  const known: readonly GroupStateTimeout[] = ['NoTimeout', 'ProcessingTimeTimeout', 'EventTimeTimeout']
  const found = given === undefined ? 'NoTimeout' : known.find((timeout) => timeout === given)
  if (found) return found
  throw new InvalidQueryError('INVALID_TIMEOUT', {
    what: `${method} was given the timeout ${JSON.stringify(given)}`,
    todo: `use one of ${known.join(', ')}`,
  })
}
/** More than this would only wait: what calls have changed is written after so many. */
const mostCalls = 4096
function concurrencyOf(method: string, given: unknown): number {
  const concurrency = given ?? 1
  if (typeof concurrency === 'number' && Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= mostCalls) return concurrency
  throw new InvalidQueryError('INVALID_UDF', {
    what: `${method} was given the concurrency ${typeof concurrency === 'number' ? concurrency : JSON.stringify(concurrency)}`,
    todo: `give a whole number from 1 to ${mostCalls}: how many keys may have an asynchronous call under way`,
  })
}
function timeModeOf(given: unknown): TimeMode {
  const known: readonly TimeMode[] = ['None', 'ProcessingTime', 'EventTime']
  const found = given === undefined ? 'None' : known.find((mode) => mode.toLowerCase() === String(given).toLowerCase())
  if (found) return found
  throw new InvalidQueryError('STATEFUL_PROCESSOR_UNKNOWN_TIME_MODE', {
    what: `unknown time mode ${JSON.stringify(given)}`,
    todo: `use one of ${known.join(', ')}`,
  })
}
function planOf(method: string, frame: unknown): LogicalPlan | null {
  if (frame === undefined || frame === null) return null
  const plan = (frame as { plan?: LogicalPlan }).plan
  if (plan?.schema instanceof Schema) return plan
  throw new InvalidQueryError('INITIAL_STATE_MISMATCH', {
    what: `${method} was given an initial state that is no DataFrame`,
    todo: 'give a DataFrame with the columns of the key and of the state',
  })
}
