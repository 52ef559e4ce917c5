/** Date patterns of Spark (`yyyy-MM-dd HH:mm:ss[.SSS]`): read into pieces, and refused where Spark refuses them. */
import { InvalidQueryError } from '../base/errors.ts'

export type PatternPiece =
  | { readonly kind: 'field'; readonly letter: string; readonly count: number }
  | { readonly kind: 'text'; readonly text: string }
  /** In brackets: may be missing when a text is read. */
  | { readonly kind: 'optional'; readonly pieces: readonly PatternPiece[] }

/** How often each letter may stand in a row. */
const formatCounts: Readonly<Record<string, number>> = {
  G: 4,
  y: 6,
  M: 4,
  L: 4,
  d: 2,
  D: 3,
  E: 4,
  F: 1,
  Q: 4,
  q: 4,
  a: 1,
  h: 2,
  K: 2,
  k: 2,
  H: 2,
  m: 2,
  s: 2,
  S: 9,
  V: 2,
  z: 4,
  O: 4,
  X: 5,
  x: 5,
  Z: 5,
}
const notForParsing = 'EFQq'

/** The pieces of a pattern. InvalidQueryError under Spark's error classes, and UNSUPPORTED_ARGUMENT for what only Spark can do. */
export function readPattern(pattern: string, use: 'format' | 'parse'): readonly PatternPiece[] {
  const stack: PatternPiece[][] = [[]]
  const token = /'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']/gy
  let end = 0
  for (const match of pattern.matchAll(token)) {
    end = match.index + match[0].length
    const pieces = stack.at(-1)!
    if (match[1] !== undefined) pieces.push({ kind: 'text', text: match[1] === '' ? "'" : match[1].replaceAll("''", "'") })
    else if (match[2] !== undefined) pieces.push(checkedField(match[2], match[0].length, pattern, use))
    else if (match[0] === '[') stack.push([])
    else if (match[0] === ']' && stack.length > 1) {
      const inner = stack.pop()!
      stack.at(-1)!.push({ kind: 'optional', pieces: inner })
    } else if ('{}#'.includes(match[0]) || match[0] === ']') throw invalid('WITH_SUGGESTION', pattern, `holds "${match[0]}"`)
    else pieces.push({ kind: 'text', text: match[0] })
  }
  if (end < pattern.length) throw invalid('WITH_SUGGESTION', pattern, 'has a quote that does not end')
  while (stack.length > 1) {
    const inner = stack.pop()! // a bracket that does not close does so at the end
    stack.at(-1)!.push({ kind: 'optional', pieces: inner })
  }
  return stack[0]!
}

function checkedField(letter: string, count: number, pattern: string, use: 'format' | 'parse'): PatternPiece {
  if ('YWwuec'.includes(letter)) {
    const known = letter === 'Y' || letter === 'w' || letter === 'W' || letter === 'u'
    const code = known && letter === 'Y' ? 'DATETIME_PATTERN_RECOGNITION' : 'DATETIME_WEEK_BASED_PATTERN'
    throw crossVersion(code, pattern, `all week-based patterns are unsupported since Spark 3.0, detected week-based character: ${letter}`)
  }
  if ('ABnNp'.includes(letter)) throw invalid('ILLEGAL_CHARACTER', pattern, `holds the illegal character ${letter}`)
  const most = formatCounts[letter]
  if (most === undefined) throw invalid('WITH_SUGGESTION', pattern, `holds the letter ${letter}, which means nothing`)
  if (
    count > most ||
    (letter === 'V' && count !== 2) ||
    (letter === 'O' && count !== 1 && count !== 4) ||
    (use === 'parse' && notForParsing.includes(letter))
  )
    throw crossVersion('DATETIME_PATTERN_RECOGNITION', pattern, `fails to recognize ${letter.repeat(count)}`)
  return { kind: 'field', letter, count }
}

function invalid(kind: string, pattern: string, what: string): InvalidQueryError {
  return new InvalidQueryError(`INVALID_DATETIME_PATTERN.${kind}`, {
    what: `the datetime pattern ${JSON.stringify(pattern)} ${what}`,
    todo: `use the letters ${Object.keys(formatCounts).join(' ')}, and put text between single quotes`,
  })
}
function crossVersion(kind: string, pattern: string, what: string): InvalidQueryError {
  return new InvalidQueryError(`INCONSISTENT_BEHAVIOR_CROSS_VERSION.${kind}`, {
    what: `the datetime pattern ${JSON.stringify(pattern)}: ${what}`,
    todo: `use the letters ${Object.keys(formatCounts).join(' ')}, as often in a row as Spark allows`,
  })
}

export const monthNames = 'January February March April May June July August September October November December'.split(' ')
export const dayNames = 'Monday Tuesday Wednesday Thursday Friday Saturday Sunday'.split(' ')
