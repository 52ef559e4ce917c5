/**
 * The function table: for each of Spark's names what it takes (arguments of other types are cast, explicitly), what it gives, and when it
 * gives null. Operators are functions here. Which SQL a function becomes is the planner's business.
 * A resolved call carries the row's own name, whatever alias was used, and all optional arguments filled in.
 */
import { InvalidQueryError } from '../base/errors.ts'
import type { DataType } from '../data/types.ts'
import { notSupportedYet, quoteType, typeMismatch, unresolvedRoutine } from './analysis-errors.ts'
import { type ArithmeticName, resolveArithmetic } from './arithmetic.ts'
import { boundedDecimal, castTo, commonType, isDecimal, isIntegral, isOrderable, isTimestamp } from './coercion.ts'
import type { AggregateCall, Expression, Literal } from './expression.ts'
import { expressionText } from './expression-tree.ts'
import { anyNullable, argumentAs, call, checkCount, toCommonType, type Wanted } from './signatures.ts'

export interface FunctionRow {
  /** Spark's name; the one that resolved calls carry. */
  readonly name: string
  readonly aliases: readonly string[]
  readonly kind: 'scalar' | 'aggregate'
  /** False where one row may give different values at different times. */
  readonly deterministic: boolean
  /** Least and greatest number of arguments. */
  readonly arity: readonly [number, number]
  /** The typed call; may also be a simpler expression that means the same. Only called with a number of arguments within `arity`. */
  readonly resolve: (args: readonly Expression[], distinct: boolean) => Expression
}

/** The row for a name or alias, in any case. */
export function findFunction(name: string): FunctionRow | undefined {
  return byName.get(name.toLowerCase())
}

/** Types a call: casts its arguments and finds the result's type. UNRESOLVED_ROUTINE, WRONG_NUM_ARGS, DATATYPE_MISMATCH. */
export function resolveCall(name: string, args: readonly Expression[], distinct = false): Expression {
  const row = findFunction(name)
  if (!row)
    throw later.has(name.toLowerCase())
      ? notSupportedYet(`the function ${name.toLowerCase()}`, `use another function for now; there are ${functionNames.length}`)
      : unresolvedRoutine(name, functionNames)
  checkCount(row.name, args.length, ...row.arity)
  if (distinct && row.kind === 'scalar')
    throw new InvalidQueryError('INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX', {
      what: `the function ${row.name} does not support DISTINCT`,
      todo: 'leave DISTINCT out',
    })
  return row.resolve(args, distinct)
}

interface Shape {
  readonly aliases?: readonly string[]
  readonly takes: readonly Wanted[]
  /** How many of `takes` must be given; all unless said. */
  readonly min?: number
  /** What a missing argument is. */
  readonly defaults?: readonly (Literal | undefined)[]
  readonly gives: DataType | ((args: readonly Expression[]) => DataType)
  /** By default where an argument can be. */
  readonly nullable?: boolean | ((args: readonly Expression[]) => boolean)
  readonly deterministic?: boolean
}
type Resolve = FunctionRow['resolve']

function scalar(name: string, shape: Shape): FunctionRow {
  const { aliases = [], takes, min = takes.length, defaults = [], gives, nullable = anyNullable, deterministic = true } = shape
  const resolve: Resolve = (given) => {
    const filled = [...given, ...defaults.slice(given.length).filter((literal) => literal !== undefined)]
    const args = filled.map((arg, i) => argumentAs(name, arg, i, takes[i]!))
    return call(
      name,
      args,
      typeof gives === 'function' ? gives(args) : gives,
      typeof nullable === 'function' ? nullable(args) : nullable,
      deterministic,
    )
  }
  return { name, aliases, kind: 'scalar', deterministic, arity: [min, takes.length], resolve }
}

function special(name: string, arity: readonly [number, number], resolve: Resolve, aliases: readonly string[] = []): FunctionRow {
  return { name, aliases, kind: 'scalar', deterministic: true, arity, resolve }
}

function aggregate(
  name: string,
  takes: Wanted,
  gives: DataType | ((arg: Expression) => DataType),
  options: { aliases?: readonly string[]; nullable?: boolean } = {},
): FunctionRow {
  const resolve: Resolve = ([given], distinct) => {
    const arg = argumentAs(name, given!, 0, takes)
    return aggregateCall(name, [arg], typeof gives === 'function' ? gives(arg) : gives, options.nullable ?? true, distinct)
  }
  return { name, aliases: options.aliases ?? [], kind: 'aggregate', deterministic: true, arity: [1, 1], resolve }
}

function aggregateCall(name: string, args: readonly Expression[], type: DataType, nullable: boolean, distinct: boolean): AggregateCall {
  return { kind: 'aggregate', name, args, type, nullable, distinct }
}

export function literal(value: Literal['value'], type: DataType): Literal {
  return { kind: 'literal', value, type, nullable: value === null }
}
const text = (value: string) => literal(value, 'string')
const int = (value: number) => literal(value, 'int')

const first = (args: readonly Expression[]) => args[0]!.type
const arrayOf = (element: DataType, containsNull: boolean): DataType => ({ kind: 'array', element, containsNull })

// ---- operators

function arithmetic(name: ArithmeticName, aliases: readonly string[] = []): FunctionRow {
  return special(name, [2, 2], ([a, b]) => resolveArithmetic(name, a!, b!), aliases)
}

function comparison(name: string, aliases: readonly string[] = []): FunctionRow {
  const resolve: Resolve = ([a, b]) => {
    const type = commonType(a!.type, b!.type)
    if (type === undefined) throw differentTypes(name, a!, b!)
    if (!isOrderable(type)) throw notOrderable(name, a!)
    return call(name, [castTo(a!, type), castTo(b!, type)], 'boolean', name === '<=>' ? false : a!.nullable || b!.nullable)
  }
  return special(name, [2, 2], resolve, aliases)
}

function differentTypes(name: string, a: Expression, b: Expression): Error {
  const types = `${quoteType(a.type)} and ${quoteType(b.type)}`
  return typeMismatch(
    'BINARY_OP_DIFF_TYPES',
    `the left and right operands of "(${expressionText(a)} ${name} ${expressionText(b)})" have incompatible types (${types})`,
    'cast one of them',
  )
}
function notOrderable(name: string, arg: Expression): Error {
  return typeMismatch(
    'INVALID_ORDERING_TYPE',
    `${name} does not support ordering on type ${quoteType(arg.type)}`,
    'compare a field, an element or map_keys(…) instead',
  )
}

const resolveIn: Resolve = (given) => {
  if (given.length === 1) return literal(false, 'boolean')
  const { args } = toCommonType('in', given)
  return call('in', args, 'boolean', anyNullable(args))
}

// ---- conditions

const resolveCoalesce: Resolve = (given) => {
  const { type, args } = toCommonType('coalesce', given)
  return call(
    'coalesce',
    args,
    type,
    args.every((arg) => arg.nullable),
  )
}
const resolveNullif: Resolve = ([a, b]) => {
  const condition = resolveCall('==', [a!, b!])
  return { kind: 'case', branches: [{ condition, value: literal(null, a!.type) }], otherwise: a!, type: a!.type, nullable: true }
}
const resolveIf: Resolve = ([condition, a, b]) => {
  const { type, args } = toCommonType('if', [a!, b!])
  return call('if', [argumentAs('if', condition!, 0, 'boolean'), ...args], type, anyNullable(args))
}
function extreme(name: string): FunctionRow {
  return special(name, [2, Infinity], (given) => {
    const { type, args } = toCommonType(name, given)
    if (!isOrderable(type)) throw notOrderable(name, args[0]!)
    return call(
      name,
      args,
      type,
      args.every((arg) => arg.nullable),
    )
  })
}

// ---- strings

const resolveConcat: Resolve = (given) => {
  const arrays = given.some((arg) => typeof arg.type !== 'string' && arg.type.kind === 'array')
  if (arrays) {
    const { type, args } = toCommonType('concat', given)
    return call('concat', args, type, anyNullable(args))
  }
  const binary = given.length > 0 && given.every((arg) => arg.type === 'binary')
  const args = given.map((arg, i) => (binary ? arg : argumentAs('concat', arg, i, 'string')))
  return call('concat', args, binary ? 'binary' : 'string', anyNullable(args))
}
const resolveConcatWs: Resolve = (given) => {
  const args = given.map((arg, i) => {
    const strings = i > 0 && typeof arg.type !== 'string' && arg.type.kind === 'array' && arg.type.element === 'string'
    return strings ? arg : argumentAs('concat_ws', arg, i, 'string')
  })
  return call('concat_ws', args, 'string', args[0]!.nullable)
}
const resolveReverse: Resolve = ([given]) => {
  const array = typeof given!.type !== 'string' && given!.type.kind === 'array'
  const arg = array ? given! : argumentAs('reverse', given!, 0, 'string')
  return call('reverse', [arg], arg.type, arg.nullable)
}

// ---- numbers

/** ceil and floor: decimals lose their digits after the point, doubles become long. */
const wholeType = ([arg]: readonly Expression[]): DataType =>
  isDecimal(arg!.type) ? (arg!.type.scale === 0 ? arg!.type : boundedDecimal(arg!.type.precision - arg!.type.scale + 1, 0)) : 'long'

const resolveRound: Resolve = ([given, givenScale = int(0)]) => {
  const arg = argumentAs('round', given!, 0, 'numeric')
  const scale = castTo(argumentAs('round', givenScale, 1, 'integral'), 'int')
  if (scale.kind !== 'literal' || typeof scale.value !== 'number') {
    throw typeMismatch(
      'NON_FOLDABLE_INPUT',
      `the second parameter of round must be a constant integer, but is "${expressionText(givenScale)}"`,
      'give a number',
    )
  }
  return call('round', [arg, scale], roundedType(arg.type, scale.value), arg.nullable)
}
function roundedType(type: DataType, scale: number): DataType {
  if (!isDecimal(type)) return type
  const whole = type.precision - type.scale + 1
  if (scale < 0) return boundedDecimal(Math.max(whole, -scale + 1), 0)
  const kept = Math.min(type.scale, scale)
  return boundedDecimal(whole + kept, kept)
}

// ---- dates

const resolveToDate: Resolve = ([arg, format]) => {
  if (format === undefined || arg!.type !== 'string') return castImplicit('to_date', arg!, 'date')
  return call('to_date', [arg!, argumentAs('to_date', format, 1, 'string')], 'date', arg!.nullable || format.nullable)
}
const resolveToTimestamp: Resolve = ([arg, format]) => {
  if (format === undefined || arg!.type !== 'string') return castImplicit('to_timestamp', arg!, 'timestamp')
  return call('to_timestamp', [arg!, argumentAs('to_timestamp', format, 1, 'string')], 'timestamp', arg!.nullable || format.nullable)
}
function castImplicit(name: string, arg: Expression, type: DataType): Expression {
  return argumentAs(name, arg, 0, type)
}
const resolveUnixTimestamp: Resolve = ([arg, format]) => {
  if (arg === undefined) return resolveCall('unix_seconds', [resolveCall('current_timestamp', [])])
  if (arg.type !== 'string') return resolveCall('unix_seconds', [argumentAs('unix_timestamp', arg, 0, 'timestamp')])
  const pattern = argumentAs('unix_timestamp', format ?? text('yyyy-MM-dd HH:mm:ss'), 1, 'string')
  return call('unix_timestamp', [arg, pattern], 'long', arg.nullable || pattern.nullable)
}
const resolveTimestampSeconds: Resolve = ([given]) => {
  const arg = argumentAs('timestamp_seconds', given!, 0, 'numeric')
  const seconds = isIntegral(arg.type) ? castTo(arg, 'long') : arg.type === 'float' ? castTo(arg, 'double') : arg
  return call('timestamp_seconds', [seconds], 'timestamp', seconds.type === 'double' || seconds.nullable) // NaN and infinities give null
}
const truncUnits = new Set([
  'year',
  'yyyy',
  'yy',
  'quarter',
  'month',
  'mon',
  'mm',
  'week',
  'day',
  'dd',
  'hour',
  'minute',
  'second',
  'millisecond',
  'microsecond',
])
const resolveDateTrunc: Resolve = ([givenUnit, given]) => {
  const unit = argumentAs('date_trunc', givenUnit!, 0, 'string')
  const arg = argumentAs('date_trunc', given!, 1, 'instant')
  const known = unit.kind === 'literal' && truncUnits.has(String(unit.value).toLowerCase())
  return call('date_trunc', [unit, arg], arg.type, !known || arg.nullable) // an unknown unit gives null
}
const resolveWindowTime: Resolve = ([arg]) => {
  const fields = typeof arg!.type !== 'string' && arg!.type.kind === 'struct' ? arg!.type.fields : []
  if (fields.length === 2 && fields[0]!.name === 'start' && fields[1]!.name === 'end' && isTimestamp(fields[1]!.type)) {
    return call('window_time', [arg!], fields[1]!.type, arg!.nullable)
  }
  throw typeMismatch(
    'UNEXPECTED_INPUT_TYPE',
    `window_time needs a column that window(…) made, not "${expressionText(arg!)}" of type ${quoteType(arg!.type)}`,
    'give it the window column of an aggregation',
  )
}

// ---- nested

const resolveNamedStruct: Resolve = (args) => {
  if (args.length % 2 !== 0)
    throw typeMismatch('WRONG_NUM_ARGS', 'named_struct takes pairs of name and value', 'give a value for each name')
  const fields = args.flatMap((name, i) => (i % 2 === 0 ? [structField(name, args[i + 1]!)] : []))
  return call('named_struct', args, { kind: 'struct', fields }, false)
}
function structField(name: Expression, value: Expression) {
  if (name.kind === 'literal' && typeof name.value === 'string') return { name: name.value, type: value.type, nullable: value.nullable }
  throw typeMismatch(
    'CREATE_NAMED_STRUCT_WITHOUT_FOLDABLE_STRING',
    `the names of named_struct must be constant strings, not "${expressionText(name)}"`,
    'give the names as text',
  )
}
const resolveStruct: Resolve = (args) =>
  resolveNamedStruct(
    args.flatMap((arg, i) => [text(arg.kind === 'column' ? arg.name : arg.kind === 'field' ? arg.field : `col${i + 1}`), arg]),
    false,
  )
const resolveArray: Resolve = (given) => {
  const { type, args } = toCommonType('array', given)
  return call('array', args, arrayOf(type, anyNullable(args)), false)
}
const resolveSize: Resolve = ([arg]) => {
  if (typeof arg!.type === 'string' || (arg!.type.kind !== 'array' && arg!.type.kind !== 'map')) argumentAs('size', arg!, 0, 'array')
  return call('size', [arg!], 'int', arg!.nullable)
}
const resolveElementAt: Resolve = ([input, key]) => {
  const type = input!.type
  if (typeof type !== 'string' && type.kind === 'map')
    return call('element_at', [input!, sameOrFail('element_at', key!, type.key)], type.value, true)
  const array = argumentAs('element_at', input!, 0, 'array')
  const index = castTo(argumentAs('element_at', key!, 1, 'integral'), 'int')
  const { element, containsNull } = array.type as Extract<DataType, { kind: 'array' }>
  return call('element_at', [array, index], element, containsNull || array.nullable || index.nullable)
}
const resolveArrayContains: Resolve = ([given, value]) => {
  const array = argumentAs('array_contains', given!, 0, 'array')
  const { element, containsNull } = array.type as Extract<DataType, { kind: 'array' }>
  const common = commonType(element, value!.type)
  if (common === undefined) throw differentTypes('array_contains', array, value!)
  const args = [castTo(array, arrayOf(common, containsNull)), castTo(value!, common)]
  return call('array_contains', args, 'boolean', anyNullable(args) || containsNull)
}
function sameOrFail(name: string, arg: Expression, type: DataType): Expression {
  if (commonType(arg.type, type) === undefined) throw differentTypes(name, arg, { ...arg, type })
  return castTo(arg, type)
}

// ---- aggregates

const sumType = (arg: Expression): DataType =>
  isDecimal(arg.type) ? boundedDecimal(arg.type.precision + 10, arg.type.scale) : isIntegral(arg.type) ? 'long' : 'double'
const avgType = (arg: Expression): DataType => (isDecimal(arg.type) ? boundedDecimal(arg.type.precision + 4, arg.type.scale + 4) : 'double')

const resolveCount: Resolve = (given, distinct) => aggregateCall('count', given.length === 0 ? [int(1)] : given, 'long', false, distinct)

/** first, last, any_value: a second argument says whether nulls are passed over. It is there only where they are. */
function picking(name: string, aliases: readonly string[]): FunctionRow {
  const resolve: Resolve = ([arg, ignoreNulls], distinct) => {
    const flag = ignoreNulls && argumentAs(name, ignoreNulls, 1, 'boolean')
    if (flag && flag.kind !== 'literal')
      throw typeMismatch(
        'NON_FOLDABLE_INPUT',
        `the second parameter of ${name} must be true or false, but is "${expressionText(flag)}"`,
        'give a constant',
      )
    return aggregateCall(name, flag?.kind === 'literal' && flag.value === true ? [arg!, flag] : [arg!], arg!.type, true, distinct)
  }
  return { name, aliases, kind: 'aggregate', deterministic: true, arity: [1, 2], resolve }
}

const rows: readonly FunctionRow[] = [
  arithmetic('+'),
  arithmetic('-'),
  arithmetic('*'),
  arithmetic('/'),
  arithmetic('%', ['mod']),
  scalar('negative', { takes: ['numeric'], gives: first }),
  comparison('==', ['=']),
  comparison('!=', ['<>']),
  comparison('<=>', ['equal_null']),
  comparison('<'),
  comparison('<='),
  comparison('>'),
  comparison('>='),
  scalar('and', { takes: ['boolean', 'boolean'], gives: 'boolean' }),
  scalar('or', { takes: ['boolean', 'boolean'], gives: 'boolean' }),
  scalar('not', { takes: ['boolean'], gives: 'boolean', aliases: ['!'] }),
  scalar('isnull', { takes: ['any'], gives: 'boolean', nullable: false }),
  scalar('isnotnull', { takes: ['any'], gives: 'boolean', nullable: false }),
  special('isnan', [1, 1], ([arg]) =>
    call('isnan', [arg!.type === 'float' ? arg! : argumentAs('isnan', arg!, 0, 'double')], 'boolean', false),
  ),
  special('in', [1, Infinity], resolveIn),
  scalar('like', { takes: ['string', 'string', 'string'], min: 2, gives: 'boolean' }),
  scalar('ilike', { takes: ['string', 'string', 'string'], min: 2, gives: 'boolean' }),
  scalar('rlike', { takes: ['string', 'string'], gives: 'boolean', aliases: ['regexp', 'regexp_like'] }),
  scalar('startswith', { takes: ['string', 'string'], gives: 'boolean' }),
  scalar('endswith', { takes: ['string', 'string'], gives: 'boolean' }),
  scalar('contains', { takes: ['string', 'string'], gives: 'boolean' }),

  special('coalesce', [1, Infinity], resolveCoalesce),
  special('nvl', [2, 2], resolveCoalesce, ['ifnull']),
  special('nullif', [2, 2], resolveNullif),
  extreme('greatest'),
  extreme('least'),
  special('if', [3, 3], resolveIf),

  scalar('upper', { takes: ['string'], gives: 'string', aliases: ['ucase'] }),
  scalar('lower', { takes: ['string'], gives: 'string', aliases: ['lcase'] }),
  scalar('length', { takes: ['text'], gives: 'int', aliases: ['char_length', 'character_length', 'len'] }),
  scalar('trim', { takes: ['string', 'string'], min: 1, gives: 'string', aliases: ['btrim'] }),
  scalar('ltrim', { takes: ['string', 'string'], min: 1, gives: 'string' }),
  scalar('rtrim', { takes: ['string', 'string'], min: 1, gives: 'string' }),
  special('concat', [0, Infinity], resolveConcat),
  special('concat_ws', [1, Infinity], resolveConcatWs),
  scalar('substring', { takes: ['text', 'int', 'int'], min: 2, gives: first, aliases: ['substr'] }),
  scalar('replace', { takes: ['string', 'string', 'string'], min: 2, defaults: [undefined, undefined, text('')], gives: 'string' }),
  scalar('regexp_replace', { takes: ['string', 'string', 'string'], gives: 'string' }),
  scalar('regexp_extract', { takes: ['string', 'string', 'int'], min: 2, defaults: [undefined, undefined, int(1)], gives: 'string' }),
  scalar('split', {
    takes: ['string', 'string', 'int'],
    min: 2,
    defaults: [undefined, undefined, int(-1)],
    gives: arrayOf('string', false),
  }),
  scalar('lpad', { takes: ['string', 'int', 'string'], min: 2, defaults: [undefined, undefined, text(' ')], gives: 'string' }),
  scalar('rpad', { takes: ['string', 'int', 'string'], min: 2, defaults: [undefined, undefined, text(' ')], gives: 'string' }),
  scalar('instr', { takes: ['string', 'string'], gives: 'int' }),
  special('reverse', [1, 1], resolveReverse),
  scalar('repeat', { takes: ['string', 'int'], gives: 'string' }),
  scalar('md5', { takes: ['bytes'], gives: 'string' }),
  scalar('sha2', { takes: ['bytes', 'int'], gives: 'string', nullable: true }), // an unknown length gives null

  scalar('abs', { takes: ['numeric'], gives: first }),
  scalar('ceil', { takes: ['number'], gives: wholeType, aliases: ['ceiling'] }),
  scalar('floor', { takes: ['number'], gives: wholeType }),
  special('round', [1, 2], resolveRound),
  scalar('sqrt', { takes: ['double'], gives: 'double' }),
  scalar('exp', { takes: ['double'], gives: 'double' }),
  scalar('ln', { takes: ['double'], gives: 'double', nullable: true }), // null where there is no logarithm
  scalar('log10', { takes: ['double'], gives: 'double', nullable: true }),
  scalar('pow', { takes: ['double', 'double'], gives: 'double', aliases: ['power'] }),
  scalar('sign', { takes: ['double'], gives: 'double', aliases: ['signum'] }),

  scalar('year', { takes: ['date'], gives: 'int' }),
  scalar('month', { takes: ['date'], gives: 'int' }),
  scalar('day', { takes: ['date'], gives: 'int', aliases: ['dayofmonth'] }),
  scalar('quarter', { takes: ['date'], gives: 'int' }),
  scalar('dayofweek', { takes: ['date'], gives: 'int' }),
  scalar('dayofyear', { takes: ['date'], gives: 'int' }),
  scalar('weekofyear', { takes: ['date'], gives: 'int' }),
  scalar('hour', { takes: ['instant'], gives: 'int' }),
  scalar('minute', { takes: ['instant'], gives: 'int' }),
  scalar('second', { takes: ['instant'], gives: 'int' }),
  special('date_trunc', [2, 2], resolveDateTrunc),
  special('to_date', [1, 2], resolveToDate),
  special('to_timestamp', [1, 2], resolveToTimestamp),
  special('unix_timestamp', [0, 2], resolveUnixTimestamp, ['to_unix_timestamp']),
  scalar('unix_seconds', { takes: ['timestamp'], gives: 'long' }),
  scalar('unix_millis', { takes: ['timestamp'], gives: 'long' }),
  scalar('unix_micros', { takes: ['timestamp'], gives: 'long' }),
  special('timestamp_seconds', [1, 1], resolveTimestampSeconds),
  scalar('timestamp_millis', { takes: ['long'], gives: 'timestamp' }),
  scalar('timestamp_micros', { takes: ['long'], gives: 'timestamp' }),
  scalar('date_add', { takes: ['date', 'int'], gives: 'date', aliases: ['dateadd'] }),
  scalar('date_sub', { takes: ['date', 'int'], gives: 'date' }),
  scalar('datediff', { takes: ['date', 'date'], gives: 'int', aliases: ['date_diff'] }),
  scalar('current_timestamp', { takes: [], gives: 'timestamp', nullable: false, deterministic: false, aliases: ['now'] }),
  scalar('current_date', { takes: [], gives: 'date', nullable: false, deterministic: false, aliases: ['curdate'] }),
  special('window_time', [1, 1], resolveWindowTime),
  // what `timestamp + interval` becomes: microseconds are added
  scalar('timestamp_add_us', { takes: ['instant', 'long'], gives: first }),

  special('struct', [0, Infinity], resolveStruct),
  special('named_struct', [0, Infinity], resolveNamedStruct),
  special('array', [0, Infinity], resolveArray),
  special('size', [1, 1], resolveSize, ['cardinality']),
  special('element_at', [2, 2], resolveElementAt),
  special('array_contains', [2, 2], resolveArrayContains),
  scalar('map_keys', { takes: ['map'], gives: ([map]) => arrayOf(mapTypeOf(map!).key, false) }),
  scalar('map_values', { takes: ['map'], gives: ([map]) => arrayOf(mapTypeOf(map!).value, mapTypeOf(map!).valueContainsNull) }),

  { name: 'count', aliases: [], kind: 'aggregate', deterministic: true, arity: [0, Infinity], resolve: resolveCount },
  aggregate('sum', 'numeric', sumType),
  aggregate('avg', 'numeric', avgType, { aliases: ['mean'] }),
  aggregate('min', 'orderable', (arg) => arg.type),
  aggregate('max', 'orderable', (arg) => arg.type),
  picking('first', ['first_value']),
  picking('last', ['last_value']),
  picking('any_value', []),
  aggregate('count_if', 'boolean', 'long', { nullable: false }),
  aggregate('bool_and', 'boolean', 'boolean', { aliases: ['every'] }),
  aggregate('bool_or', 'boolean', 'boolean', { aliases: ['some', 'any'] }),
  aggregate('stddev_samp', 'double', 'double', { aliases: ['stddev', 'std'] }),
  aggregate('stddev_pop', 'double', 'double'),
  aggregate('var_samp', 'double', 'double', { aliases: ['variance'] }),
  aggregate('var_pop', 'double', 'double'),
]

function mapTypeOf(e: Expression): Extract<DataType, { kind: 'map' }> {
  return e.type as Extract<DataType, { kind: 'map' }>
}

/** Functions of Spark that are known by name and come later. */
const later = new Set([
  'session_window',
  'explode',
  'explode_outer',
  'posexplode',
  'collect_list',
  'collect_set',
  'approx_count_distinct',
  'from_json',
  'to_json',
  'transform',
  'filter',
  'exists',
  'aggregate',
  'percentile_approx',
  'percentile',
  'from_unixtime',
  'date_format',
  'make_interval',
  'add_months',
  'months_between',
  'last_day',
  'map',
  'map_from_arrays',
  'rand',
  'uuid',
  'monotonically_increasing_id',
  'row_number',
  'rank',
  'lag',
  'lead',
  'sha1',
  'crc32',
  'hash',
  'xxhash64',
  'max_by',
  'min_by',
  'translate',
  'initcap',
  'array_distinct',
  'array_sort',
])

/** Every row of the table, by its own name. */
export const functionTable: readonly FunctionRow[] = rows
const byName = new Map(rows.flatMap((row) => [row.name, ...row.aliases].map((name) => [name, row] as const)))
const functionNames = [...byName.keys(), 'window']
