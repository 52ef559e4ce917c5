/** Calls of functions, and the functions that have a grammar of their own (CAST, EXTRACT, TRIM, …). */
import type { FrameBound, UnresolvedExpression, UnresolvedFrame } from '../expression.ts'
import { call, parseExpressionAt, parseNamedExpressionAt, parseValue } from './expression-parser.ts'
import { literal } from './literals.ts'
import type { WindowSpec } from './query-ast.ts'
import { errorAt, type TokenReader } from './token-reader.ts'
import type { Token } from './tokens.ts'

/** The brackets of a call are next; `from` is where its name started. */
export function parseCall(reader: TokenReader, name: readonly string[], from: Token): UnresolvedExpression {
  if (name.length > 1) {
    throw errorAt(
      reader,
      'UNRESOLVED_ROUTINE',
      `there is no function \`${name.join('`.`')}\``,
      'functions have no catalog here: write the name alone',
      from,
    )
  }
  const own = from.kind === 'word' ? grammars.get(name[0]!.toLowerCase()) : undefined
  reader.expectSymbol('(')
  const special = own?.(reader)
  return withClauses(reader, special ?? plainCall(reader, name[0]!))
}

function plainCall(reader: TokenReader, name: string): UnresolvedExpression {
  if (reader.takeSymbol(')')) return call(name.toLowerCase())
  const distinct = reader.takeOneOf('distinct', 'all') === 'distinct'
  const args = reader.list(() => argument(reader))
  reader.expectSymbol(')')
  return { kind: 'call', name: name.toLowerCase(), args, ...(distinct ? { distinct } : {}) }
}

/** The arguments of a call, with their brackets. */
export function parseArguments(reader: TokenReader): readonly UnresolvedExpression[] {
  reader.expectSymbol('(')
  if (reader.takeSymbol(')')) return []
  const args = reader.list(() => argument(reader))
  reader.expectSymbol(')')
  return args
}

function argument(reader: TokenReader): UnresolvedExpression {
  if ((reader.peek().kind === 'word' || reader.peek().kind === 'quoted') && reader.isSymbol(1, '=>')) {
    const name = reader.name()
    reader.take()
    return { kind: 'named-argument', name, value: parseExpressionAt(reader) }
  }
  if (reader.isWord(0, 'table') && (reader.isSymbol(1, '(') || reader.peek(1).kind === 'word'))
    throw reader.notSupported('a table as an argument', 'read it in FROM')
  return parseExpressionAt(reader)
}

type Call = Extract<UnresolvedExpression, { kind: 'call' }>

/** WITHIN GROUP, FILTER, IGNORE NULLS and OVER behind the brackets. */
function withClauses(reader: TokenReader, given: UnresolvedExpression): UnresolvedExpression {
  if (given.kind !== 'call') return given
  let e: Call = given
  if (reader.takeWords('within', 'group')) {
    reader.expectSymbol('(')
    reader.expectWord('order')
    reader.expectWord('by')
    e = { ...e, withinGroup: reader.list(() => parseSortItem(reader)) }
    reader.expectSymbol(')')
  }
  if (reader.isWord(0, 'filter') && reader.isSymbol(1, '(')) {
    reader.take()
    reader.take()
    reader.expectWord('where')
    e = { ...e, filter: parseExpressionAt(reader) }
    reader.expectSymbol(')')
  }
  if (reader.isWord(0, 'ignore', 'respect') && reader.isWord(1, 'nulls')) {
    const ignore = reader.take().text.toLowerCase() === 'ignore'
    reader.take()
    if (ignore && withoutArgument.has(e.name)) e = { ...e, ignoreNulls: true }
    else if (ignore) e = { ...e, args: [...e.args, literal(true, 'boolean')] }
  }
  return reader.isWord(0, 'over') && (reader.isSymbol(1, '(') || ['word', 'quoted'].includes(reader.peek(1).kind)) ? over(reader, e) : e
}
/** Functions that have no argument to say that nulls are passed over. */
const withoutArgument = new Set(['lag', 'lead', 'nth_value'])

function over(reader: TokenReader, call: Call): UnresolvedExpression {
  reader.take()
  if (!reader.isSymbol(0, '(')) return { kind: 'over', call, partitionBy: [], orderBy: [], window: reader.name('a window') }
  return { kind: 'over', call, ...parseWindowSpec(reader) }
}

/** `([name] [PARTITION BY …] [ORDER BY …] [ROWS | RANGE …])` */
export function parseWindowSpec(reader: TokenReader): WindowSpec {
  if (!reader.isSymbol(0, '(')) return { partitionBy: [], orderBy: [], window: reader.name('a window') }
  reader.expectSymbol('(')
  const named = !reader.isWord(0, 'partition', 'distribute', 'order', 'sort', 'rows', 'range') && !reader.isSymbol(0, ')')
  const window = named ? reader.name('a window') : undefined
  const partitioned = reader.takeWords('partition', 'by') || reader.takeWords('distribute', 'by')
  const partitionBy = partitioned ? reader.list(() => parseExpressionAt(reader)) : []
  const sorted = reader.takeWords('order', 'by') || reader.takeWords('sort', 'by')
  const orderBy = sorted ? reader.list(() => parseSortItem(reader)) : []
  const unit = reader.takeOneOf('rows', 'range') as 'rows' | 'range' | undefined
  const frame = unit && frameOf(reader, unit)
  reader.expectSymbol(')')
  return { partitionBy, orderBy, ...(frame && { frame }), ...(window !== undefined && { window }) }
}
function frameOf(reader: TokenReader, unit: 'rows' | 'range'): UnresolvedFrame {
  if (!reader.takeWords('between')) return { unit, start: frameBound(reader), end: { kind: 'current-row' } }
  const start = frameBound(reader)
  reader.expectWord('and')
  return { unit, start, end: frameBound(reader) }
}
function frameBound(reader: TokenReader): FrameBound<UnresolvedExpression> {
  if (reader.takeWords('unbounded', 'preceding')) return { kind: 'unbounded-preceding' }
  if (reader.takeWords('unbounded', 'following')) return { kind: 'unbounded-following' }
  if (reader.takeWords('current', 'row')) return { kind: 'current-row' }
  const offset = parseValue(reader)
  const side = reader.takeOneOf('preceding', 'following')
  if (side === undefined) throw reader.unexpected('PRECEDING or FOLLOWING')
  return { kind: side as 'preceding' | 'following', offset }
}

/** `x [ASC | DESC] [NULLS FIRST | NULLS LAST]`; nulls come first ascending, last descending, unless said otherwise. */
export function parseSortItem(reader: TokenReader): UnresolvedExpression {
  const input = parseExpressionAt(reader)
  const descending = reader.takeOneOf('asc', 'desc') === 'desc'
  const nulls = reader.takeWords('nulls') ? (reader.takeOneOf('first', 'last') ?? fail(reader, 'FIRST or LAST')) : undefined
  return { kind: 'sort', input, descending, nullsFirst: nulls === undefined ? !descending : nulls === 'first' }
}
function fail(reader: TokenReader, wanted: string): never {
  throw reader.unexpected(wanted)
}

/** Reads what stands in the brackets and the closing one, or reads nothing and gives undefined where it is a plain call. */
type Grammar = (reader: TokenReader) => UnresolvedExpression | undefined

const grammars: ReadonlyMap<string, Grammar> = new Map<string, Grammar>([
  ['cast', cast('ansi')],
  ['try_cast', cast('try')],
  ['struct', struct],
  ['first', ignoringNulls('first')],
  ['last', ignoringNulls('last')],
  ['any_value', ignoringNulls('any_value')],
  ['extract', extract],
  ['position', position],
  ['substring', substring],
  ['substr', substring],
  ['trim', trim],
  ['overlay', overlay],
  ...['timestampadd', 'dateadd', 'date_add'].map((name) => [name, withUnit('timestampadd')] as const),
  ...['timestampdiff', 'datediff', 'date_diff', 'timediff'].map((name) => [name, withUnit('timestampdiff')] as const),
])

function cast(mode: 'ansi' | 'try'): Grammar {
  return (reader) => {
    const input = parseExpressionAt(reader)
    reader.expectWord('as')
    const type = reader.type()
    reader.expectSymbol(')')
    return { kind: 'cast', input, type, mode }
  }
}

/** Names inside give the fields their names. */
function struct(reader: TokenReader): UnresolvedExpression {
  const args = reader.isSymbol(0, ')') ? [] : reader.list(() => parseNamedExpressionAt(reader))
  reader.expectSymbol(')')
  return call('struct', ...args)
}

function ignoringNulls(name: string): Grammar {
  return (reader) => {
    const mark = reader.mark()
    if (reader.isWord(0, 'distinct', 'all') || reader.isSymbol(0, ')')) return undefined
    const arg = parseExpressionAt(reader)
    if (!reader.takeWords('ignore', 'nulls')) {
      reader.reset(mark)
      return undefined
    }
    reader.expectSymbol(')')
    return call(name, arg, literal(true, 'boolean'))
  }
}

function extract(reader: TokenReader): UnresolvedExpression {
  const field = reader.peek().kind === 'string' ? reader.string() : reader.name('a field such as YEAR or HOUR')
  reader.expectWord('from')
  const source = parseValue(reader)
  reader.expectSymbol(')')
  return call('extract', literal(field, 'string'), source)
}

function position(reader: TokenReader): UnresolvedExpression | undefined {
  const mark = reader.mark()
  const part = parseValue(reader)
  if (!reader.takeWords('in')) {
    reader.reset(mark)
    return undefined
  }
  const whole = parseValue(reader)
  reader.expectSymbol(')')
  return call('locate', part, whole)
}

function substring(reader: TokenReader): UnresolvedExpression | undefined {
  const mark = reader.mark()
  const text = parseValue(reader)
  if (!reader.takeWords('from')) {
    reader.reset(mark)
    return undefined
  }
  const args = [text, parseValue(reader)]
  if (reader.takeWords('for')) args.push(parseValue(reader))
  reader.expectSymbol(')')
  return call('substring', ...args)
}

const trims = { both: 'btrim', leading: 'ltrim', trailing: 'rtrim' } as const

/** `TRIM([BOTH | LEADING | TRAILING] [characters] FROM text)`. */
function trim(reader: TokenReader): UnresolvedExpression | undefined {
  const mark = reader.mark()
  const side = !reader.isSymbol(1, ',', ')')
    ? (reader.takeOneOf('both', 'leading', 'trailing') as keyof typeof trims | undefined)
    : undefined
  const characters = reader.isWord(0, 'from') && !reader.isSymbol(1, ',', ')', '.') ? undefined : parseValue(reader)
  if (!reader.takeWords('from')) {
    if (side !== undefined) throw reader.unexpected('FROM')
    reader.reset(mark)
    return undefined
  }
  const text = parseValue(reader)
  reader.expectSymbol(')')
  return trimCall(trims[side ?? 'both'], text, characters)
}
function trimCall(name: string, text: UnresolvedExpression, characters: UnresolvedExpression | undefined): UnresolvedExpression {
  if (characters === undefined) return call(name === 'btrim' ? 'trim' : name, text)
  // as in Spark, btrim has the text first and the others the characters
  return name === 'btrim' ? call(name, text, characters) : call(name, characters, text)
}

function overlay(reader: TokenReader): UnresolvedExpression | undefined {
  const mark = reader.mark()
  const text = parseValue(reader)
  if (!reader.takeWords('placing')) {
    reader.reset(mark)
    return undefined
  }
  const args = [text, parseValue(reader)]
  reader.expectWord('from')
  args.push(parseValue(reader))
  if (reader.takeWords('for')) args.push(parseValue(reader))
  reader.expectSymbol(')')
  return call('overlay', ...args)
}

const units = new Set('year quarter month week day dayofyear hour minute second millisecond microsecond'.split(' '))

/** `dateadd(MONTH, 1, d)`: a unit in words comes first. */
function withUnit(name: string): Grammar {
  return (reader) => {
    if (reader.peek().kind !== 'word' || !units.has(reader.peek().text.toLowerCase()) || !reader.isSymbol(1, ',')) return undefined
    const mark = reader.mark()
    const unit = literal(reader.take().text.toUpperCase(), 'string')
    reader.take()
    const rest = reader.list(() => parseValue(reader))
    if (rest.length !== 2) {
      reader.reset(mark)
      return undefined
    }
    reader.expectSymbol(')')
    return call(name, unit, ...rest)
  }
}
