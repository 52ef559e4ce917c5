/** Functions of regular expressions, as Java's Matcher has them. */
import { type JavaRegex, javaRegex } from './java-regex.ts'
import { type Kernel, KernelError, kernel } from './kernel.ts'

function matches({ regex }: JavaRegex, text: string): RegExpMatchArray[] {
  regex.lastIndex = 0
  return [...text.matchAll(regex)]
}
function first({ regex }: JavaRegex, text: string): RegExpExecArray | null {
  regex.lastIndex = 0
  return regex.exec(text)
}
function groupOf(regex: JavaRegex, group: number, of: string): number {
  if (group >= 0 && group <= regex.groups) return regex.groupAt[group]!
  throw new KernelError(
    'INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX',
    `${of} expects a group index between 0 and ${regex.groups}, but got ${group}.`,
  )
}

type Piece = string | number
/** Java's replacement: \x is x, $1 and ${name} are groups; as many digits are read as there are groups. */
function pieces(replacement: string, regex: JavaRegex, pattern: string): Piece[] {
  const wrong = () =>
    new KernelError(
      'INVALID_REGEXP_REPLACE',
      `Could not perform regexp_replace with the pattern '${pattern}' and the replacement '${replacement}'.`,
    )
  const out: Piece[] = []
  for (let i = 0; i < replacement.length; i++) {
    const c = replacement[i]!
    if (c === '\\') {
      if (++i >= replacement.length) throw wrong()
      out.push(replacement[i]!)
    } else if (c === '$') {
      const name = /^\{([A-Za-z][A-Za-z0-9]*)\}/.exec(replacement.slice(i + 1))
      if (name) {
        const number = regex.names.get(name[1]!)
        if (number === undefined) throw wrong()
        out.push(number)
        i += name[0].length
        continue
      }
      if (!/[0-9]/.test(replacement[i + 1] ?? '')) throw wrong()
      let number = Number(replacement[++i])
      if (number > regex.groups) throw wrong()
      while (/[0-9]/.test(replacement[i + 1] ?? '') && number * 10 + Number(replacement[i + 1]) <= regex.groups)
        number = number * 10 + Number(replacement[++i])
      out.push(number)
    } else out.push(c)
  }
  return out
}
function replaceAll(text: string, pattern: string, replacement: string, position: number): string {
  const regex = javaRegex(pattern, 'regexp_replace')
  const from =
    position <= 1
      ? 0
      : Array.from(text)
          .slice(0, position - 1)
          .join('').length
  if (position > 1 && from >= text.length) return text
  regex.regex.lastIndex = from
  const found: RegExpExecArray[] = []
  for (let match = regex.regex.exec(text); match; match = regex.regex.exec(text)) {
    found.push(match)
    if (match[0] === '') regex.regex.lastIndex += (text.codePointAt(match.index) ?? 0) > 0xffff ? 2 : 1
  }
  if (found.length === 0) return text
  const parts = pieces(replacement, regex, pattern)
  let out = ''
  let end = 0
  for (const match of found) {
    out += text.slice(end, match.index)
    for (const part of parts) out += typeof part === 'string' ? part : (match[regex.groupAt[part]!] ?? '')
    end = match.index + match[0].length
  }
  return out + text.slice(end)
}

/** Java's split: an empty match at the beginning parts nothing; without a limit the empty parts at the end stay, as Spark gives -1. */
function split(text: string, pattern: string, limit: number): string[] {
  const parts: string[] = []
  if (text === '') return ['']
  let end = 0
  for (const match of matches(javaRegex(pattern, 'split'), text)) {
    if (limit > 0 && parts.length === limit - 1) break
    const to = match.index! + match[0].length
    if (to === 0 || (pattern === '' && match.index === text.length)) continue // '' parts the characters, with nothing left over
    parts.push(text.slice(end, match.index))
    end = to
  }
  parts.push(text.slice(end))
  return parts
}

const strings = { kind: 'array', element: 'string', containsNull: false } as const

export const regexp: readonly Kernel[] = [
  kernel('rlike', ['string', 'string'], 'boolean', (text: string, pattern: string) => first(javaRegex(pattern, 'rlike'), text) !== null),
  kernel(
    'regexp_count',
    ['string', 'string'],
    'int',
    (text: string, pattern: string) => matches(javaRegex(pattern, 'regexp_count'), text).length,
  ),
  kernel('regexp_extract', ['string', 'string', 'int'], 'string', (text: string, pattern: string, group: number) => {
    const regex = javaRegex(pattern, 'regexp_extract')
    const at = groupOf(regex, group, 'regexp_extract')
    return first(regex, text)?.[at] ?? ''
  }),
  kernel('regexp_extract_all', ['string', 'string', 'int'], strings, (text: string, pattern: string, group: number) => {
    const regex = javaRegex(pattern, 'regexp_extract_all')
    const at = groupOf(regex, group, 'regexp_extract_all')
    return matches(regex, text).map((match) => match[at] ?? '')
  }),
  kernel('regexp_instr', ['string', 'string'], 'int', (text: string, pattern: string) => {
    const match = first(javaRegex(pattern, 'regexp_instr'), text)
    return match ? match.index + 1 : 0
  }),
  kernel(
    'regexp_substr',
    ['string', 'string'],
    'string',
    (text: string, pattern: string) => first(javaRegex(pattern, 'regexp_substr'), text)?.[0] || null,
  ),
  kernel('regexp_replace', ['string', 'string', 'string', 'int'], 'string', replaceAll),
  kernel('split', ['string', 'string', 'int'], strings, split),
]
