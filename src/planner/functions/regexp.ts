/** Patterns: LIKE and regular expressions. */
import type { LiteralValue } from '../../plan/expression.ts'
import { raise, stringLiteral } from '../sql-text.ts'
import { kernel, type Template, type Templates } from './template.ts'

/** LIKE with Spark's escape character (a backslash unless given); patterns without it take SQL's fast path. */
const like =
  (operator: string): Template =>
  ([x, pattern, escaping]) => {
    const character = escaping?.literal ?? '\\'
    if (typeof pattern!.literal === 'string' && endsInEscape(pattern!.literal, String(character)))
      return `CASE WHEN ${x!.sql} IS NOT NULL THEN ${raise('INVALID_FORMAT.ESC_AT_THE_END', 'The escape character is not allowed to end the pattern.')} END`
    const needed = typeof pattern!.literal !== 'string' || pattern!.literal.includes(String(character))
    return `(${x!.sql} ${operator} ${pattern!.sql}${needed ? ` ESCAPE ${stringLiteral(String(character))}` : ''})`
  }

function endsInEscape(pattern: string, character: string): boolean {
  let escaped = false
  for (const c of pattern) escaped = !escaped && c === character
  return escaped
}

/**
 * The pattern for DuckDB's own engine (RE2) where it surely means the same there as in Java: characters, sets of ASCII characters and
 * ranges of them, groups, alternatives and quantifiers, though no groups with a quantifier: the engines treat one that matches nothing in different ways. What is more goes to a kernel.
 */
function nativePattern(pattern: LiteralValue | undefined): string | undefined {
  if (typeof pattern !== 'string' || pattern.length > 200) return undefined
  const quantifier = '(?:(?:[*+?]|\\{[0-9]{1,2}(?:,[0-9]{0,2})?\\})\\??)?'
  // two & in a set are an intersection in Java
  const member = '(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9 _.,:;=@/+*\'"<>#%!~?]|&(?!&)|\\\\[dws])'
  const atom = `(?:[A-Za-z0-9 _=:;,'"<>@#%&~\x60!\\/-]|\\\\[dws.*+?()\\[\\]{}|\\\\$^/-]|\\[\\^?${member}+\\])`
  const flat = new RegExp(`^(?:${atom}${quantifier}|\\^(?![*+?{])|\\((?:\\?:)?(?=[^)])|\\)(?![*+?{])|\\|)*$`)
  if (!flat.test(pattern) || /(^|[(|])[)|*+?{]|[|(]$/.test(pattern) || !balanced(pattern)) return undefined
  return withVerticalTab(pattern)
}
/** \s has one character more in Java. */
function withVerticalTab(pattern: string): string {
  let isInSet = false
  return pattern.replaceAll(/\\.|[[\]]/gs, (part) => {
    if (part === '[' || part === ']') isInSet = part === '['
    return part !== '\\s' ? part : isInSet ? '\\s\\x0b' : '[\\s\\x0b]'
  })
}
/** Whether a native pattern surely takes a character or more. */
function takesSomething(pattern: string): boolean {
  return pattern !== '' && !/[*?|^{(]/.test(pattern.replaceAll(/\\./gs, '').replaceAll(/\[\^?[^\]]*\]/g, '_'))
}
function groupsOf(pattern: string): number {
  return pattern.replaceAll(/\\.|\[[^\]]*\]/gs, '').match(/\((?!\?)/g)?.length ?? 0
}
function balanced(pattern: string): boolean {
  const brackets = pattern.replaceAll(/\\.|\[[^\]]*\]/g, '').replaceAll(/[^()]/g, '')
  let depth = 0
  for (const c of brackets) {
    depth += c === '(' ? 1 : -1
    if (depth < 0) return false
  }
  return depth === 0
}

const rlike: Template = ([x, pattern]) => {
  const native = nativePattern(pattern!.literal)
  return native === undefined ? `spark_rlike(${x!.sql}, ${pattern!.sql})` : `regexp_matches(${x!.sql}, ${stringLiteral(native)})`
}

const regexpExtract: Template = (args, ...rest) => {
  const [x, pattern, group] = args
  const native = nativePattern(pattern!.literal)
  const number = group === undefined ? 1 : group.literal
  if (native === undefined || typeof number !== 'number' || number < 0 || number > Math.min(9, groupsOf(native)))
    return kernel('regexp_extract')(args, ...rest)
  return `regexp_extract(${x!.sql}, ${stringLiteral(native)}, ${number})`
}

/** All matches of a pattern that is never empty, by a text without references. */
const regexpReplace: Template = (args, ...rest) => {
  const [x, pattern, by, position] = args
  const native = nativePattern(pattern!.literal)
  const isFromStart = position === undefined || position.literal === 1
  if (native === undefined || !takesSomething(native) || !isFromStart || typeof by!.literal !== 'string' || /[\\$]/.test(by!.literal))
    return kernel('regexp_replace')(args, ...rest)
  return `regexp_replace(${x!.sql}, ${stringLiteral(native)}, ${stringLiteral(by!.literal)}, 'g')`
}

export const regexp: Templates = {
  like: like('LIKE'),
  ilike: like('ILIKE'),
  rlike,
  regexp_count: kernel('regexp_count'),
  regexp_extract: regexpExtract,
  regexp_extract_all: kernel('regexp_extract_all'),
  regexp_instr: kernel('regexp_instr'),
  regexp_replace: regexpReplace,
  regexp_substr: kernel('regexp_substr'),
}
