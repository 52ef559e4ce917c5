/**
 * A text as a time by a pattern. The pattern becomes a regular expression with a group for each field, as strict as Spark is: two letters are two
 * digits, one letter is any number of them. What a pattern does not name is that of 1970-01-01 00:00.
 */
import { escapePattern } from '../base/escape-pattern.ts'
import { monthNames, type PatternPiece, readPattern } from './datetime-pattern.ts'
import { UnsupportedPattern } from './datetime-unsupported.ts'
import { bind, stringLiteral } from './sql-text.ts'
import { fromLocal, fromLocalOf } from './time-zone.ts'

interface Parser {
  readonly groups: string[]
  readonly pattern: string
}

/** SQL for a TIMESTAMP (of UTC, or with `local` what the clock shows); NULL where the text does not fit. */
export function parseTimeSql(text: string, pattern: string, local = false): string {
  const parser: Parser = { groups: [], pattern }
  const pieces = readPattern(pattern, 'parse')
  // one group more than there are fields, as DuckDB wants at least one
  const regex = stringLiteral(`^(?i)(?:${pieces.map((piece, i) => pieceRegex(piece, pieces[i + 1], parser)).join('')})()$`)
  const fields = parser.groups
  const matches = `regexp_matches(${text}, ${regex})`
  const extracted = `regexp_extract(${text}, ${regex}, [${[...fields, '_'].map((name) => `'${groupName(name)}'`).join(', ')}])`
  const value = timeOf(fields, local)
  return bind(`CASE WHEN ${matches} THEN ${extracted} END`, 'm', `CASE WHEN m IS NOT NULL THEN ${value} END`)
}

function pieceRegex(piece: PatternPiece, next: PatternPiece | undefined, parser: Parser): string {
  if (piece.kind === 'text') return escapePattern(piece.text)
  if (piece.kind === 'optional') return `(?:${piece.pieces.map((inner, i) => pieceRegex(inner, piece.pieces[i + 1], parser)).join('')})?`
  const { letter, count } = piece
  const name = letter === 'L' ? 'M' : letter === 'x' || letter === 'Z' || letter === 'O' || letter === 'V' || letter === 'z' ? 'X' : letter
  if (parser.groups.includes(name) && name !== 'y') throw new UnsupportedPattern(parser.pattern, letter, 'a field that stands there twice')
  parser.groups.push(name === 'y' && count === 2 ? 'yy' : name === 'M' && count > 2 ? (count === 3 ? 'MMM' : 'MMMM') : name)
  return `(${fieldRegex(letter, count, next?.kind === 'field' && 'yMLdDHhKkmsS'.includes(next.letter))})`
}

function fieldRegex(letter: string, count: number, beforeDigits: boolean): string {
  const digits = (most: number) => (count === 1 && !beforeDigits ? `[0-9]{1,${most}}` : `[0-9]{${count}}`)
  switch (letter) {
    case 'y':
      if (count === 2 || beforeDigits) return `[0-9]{${count}}`
      return count < 4 ? `-?[0-9]{${count},9}` : `[0-9]{${count}}|\\+[0-9]{${count + 1},9}|-[0-9]{${count},9}`
    case 'M':
    case 'L':
      return count < 3 ? digits(2) : monthNames.map((name) => (count === 3 ? name.slice(0, 3) : name)).join('|')
    case 'D':
      return count === 3 ? '[0-9]{3}' : `[0-9]{${count},3}`
    case 'S':
      return beforeDigits ? `[0-9]{${count}}` : `[0-9]{1,${count}}`
    case 'a':
      return 'AM|PM'
    case 'G':
      return count === 4 ? 'Anno Domini|Before Christ' : 'AD|BC'
    case 'X':
      return `Z|${offsetRegex(count)}`
    case 'x':
      return offsetRegex(count)
    case 'Z':
      return count < 4 ? '[+-][0-9]{4}' : count === 4 ? 'GMT(?:[+-][0-9]{2}:[0-9]{2})?' : `Z|${offsetRegex(5)}`
    case 'O':
      return count === 1 ? 'GMT(?:[+-][0-9]{1,2}(?::[0-9]{2})?)?' : 'GMT(?:[+-][0-9]{2}:[0-9]{2})?'
    case 'V':
    case 'z':
      return '[A-Za-z][A-Za-z0-9_/+:-]*|[+-][0-9]{2}:?[0-9]{2}'
    default:
      return digits(2)
  }
}
function offsetRegex(count: number): string {
  const forms = [
    '[+-][0-9]{2}(?:[0-9]{2})?',
    '[+-][0-9]{4}',
    '[+-][0-9]{2}:[0-9]{2}',
    '[+-][0-9]{4}(?:[0-9]{2})?',
    '[+-][0-9]{2}:[0-9]{2}(?::[0-9]{2})?',
  ]
  return forms[count - 1]!
}

/** The time of the groups in `m`; NULL where a field is out of its range. */
function timeOf(fields: readonly string[], local: boolean): string {
  const has = (name: string) => fields.includes(name)
  const number = (name: string, otherwise: number) =>
    has(name) ? `coalesce(TRY_CAST(nullif(m.${groupName(name)}, '') AS BIGINT), ${otherwise})` : String(otherwise)
  const date = `TRY_CAST(${dateText(has, number)} AS DATE)`
  const day = has('D') ? `(${date} + CAST(${number('D', 1)} - 1 AS INTEGER))` : date
  const checks = fieldChecks(has, number)
  if (has('D')) checks.push(`year(${day}) = year(${date})`, `${number('D', 1)} > 0`)
  const seconds = `${hourOf(has, number)} * 3600 + ${number('m', 0)} * 60 + ${number('s', 0)}`
  const micros = has('S') ? `CAST(substring(rpad(m.${groupName('S')}, 9, '0'), 1, 6) AS BIGINT)` : '0'
  const time = `make_timestamp(epoch_us(CAST(${day} AS TIMESTAMP)) + (${seconds}) * 1000000 + ${micros})`
  const value = local ? time : has('X') ? zoned(time) : fromLocal(time)
  return checks.length === 0 ? value : `CASE WHEN ${checks.join(' AND ')} THEN ${value} END`
}

function zoned(time: string): string {
  const zone = `regexp_replace(m.${groupName('X')}, '^([+-][0-9]{2})([0-9]{2})$', '\\1:\\2')`
  return `CASE WHEN m.${groupName('X')} = '' THEN ${fromLocal(time)} ELSE ${fromLocalOf(time, zone)} END`
}

type Has = (name: string) => boolean
type NumberOf = (name: string, otherwise: number) => string

function dateText(has: Has, number: NumberOf): string {
  const yearOfEra = has('yy') ? `(2000 + ${number('yy', 0)})` : number('y', 1970)
  const year = has('G')
    ? `CASE WHEN upper(substring(m.${groupName('G')}, 1, 1)) = 'B' THEN 1 - ${yearOfEra} ELSE ${yearOfEra} END`
    : yearOfEra
  const names = has('MMM') ? 'MMM' : has('MMMM') ? 'MMMM' : undefined
  const month =
    names === undefined
      ? number('M', 1)
      : `coalesce(list_position([${monthNames.map((name) => stringLiteral(name.slice(0, 3).toLowerCase())).join(', ')}], lower(substring(m.${groupName(names)}, 1, 3))), 1)`
  return `concat(${year}, '-', ${month}, '-', ${has('D') ? '1' : number('d', 1)})`
}

/** The hour of the day, out of whichever of the four ways to write it. */
function hourOf(has: Has, number: NumberOf): string {
  if (has('H')) return number('H', 0)
  if (has('k')) return `(${number('k', 24)} % 24)`
  const half = has('a') ? `CASE WHEN upper(m.${groupName('a')}) = 'PM' THEN 12 ELSE 0 END` : '0'
  if (has('h')) return `(${number('h', 12)} % 12 + ${half})`
  if (has('K')) return `(${number('K', 0)} + ${half})`
  return has('a') ? half : '0'
}
function fieldChecks(has: Has, number: NumberOf): string[] {
  const ranges: Readonly<Record<string, readonly [number, number, number]>> = {
    H: [0, 23, 0],
    k: [1, 24, 24],
    h: [1, 12, 12],
    K: [0, 11, 0],
    m: [0, 59, 0],
    s: [0, 59, 0],
  }
  return Object.entries(ranges)
    .filter(([name]) => has(name))
    .map(([name, [least, most, otherwise]]) => `${number(name, otherwise)} BETWEEN ${least} AND ${most}`)
}

/** Names of a struct's fields count without case, and letters of patterns with it. */
function groupName(field: string): string {
  return `${field}_${field.charCodeAt(0)}`
}
