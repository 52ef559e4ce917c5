/**
 * JSON as Spark reads it: what stands in a line up to the end of its first value, in the spellings that the options allow. Gives a tree
 * that remembers each number as it was written, so that it can be written again without loss.
 */
import type { FormatOptions } from './options.ts'

export interface JsonLeniency {
  readonly comments: boolean
  readonly unquotedNames: boolean
  readonly singleQuotes: boolean
  readonly leadingZeros: boolean
  readonly nonNumericNumbers: boolean
  readonly anyEscape: boolean
  readonly controlCharacters: boolean
}

/** The options of Spark under their defaults. */
export function leniencyOf(options: FormatOptions): JsonLeniency {
  return {
    comments: options.flag('allowComments', false),
    unquotedNames: options.flag('allowUnquotedFieldNames', false),
    singleQuotes: options.flag('allowSingleQuotes', true),
    leadingZeros: options.flag('allowNumericLeadingZeros', false),
    nonNumericNumbers: options.flag('allowNonNumericNumbers', true),
    anyEscape: options.flag('allowBackslashEscapingAnyCharacter', false),
    controlCharacters: options.flag('allowUnquotedControlChars', false),
  }
}

export type JsonNode =
  | { readonly kind: 'object'; readonly entries: ReadonlyMap<string, JsonNode> }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  /** `text` is strict JSON. */
  | { readonly kind: 'string' | 'number' | 'boolean' | 'null'; readonly text: string }

/** The first value of a text, or undefined where it is malformed; with `whole`, every value up to the end of the text. */
export function parseLenientJson(text: string, leniency: JsonLeniency, whole = false): JsonNode[] | undefined {
  const parser = new LenientParser(text, leniency)
  try {
    const values: JsonNode[] = []
    do values.push(parser.value())
    while (whole && !parser.isAtEnd())
    return values
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

/** A tree as strict JSON. */
export function jsonText(node: JsonNode): string {
  if (node.kind === 'array') return `[${node.items.map(jsonText).join(',')}]`
  if (node.kind === 'object')
    return `{${Array.from(node.entries, ([name, value]) => `${JSON.stringify(name)}:${jsonText(value)}`).join(',')}}`
  return node.text
}

class Malformed extends Error {}

const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', '/': '/' }
const maxDepth = 1000

class LenientParser {
  readonly #text: string
  readonly #leniency: JsonLeniency
  #at = 0
  #depth = 0
  constructor(text: string, leniency: JsonLeniency) {
    this.#text = text
    this.#leniency = leniency
  }

  isAtEnd(): boolean {
    this.#skip()
    return this.#at >= this.#text.length
  }

  value(): JsonNode {
    this.#skip()
    const char = this.#text[this.#at]
    if (char === '{' || char === '[') return this.#nested(char)
    if (char === '"' || (char === "'" && this.#leniency.singleQuotes)) return { kind: 'string', text: JSON.stringify(this.#string(char)) }
    return this.#word()
  }

  #nested(open: '{' | '['): JsonNode {
    if (++this.#depth > maxDepth) throw new Malformed()
    this.#at++
    const node = open === '{' ? this.#object() : this.#array()
    this.#depth--
    return node
  }

  /** A name that is there twice has the last value, as Jackson gives it. */
  #object(): JsonNode {
    const entries = new Map<string, JsonNode>()
    while (!this.#takes('}')) {
      const name = this.#name()
      if (!this.#takes(':')) throw new Malformed()
      entries.delete(name)
      entries.set(name, this.value())
      if (this.#takes('}')) break
      if (!this.#takes(',')) throw new Malformed()
    }
    return { kind: 'object', entries }
  }

  #array(): JsonNode {
    const items: JsonNode[] = []
    while (!this.#takes(']')) {
      items.push(this.value())
      if (this.#takes(']')) break
      if (!this.#takes(',')) throw new Malformed()
    }
    return { kind: 'array', items }
  }

  #name(): string {
    this.#skip()
    const char = this.#text[this.#at]
    if (char === '"' || (char === "'" && this.#leniency.singleQuotes)) return this.#string(char)
    const name = /[\p{L}_$@#*+-][\p{L}\p{N}_$@#*+-]*/uy
    name.lastIndex = this.#at
    const match = this.#leniency.unquotedNames ? name.exec(this.#text)?.[0] : undefined
    if (match === undefined) throw new Malformed()
    this.#at += match.length
    return match
  }

  #string(quote: string): string {
    let result = ''
    for (let i = this.#at + 1; i < this.#text.length; i++) {
      const char = this.#text[i]!
      if (char === quote) {
        this.#at = i + 1
        return result
      }
      if (char < ' ' && !this.#leniency.controlCharacters) break
      if (char !== '\\') {
        result += char
        continue
      }
      const next = this.#text[++i]
      if (next === 'u') {
        const code = this.#text.slice(i + 1, i + 5)
        if (!/^[0-9a-fA-F]{4}$/.test(code)) break
        result += String.fromCharCode(Number.parseInt(code, 16))
        i += 4
      } else if (next !== undefined && (next in escapes || next === quote)) result += escapes[next] ?? next
      else if (next !== undefined && this.#leniency.anyEscape) result += next
      else break
    }
    throw new Malformed()
  }

  #word(): JsonNode {
    const { leadingZeros, nonNumericNumbers } = this.#leniency
    const word = /[^\s,:{}[\]"'/]+/y
    word.lastIndex = this.#at
    const text = word.exec(this.#text)?.[0] ?? ''
    this.#at += text.length
    if (text === 'true' || text === 'false') return { kind: 'boolean', text }
    if (text === 'null') return { kind: 'null', text }
    const number = leadingZeros ? text.replace(/^(-?)0+(?=\d)/, '$1') : text
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(number)) return { kind: 'number', text: number }
    // DuckDB reads these words, and Spark's shorter ones mean the same
    const named = /^([+-]?)(NaN|INF|Infinity)$/.exec(text)
    if (named && nonNumericNumbers) return { kind: 'number', text: named[2] === 'NaN' ? 'NaN' : `${named[1] === '-' ? '-' : ''}Infinity` }
    throw new Malformed()
  }

  #takes(char: string): boolean {
    this.#skip()
    if (this.#text[this.#at] !== char) return false
    this.#at++
    return true
  }

  #skip(): void {
    const blank = this.#leniency.comments ? /(?:[ \t\r\n\ufeff]|\/\*[\s\S]*?\*\/|\/\/[^\n]*)+/y : /[ \t\r\n\ufeff]+/y
    blank.lastIndex = this.#at
    this.#at += blank.exec(this.#text)?.[0].length ?? 0
  }
}
