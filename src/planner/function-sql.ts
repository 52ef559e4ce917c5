/**
 * One template a function: arguments (already of the types that the function asks for) to DuckDB SQL with Spark's ANSI meaning.
 * A template may use an argument more than once: DuckDB computes equal expressions of a row once.
 * Where SQL's own function means the same, it stands alone, so that nothing slows down what is common.
 */
import { InvalidQueryError } from '../base/errors.ts'
import type { DataType, DecimalType } from '../data/types.ts'
import type { LiteralValue } from '../plan/expression.ts'
import { castSql, fieldSql } from './cast-sql.ts'
import { datetimePattern } from './datetime-pattern.ts'
import { divideDecimals, multiplyDecimals } from './decimal-sql.ts'
import { bind, floorDivide, orRaise, quoteIdentifier, raise, sqlType, stringLiteral } from './sql-text.ts'

/** An argument: its SQL, and its value where it is a literal. */
export interface SqlArgument {
  readonly sql: string
  readonly type: DataType
  readonly nullable: boolean
  readonly literal?: LiteralValue
}

type Template = (args: readonly SqlArgument[], type: DataType, name: string) => string

/** The SQL of a call. InvalidQueryError UNRESOLVED_ROUTINE for a name that is not in the table, UNSUPPORTED_ARGUMENT for arguments the local engine can't run. */
export function functionSql(name: string, args: readonly SqlArgument[], type: DataType): string {
  const template = templates.get(name)
  if (!template) {
    throw new InvalidQueryError('UNRESOLVED_ROUTINE', {
      what: `the local engine has no function ${JSON.stringify(name)}`,
      todo: 'use one of the functions of the reference, or compute the value before the query',
    })
  }
  return template(args, type, name)
}

/** Every name that functionSql knows. */
export function functionNames(): readonly string[] {
  return [...templates.keys()]
}

function unsupported(what: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('UNSUPPORTED_ARGUMENT', { what: `${what} can't run on the local engine`, todo })
}

const isDecimal = (type: DataType): type is DecimalType => typeof type !== 'string' && type.kind === 'decimal'
const isFloating = (type: DataType) => type === 'float' || type === 'double'

const infix =
  (operator: string): Template =>
  (args) =>
    `(${args.map((a) => a.sql).join(` ${operator} `)})`
const prefix =
  (operator: string): Template =>
  ([a]) =>
    `(${operator} ${a!.sql})`
const suffix =
  (operator: string): Template =>
  ([a]) =>
    `(${a!.sql} ${operator})`
const plain =
  (name: string): Template =>
  (args) =>
    `${name}(${args.map((a) => a.sql).join(', ')})`
const toInt =
  (name: string): Template =>
  (args) =>
    `CAST(${name}(${args.map((a) => a.sql).join(', ')}) AS INTEGER)`

// Arithmetic

const add =
  (operator: '+' | '-'): Template =>
  ([a, b], type) =>
    isDecimal(type) ? `CAST(${a!.sql} ${operator} ${b!.sql} AS ${sqlType(type)})` : `(${a!.sql} ${operator} ${b!.sql})`

const multiply: Template = ([a, b], type) =>
  isDecimal(type) && isDecimal(a!.type) && isDecimal(b!.type)
    ? multiplyDecimals(a!.sql, a!.type, b!.sql, b!.type, type)
    : `(${a!.sql} * ${b!.sql})`

/** `quotient`, unless the divisor is 0 and the dividend not null. A literal divisor needs no look. */
function unlessZero(a: SqlArgument, b: SqlArgument, quotient: string, error: string): string {
  if (b.literal !== undefined && b.literal !== null && !isZero(b.literal)) return quotient
  return `CASE WHEN ${b.sql} = 0${a.nullable ? ` AND ${a.sql} IS NOT NULL` : ''} THEN ${error} ELSE ${quotient} END`
}
function isZero(value: LiteralValue): boolean {
  return typeof value === 'object' && value !== null && 'unscaled' in value ? value.unscaled === 0n : Number(value) === 0
}

const divide: Template = ([a, b], type) => {
  const quotient =
    isDecimal(type) && isDecimal(a!.type) && isDecimal(b!.type)
      ? divideDecimals(a!.sql, a!.type, b!.sql, b!.type, type)
      : `(${a!.sql} / ${b!.sql})`
  return unlessZero(a!, b!, quotient, raise('DIVIDE_BY_ZERO', 'Division by zero.'))
}

/** The sign is the dividend's. The smallest integer % -1 is 0, where SQL sees an overflow. */
const remainder: Template = ([a, b], type) => {
  const rest = isDecimal(type) ? `CAST(${a!.sql} % ${b!.sql} AS ${sqlType(type)})` : `(${a!.sql} % ${b!.sql})`
  const safe = isFloating(type) || isDecimal(type) || (b!.literal !== undefined && Number(b!.literal) !== -1)
  return unlessZero(
    a!,
    b!,
    safe ? rest : `CASE WHEN ${b!.sql} = -1 THEN CAST(${b!.sql} + 1 AS ${sqlType(type)}) ELSE ${rest} END`,
    raise('REMAINDER_BY_ZERO', 'Remainder by zero.'),
  )
}

/** Half up at the digit that a person sees: round(1.005, 2) is 1.01, although the double lies below. */
const round: Template = ([x, digits], type) => {
  const places = digits === undefined ? 0 : Number(digits.literal)
  if (!Number.isInteger(places))
    throw unsupported('round with a number of digits that is no literal', 'give the number of digits as a literal')
  if (isDecimal(type)) return `CAST(round(${x!.sql}, ${Math.min(places, 38)}) AS ${sqlType(type)})`
  if (!isFloating(x!.type)) return places >= 0 ? x!.sql : `round(${x!.sql}, ${places})`
  const exact = `CAST(CAST(round(CAST(CAST(${x!.sql} AS VARCHAR) AS DECIMAL(38,21)), ${places}) AS VARCHAR) AS ${sqlType(type)})`
  // from 2^53 on a double has no digits behind the point; what is no number stays as it is
  return `CASE WHEN abs(${x!.sql}) < 9007199254740992e0 THEN ${places > 20 ? x!.sql : exact} ELSE ${places >= 0 ? x!.sql : `round(${x!.sql}, ${places})`} END`
}

/** floor and ceil of a double are a long: beyond its range its ends, as Java has it, and 0 for NaN. */
const toWhole: Template = ([x], type, name) => {
  if (isDecimal(type)) return `CAST(${name}(${x!.sql}) AS ${sqlType(type)})`
  if (!isFloating(x!.type) || type !== 'long') return isFloating(x!.type) ? `${name}(${x!.sql})` : `CAST(${x!.sql} AS ${sqlType(type)})`
  return `CASE WHEN abs(${x!.sql}) < 9.2e18 THEN CAST(${name}(${x!.sql}) AS BIGINT) WHEN isnan(${x!.sql}) THEN 0 WHEN ${x!.sql} > 0 THEN 9223372036854775807 WHEN ${x!.sql} < 0 THEN CAST('-9223372036854775808' AS BIGINT) END`
}

const logarithm: Template = ([x], _type, name) => `CASE WHEN ${x!.sql} > 0 THEN ${name}(${x!.sql}) END`
const squareRoot: Template = ([x]) => `CASE WHEN ${x!.sql} < 0 THEN CAST('nan' AS DOUBLE) ELSE sqrt(${x!.sql}) END`
const sign: Template = ([x], type) =>
  isFloating(x!.type)
    ? `CASE WHEN isnan(${x!.sql}) THEN ${x!.sql} ELSE CAST(sign(${x!.sql}) AS ${sqlType(type)}) END`
    : `CAST(sign(${x!.sql}) AS ${sqlType(type)})`

// Text

/** LIKE with Spark's escape character (a backslash unless given); patterns without it take SQL's fast path. */
const like =
  (operator: string): Template =>
  ([x, pattern, escaping]) => {
    const character = escaping?.literal ?? '\\'
    const needed = typeof pattern!.literal !== 'string' || pattern!.literal.includes(String(character))
    return `(${x!.sql} ${operator} ${pattern!.sql}${needed ? ` ESCAPE ${stringLiteral(String(character))}` : ''})`
  }

/** Positions from 1, or from the end below 0; 0 is taken for 1. What lies before the beginning counts for the length. */
const substring: Template = ([x, position, length]) => {
  const ofBytes = x!.type === 'binary'
  const size = ofBytes ? `octet_length(${x!.sql})` : `length(${x!.sql})`
  const cut = (from: string, count: string | undefined) =>
    ofBytes
      ? `from_hex(substring(hex(${x!.sql}), 2 * (${from}) - 1${count === undefined ? '' : `, 2 * (${count})`}))`
      : `substring(${x!.sql}, ${from}${count === undefined ? '' : `, ${count}`})`
  const positionValue = position!.literal === undefined || position!.literal === null ? undefined : Number(position!.literal)
  const lengthValue = length?.literal === undefined || length.literal === null ? undefined : Number(length.literal)
  if (positionValue !== undefined && positionValue >= 0 && (length === undefined || (lengthValue !== undefined && lengthValue >= 0))) {
    return cut(String(Math.max(1, positionValue)), length && String(lengthValue))
  }
  const start = `(CASE WHEN ${position!.sql} > 0 THEN CAST(${position!.sql} AS BIGINT) WHEN ${position!.sql} < 0 THEN ${size} + ${position!.sql} + 1 ELSE 1 END)`
  if (length === undefined) return cut(`greatest(${start}, 1)`, undefined)
  const count = `greatest(${start} + ${length.sql} - greatest(${start}, 1), 0)`
  const nullSafe = [position!, length].filter((a) => a.nullable).map((a) => `${a.sql} IS NOT NULL`)
  const text = cut(`greatest(${start}, 1)`, count)
  return nullSafe.length === 0 ? text : `CASE WHEN ${nullSafe.join(' AND ')} THEN ${text} END` // greatest passes over nulls
}

/** concat_ws takes texts and arrays of texts, and leaves nulls out. */
const concatWithSeparator: Template = ([separator, ...parts]) => {
  if (parts.every((part) => part.type === 'string')) return `concat_ws(${[separator!, ...parts].map((a) => a.sql).join(', ')})`
  const lists = parts.map((part) => (part.type === 'string' ? `[${part.sql}]` : `coalesce(${part.sql}, CAST([] AS VARCHAR[]))`))
  return `array_to_string(${lists.reduce((a, b) => `list_concat(${a}, ${b})`)}, ${separator!.sql})`
}

const concat: Template = (args, type) =>
  args.length === 0 ? "''" : args.length === 1 ? args[0]!.sql : `CAST((${args.map((a) => a.sql).join(' || ')}) AS ${sqlType(type)})`

/** Java's $1 and \$ in a replacement become RE2's \1 and $. */
const regexpReplace: Template = ([x, pattern, replacement]) => {
  const text =
    typeof replacement!.literal === 'string'
      ? stringLiteral(
          replacement!.literal.replace(/\\(.)|\$(\d)|\\$/g, (_, escaped: string | undefined, group: string | undefined) =>
            group !== undefined ? `\\${group}` : escaped === '\\' ? '\\\\' : (escaped ?? ''),
          ),
        )
      : `replace(regexp_replace(replace(${replacement!.sql}, '\\$', chr(1)), '\\$([0-9])', '\\\\\\1', 'g'), chr(1), '$')`
  return `regexp_replace(${x!.sql}, ${pattern!.sql}, ${text}, 'g')`
}

const regexpExtract: Template = ([x, pattern, group]) => {
  const index = group === undefined ? 1 : Number(group.literal)
  if (!Number.isInteger(index) || index < 0)
    throw unsupported('regexp_extract with a group that is no literal', 'give the group as a literal')
  return `regexp_extract(${x!.sql}, ${pattern!.sql}, ${index})`
}

/** At most `limit` parts, the last of which keeps the rest; no limit where it is 0 or less. */
const split: Template = ([x, pattern, limit]) => {
  const parts = `string_split_regex(${x!.sql}, ${pattern!.sql})`
  if (limit === undefined || (typeof limit.literal === 'number' && limit.literal <= 0)) return parts
  const before = `(len(v.p) - greatest(${limit.sql}, 1) + 1)`
  const head = `v.p[1:${limit.sql} - 1]`
  const used = `coalesce(list_sum(list_transform(${head}, lambda s: length(s))), 0) + coalesce(list_sum(list_transform(v.m[1:${limit.sql} - 1], lambda s: length(s))), 0)`
  return bind(
    `struct_pack(p := ${parts}, m := regexp_extract_all(${x!.sql}, ${pattern!.sql}), x := ${x!.sql})`,
    'v',
    `CASE WHEN ${limit.sql} <= 0 OR ${before} <= 1 THEN v.p ELSE list_concat(${head}, [substring(v.x, CAST(${used} AS BIGINT) + 1)]) END`,
  )
}

const trim: Template = (args, _type, name) => `${name}(${args[0]!.sql}, ${args[1]?.sql ?? "' '"})`

const pad: Template = ([x, length, filler], _type, name) => {
  const padding = filler?.sql ?? "' '"
  if (typeof filler?.literal === 'string' && filler.literal !== '') return `${name}(${x!.sql}, ${length!.sql}, ${padding})`
  if (filler === undefined) return `${name}(${x!.sql}, ${length!.sql}, ' ')`
  return `CASE WHEN ${padding} = '' THEN substring(${x!.sql}, 1, greatest(${length!.sql}, 0)) ELSE ${name}(${x!.sql}, ${length!.sql}, CASE WHEN ${padding} = '' THEN ' ' ELSE ${padding} END) END`
}

const sha2: Template = ([x, bits]) => {
  const wanted = bits === undefined ? 256 : Number(bits.literal)
  if (![0, 256].includes(wanted)) throw unsupported(`sha2 with ${bits?.literal ?? 'a computed number of'} bits`, 'use sha2(…, 256)')
  return `sha256(${x!.sql})`
}

// Time

const part =
  (sql: string): Template =>
  ([x]) =>
    `CAST(${sql.replace('?', x!.sql)} AS INTEGER)`
const sinceEpoch =
  (unitUs: bigint): Template =>
  ([x]) =>
    unitUs === 1n ? `epoch_us(${x!.sql})` : floorDivide(`epoch_us(${x!.sql})`, unitUs)

const truncUnits: Readonly<Record<string, string>> = {
  year: 'year',
  yyyy: 'year',
  yy: 'year',
  quarter: 'quarter',
  month: 'month',
  mm: 'month',
  mon: 'month',
  week: 'week',
  day: 'day',
  dd: 'day',
  hour: 'hour',
  minute: 'minute',
  second: 'second',
  millisecond: 'millisecond',
  microsecond: 'microsecond',
}
/** A unit that nobody knows gives null, as in Spark. */
const dateTrunc: Template = ([unit, x], type) => {
  const cut = (name: string) => (name === 'microsecond' ? x!.sql : `date_trunc('${name}', ${x!.sql})`)
  if (typeof unit!.literal === 'string') {
    const known = truncUnits[unit!.literal.toLowerCase()]
    return known === undefined ? `CAST(NULL AS ${sqlType(type)})` : cut(known)
  }
  return `CASE lower(${unit!.sql}) ${Object.entries(truncUnits)
    .map(([name, known]) => `WHEN '${name}' THEN ${cut(known)}`)
    .join(' ')} END`
}

/** A text by its pattern, as a TIMESTAMP. */
function parseTime(x: SqlArgument, format: SqlArgument): string {
  if (typeof format.literal !== 'string') throw unsupported('a date pattern that is no literal', 'give the pattern as a literal')
  const parsed = `try_strptime(${x.sql}, ${stringLiteral(datetimePattern(format.literal))})`
  return orRaise(parsed, x.sql, raise('CANNOT_PARSE_TIMESTAMP', `Text '{}' could not be parsed with the pattern ${format.literal}.`, x.sql))
}
const toTime: Template = ([x, format], type) => {
  if (format === undefined || x!.type !== 'string') return castSql(x!.sql, x!.type, type, 'ansi')
  const parsed = parseTime(x!, format)
  return type === 'date' ? `CAST(${parsed} AS DATE)` : parsed
}
const unixTimestamp: Template = ([x, format]) => {
  if (x === undefined) return floorDivide('epoch_us(⟦batch_timestamp⟧)', 1_000_000n)
  const time =
    x.type === 'string'
      ? parseTime(x, format ?? { sql: '', type: 'string', nullable: false, literal: 'yyyy-MM-dd HH:mm:ss' })
      : x.type === 'date'
        ? `CAST(${x.sql} AS TIMESTAMP)`
        : x.sql
  return floorDivide(`epoch_us(${time})`, 1_000_000n)
}
const fromUnix =
  (perSecond: number): Template =>
  ([x]) => {
    if (perSecond === 1) return castSql(x!.sql, x!.type, 'timestamp', 'ansi')
    return `make_timestamp(CAST(${x!.sql} AS BIGINT)${perSecond === 1000 ? ' * 1000' : ''})`
  }

// Nested values

const structOf: Template = (args, type, name) => {
  if (typeof type === 'string' || type.kind !== 'struct') throw unsupported('an empty struct', 'give it a field')
  const values = name === 'named_struct' ? args.filter((_, i) => i % 2 === 1) : args
  return `struct_pack(${values.map((value, i) => `${quoteIdentifier(type.fields[i]!.name)} := ${value.sql}`).join(', ')})`
}
const arrayOf: Template = (args, type) => (args.length === 0 ? `CAST([] AS ${sqlType(type)})` : `[${args.map((a) => a.sql).join(', ')}]`)
const size: Template = ([x]) =>
  `CAST(${typeof x!.type !== 'string' && x!.type.kind === 'map' ? 'cardinality' : 'len'}(${x!.sql}) AS INTEGER)`

/** Arrays count from 1, or from the end below 0, and fail outside; a key that a map has not gives null. */
const elementAt: Template = ([x, key]) => {
  if (typeof x!.type !== 'string' && x!.type.kind === 'map') return `map_extract_value(${x!.sql}, ${key!.sql})`
  const outside = raise('INVALID_ARRAY_INDEX_IN_ELEMENT_AT', `The index {} is out of bounds.`, `CAST(${key!.sql} AS VARCHAR)`)
  return `CASE WHEN abs(${key!.sql}) > len(${x!.sql}) THEN ${outside} WHEN ${key!.sql} = 0 THEN ${raise('INVALID_INDEX_OF_ZERO', 'The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).')} ELSE ${x!.sql}[${key!.sql}] END`
}
/** Null where the value is not found but might be one of the array's nulls. */
const arrayContains: Template = ([x, value]) => {
  const mayHoldNulls = typeof x!.type === 'string' || x!.type.kind !== 'array' || x!.type.containsNull
  const found = `list_contains(${x!.sql}, ${value!.sql})`
  return mayHoldNulls
    ? `CASE WHEN ${found} THEN true WHEN ${value!.sql} IS NOT NULL AND list_count(${x!.sql}) = len(${x!.sql}) THEN false END`
    : found
}

const table: Readonly<Record<string, Template>> = {
  '+': add('+'),
  '-': add('-'),
  '*': multiply,
  '/': divide,
  '%': remainder,
  mod: remainder,
  negative: prefix('-'),
  '==': infix('='),
  '!=': infix('<>'),
  '<=>': infix('IS NOT DISTINCT FROM'),
  '<': infix('<'),
  '<=': infix('<='),
  '>': infix('>'),
  '>=': infix('>='),
  and: infix('AND'),
  or: infix('OR'),
  not: prefix('NOT'),
  isnull: suffix('IS NULL'),
  isnotnull: suffix('IS NOT NULL'),
  isnan: ([x]) => (x!.nullable ? `coalesce(isnan(${x!.sql}), false)` : `isnan(${x!.sql})`),
  in: ([x, ...values]) => `(${x!.sql} IN (${values.map((v) => v.sql).join(', ')}))`,
  coalesce: plain('coalesce'),
  nvl: plain('coalesce'),
  ifnull: plain('coalesce'),
  nullif: plain('nullif'),
  greatest: plain('greatest'),
  least: plain('least'),
  if: ([c, a, b]) => `CASE WHEN ${c!.sql} THEN ${a!.sql} ELSE ${b!.sql} END`,

  like: like('LIKE'),
  ilike: like('ILIKE'),
  rlike: plain('regexp_matches'),
  startswith: plain('starts_with'),
  endswith: plain('ends_with'),
  contains: plain('contains'),
  upper: plain('upper'),
  lower: plain('lower'),
  length: ([x], type) => `CAST(${x!.type === 'binary' ? 'octet_length' : 'length'}(${x!.sql}) AS ${sqlType(type)})`,
  trim,
  ltrim: trim,
  rtrim: trim,
  concat,
  concat_ws: concatWithSeparator,
  substring,
  replace: ([x, from, to]) => `replace(${x!.sql}, ${from!.sql}, ${to?.sql ?? "''"})`,
  regexp_replace: regexpReplace,
  regexp_extract: regexpExtract,
  split,
  lpad: pad,
  rpad: pad,
  instr: toInt('instr'),
  // reverse() of SQL keeps an accent on its letter; Spark turns code points
  reverse: ([x]) => (x!.type === 'string' ? `array_to_string(list_reverse(string_split(${x!.sql}, '')), '')` : `list_reverse(${x!.sql})`),
  repeat: plain('repeat'),
  md5: plain('md5'),
  sha2,

  abs: plain('abs'),
  ceil: toWhole,
  floor: toWhole,
  round,
  sqrt: squareRoot,
  exp: plain('exp'),
  ln: logarithm,
  log10: logarithm,
  pow: plain('pow'),
  sign,

  year: part('year(?)'),
  month: part('month(?)'),
  day: part('day(?)'),
  dayofmonth: part('day(?)'),
  quarter: part('quarter(?)'),
  dayofweek: part('dayofweek(?) + 1'),
  dayofyear: part('dayofyear(?)'),
  weekofyear: part('week(?)'),
  hour: part('hour(?)'),
  minute: part('minute(?)'),
  second: part('second(?)'),
  date_trunc: dateTrunc,
  to_date: toTime,
  to_timestamp: toTime,
  unix_timestamp: unixTimestamp,
  unix_seconds: sinceEpoch(1_000_000n),
  unix_millis: sinceEpoch(1000n),
  unix_micros: sinceEpoch(1n),
  timestamp_seconds: fromUnix(1),
  timestamp_millis: fromUnix(1000),
  timestamp_micros: fromUnix(1_000_000),
  date_add: ([d, n]) => `(${d!.sql} + ${n!.sql})`,
  date_sub: ([d, n]) => `(${d!.sql} - ${n!.sql})`,
  datediff: ([end, start]) => `CAST(${end!.sql} - ${start!.sql} AS INTEGER)`,
  current_timestamp: () => '⟦batch_timestamp⟧',
  current_date: () => 'CAST(⟦batch_timestamp⟧ AS DATE)',
  window_time: ([w]) => `make_timestamp(epoch_us(${fieldSql(w!.sql, 'end')}) - 1)`,
  timestamp_add_us: ([x, us]) => `make_timestamp(epoch_us(${x!.sql}) + ${us!.sql})`,

  struct: structOf,
  named_struct: structOf,
  array: arrayOf,
  size,
  element_at: elementAt,
  array_contains: arrayContains,
  map_keys: plain('map_keys'),
  map_values: plain('map_values'),
}
// a Map, so that no name finds what every object inherits
const templates: ReadonlyMap<string, Template> = new Map(Object.entries(table))
