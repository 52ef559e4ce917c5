/** Patterns: LIKE and regular expressions. */
import { stringLiteral } from '../sql-text.ts'
import { plain, type Template, type Templates, unsupported } from './template.ts'

/** LIKE with Spark's escape character (a backslash unless given); patterns without it take SQL's fast path. */
const like =
  (operator: string): Template =>
  ([x, pattern, escaping]) => {
    const character = escaping?.literal ?? '\\'
    const needed = typeof pattern!.literal !== 'string' || pattern!.literal.includes(String(character))
    return `(${x!.sql} ${operator} ${pattern!.sql}${needed ? ` ESCAPE ${stringLiteral(String(character))}` : ''})`
  }

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

export const regexp: Templates = {
  like: like('LIKE'),
  ilike: like('ILIKE'),
  rlike: plain('regexp_matches'),
  regexp_replace: regexpReplace,
  regexp_extract: regexpExtract,
}
