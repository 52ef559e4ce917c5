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
 * ranges of them, groups, alternatives and quantifiers. What is more goes to a kernel.
 */
function nativePattern(pattern: LiteralValue | undefined): string | undefined {
  if (typeof pattern !== 'string' || pattern.length > 200) return undefined
  const quantifier = '(?:(?:[*+?]|\\{[0-9]{1,2}(?:,[0-9]{0,2})?\\})\\??)?'
  const atom = `(?:[A-Za-z0-9 _=:;,'"<>@#%&~\x60!\\/-]|\\\\[dws.*+?()\\[\\]{}|\\\\$^/-]|\\[\\^?(?:[A-Za-z0-9 _.,:;=@/+*]|[A-Za-z0-9]-[A-Za-z0-9]|\\\\[dws])+\\])`
  const flat = new RegExp(`^\\^?(?:${atom}${quantifier}|\\((?:\\?:)?(?=[^)])|\\)${quantifier}|\\|)*$`)
  return flat.test(pattern) && !/(^|[(|])[)|*+?{]|[|(]$/.test(pattern) && balanced(pattern) ? pattern : undefined
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

const rlike: Template = ([x, pattern]) =>
  nativePattern(pattern!.literal) === undefined ? `spark_rlike(${x!.sql}, ${pattern!.sql})` : `regexp_matches(${x!.sql}, ${pattern!.sql})`

export const regexp: Templates = {
  like: like('LIKE'),
  ilike: like('ILIKE'),
  rlike,
  regexp_count: kernel('regexp_count'),
  regexp_extract: kernel('regexp_extract'),
  regexp_extract_all: kernel('regexp_extract_all'),
  regexp_instr: kernel('regexp_instr'),
  regexp_replace: kernel('regexp_replace'),
  regexp_substr: kernel('regexp_substr'),
}
