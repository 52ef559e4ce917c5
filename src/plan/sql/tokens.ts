/** SQL text as tokens, after the lexer rules of Spark's SqlBaseLexer. */
import { parseError } from './parse-error.ts'

export type TokenKind =
  /** A word as written; keywords are words, since nearly all of them may also be names. */
  | 'word'
  /** A name in backticks; `text` is the name without them. */
  | 'quoted'
  | 'number'
  /** `text` is the value, escapes resolved. */
  | 'string'
  | 'symbol'
  /** What stands inside a hint comment. */
  | 'hint'
  | 'end'

export interface Token {
  readonly kind: TokenKind
  readonly text: string
  /** Positions in the whole text, in UTF-16 units. */
  readonly from: number
  readonly to: number
}

/** Longest first, so that `<=>` is not `<=` and `>`. */
const symbols = '>>> <=> :: || -> => << >> <> <= >= != == ( ) [ ] , . ; + - * / % & | ^ ~ < > = ! : ? $'.split(' ')

const space = /(?:\s|--(?:\\\n|[^\r\n])*)+/y
const word = /[\p{L}\p{N}_]+/uy
/** A number with its suffix; one that runs into a letter is a word (`1a`), as in Spark. */
const number = /(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?(?:BD|bd|Bd|bD|[LlSsYyFfDd])?(?![\p{L}\p{N}_])/uy
const quoted = /`((?:[^`]|``)*)`/y
const raw = /[rR](?:'([^']*)'|"([^"]*)")/y
const single = /'((?:[^'\\]|\\[^]|'')*)'/y
const double = /"((?:[^"\\]|\\[^]|"")*)"/y

/** The tokens of `text` from `start` on, closed by one of kind end. PARSE_SYNTAX_ERROR, UNCLOSED_BRACKETED_COMMENT. */
export function tokensOf(text: string, start = 0): Token[] {
  const tokens: Token[] = []
  let at = start
  for (;;) {
    at = skipSpace(text, at)
    if (at >= text.length) break
    const token = tokenAt(text, at)
    tokens.push(token)
    at = token.to
  }
  tokens.push({ kind: 'end', text: '', from: text.length, to: text.length })
  return tokens
}

function skipSpace(text: string, from: number): number {
  let at = from
  for (;;) {
    const blank = match(space, text, at)
    if (blank) at += blank[0].length
    else if (text.startsWith('/*', at) && !text.startsWith('/*+', at)) at = endOfComment(text, at)
    else return at
  }
}

/** Comments in brackets may be nested. */
function endOfComment(text: string, from: number): number {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('/*', at)) depth++
    else if (text.startsWith('*/', at)) depth--
    else continue
    at++
    if (depth === 0) return at + 1
  }
  throw parseError(text, from, from + 2, 'UNCLOSED_BRACKETED_COMMENT', 'found a comment that does not end', 'close it with */')
}

function tokenAt(text: string, at: number): Token {
  const token = (kind: TokenKind, value: string, length: number): Token => ({ kind, text: value, from: at, to: at + length })
  let found = match(number, text, at)
  if (found) return token('number', found[0], found[0].length)
  found = match(raw, text, at)
  if (found) return token('string', found[1] ?? found[2]!, found[0].length)
  found = match(word, text, at)
  if (found) return token('word', found[0], found[0].length)
  found = match(quoted, text, at)
  if (found) return token('quoted', found[1]!.replaceAll('``', '`'), found[0].length)
  found = match(single, text, at)
  if (found) return token('string', unescaped(found[1]!.replaceAll(/\\[^]|''/g, (part) => (part === "''" ? "'" : part))), found[0].length)
  found = match(double, text, at)
  if (found) return token('string', unescaped(found[1]!.replaceAll(/\\[^]|""/g, (part) => (part === '""' ? '"' : part))), found[0].length)
  if (text.startsWith('/*+', at)) return hintAt(text, at)
  const symbol = symbols.find((one) => text.startsWith(one, at))
  if (symbol) return token('symbol', symbol, symbol.length)
  throw strayCharacter(text, at)
}

function hintAt(text: string, at: number): Token {
  const end = text.indexOf('*/', at)
  if (end < 0) throw parseError(text, at, at + 3, 'UNCLOSED_BRACKETED_COMMENT', 'found a hint that does not end', 'close it with */')
  return { kind: 'hint', text: text.slice(at + 3, end).trim(), from: at, to: end + 2 }
}

function strayCharacter(text: string, at: number): Error {
  const character = String.fromCodePoint(text.codePointAt(at)!)
  const unclosed = ({ "'": 'text', '"': 'text', '`': 'a name' } as Record<string, string>)[character]
  return unclosed
    ? parseError(text, at, text.length, 'PARSE_SYNTAX_ERROR', `found ${unclosed} that does not end`, `close it with ${character}`)
    : parseError(text, at, at + character.length, 'PARSE_SYNTAX_ERROR', `found the character ${JSON.stringify(character)}`, 'leave it out')
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

const escapes: Readonly<Record<string, string>> = { 0: '\0', b: '\b', n: '\n', r: '\r', t: '\t', Z: '\u001a', '%': '\\%', _: '\\_' }

/** Spark's escapes: \n and its like, \uXXXX, \UXXXXXXXX, \ooo; before `%` and `_` the backslash stays (for LIKE), before others it goes. */
function unescaped(body: string): string {
  return body.replaceAll(/\\(?:u([\da-fA-F]{4})|U([\da-fA-F]{8})|([01][0-7]{2})|([^]))/g, (whole, short, long, octal, plain) => {
    if (short !== undefined) return String.fromCharCode(Number.parseInt(short, 16))
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8))
    if (plain !== undefined) return escapes[plain] ?? plain
    const code = Number.parseInt(long, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}
