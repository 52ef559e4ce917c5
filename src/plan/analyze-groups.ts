/** (flat)mapGroupsWithState and transformWithState over grouped rows. */
import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { StateFunction } from '../data/state-function.ts'
import { type Field, typeText } from '../data/types.ts'
import { unresolvedColumn } from './analysis-errors.ts'
import { type AggregateItem, resolveKey } from './analyze-aggregate.ts'
import type { Groups, InitialState, LogicalPlan, NamedKey } from './logical-plan.ts'
import { isStreaming } from './logical-plan.ts'
import { checkDistinctNames, namedColumn, projectNamed } from './named-columns.ts'
import { sameName } from './resolve.ts'

export interface GroupsItems {
  readonly keys: readonly AggregateItem[]
  /** What the program calls it, for errors. */
  readonly method: string
  readonly function: StateFunction
  readonly output: Schema
  readonly outputMode: 'append' | 'update'
  readonly initialState: LogicalPlan | null
  /** Of transformWithState: the column of the output that the watermark goes on with. */
  readonly eventTimeColumn?: string | undefined
}

/** The rows that the function gives. InvalidQueryError for keys, an initial state or an event time that do not fit. */
export function groups(input: LogicalPlan, items: GroupsItems): Groups {
  const { fields } = input.schema
  checkDistinctNames(fields.map(({ name }) => name))
  checkDistinctNames(items.output.names)
  const resolved = items.keys.map((item) => resolveKey(item, fields))
  if (resolved.length === 0)
    throw new InvalidQueryError('GROUP_BY_WITHOUT_KEYS', {
      what: `${items.method} was called on groupBy() without keys`,
      todo: 'group by at least one column',
    })
  checkDistinctNames(resolved.map(({ name }) => name))
  const computed = resolved.filter(({ expression }) => expression.kind !== 'column')
  const keys = resolved.map(({ name, expression }): NamedKey => {
    if (expression.kind === 'column') return { name, column: expression.index }
    return { name, column: fields.length + computed.findIndex((key) => key.expression === expression) }
  })
  const below = computed.length === 0 ? input : projectNamed(input, [...fields.map(namedColumn), ...computed])
  const eventTime = eventTimeOf(items, below)
  return {
    kind: 'groups',
    input: below,
    keys,
    rowColumns: fields.length,
    function: items.function.kind === 'processor' ? { ...items.function, eventTimeColumn: eventTime?.column ?? null } : items.function,
    outputMode: items.outputMode,
    initialState: items.initialState && initialStateOf(items, items.initialState, keys, below.schema.fields),
    schema: new Schema(
      items.output.fields.map(
        ({ name, type, nullable }, i): Field => ({
          name,
          type,
          nullable,
          ...(i === eventTime?.column && { watermarkDelayMs: eventTime.delayMs }),
        }),
      ),
    ),
  }
}

/** The column of the output that has the event time, with the delay of the input's. */
function eventTimeOf({ method, output, eventTimeColumn }: GroupsItems, input: LogicalPlan) {
  if (eventTimeColumn === undefined) return undefined
  const column = output.fields.findIndex((field) => sameName(field.name, eventTimeColumn))
  if (column < 0) throw unresolvedColumn(eventTimeColumn, output.fields)
  const { type, name } = output.fields[column]!
  if (type !== 'timestamp' && type !== 'timestamp_ntz')
    throw new InvalidQueryError('EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE', {
      what: `the event time \`${name}\` of ${method} has the type ${typeText(type)}, and must be a timestamp`,
      todo: 'give it the type t.timestamp()',
    })
  const delayMs = input.schema.fields.find((field) => field.watermarkDelayMs !== undefined)?.watermarkDelayMs
  if (delayMs === undefined && isStreaming(input))
    throw new InvalidQueryError('CANNOT_ASSIGN_EVENT_TIME_COLUMN_WITHOUT_WATERMARK', {
      what: `${method} was given the event time column \`${name}\`, and its input has no watermark`,
      todo: 'call withWatermark(column, delay) on the input',
    })
  return delayMs === undefined ? undefined : { column, delayMs }
}

function initialStateOf(
  { method, function: f }: GroupsItems,
  plan: LogicalPlan,
  keys: readonly NamedKey[],
  inputFields: readonly Field[],
): InitialState {
  if (isStreaming(plan))
    throw new InvalidQueryError('UNSUPPORTED_STREAMING_OPERATION', {
      what: `a streaming DataFrame as the initial state of ${method} is not supported`,
      todo: 'give a table: engine.read…, or createDataFrame',
    })
  const { fields } = plan.schema
  const find = (name: string) => {
    const at = fields.findIndex((field) => sameName(field.name, name))
    if (at < 0) throw unresolvedColumn(name, fields)
    return at
  }
  const found = keys.map(({ name, column }) => {
    const at = find(name)
    const [has, wants] = [fields[at]!.type, inputFields[column]!.type]
    if (typeText(has) !== typeText(wants))
      throw new InvalidQueryError('INITIAL_STATE_MISMATCH', {
        what: `the initial state of ${method} has the key \`${name}\` of type ${typeText(has)}; the rows are grouped by one of type ${typeText(wants)}`,
        todo: `cast it: withColumn('${name}', col('${name}').cast('${typeText(wants)}'))`,
      })
    return at
  })
  if (f.kind === 'processor') return { plan, keys: found, columns: [...fields.keys()] }
  return { plan, keys: found, columns: stateColumns(method, f, plan, found, find) }
}

/** The columns that are the state: by name, or the only one beside the keys where the state is a single value. */
function stateColumns(
  method: string,
  f: Extract<StateFunction, { kind: 'group-function' }>,
  { schema: { fields } }: LogicalPlan,
  keys: readonly number[],
  find: (name: string) => number,
): number[] {
  const others = [...fields.keys()].filter((i) => !keys.includes(i))
  if (f.state.kind === 'single' && others.length !== 1)
    throw new InvalidQueryError('INITIAL_STATE_MISMATCH', {
      what: `the initial state of ${method} has ${others.length} columns beside the keys (${others.map((i) => fields[i]!.name).join(', ') || 'none'}), and the state is one value of type ${typeText(f.state.type)}`,
      todo: 'give the keys and one column',
    })
  const wanted = f.state.kind === 'single' ? [{ name: fields[others[0]!]!.name, type: f.state.type }] : f.state.fields
  return wanted.map(({ name, type }) => {
    const at = f.state.kind === 'single' ? others[0]! : find(name)
    const has = fields[at]!.type
    if (typeText(has) !== typeText(type))
      throw new InvalidQueryError('INITIAL_STATE_MISMATCH', {
        what: `the initial state of ${method} has the column \`${name}\` of type ${typeText(has)}, and the state has it of type ${typeText(type)}`,
        todo: `cast it: withColumn('${name}', col('${name}').cast('${typeText(type)}'))`,
      })
    return at
  })
}
