import { InvalidQueryError } from '../base/errors.ts'

const letters: Readonly<Record<string, string>> = {
  yyyy: '%Y',
  uuuu: '%Y',
  y: '%Y',
  yy: '%y',
  MM: '%m',
  M: '%-m',
  LL: '%m',
  L: '%-m',
  MMM: '%b',
  MMMM: '%B',
  dd: '%d',
  d: '%-d',
  DDD: '%j',
  D: '%-j',
  HH: '%H',
  H: '%-H',
  hh: '%I',
  h: '%-I',
  mm: '%M',
  m: '%-M',
  ss: '%S',
  s: '%-S',
  SSS: '%g',
  SSSSSS: '%f',
  a: '%p',
  E: '%a',
  EEE: '%a',
  EEEE: '%A',
  XXX: '%z',
  XX: '%z',
  X: '%z',
  xxx: '%z',
  xx: '%z',
  Z: '%z',
}

/**
 * A date pattern of Spark (`yyyy-MM-dd HH:mm:ss`) as strptime has it. InvalidQueryError INVALID_DATETIME_PATTERN for letters that
 * have no counterpart.
 */
export function datetimePattern(pattern: string): string {
  let out = ''
  for (const [token, quoted] of pattern.matchAll(/'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']/g)) {
    if (quoted !== undefined) out += quoted === '' ? "'" : quoted.replaceAll("''", "'").replaceAll('%', '%%')
    else if (/[A-Za-z]/.test(token)) {
      const known = letters[token]
      if (known === undefined) {
        throw new InvalidQueryError('INVALID_DATETIME_PATTERN', {
          what: `the local engine does not know ${JSON.stringify(token)} in the date pattern ${JSON.stringify(pattern)}`,
          todo: `use one of ${Object.keys(letters).join(', ')}, or quote it as text`,
        })
      }
      out += known
    } else out += token === '%' ? '%%' : token
  }
  return out
}
