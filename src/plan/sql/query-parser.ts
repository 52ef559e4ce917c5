/** Queries of Spark SQL: WITH, SELECT, VALUES, TABLE, set operations, ORDER BY, LIMIT and OFFSET. FROM is in relation-parser.ts. */
import type { UnresolvedExpression } from '../expression.ts'
import { parseSortItem, parseWindowSpec } from './call-parser.ts'
import { nameList, parseExpressionAt, parseNamedExpressionAt } from './expression-parser.ts'
import type { GroupBy, Query, SelectQuery, WindowSpec } from './query-ast.ts'
import { parseFrom } from './relation-parser.ts'
import type { TokenReader } from './token-reader.ts'

/** A whole query, with its WITH and its ORDER BY. */
export function parseQuery(reader: TokenReader): Query {
  return reader.nested(() => (reader.isWord(0, 'with') ? withQuery(reader) : ordered(reader, setQuery(reader))))
}

/** Whether a query starts `ahead` tokens from here (behind a bracket, not a column that is called like a keyword). */
export function startsQuery(reader: TokenReader, ahead: number): boolean {
  let at = ahead
  while (reader.isSymbol(at, '(')) at++
  if (!reader.isWord(at, 'select', 'with', 'values', 'table', 'from')) return false
  if (reader.isWord(at, 'values')) return !reader.isSymbol(at + 1, ')', ',', '.') && reader.peek(at + 1).kind !== 'end'
  return (
    !reader.isSymbol(at + 1, ')', ',', '.', '(', '=', '<', '>', '+', '/') || (reader.isWord(at, 'select') && reader.isSymbol(at + 1, '('))
  )
}

function withQuery(reader: TokenReader): Query {
  reader.expectWord('with')
  if (reader.isWord(0, 'recursive')) throw reader.notSupported('WITH RECURSIVE', 'compute the steps one by one in the program')
  const tables = reader.list(() => {
    const name = reader.name('a name for the table')
    const columns = reader.isSymbol(0, '(') ? nameList(reader) : undefined
    reader.takeWords('as')
    reader.expectSymbol('(')
    const query = parseQuery(reader)
    reader.expectSymbol(')')
    return { name, columns, query }
  })
  return { kind: 'with', tables, input: ordered(reader, setQuery(reader)) }
}

function ordered(reader: TokenReader, input: Query): Query {
  const sorted = reader.takeWords('order', 'by') || reader.takeWords('sort', 'by')
  const orderBy = !sorted ? [] : orderByAll(reader) ? 'all' : reader.list(() => parseSortItem(reader))
  for (const word of ['cluster', 'distribute'])
    if (reader.isWord(0, word) && reader.isWord(1, 'by'))
      throw reader.notSupported(`${word.toUpperCase()} BY`, 'leave it out: one process has one partition')
  let limit: UnresolvedExpression | undefined
  let offset: UnresolvedExpression | undefined
  if (reader.takeWords('limit') && !reader.takeWords('all')) limit = parseExpressionAt(reader)
  if (reader.takeWords('offset')) offset = parseExpressionAt(reader)
  if (!sorted && limit === undefined && offset === undefined) return input
  return { kind: 'ordered', input, orderBy, limit, offset }
}
function orderByAll(reader: TokenReader): boolean {
  const last = reader.peek(1).kind === 'end' || reader.isSymbol(1, ')', ';') || reader.isWord(1, 'limit', 'offset')
  return last && reader.takeWords('all')
}

/** UNION and EXCEPT from left to right; INTERSECT binds tighter. */
function setQuery(reader: TokenReader): Query {
  let left = intersections(reader)
  for (;;) {
    const word = reader.takeOneOf('union', 'except', 'minus', 'setminus')
    if (word === undefined) return left
    const operation = word === 'union' ? 'union' : 'except'
    const all = takesAll(reader)
    left = { kind: 'set', operation, all, left, right: intersections(reader) }
  }
}
function intersections(reader: TokenReader): Query {
  let left = primaryQuery(reader)
  while (reader.takeWords('intersect')) {
    const all = takesAll(reader)
    left = { kind: 'set', operation: 'intersect', all, left, right: primaryQuery(reader) }
  }
  return left
}
function takesAll(reader: TokenReader): boolean {
  return reader.takeOneOf('all', 'distinct') === 'all'
}

function primaryQuery(reader: TokenReader): Query {
  if (reader.takeSymbol('(')) {
    const inner = parseQuery(reader)
    reader.expectSymbol(')')
    return inner
  }
  if (reader.takeWords('values')) return { kind: 'values', rows: reader.list(() => valuesRow(reader)) }
  if (reader.isWord(0, 'table') && !reader.isSymbol(1, '(')) {
    reader.take()
    return { kind: 'table', name: parts(reader) }
  }
  if (reader.isWord(0, 'from')) {
    reader.take()
    const from = parseFrom(reader)
    if (!reader.isWord(0, 'select')) throw reader.unexpected('SELECT')
    return select(reader, from)
  }
  return select(reader)
}
function parts(reader: TokenReader): string[] {
  const found = [reader.name('a table')]
  while (reader.takeSymbol('.')) found.push(reader.name())
  return found
}

/** `(1, 'a')`, or a bare value. */
function valuesRow(reader: TokenReader): UnresolvedExpression[] {
  const row = parseExpressionAt(reader)
  return row.kind === 'call' && row.name === 'struct' && row.args.length > 1 ? [...row.args] : [row]
}

function select(reader: TokenReader, given?: SelectQuery['from']): SelectQuery {
  if (!reader.takeWords('select')) throw reader.unexpected('a query (SELECT, WITH, VALUES, TABLE or FROM)')
  while (reader.peek().kind === 'hint') reader.take()
  const distinct = reader.isWord(1, 'as') ? false : reader.takeOneOf('distinct', 'all') === 'distinct'
  const items = reader.list(() => parseNamedExpressionAt(reader))
  const from = given ?? (reader.takeWords('from') ? parseFrom(reader) : undefined)
  const where = reader.takeWords('where') ? parseExpressionAt(reader) : undefined
  const groupBy = reader.takeWords('group', 'by') ? parseGroupBy(reader) : undefined
  const having = reader.takeWords('having') ? parseExpressionAt(reader) : undefined
  if (reader.isWord(0, 'qualify'))
    throw reader.notSupported('QUALIFY', 'select the window function in a subquery, and filter by it outside')
  const windows = reader.takeWords('window') ? namedWindows(reader) : new Map<string, WindowSpec>()
  return { kind: 'select', distinct, items, from, where, groupBy, having, windows }
}

function namedWindows(reader: TokenReader): Map<string, WindowSpec> {
  const found = new Map<string, WindowSpec>()
  reader.list(() => {
    const name = reader.name('a name for the window')
    reader.expectWord('as')
    found.set(name.toLowerCase(), parseWindowSpec(reader))
  })
  return found
}

type Sets = readonly (readonly UnresolvedExpression[])[]

function parseGroupBy(reader: TokenReader): GroupBy {
  const end = reader.peek(1)
  const ends =
    end.kind === 'end' || reader.isSymbol(1, ')', ';') || reader.isWord(1, 'having', 'order', 'limit', 'union', 'window', 'offset')
  if (ends && reader.takeWords('all')) return { all: true }
  const elements = reader.list(() => groupingElement(reader))
  const keys = () => elements.flatMap((sets) => sets.flat())
  if (reader.takeWords('with', 'rollup')) return { all: false, elements: [rollup(keys().map((key) => [key]))] }
  if (reader.takeWords('with', 'cube')) return { all: false, elements: [cube(keys().map((key) => [key]))] }
  // the form of Hive: the keys first, then the sets of them
  if (reader.isWord(0, 'grouping') && reader.isWord(1, 'sets')) return { all: false, elements: [groupingElement(reader)] }
  return { all: false, elements }
}

function groupingElement(reader: TokenReader): Sets {
  if (reader.isWord(0, 'rollup', 'cube') && reader.isSymbol(1, '(')) {
    const word = reader.take().text.toLowerCase()
    const sets = bracketed(reader, () => keySet(reader))
    return word === 'rollup' ? rollup(sets) : cube(sets)
  }
  if (reader.takeWords('grouping', 'sets'))
    return bracketed(reader, () =>
      reader.isWord(0, 'rollup', 'cube', 'grouping') && reader.isSymbol(1, '(') ? groupingElement(reader) : [keySet(reader)],
    ).flat()
  return [[parseExpressionAt(reader)]]
}
function bracketed<T>(reader: TokenReader, item: () => T): T[] {
  reader.expectSymbol('(')
  const found = reader.list(item)
  reader.expectSymbol(')')
  return found
}
/** `a`, `(a, b)` or `()`. */
function keySet(reader: TokenReader): readonly UnresolvedExpression[] {
  if (reader.isSymbol(0, '(') && reader.isSymbol(1, ')')) {
    reader.take()
    reader.take()
    return []
  }
  const e = parseExpressionAt(reader)
  return e.kind === 'call' && e.name === 'struct' ? e.args : [e]
}
function rollup(sets: Sets): Sets {
  return Array.from({ length: sets.length + 1 }, (_, i) => sets.slice(0, sets.length - i).flat())
}
function cube(sets: Sets): Sets {
  return Array.from({ length: 2 ** Math.min(sets.length, 13) }, (_, bits) =>
    sets.filter((_, i) => (bits & (1 << (sets.length - 1 - i))) === 0).flat(),
  )
}
