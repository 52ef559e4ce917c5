/** Statements: queries, temporary views, and what shows them. What is not here is refused by name. */
import { isClauseWord, nameList, parseQualifiedName } from './expression-parser.ts'
import type { Query, Statement } from './query-ast.ts'
import { parseQuery } from './query-parser.ts'
import { type SqlParameters, TokenReader } from './token-reader.ts'

/** One statement, with or without a semicolon at its end. PARSE_SYNTAX_ERROR and its kin; NOT_SUPPORTED_YET for statements of Spark's that need a catalog of tables. */
export function parseStatement(text: string, parameters?: SqlParameters): Statement {
  const reader = new TokenReader(text, parameters)
  if (reader.peek().kind === 'end') throw reader.unexpected('a query')
  const statement = statementAt(reader)
  reader.takeSymbol(';')
  reader.expectEnd()
  return statement
}

function statementAt(reader: TokenReader): Statement {
  const word = reader.peek().kind === 'word' ? reader.peek().text.toLowerCase() : ''
  switch (word) {
    case 'create':
      return createView(reader)
    case 'drop':
      return dropView(reader)
    case 'show':
      return show(reader)
    case 'describe':
    case 'desc':
      return describe(reader)
    case 'explain':
      return explain(reader)
    case 'set':
      return setting(reader)
  }
  const other = refused[word]
  if (other !== undefined) throw reader.notSupported(`the statement ${word.toUpperCase()}`, other)
  return { kind: 'query', query: parseQuery(reader) }
}

const writing = "write the rows with writeStream or write: frame.write.parquet('out/')"
const noCatalog = 'there are temporary views only: CREATE TEMPORARY VIEW, DROP VIEW'
const refused: Readonly<Record<string, string>> = {
  insert: writing,
  update: writing,
  delete: writing,
  merge: writing,
  truncate: writing,
  load: writing,
  alter: noCatalog,
  use: noCatalog,
  analyze: noCatalog,
  refresh: noCatalog,
  msck: noCatalog,
  cache: 'leave it out: every action reads its input anew',
  uncache: 'leave it out: nothing is cached',
  clear: 'leave it out: nothing is cached',
  reset: 'set the key back with engine.conf.unset(key)',
  begin: 'run one statement a call',
  declare: 'give values as parameters: engine.sql(text, { name: value })',
}

function createView(reader: TokenReader): Statement {
  reader.expectWord('create')
  const replace = reader.takeWords('or', 'replace')
  const global = reader.takeWords('global')
  const temporary = reader.takeOneOf('temporary', 'temp') !== undefined
  if (!reader.isWord(0, 'view') || !temporary)
    throw reader.notSupported(
      `CREATE ${reader.peek().text.toUpperCase() || '…'}${reader.isWord(0, 'view') ? ' without TEMPORARY' : ''}`,
      'there are temporary views only: CREATE TEMPORARY VIEW name AS SELECT …',
    )
  reader.expectWord('view')
  if (reader.isWord(0, 'if')) throw reader.unexpected('a name', 'a temporary view takes CREATE OR REPLACE in place of IF NOT EXISTS')
  const name = reader.name('a name for the view')
  const columns = reader.isSymbol(0, '(') ? nameList(reader) : undefined
  if (reader.isWord(0, 'using'))
    throw reader.notSupported('CREATE TEMPORARY VIEW … USING', 'read the files with engine.read and call createTempView')
  reader.expectWord('as')
  return { kind: 'create-view', name, global, replace, columns, query: parseQuery(reader) }
}

function dropView(reader: TokenReader): Statement {
  reader.expectWord('drop')
  if (!reader.isWord(0, 'view', 'table')) throw reader.notSupported(`DROP ${reader.peek().text.toUpperCase()}`, noCatalog)
  if (reader.isWord(0, 'table')) throw reader.notSupported('DROP TABLE', noCatalog)
  reader.take()
  const ifExists = reader.takeWords('if', 'exists')
  return { kind: 'drop-view', name: qualified(reader), ifExists }
}

function show(reader: TokenReader): Statement {
  reader.expectWord('show')
  const what = reader.takeOneOf('tables', 'views', 'columns', 'functions')
  if (what === 'columns') {
    if (reader.takeOneOf('in', 'from') === undefined) throw reader.unexpected('IN or FROM')
    return { kind: 'show-columns', name: qualified(reader) }
  }
  if (what === 'functions') return { kind: 'show-functions', pattern: like(reader) }
  if (what === undefined)
    throw reader.notSupported(`SHOW ${reader.peek().text.toUpperCase()}`, 'there are SHOW TABLES, VIEWS, COLUMNS and FUNCTIONS')
  const database = reader.takeOneOf('in', 'from') === undefined ? undefined : reader.name('a database')
  return { kind: 'show-tables', views: what === 'views', database, pattern: like(reader) }
}
function like(reader: TokenReader): string | undefined {
  reader.takeWords('like')
  return reader.peek().kind === 'string' ? reader.string() : undefined
}

function describe(reader: TokenReader): Statement {
  reader.take()
  if (
    reader.isWord(0, 'function', 'database', 'schema', 'namespace', 'catalog') &&
    !reader.isSymbol(1, '.') &&
    reader.peek(1).kind !== 'end'
  )
    throw reader.notSupported(`DESCRIBE ${reader.peek().text.toUpperCase()}`, 'describe a view or a query')
  reader.takeWords('query')
  reader.takeWords('table')
  reader.takeWords('extended')
  if (reader.isSymbol(0, '(') || reader.isWord(0, 'select', 'with', 'values', 'from'))
    return { kind: 'describe', query: parseQuery(reader) }
  return { kind: 'describe', query: { kind: 'table', name: qualified(reader) } }
}

const modes = ['extended', 'formatted', 'cost'] as const
function explain(reader: TokenReader): Statement {
  reader.expectWord('explain')
  const mode = (reader.takeOneOf(...modes) ?? 'simple') as (typeof modes)[number] | 'simple'
  const query: Query = parseQuery(reader)
  return { kind: 'explain', query, mode }
}

/** `SET`, `SET key`, `SET key = value`; the value goes to the end of the text. */
function setting(reader: TokenReader): Statement {
  reader.expectWord('set')
  if (reader.peek().kind === 'end') return { kind: 'set', key: undefined, value: undefined }
  if (reader.takeWords('time', 'zone'))
    return { kind: 'set', key: 'spark.sql.session.timeZone', value: reader.peek().kind === 'string' ? reader.string() : reader.name() }
  const key = parseQualifiedName(reader, 'a key').replaceAll('`', '')
  if (!reader.takeSymbol('=')) return { kind: 'set', key, value: undefined }
  const from = reader.peek().from
  while (reader.peek().kind !== 'end' && !reader.isSymbol(0, ';')) reader.take()
  return {
    kind: 'set',
    key,
    value: reader.text
      .slice(from, reader.lastEnd())
      .trim()
      .replace(/^(['"])(.*)\1$/, '$2'),
  }
}

function qualified(reader: TokenReader): string[] {
  if (reader.peek().kind === 'word' && isClauseWord(reader.peek().text) && reader.peek(1).kind !== 'end') throw reader.unexpected('a name')
  const parts = [reader.name('a name')]
  while (reader.takeSymbol('.')) parts.push(reader.name())
  return parts
}
