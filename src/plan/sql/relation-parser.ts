/** FROM: relations, joins, LATERAL VIEW, PIVOT, UNPIVOT, TABLESAMPLE, WATERMARK. */
import type { UnresolvedExpression } from '../expression.ts'
import type { JoinType } from '../logical-plan.ts'
import { parseArguments } from './call-parser.ts'
import { isClauseWord, nameList, parseExpressionAt, parseNamedExpressionAt, parseQualifiedName } from './expression-parser.ts'
import { intervalText, isInterval } from './literals.ts'
import type { JoinRelation, Relation } from './query-ast.ts'
import { parseQuery, startsQuery } from './query-parser.ts'
import type { TokenReader } from './token-reader.ts'

/** Behind FROM: relations with commas between them are joined to all pairs. */
export function parseFrom(reader: TokenReader): Relation {
  let relation = joined(reader)
  while (reader.takeSymbol(',')) relation = crossed(relation, joined(reader))
  for (;;) {
    if (reader.isWord(0, 'lateral') && reader.isWord(1, 'view')) relation = lateralView(reader, relation)
    else if (reader.isWord(0, 'pivot') && reader.isSymbol(1, '(')) relation = pivot(reader, relation)
    else if (reader.isWord(0, 'unpivot')) relation = unpivot(reader, relation)
    else return relation
  }
}
function crossed(left: Relation, right: Relation): JoinRelation {
  return { kind: 'join', left, right, how: 'cross', on: undefined, using: undefined, natural: false }
}

function joined(reader: TokenReader): Relation {
  let left = primary(reader)
  for (;;) {
    const natural = reader.takeWords('natural')
    const how = joinWord(reader)
    if (how === undefined) {
      if (natural) throw reader.unexpected('JOIN')
      return left
    }
    const right = primary(reader)
    const on = !natural && reader.takeWords('on') ? parseExpressionAt(reader) : undefined
    const using = !natural && on === undefined && reader.takeWords('using') ? nameList(reader) : undefined
    left = { kind: 'join', left, right, how, on, using, natural }
  }
}

const joinWords: readonly (readonly [words: readonly string[], how: JoinType])[] = [
  [['inner'], 'inner'],
  [['cross'], 'cross'],
  [['left', 'outer'], 'left'],
  [['left', 'semi'], 'semi'],
  [['left', 'anti'], 'anti'],
  [['left'], 'left'],
  [['right', 'outer'], 'right'],
  [['right'], 'right'],
  [['full', 'outer'], 'full'],
  [['full'], 'full'],
  [['semi'], 'semi'],
  [['anti'], 'anti'],
  [[], 'inner'],
]
function joinWord(reader: TokenReader): JoinType | undefined {
  return joinWords.find(([words]) => reader.takeWords(...words, 'join'))?.[1]
}

function primary(reader: TokenReader): Relation {
  const lateral = reader.isWord(0, 'lateral') && !reader.isWord(1, 'view') && reader.takeWords('lateral')
  let relation = sampled(reader, withAlias(reader, watermarked(reader, relationPrimary(reader, lateral))))
  for (;;) {
    if (reader.isWord(0, 'pivot') && reader.isSymbol(1, '(')) relation = pivot(reader, relation)
    else if (reader.isWord(0, 'unpivot') && (reader.isSymbol(1, '(') || reader.isWord(1, 'include', 'exclude')))
      relation = unpivot(reader, relation)
    else return relation
  }
}

function relationPrimary(reader: TokenReader, lateral: boolean): Relation {
  if (startsQuery(reader, 0) && reader.isSymbol(0, '(') && isQueryInBrackets(reader)) {
    reader.take()
    const query = parseQuery(reader)
    reader.expectSymbol(')')
    return { kind: 'query', query, lateral }
  }
  if (reader.takeSymbol('(')) {
    const input = parseFrom(reader)
    reader.expectSymbol(')')
    return { kind: 'nested', input }
  }
  if (isStreamOf(reader)) return streamOf(reader)
  if (reader.isWord(0, 'values') && !reader.isSymbol(1, '.')) return { kind: 'query', query: valuesQuery(reader), lateral: false }
  const name = tableName(reader)
  if (name.length === 1 && reader.isSymbol(0, '(')) {
    const args = parseArguments(reader)
    return { kind: 'function', name: name[0]!.toLowerCase(), args, lateral }
  }
  return { kind: 'named', name }
}
function tableName(reader: TokenReader): string[] {
  const name = [reader.name('a table')]
  while (reader.takeSymbol('.')) name.push(reader.name())
  return name
}
/** `STREAM clicks` and `STREAM(clicks)`; a relation may also be called stream. */
function isStreamOf(reader: TokenReader): boolean {
  const next = reader.peek(1)
  return (
    reader.isWord(0, 'stream') && (next.kind === 'quoted' || (next.kind === 'word' && !isClauseWord(next.text)) || reader.isSymbol(1, '('))
  )
}
function streamOf(reader: TokenReader): Relation {
  reader.expectWord('stream')
  const bracket = reader.takeSymbol('(')
  const name = tableName(reader)
  if (bracket) reader.expectSymbol(')')
  return { kind: 'named', name, isStream: true }
}
/** `((SELECT …) UNION …)` is a query, `((SELECT …) a JOIN b)` is not. */
function isQueryInBrackets(reader: TokenReader): boolean {
  if (!reader.isSymbol(1, '(')) return true
  const mark = reader.mark()
  try {
    reader.take()
    parseQuery(reader)
    return reader.isSymbol(0, ')')
  } catch {
    return false
  } finally {
    reader.reset(mark)
  }
}
function valuesQuery(reader: TokenReader) {
  reader.expectWord('values')
  const rows = reader.list((): readonly UnresolvedExpression[] => {
    const row = parseExpressionAt(reader)
    return row.kind === 'call' && row.name === 'struct' && row.args.length > 1 ? row.args : [row]
  })
  return { kind: 'values', rows } as const
}

type Aliasable = Extract<
  Relation,
  { readonly kind: 'named' | 'query' | 'function' | 'nested' | 'pivot' | 'unpivot' | 'sample' | 'watermark' }
>

function withAlias(reader: TokenReader, relation: Relation): Relation {
  const named = aliasAt(reader)
  return named === undefined ? relation : ({ ...(relation as Aliasable), ...named } as Relation)
}
function aliasAt(reader: TokenReader): { readonly alias: string; readonly columns?: readonly string[] } | undefined {
  const token = reader.peek()
  const given = reader.takeWords('as')
  if (!given && !(token.kind === 'quoted' || (token.kind === 'word' && !isClauseWord(token.text)))) return undefined
  const alias = reader.name('a name for the relation')
  return reader.isSymbol(0, '(') ? { alias, columns: nameList(reader) } : { alias }
}

/** `TABLESAMPLE (10 PERCENT | 5 ROWS) [REPEATABLE (seed)]` */
function sampled(reader: TokenReader, input: Relation): Relation {
  if (!reader.takeWords('tablesample')) return input
  reader.expectSymbol('(')
  const token = reader.peek()
  if (token.kind !== 'number') throw reader.unexpected('a number of rows or percents')
  const size = Number(reader.take().text)
  const unit = reader.takeOneOf('percent', 'rows')
  if (unit === undefined) throw reader.unexpected('PERCENT or ROWS')
  reader.expectSymbol(')')
  let seed: bigint | undefined
  if (reader.takeWords('repeatable')) {
    reader.expectSymbol('(')
    seed = BigInt(reader.take().text)
    reader.expectSymbol(')')
  }
  const sample: Relation = { kind: 'sample', input, size: unit === 'rows' ? { rows: size } : { fraction: size / 100 }, seed }
  return withAlias(reader, watermarked(reader, sample))
}

/** `WATERMARK at DELAY OF INTERVAL 10 SECONDS`, `WATERMARK timestamp_seconds(s) AS at DELAY OF …`; a relation may also be called watermark. */
function watermarked(reader: TokenReader, input: Relation): Relation {
  const next = reader.peek(1)
  const isClause = reader.isWord(0, 'watermark') && (next.kind === 'quoted' || (next.kind === 'word' && !isClauseWord(next.text)))
  if (!isClause) return input
  reader.take()
  const value = parseExpressionAt(reader)
  const isNamed = reader.takeWords('as') || !(reader.isWord(0, 'delay') && reader.isWord(1, 'of'))
  const column: UnresolvedExpression = isNamed ? { kind: 'alias', input: value, name: reader.name('a name for the event time') } : value
  reader.expectWord('delay')
  reader.expectWord('of')
  if (!isInterval(reader)) throw reader.unexpected('INTERVAL')
  return { kind: 'watermark', input, column, delay: intervalText(reader) }
}

function lateralView(reader: TokenReader, input: Relation): Relation {
  reader.expectWord('lateral')
  reader.expectWord('view')
  const outer = reader.takeWords('outer')
  const name = reader.name('a generator such as explode').toLowerCase()
  const args = parseArguments(reader)
  const plain = () => {
    const token = reader.peek()
    return token.kind === 'quoted' || (token.kind === 'word' && !isClauseWord(token.text))
  }
  if (!plain()) throw reader.unexpected('a name for the generated columns')
  const alias = reader.name()
  const columns = reader.takeWords('as') || plain() ? reader.list(() => reader.name('a name for the column')) : undefined
  return { kind: 'lateral-view', input, outer, name, args, alias, columns }
}

/** `PIVOT (sum(x) AS s FOR k IN ('a', 'b' AS c))` */
function pivot(reader: TokenReader, input: Relation): Relation {
  reader.expectWord('pivot')
  reader.expectSymbol('(')
  const aggregates = reader.list(() => namedAggregate(reader))
  reader.expectWord('for')
  const columns = reader.isSymbol(0, '(') ? bracketed(reader, () => parseQualifiedName(reader)) : [parseQualifiedName(reader)]
  reader.expectWord('in')
  const values = bracketed(reader, () => parseNamedExpressionAt(reader))
  reader.expectSymbol(')')
  const names = columns.map((name): UnresolvedExpression => ({ kind: 'attribute', name }))
  const column: UnresolvedExpression = names.length === 1 ? names[0]! : { kind: 'call', name: 'struct', args: names }
  return withAlias(reader, { kind: 'pivot', input, aggregates, column, values })
}
/** FOR goes on with the clause, so it is no alias. */
function namedAggregate(reader: TokenReader): UnresolvedExpression {
  const call = parseExpressionAt(reader)
  if (reader.isWord(0, 'for') || reader.isSymbol(0, ',')) return call
  reader.takeWords('as')
  return { kind: 'alias', input: call, name: reader.name('a name for the aggregate') }
}
function bracketed<T>(reader: TokenReader, item: () => T): T[] {
  reader.expectSymbol('(')
  const found = reader.list(item)
  reader.expectSymbol(')')
  return found
}

/** `UNPIVOT [INCLUDE NULLS | EXCLUDE NULLS] (value FOR name IN (a, b AS c))` */
function unpivot(reader: TokenReader, input: Relation): Relation {
  reader.expectWord('unpivot')
  const includeNulls = reader.takeWords('include', 'nulls') || (reader.takeWords('exclude', 'nulls') && false)
  reader.expectSymbol('(')
  if (reader.isSymbol(0, '(')) throw reader.notSupported('UNPIVOT of several value columns', 'unpivot one after the other and join')
  const valueColumn = reader.name('a name for the column of values')
  reader.expectWord('for')
  const nameColumn = reader.name('a name for the column of names')
  reader.expectWord('in')
  const values = bracketed(reader, () => parseNamedExpressionAt(reader))
  reader.expectSymbol(')')
  return withAlias(reader, { kind: 'unpivot', input, includeNulls, valueColumn, nameColumn, values })
}
