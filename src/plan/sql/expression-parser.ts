/**
 * Expressions of Spark SQL by precedence climbing. What binds, loosest first: OR, AND, NOT, predicates (IN, LIKE, BETWEEN, IS; one a value),
 * comparison, `|`, `^`, `&`, shifts, `+ - ||`, `* / % DIV`, signs, `::` and `.` and `[]`.
 */
import type { CaseBranch, UnresolvedExpression } from '../expression.ts'
import { quoteName } from '../schema-text.ts'
import { parseCall } from './call-parser.ts'
import { intervalLiteral, isInterval, isTypedText, literal, numberLiteral, stringLiteral, typedLiteral } from './literals.ts'
import { parsePredicate } from './predicate-parser.ts'
import { parseQuery, startsQuery } from './query-parser.ts'
import { errorAt, type TokenReader } from './token-reader.ts'
import type { Token } from './tokens.ts'

export function call(name: string, ...args: readonly UnresolvedExpression[]): UnresolvedExpression {
  return { kind: 'call', name, args }
}
export const trueLiteral = literal(true, 'boolean')

/** Any expression, without an alias. */
export function parseExpressionAt(reader: TokenReader): UnresolvedExpression {
  return reader.nested(() => orExpression(reader))
}

/** An expression with an alias, if it has one: `x AS y`, `x y`, `explode(m) AS (k, v)`. */
export function parseNamedExpressionAt(reader: TokenReader): UnresolvedExpression {
  const input = parseExpressionAt(reader)
  if (reader.takeWords('as')) {
    if (reader.isSymbol(0, '(')) return { kind: 'multi-alias', input, names: nameList(reader) }
    return { kind: 'alias', input, name: reader.name('a name for the column') }
  }
  if (reader.peek().kind === 'quoted' || (reader.peek().kind === 'word' && !isClauseWord(reader.peek().text)))
    return { kind: 'alias', input, name: reader.name() }
  if (reader.isSymbol(0, '(') && input.kind === 'call') return { kind: 'multi-alias', input, names: nameList(reader) }
  return input
}

export function nameList(reader: TokenReader): string[] {
  reader.expectSymbol('(')
  const names = reader.list(() => reader.name())
  reader.expectSymbol(')')
  return names
}

/** Words that go on with a statement or an expression, so that they are no alias without AS. */
const clauseWords = new Set(
  `from where group having order sort cluster distribute limit offset window qualify union intersect except minus setminus join inner cross left
  right full semi anti natural lateral on using select with as when then else end and or not in is between like ilike rlike regexp div escape
  asc desc nulls over filter within tablesample pivot unpivot`.split(/\s+/),
)
export function isClauseWord(word: string): boolean {
  return clauseWords.has(word.toLowerCase())
}
/** Words that are no column where another word follows: a clause before which something was forgotten. */
const startWords = new Set('from where group having order union intersect join on select when then else and or as by in is'.split(' '))

function orExpression(reader: TokenReader): UnresolvedExpression {
  return chain(reader, 'or', andExpression)
}
function andExpression(reader: TokenReader): UnresolvedExpression {
  return chain(reader, 'and', notExpression)
}
/** A long chain becomes a tree of little depth, the same that Spark makes. */
function chain(reader: TokenReader, word: 'and' | 'or', operand: (reader: TokenReader) => UnresolvedExpression): UnresolvedExpression {
  const parts = [operand(reader)]
  while (reader.takeWords(word)) parts.push(operand(reader))
  return balanced(word, parts)
}
export function balanced(name: string, parts: readonly UnresolvedExpression[]): UnresolvedExpression {
  if (parts.length === 1) return parts[0]!
  const middle = Math.floor((parts.length - 1) / 2) + 1
  return call(name, balanced(name, parts.slice(0, middle)), balanced(name, parts.slice(middle)))
}

function notExpression(reader: TokenReader): UnresolvedExpression {
  if (reader.isSymbol(0, '!') || (reader.isWord(0, 'not') && !standsAlone(reader))) {
    reader.take()
    return call(
      'not',
      reader.nested(() => notExpression(reader)),
    )
  }
  return parsePredicate(reader, parseValue(reader))
}

/** Binary operators of a value, by how tight they bind; all go from left to right. */
const operators: readonly Readonly<Record<string, string>>[] = [
  { '=': '==', '==': '==', '<=>': '<=>', '<>': '!=', '!=': '!=', '<': '<', '<=': '<=', '>': '>', '>=': '>=' },
  { '|': '|' },
  { '^': '^' },
  { '&': '&' },
  { '<<': 'shiftleft', '>>': 'shiftright', '>>>': 'shiftrightunsigned' },
  { '+': '+', '-': '-', '||': 'concat' },
  { '*': '*', '/': '/', '%': '%', div: 'div' },
]

/** A value: everything but AND, OR, NOT and the predicates in words. Only operators that bind at least as tight as `level` are taken. */
export function parseValue(reader: TokenReader, level = 0): UnresolvedExpression {
  let left = unary(reader)
  for (;;) {
    const operator = operatorOf(reader.peek())
    if (operator === undefined || operator.level < level) return left
    reader.take()
    left = call(operator.name, left, parseValue(reader, operator.level + 1))
  }
}
const operatorTable = new Map(
  operators.flatMap((names, level) => Object.entries(names).map(([text, name]) => [text, { name, level }] as const)),
)
function operatorOf({ kind, text }: Token): { readonly name: string; readonly level: number } | undefined {
  return kind === 'symbol' || kind === 'word' ? operatorTable.get(text.toLowerCase()) : undefined
}

const signs: Readonly<Record<string, string>> = { '-': 'negative', '+': 'positive', '~': '~' }

function unary(reader: TokenReader): UnresolvedExpression {
  const token = reader.peek()
  if (token.kind !== 'symbol' || !Object.hasOwn(signs, token.text)) return postfix(reader, primary(reader))
  reader.take()
  // a minus right before a number belongs to it: only so can the least long be written
  if (token.text === '-' && reader.peek().kind === 'number') return postfix(reader, numberLiteral(reader, true))
  return call(
    signs[token.text]!,
    reader.nested(() => unary(reader)),
  )
}

/** `.field`, `[key]` and `::type` behind a value. */
function postfix(reader: TokenReader, start: UnresolvedExpression): UnresolvedExpression {
  let e = start
  for (;;) {
    if (reader.takeSymbol('[')) {
      e = call('get_item', e, parseValue(reader))
      reader.expectSymbol(']')
    } else if (reader.takeSymbol('::')) e = { kind: 'cast', input: e, type: reader.type(), mode: 'ansi' }
    else if (reader.takeSymbol('.')) e = { kind: 'field', input: e, field: reader.name('the name of a field') }
    else if (reader.isWord(0, 'collate')) throw reader.notSupported('COLLATE', 'compare lower(x) or upper(x)')
    else if (reader.isSymbol(0, ':')) throw reader.notSupported('a path into a variant (:)', 'use from_json, or get_json_object')
    else return e
  }
}

function primary(reader: TokenReader): UnresolvedExpression {
  const token = reader.peek()
  switch (token.kind) {
    case 'number':
      return numberLiteral(reader, false)
    case 'string':
      return stringLiteral(reader)
    case 'quoted':
      return named(reader)
    case 'word':
      return wordExpression(reader)
    case 'symbol':
      return symbolExpression(reader)
  }
  throw reader.unexpected('an expression')
}

function symbolExpression(reader: TokenReader): UnresolvedExpression {
  if (reader.isSymbol(0, '(')) return inBrackets(reader)
  if (reader.takeSymbol('*')) return star(reader)
  if (reader.isSymbol(0, '?', ':')) return reader.parameter()
  throw reader.unexpected('an expression')
}

function wordExpression(reader: TokenReader): UnresolvedExpression {
  const word = reader.peek().text.toLowerCase()
  if (standsAlone(reader)) return named(reader)
  switch (word) {
    case 'null':
      reader.take()
      return literal(null, 'void')
    case 'true':
    case 'false':
      reader.take()
      return literal(word === 'true', 'boolean')
    case 'case':
      return caseExpression(reader)
    case 'exists':
      if (!reader.isSymbol(1, '(') || !startsQuery(reader, 2)) break
      reader.take()
      reader.take()
      return subquery(reader, 'exists')
    case 'interval':
      if (isInterval(reader)) return intervalLiteral(reader)
      break
  }
  if (reader.peek(1).kind === 'string' && isTypedText(word)) return typedLiteral(reader)
  if (startWords.has(word) && ['word', 'quoted', 'number', 'string'].includes(reader.peek(1).kind) && !isOperator(reader, 1))
    throw reader.unexpected('an expression', `a column of the name ${word} is written \`${word}\``)
  return named(reader)
}

/** Whether the word here is a name although it is a keyword: a field of it is taken, or an arrow follows. */
function standsAlone(reader: TokenReader): boolean {
  return reader.isSymbol(1, '.', '->') && !reader.isWord(0, 'case')
}
function isOperator(reader: TokenReader, ahead: number): boolean {
  const token = reader.peek(ahead)
  return (token.kind === 'symbol' && (token.text === ')' || token.text === ',')) || operatorOf(token) !== undefined
}

/** A column, a star of a relation, a lambda or a call. */
function named(reader: TokenReader): UnresolvedExpression {
  if (reader.isSymbol(1, '->')) return lambda(reader, [reader.name()])
  const from = reader.peek()
  const parts = [reader.name()]
  while (reader.isSymbol(0, '.')) {
    if (reader.isSymbol(1, '*')) {
      reader.take()
      reader.take()
      return { ...star(reader), of: parts.map(quoteName).join('.') }
    }
    if (reader.peek(1).kind !== 'word' && reader.peek(1).kind !== 'quoted') break
    reader.take()
    parts.push(reader.name())
  }
  if (reader.isSymbol(0, '(')) return parseCall(reader, parts, from)
  return { kind: 'attribute', name: parts.map(quoteName).join('.') }
}

function star(reader: TokenReader): Extract<UnresolvedExpression, { kind: 'star' }> {
  if (!reader.isWord(0, 'except') || !reader.isSymbol(1, '(')) return { kind: 'star' }
  const mark = reader.mark()
  reader.take()
  if (reader.isWord(1, 'select', 'with', 'values', 'from', 'table')) {
    reader.reset(mark) // the set operation
    return { kind: 'star' }
  }
  reader.expectSymbol('(')
  const except = reader.list(() => parseQualifiedName(reader))
  reader.expectSymbol(')')
  return { kind: 'star', except }
}

/** `a.b` with backticks where needed, as `attribute` has it. */
export function parseQualifiedName(reader: TokenReader, wanted = 'a name'): string {
  const parts = [quoteName(reader.name(wanted))]
  while (reader.takeSymbol('.')) parts.push(quoteName(reader.name(wanted)))
  return parts.join('.')
}

function lambda(reader: TokenReader, params: readonly string[]): UnresolvedExpression {
  reader.expectSymbol('->')
  return { kind: 'lambda', params, body: parseExpressionAt(reader) }
}

/** `(x)`, `(a, b)` as a row, `(x, y) -> …`. */
function inBrackets(reader: TokenReader): UnresolvedExpression {
  const params = lambdaParams(reader)
  if (params) return lambda(reader, params)
  reader.take()
  if (startsQuery(reader, 0) && !reader.isSymbol(0, '(')) return subquery(reader, 'scalar')
  const first = parseNamedExpressionAt(reader)
  if (reader.takeSymbol(')')) return first.kind === 'alias' ? unnamed(reader, first) : first
  if (!reader.isSymbol(0, ',')) throw reader.unexpected('")" or an operator')
  reader.take()
  const others = reader.list(() => parseNamedExpressionAt(reader))
  reader.expectSymbol(')')
  return call('struct', first, ...others)
}
/** A query behind an opening bracket, with the closing one. */
export function subquery(reader: TokenReader, use: 'scalar' | 'in' | 'exists', value?: UnresolvedExpression): UnresolvedExpression {
  const query = parseQuery(reader)
  reader.expectSymbol(')')
  return { kind: 'subquery', use, query, ...(value !== undefined && { value }) }
}
function unnamed(reader: TokenReader, e: UnresolvedExpression & { kind: 'alias' }): never {
  throw errorAt(reader, 'PARSE_SYNTAX_ERROR', `syntax error: the alias ${e.name} stands inside brackets`, 'write it behind the bracket')
}

function lambdaParams(reader: TokenReader): string[] | undefined {
  let ahead = 1
  while (reader.peek(ahead).kind === 'word' || reader.peek(ahead).kind === 'quoted') {
    ahead++
    if (!reader.isSymbol(ahead, ',')) break
    ahead++
  }
  if (ahead === 1 || !reader.isSymbol(ahead, ')') || !reader.isSymbol(ahead + 1, '->')) return undefined
  return nameList(reader)
}

function caseExpression(reader: TokenReader): UnresolvedExpression {
  reader.take()
  const subject = reader.isWord(0, 'when') ? undefined : parseExpressionAt(reader)
  const branches: CaseBranch<UnresolvedExpression>[] = []
  while (reader.takeWords('when')) {
    const condition = parseExpressionAt(reader)
    reader.expectWord('then')
    branches.push({ condition: subject ? call('==', subject, condition) : condition, value: parseExpressionAt(reader) })
  }
  if (branches.length === 0) throw reader.unexpected('WHEN')
  const otherwise = reader.takeWords('else') ? parseExpressionAt(reader) : null
  if (!reader.takeWords('end')) throw reader.unexpected(otherwise ? 'END' : 'WHEN, ELSE or END')
  return { kind: 'case', branches, otherwise }
}
