/** Spark SQL text becomes unresolved expressions. What is parsed and what is refused: docs/sql.md. */
import type { UnresolvedExpression } from '../expression.ts'
import { parseExpressionAt, parseNamedExpressionAt } from './expression-parser.ts'
import { TokenReader } from './token-reader.ts'

export type { SqlParameters } from './token-reader.ts'

/**
 * One expression, with an alias if the text gives one: what expr(…) and selectExpr(…) take.
 * InvalidQueryError PARSE_SYNTAX_ERROR (or a nearer class of Spark's) with the line, the column and a mark under the place.
 */
export function parseExpression(text: string): UnresolvedExpression {
  return whole(text, parseNamedExpressionAt)
}

/** One expression without an alias: a condition. */
export function parseCondition(text: string): UnresolvedExpression {
  return whole(text, parseExpressionAt)
}

function whole<T>(text: string, parse: (reader: TokenReader) => T): T {
  const reader = new TokenReader(text)
  if (reader.peek().kind === 'end') throw reader.unexpected('an expression')
  const parsed = parse(reader)
  reader.expectEnd()
  return parsed
}
