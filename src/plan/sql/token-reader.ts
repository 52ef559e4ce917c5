import { InvalidQueryError } from '../../base/errors.ts'
import type { DataType } from '../../data/types.ts'
import type { UnresolvedExpression } from '../expression.ts'
import { parseTypeAt } from '../schema-text.ts'
import { parseError, placeText } from './parse-error.ts'
import { type Token, tokensOf } from './tokens.ts'

/** Parsing goes down one call for each bracket; text deeper than this is refused before the stack ends. */
const maxDepth = 250

/** Values for `:name` and for `?`. */
export interface SqlParameters {
  readonly named: ReadonlyMap<string, UnresolvedExpression>
  readonly positional: readonly UnresolvedExpression[]
}
const noParameters: SqlParameters = { named: new Map(), positional: [] }

/** The tokens of one text, read from left to right. Words are compared without case. */
export class TokenReader {
  readonly text: string
  #tokens: readonly Token[]
  #next = 0
  #depth = 0
  #position = 0
  readonly #parameters: SqlParameters
  constructor(text: string, parameters: SqlParameters = noParameters) {
    this.text = text
    this.#parameters = parameters
    this.#tokens = tokensOf(text)
  }
  /** The token `ahead` tokens from here; at the end always the closing one. */
  peek(ahead = 0): Token {
    return this.#tokens[this.#next + ahead] ?? this.#tokens.at(-1)!
  }
  take(): Token {
    const token = this.peek()
    if (token.kind !== 'end') this.#next++
    return token
  }
  /** A place to come back to with `reset`. */
  mark(): number {
    return this.#next
  }
  reset(mark: number): void {
    this.#next = mark
  }
  /** Where the last token ended. */
  lastEnd(): number {
    return this.#next === 0 ? 0 : this.#tokens[this.#next - 1]!.to
  }

  isWord(ahead: number, ...words: readonly string[]): boolean {
    const token = this.peek(ahead)
    return token.kind === 'word' && words.includes(token.text.toLowerCase())
  }
  isSymbol(ahead: number, ...symbols: readonly string[]): boolean {
    const token = this.peek(ahead)
    return token.kind === 'symbol' && symbols.includes(token.text)
  }
  /** Takes the words if all of them stand here. */
  takeWords(...words: readonly string[]): boolean {
    if (!words.every((word, i) => this.isWord(i, word))) return false
    this.#next += words.length
    return true
  }
  /** Takes the word that stands here if it is one of these, in lower case. */
  takeOneOf(...words: readonly string[]): string | undefined {
    return this.isWord(0, ...words) ? this.take().text.toLowerCase() : undefined
  }
  takeSymbol(symbol: string): boolean {
    if (!this.isSymbol(0, symbol)) return false
    this.#next++
    return true
  }
  expectWord(word: string): void {
    if (!this.takeWords(word)) throw this.unexpected(word.toUpperCase())
  }
  expectSymbol(symbol: string): void {
    if (!this.takeSymbol(symbol)) throw this.unexpected(`"${symbol}"`)
  }
  /** A name: any word, or one in backticks. */
  name(wanted = 'a name'): string {
    const token = this.peek()
    if (token.kind === 'quoted' && token.text === '') throw this.unexpected(wanted)
    if (token.kind !== 'word' && token.kind !== 'quoted') throw this.unexpected(wanted)
    return this.take().text
  }
  string(wanted = 'text in quotes'): string {
    if (this.peek().kind !== 'string') throw this.unexpected(wanted)
    return this.take().text
  }
  /** Items with commas between them. */
  list<T>(item: () => T): T[] {
    const items = [item()]
    while (this.takeSymbol(',')) items.push(item())
    return items
  }
  expectEnd(): void {
    if (this.peek().kind !== 'end') throw this.unexpected('the end of the text', 'leave it out, or put an operator or a comma before it')
  }

  /** The value of the parameter that stands here. UNBOUND_SQL_PARAMETER where none was given. */
  parameter(): UnresolvedExpression {
    const mark = this.take()
    const name = mark.text === ':' ? this.name('a name for the parameter') : undefined
    const { named, positional } = this.#parameters
    const value = name === undefined ? positional[this.#position++] : named.get(name)
    if (value !== undefined) return value
    const shown = name === undefined ? `number ${this.#position} (?)` : `:${name}`
    throw errorAt(
      this,
      'UNBOUND_SQL_PARAMETER',
      `found the parameter ${shown}, for which no value was given`,
      'give it: engine.sql(text, { name: value }), or a list for ?',
      mark,
    )
  }

  /** A data type, which has a grammar (and a token `>>`) of its own. */
  type(): DataType {
    const from = this.peek()
    if (from.kind !== 'word') throw this.unexpected('a data type')
    const { type, end } = this.#typeAt(from)
    const next = this.#tokens.findIndex((token, i) => i >= this.#next && token.from >= end)
    const straddled = this.#tokens[next - 1]!.to > end
    if (straddled) this.#tokens = [...this.#tokens.slice(0, next - 1), ...tokensOf(this.text, end)]
    this.#next = straddled ? next - 1 : next
    return type
  }
  #typeAt(token: Token): { type: DataType; end: number } {
    try {
      return parseTypeAt(this.text, token.from)
    } catch (error) {
      if (!(error instanceof InvalidQueryError)) throw error
      throw parseError(this.text, token.from, token.to, error.code, error.what, error.todo)
    }
  }

  /** Runs `inner` one level of nesting down. */
  nested<T>(inner: () => T): T {
    if (this.#depth >= maxDepth)
      throw errorAt(this, 'FAILED_TO_PARSE_TOO_COMPLEX', `found over ${maxDepth} levels of nesting`, 'split it up')
    this.#depth++
    const result = inner()
    this.#depth--
    return result
  }

  /** PARSE_SYNTAX_ERROR at the next token, which is not what was wanted. */
  unexpected(wanted: string, todo?: string): InvalidQueryError {
    const token = this.peek()
    if (token.kind === 'end' && this.#tokens.length === 1)
      return new InvalidQueryError('PARSE_EMPTY_STATEMENT', { what: 'the SQL text is empty', todo: `write ${wanted}` })
    const found = token.kind === 'end' ? 'end of input' : `'${this.text.slice(token.from, token.to).slice(0, 40)}'`
    const here = token.kind === 'end' ? this.lastEnd() : token.from
    return parseError(
      this.text,
      here,
      Math.max(token.to, here + 1),
      'PARSE_SYNTAX_ERROR',
      `syntax error at or near ${found}: expected ${wanted}`,
      todo ?? `write ${wanted} ${token.kind === 'end' ? 'at the end' : 'there'}`,
    )
  }
  /** What Spark can do and this version can't, where it stands. */
  notSupported(feature: string, todo: string, from?: Token): InvalidQueryError {
    return errorAt(this, 'NOT_SUPPORTED_YET', `${feature}: not in this version of Millrace yet,`, todo, from)
  }
}

/** An error about the text from token `from` (by default the next one) to the last one read. */
export function errorAt(reader: TokenReader, code: string, what: string, todo: string, from: Token = reader.peek()): InvalidQueryError {
  const place = placeText(reader.text, from.from, Math.max(from.to, reader.lastEnd()))
  return new InvalidQueryError(code, { what: `${what} ${place}`, todo })
}
