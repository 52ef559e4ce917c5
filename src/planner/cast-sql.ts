import { InvalidQueryError } from '../base/errors.ts'
import { decimalFromTextSql } from '../data/decimal-from-text.ts'
import { intervalTextSql, isInterval } from '../data/intervals.ts'
import { type DataType, type DecimalType, sameType, typeText } from '../data/types.ts'
import { canCast } from '../plan/coercion.ts'
import { castInterval } from './interval-sql.ts'
import { bind, floorDivide, orRaise, quoteIdentifier, raise, sqlType, stringLiteral } from './sql-text.ts'
import { fixedOffset, fromLocal, sessionTimeZone, toLocal } from './time-zone.ts'

export type CastMode = 'ansi' | 'try'

/**
 * `sql` of type `from` as a value of type `to`, with the meaning of Spark's ANSI cast: text forms are Spark's, fractions are cut off on the way to
 * whole numbers, and what does not fit raises CAST_INVALID_INPUT, CAST_OVERFLOW or NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION (`try`: gives null).
 * InvalidQueryError DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION for pairs that Spark does not cast.
 */
export function castSql(sql: string, from: DataType, to: DataType, mode: CastMode): string {
  if (sameType(from, to)) return sql
  if (from === 'void') return `CAST(${sql} AS ${sqlType(to)})`
  if (isInterval(from) || isInterval(to)) {
    if (canCast(from, to)) return castInterval(sql, from, to, mode)
    throw noSuchCast(from, to)
  }
  if (to === 'string') return textOf(sql, from)
  if (typeof to !== 'string' && to.kind !== 'decimal') return nestedCast(sql, from, to, mode)
  if (from === 'string') return fromText(sql, to, mode)
  if (typeof from !== 'string' && from.kind !== 'decimal') throw noSuchCast(from, to)
  const cast = plainCast(sql, from, to, mode)
  if (cast === undefined) throw noSuchCast(from, to)
  return cast
}

function noSuchCast(from: DataType, to: DataType): InvalidQueryError {
  return new InvalidQueryError('DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION', {
    what: `a value of type ${typeText(from)} can't be cast to ${typeText(to)}`,
    todo: 'cast it to a type in between (often string), or take the part that you need',
  })
}

type Scalar = Exclude<DataType, { kind: 'array' | 'map' | 'struct' }>
const integral = new Set<DataType>(['byte', 'short', 'int', 'long'])
const widthBytes = { byte: 1, short: 2, int: 4, long: 8 } as const
const floating = new Set<DataType>(['float', 'double'])
const isDecimal = (type: DataType): type is DecimalType => typeof type !== 'string' && type.kind === 'decimal'
const isNumeric = (type: DataType) => integral.has(type) || floating.has(type) || isDecimal(type)
const isTime = (type: DataType) => type === 'timestamp' || type === 'timestamp_ntz'

/** Between scalars other than text; undefined where Spark has no such cast. */
function plainCast(sql: string, from: Scalar, to: Scalar, mode: CastMode): string | undefined {
  const native = `${mode === 'try' ? 'TRY_CAST' : 'CAST'}(${sql} AS ${sqlType(to)})`
  if (isNumeric(from)) {
    if (to === 'boolean') return `(${sql} <> 0)`
    if (integral.has(to)) return integral.has(from) ? toInteger(sql, from, to, mode) : toWhole(sql, from, to, mode)
    if (floating.has(to)) return native
    if (isDecimal(to)) return floating.has(from) ? doubleToDecimal(sql, to, mode) : toDecimal(sql, from, to, mode)
    if (to === 'timestamp') return numberToTimestamp(sql, from, mode)
    if (to === 'binary' && integral.has(from))
      return `from_hex(right(lpad(hex(CAST(${sql} AS BIGINT)), 16, '0'), ${2 * widthBytes[from as 'byte']}))`
    return undefined
  }
  if (from === 'boolean')
    return isNumeric(to) ? (floating.has(to) || integral.has(to) ? native : `CAST(CAST(${sql} AS INTEGER) AS ${sqlType(to)})`) : undefined
  if (from === 'date') return to === 'timestamp' ? fromLocal(native) : isTime(to) ? native : undefined
  if (isTime(from)) {
    if (to === 'date') return from === 'timestamp' ? `CAST(${toLocal(sql)} AS DATE)` : native
    if (isTime(to)) return from === 'timestamp' ? toLocal(sql) : fromLocal(sql)
    if (from !== 'timestamp') return undefined
    const us = `epoch_us(${sql})`
    if (to === 'long') return floorDivide(us, 1_000_000n)
    if (integral.has(to)) return plainCast(floorDivide(us, 1_000_000n), 'long', to, mode)
    if (floating.has(to)) return `CAST(${us} / 1000000e0 AS ${sqlType(to)})`
    if (isDecimal(to))
      return `${mode === 'try' ? 'TRY_CAST' : 'CAST'}(CAST(${us} AS DECIMAL(19,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS ${sqlType(to)})`
  }
  return undefined
}

/** Fractions and decimals to whole numbers: cut off towards zero, where a plain SQL cast rounds. */
function toWhole(sql: string, from: DataType, to: DataType, mode: CastMode): string {
  const cast = `TRY_CAST(trunc(${sql}) AS ${sqlType(to)})`
  return mode === 'try' ? cast : orRaise(cast, sql, castOverflow(sql, from, to))
}
function castOverflow(sql: string, from: DataType, to: DataType): string {
  return raise(
    'CAST_OVERFLOW',
    `The value {} of the type "${typeText(from).toUpperCase()}" cannot be cast to "${typeText(to).toUpperCase()}" due to an overflow.`,
    `CAST(${sql} AS VARCHAR)`,
  )
}

type Integral = keyof typeof widthBytes
/** Whole numbers among themselves. */
function toInteger(sql: string, from: DataType, to: DataType, mode: CastMode): string {
  if (widthBytes[from as Integral] <= widthBytes[to as Integral]) return `CAST(${sql} AS ${sqlType(to)})`
  const cast = `TRY_CAST(${sql} AS ${sqlType(to)})`
  return mode === 'try' ? cast : orRaise(cast, sql, castOverflow(sql, from, to))
}

const digits = { byte: 3, short: 5, int: 10, long: 19 } as const
/** Whole numbers and decimals to decimals; the check is left out where every value fits. */
function toDecimal(sql: string, from: DataType, to: DecimalType, mode: CastMode): string {
  const whole = isDecimal(from) ? from.precision - from.scale : digits[from as Integral]
  const rounds = isDecimal(from) && from.scale > to.scale
  if (whole + (rounds ? 1 : 0) <= to.precision - to.scale) return `CAST(${sql} AS ${sqlType(to)})`
  const cast = `TRY_CAST(${sql} AS ${sqlType(to)})`
  return mode === 'try' ? cast : orRaise(cast, sql, outOfRange(`CAST(${sql} AS VARCHAR)`, to))
}
function outOfRange(text: string, to: DecimalType): string {
  return raise('NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION', `{} cannot be represented as Decimal(${to.precision}, ${to.scale}).`, text)
}

/** By way of the shortest text, as Spark does: the decimal of 0.35 is 0.35 and not the double next to it. What is no finite number is null, as in Spark. */
function doubleToDecimal(sql: string, to: DecimalType, mode: CastMode): string {
  const cast = decimalFromTextSql(`CAST(${sql} AS VARCHAR)`, to)
  if (mode === 'try') return cast
  return `coalesce(${cast}, CASE WHEN isfinite(${sql}) THEN ${outOfRange(`CAST(${sql} AS VARCHAR)`, to)} END)`
}

/** Seconds since 1970, fractions down to microseconds. */
function numberToTimestamp(sql: string, from: DataType, mode: CastMode): string {
  const checked = (us: string) => {
    const cast = `TRY_CAST(${us} AS BIGINT)`
    return `make_timestamp(${mode === 'try' ? cast : orRaise(cast, sql, castOverflow(sql, from, 'timestamp'))})`
  }
  if (integral.has(from))
    return from === 'long' ? checked(`CAST(${sql} AS HUGEINT) * 1000000`) : `make_timestamp(CAST(${sql} AS BIGINT) * 1000000)`
  if (isDecimal(from)) return checked(`trunc(CAST(${sql} AS DECIMAL(31,12)) * 1000000)`)
  const finite = `isfinite(${sql})`
  const value = checked(`trunc(CAST(${sql} AS DOUBLE) * 1000000)`)
  const otherwise = mode === 'try' ? '' : ` WHEN ${sql} IS NOT NULL THEN ${malformed(sql, from, 'timestamp')}`
  return `CASE WHEN ${finite} THEN ${value}${otherwise} END`
}

// Text to values

function fromText(sql: string, to: Scalar, mode: CastMode): string {
  const checked = (value: string) => (mode === 'try' ? value : orRaise(value, sql, invalidInput(sql, to)))
  if (integral.has(to)) return checked(`TRY_CAST(nullif(regexp_extract(${sql}, '^\\s*([+-]?[0-9]+)\\s*$', 1), '') AS ${sqlType(to)})`)
  if (floating.has(to)) return checked(textToDouble(sql, sqlType(to)))
  if (isDecimal(to)) return textToDecimal(sql, to, mode)
  switch (to) {
    case 'boolean':
      return checked(
        `CASE WHEN lower(trim(${sql})) IN ('t', 'true', 'y', 'yes', '1') THEN true WHEN lower(trim(${sql})) IN ('f', 'false', 'n', 'no', '0') THEN false END`,
      )
    case 'date':
      return checked(textToDate(sql))
    case 'timestamp':
      return checked(textToTimestamp(sql, true))
    case 'timestamp_ntz':
      return checked(textToTimestamp(sql, false))
    case 'binary':
      return `encode(${sql})`
    default:
      throw noSuchCast('string', to)
  }
}

/** A number that is none. */
function malformed(sql: string, from: DataType, to: DataType): string {
  return raise(
    'CAST_INVALID_INPUT',
    `The value {} of the type "${typeText(from).toUpperCase()}" cannot be cast to "${typeText(to).toUpperCase()}" because it is malformed.`,
    `CAST(${sql} AS VARCHAR)`,
  )
}
function invalidInput(sql: string, to: DataType): string {
  return raise(
    'CAST_INVALID_INPUT',
    `The value '{}' of the type "STRING" cannot be cast to "${typeText(to).toUpperCase()}" because it is malformed.`,
    sql,
  )
}

const number = '[+-]?(?:[0-9]+\\.?[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?'

function textToDouble(sql: string, type: string): string {
  const special =
    `CASE WHEN lower(trim(${sql})) IN ('nan', '+nan', '-nan') THEN 'nan' WHEN lower(trim(${sql})) IN ('inf', '+inf', 'infinity', '+infinity') THEN 'inf' ` +
    `WHEN lower(trim(${sql})) IN ('-inf', '-infinity') THEN '-inf' END`
  return `TRY_CAST(coalesce(nullif(regexp_extract(${sql}, '^\\s*(${number})[dDfF]?\\s*$', 1), ''), ${special}) AS ${type})`
}

function textToDecimal(sql: string, to: DecimalType, mode: CastMode): string {
  const text = `nullif(regexp_extract(${sql}, '^\\s*(${number})\\s*$', 1), '')`
  const cast = decimalFromTextSql(text, to)
  if (mode === 'try') return cast
  return `coalesce(${cast}, CASE WHEN ${sql} IS NULL THEN NULL WHEN ${text} IS NULL THEN ${invalidInput(sql, to)} ELSE ${outOfRange(sql, to)} END)`
}

const dateGroups = '^\\s*([+-]?[0-9]{4,7})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?'
const dateText = "m.y || '-' || coalesce(nullif(m.m, ''), '1') || '-' || coalesce(nullif(m.d, ''), '1')"

/** `2001`, `2001-2`, `2001-02-03`, and whatever follows a blank or T after a whole date. */
function textToDate(sql: string): string {
  return bind(
    `regexp_extract(${sql}, '${dateGroups}\\s*$|${dateGroups}[ T].*$', ['y', 'm', 'd', 'y2', 'm2', 'd2'])`,
    'm',
    `TRY_CAST(CASE WHEN m.y <> '' THEN ${dateText} WHEN m.d2 <> '' THEN m.y2 || '-' || m.m2 || '-' || m.d2 END AS DATE)`,
  )
}

/** A date, or a date and a time of day with a zone or without one (then the session's). Without `zoned` a zone is read and ignored. */
function textToTimestamp(sql: string, zoned: boolean): string {
  const time =
    '(?:[ T]([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2}(?:\\.[0-9]{0,9})?))?)?\\s*(Z|[A-Za-z][A-Za-z0-9/_+:-]*|[+-][0-9]{1,2}(?::[0-9]{1,2}){0,2})?|[ T])?'
  const groups = "['y', 'm', 'd', 'h', 'mi', 's', 'z']"
  const text = `${dateText} || ' ' || coalesce(nullif(m.h, ''), '0') || ':' || coalesce(nullif(m.mi, ''), '00') || ':' || coalesce(nullif(rtrim(m.s, '.'), ''), '00')`
  // the offset is written out, so that the connection's own time zone is never asked
  const zone =
    "CASE WHEN m.z IN ('', 'Z') THEN '+00' ELSE coalesce(nullif(regexp_replace(regexp_replace(m.z, '^(?:UTC|GMT|UT)', ''), '^([+-])([0-9])(:|$)', '\\10\\2\\3'), ''), '+00') END"
  const inZone = zoned
    ? `make_timestamp(epoch_us(TRY_CAST(${text} || CASE WHEN ${zone} SIMILAR TO '[A-Za-z].*' THEN ' ' ELSE '' END || ${zone} AS TIMESTAMPTZ)))`
    : `TRY_CAST(${text} AS TIMESTAMP)`
  const isUtc = fixedOffset(sessionTimeZone()) === 0
  const value = zoned && !isUtc ? `CASE WHEN m.z = '' THEN ${fromLocal(`TRY_CAST(${text} AS TIMESTAMP)`)} ELSE ${inZone} END` : inZone
  const pattern = `${dateGroups}${time}\\s*$`
  return bind(
    `regexp_extract(${sql}, '${pattern}', ${groups})`,
    'm',
    `CASE WHEN m.y <> '' AND (m.h = '' OR (m.d <> '' AND CAST(m.h AS INTEGER) < 24)) THEN ${value} END`,
  )
}

// Values to text

/** The text of a value, as Spark's cast to string writes it. */
function textOf(sql: string, from: DataType, depth = 0): string {
  if (isInterval(from)) return intervalTextSql(sql, from)
  if (typeof from === 'string') {
    switch (from) {
      case 'string':
        return sql
      case 'timestamp':
        return `CAST(${toLocal(sql)} AS VARCHAR)`
      case 'binary':
        return `decode(${sql})`
      case 'float':
      case 'double':
        return doubleText(sql, `d${depth}`)
      default:
        return `CAST(${sql} AS VARCHAR)`
    }
  }
  const part = (value: string, type: DataType) => `coalesce(${textOf(value, type, depth + 1)}, 'null')`
  const name = `x${depth}`
  switch (from.kind) {
    case 'decimal':
      return decimalTextSql(sql, from)
    case 'array':
      return `('[' || array_to_string(list_transform(${sql}, lambda ${name}: ${part(name, from.element)}), ', ') || ']')`
    case 'map':
      return `('{' || array_to_string(list_transform(map_entries(${sql}), lambda ${name}: ${part(`${name}.key`, from.key)} || ' -> ' || ${part(`${name}.value`, from.value)}), ', ') || '}')`
    case 'struct':
      return bind(
        sql,
        name,
        `CASE WHEN ${name} IS NOT NULL THEN '{' || ${from.fields.map((field) => part(fieldSql(name, field.name), field.type)).join(" || ', ' || ") || "''"} || '}' END`,
      )
  }
}

/** All digits of a decimal, with the zero before the point that SQL leaves out where precision = scale. */
export function decimalTextSql(sql: string, type: DecimalType): string {
  const text = `CAST(${sql} AS VARCHAR)`
  return type.precision === type.scale ? `regexp_replace(${text}, '^(-?)\\.', '\\10.')` : text
}

/** Java's form of a double: 1.0, 1.0E10, 1.5E-5, NaN, Infinity. The digits are the shortest that give the number back. */
function doubleText(sql: string, name: string): string {
  const value = `CAST(${name} AS VARCHAR)`
  const digits = `ltrim(replace(regexp_extract(${value}, '^-?([0-9.]+)', 1), '.', ''), '0')`
  const mantissa = `(substring(${digits}, 1, 1) || '.' || coalesce(nullif(rtrim(substring(${digits}, 2), '0'), ''), '0'))`
  // where the text has an exponent, that is it; else it follows from the number of digits before the point, or of zeros behind it
  const exponent =
    `CASE WHEN contains(${value}, 'e') THEN CAST(CAST(regexp_extract(${value}, 'e([+-]?[0-9]+)', 1) AS INTEGER) AS VARCHAR) ` +
    `WHEN abs(${name}) >= 1 THEN CAST(length(regexp_extract(${value}, '^-?([0-9]+)', 1)) - 1 AS VARCHAR) ` +
    `ELSE CAST(-1 - length(regexp_extract(${value}, '\\.(0*)', 1)) AS VARCHAR) END`
  return bind(
    sql,
    name,
    `CASE WHEN isnan(${name}) THEN 'NaN' WHEN isinf(${name}) THEN CASE WHEN ${name} > 0 THEN 'Infinity' ELSE '-Infinity' END ` +
      `WHEN ${name} = 0 OR (abs(${name}) >= 1e-3 AND abs(${name}) < 1e7) THEN ${value} ` +
      `WHEN ${name} IS NOT NULL THEN CASE WHEN ${name} < 0 THEN '-' ELSE '' END || ${mantissa} || 'E' || ${exponent} END`,
  )
}

// Nested types, element by element

function nestedCast(sql: string, from: DataType, to: Exclude<DataType, string | DecimalType>, mode: CastMode, depth = 0): string {
  if (typeof from === 'string' || from.kind !== to.kind) throw noSuchCast(from, to)
  const name = `y${depth}`
  const each = (value: string, a: DataType, b: DataType): string =>
    sameType(a, b)
      ? value
      : typeof b !== 'string' && b.kind !== 'decimal' && a !== 'void'
        ? nestedCast(value, a, b, mode, depth + 1)
        : castSql(value, a, b, mode)
  if (to.kind === 'array' && from.kind === 'array') return `list_transform(${sql}, lambda ${name}: ${each(name, from.element, to.element)})`
  if (to.kind === 'map' && from.kind === 'map') {
    return `map_from_entries(list_transform(map_entries(${sql}), lambda ${name}: row(${each(`${name}.key`, from.key, to.key)}, ${each(`${name}.value`, from.value, to.value)})))`
  }
  if (to.kind === 'struct' && from.kind === 'struct' && to.fields.length === from.fields.length) {
    const fields = to.fields.map(
      (field, i) => `${quoteIdentifier(field.name)} := ${each(fieldSql(name, from.fields[i]!.name), from.fields[i]!.type, field.type)}`,
    )
    return bind(sql, name, `CASE WHEN ${name} IS NOT NULL THEN struct_pack(${fields.join(', ')}) END`)
  }
  throw noSuchCast(from, to)
}

/** A field of a struct by name. */
export function fieldSql(sql: string, field: string): string {
  return `struct_extract(${sql}, ${stringLiteral(field)})`
}
