/** The predicates in words behind a value: BETWEEN, IN, LIKE and its kin, IS. A value has at most one. */
import type { UnresolvedExpression } from '../expression.ts'
import { balanced, call, parseExpressionAt, parseValue, subquery, trueLiteral } from './expression-parser.ts'
import { literal } from './literals.ts'
import { startsQuery } from './query-parser.ts'
import { errorAt, type TokenReader } from './token-reader.ts'

/** `value` with the predicate that follows it, if one does. */
export function parsePredicate(reader: TokenReader, value: UnresolvedExpression): UnresolvedExpression {
  if (reader.takeWords('is')) return is(reader, value)
  const negated = reader.isWord(0, 'not') && reader.isWord(1, 'between', 'in', 'like', 'ilike', 'rlike', 'regexp')
  if (negated) reader.take()
  const predicate = positive(reader, value, negated)
  if (predicate === undefined) return value
  return negated ? call('not', predicate) : predicate
}

function positive(reader: TokenReader, value: UnresolvedExpression, negated: boolean): UnresolvedExpression | undefined {
  const word = reader.takeOneOf('between', 'in', 'like', 'ilike', 'rlike', 'regexp')
  switch (word) {
    case 'between':
      return between(reader, value)
    case 'in':
      return inList(reader, value)
    case 'like':
    case 'ilike':
      return like(reader, word, value, negated)
    case 'rlike':
    case 'regexp':
      return call('rlike', value, parseValue(reader))
  }
  return undefined
}

function between(reader: TokenReader, value: UnresolvedExpression): UnresolvedExpression {
  const lower = parseValue(reader)
  reader.expectWord('and')
  return call('between', value, lower, parseValue(reader))
}

function inList(reader: TokenReader, value: UnresolvedExpression): UnresolvedExpression {
  reader.expectSymbol('(')
  if (startsQuery(reader, 0) && !reader.isSymbol(0, '(')) return subquery(reader, 'in', value)
  const values = reader.list(() => parseExpressionAt(reader))
  reader.expectSymbol(')')
  return call('in', value, ...values)
}

/** `LIKE ANY (a, b)` is a chain of OR, `LIKE ALL` one of AND; NOT goes into each of them. */
function like(reader: TokenReader, name: string, value: UnresolvedExpression, negated: boolean): UnresolvedExpression {
  if (reader.isWord(0, 'any', 'some', 'all') && reader.isSymbol(1, '(')) {
    const word = reader.take().text.toLowerCase()
    reader.expectSymbol('(')
    const tests = reader.list(() => call(name, value, parseExpressionAt(reader)))
    reader.expectSymbol(')')
    // NOT (a LIKE ANY b) means that some pattern does not fit: what `not` outside makes of the dual chain
    return balanced((word === 'all') !== negated ? 'and' : 'or', tests)
  }
  const pattern = parseValue(reader)
  if (!reader.takeWords('escape')) return call(name, value, pattern)
  const token = reader.peek()
  const escape = reader.string('one character in quotes')
  if ([...escape].length === 1) return call(name, value, pattern, literal(escape, 'string'))
  throw errorAt(reader, 'INVALID_ESCAPE_CHAR', `the escape '${escape}' is not one character`, "write it as in ESCAPE '!'", token)
}

function is(reader: TokenReader, value: UnresolvedExpression): UnresolvedExpression {
  const negated = reader.takeWords('not')
  if (reader.takeWords('distinct', 'from')) {
    const same = call('<=>', value, parseValue(reader))
    return negated ? same : call('not', same)
  }
  const word = reader.takeOneOf('null', 'true', 'false', 'unknown')
  if (word === 'null' || word === 'unknown') return call(negated ? 'isnotnull' : 'isnull', value)
  if (word === undefined) throw reader.unexpected('NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM')
  const same = call('<=>', value, word === 'true' ? trueLiteral : literal(false, 'boolean'))
  return negated ? call('not', same) : same
}
