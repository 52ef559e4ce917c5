/** JSON as Spark's parser reads it: single quotes and NaN are allowed, numbers keep their digits until a type asks for a value. */
import type { DataType, Field } from '../../data/types.ts'
import { type Kernel, KernelError, kernel } from './kernel.ts'

type Json =
  | { readonly kind: 'object'; readonly entries: readonly (readonly [string, Json])[] }
  | { readonly kind: 'array'; readonly items: readonly Json[] }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly raw: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }

class Malformed extends Error {}

const wordToken = /[+-]?[A-Za-z]+/y
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '"': '"', '\\': '\\', '/': '/', "'": "'" }

const nullJson: Json = { kind: 'null' }
const trueJson: Json = { kind: 'boolean', value: true }
const falseJson: Json = { kind: 'boolean', value: false }

/** Reads by character codes, since every row goes through here: `npm run bench -- kernels` says what it costs. */
class Reader {
  readonly #text: string
  #at = 0
  constructor(text: string) {
    this.#text = text
  }
  /** The code of the next character that is no space, which is not taken; NaN at the end. */
  #next(): number {
    const text = this.#text
    let at = this.#at
    let c = text.charCodeAt(at)
    while (c === 32 || c === 10 || c === 13 || c === 9) c = text.charCodeAt(++at)
    this.#at = at
    return c
  }
  value(depth = 0): Json {
    if (depth > 1000) throw new Malformed()
    const c = this.#next()
    if (c === 34 || c === 39) return { kind: 'string', text: this.#string(c) } // " '
    if (c === 123) return this.#object(depth)
    if (c === 91) return this.#array(depth)
    const number = c === 45 || (c >= 48 && c <= 57) ? this.#number() : undefined
    return number === undefined ? this.#word() : { kind: 'number', raw: number }
  }
  #object(depth: number): Json {
    const entries: [string, Json][] = []
    this.#at++
    if (this.#next() === 125) {
      this.#at++
      return { kind: 'object', entries }
    }
    for (;;) {
      const quote = this.#next()
      if (quote !== 34 && quote !== 39) throw new Malformed()
      const key = this.#string(quote)
      if (this.#next() !== 58) throw new Malformed()
      this.#at++
      entries.push([key, this.value(depth + 1)])
      if (this.#isLast(125)) return { kind: 'object', entries }
    }
  }
  #array(depth: number): Json {
    const items: Json[] = []
    this.#at++
    if (this.#next() === 93) {
      this.#at++
      return { kind: 'array', items }
    }
    for (;;) {
      items.push(this.value(depth + 1))
      if (this.#isLast(93)) return { kind: 'array', items }
    }
  }
  /** Takes the closing bracket, or a comma. */
  #isLast(end: number): boolean {
    const c = this.#next()
    this.#at++
    if (c === end) return true
    if (c !== 44) throw new Malformed()
    return false
  }
  /** Digits, with a fraction and an exponent; undefined, and nothing taken, where a letter or a point follows, or it begins with a needless zero. */
  #number(): string | undefined {
    const text = this.#text
    const from = this.#at
    let at = text.charCodeAt(from) === 45 ? from + 1 : from
    const first = at
    at = digitsEnd(text, at)
    if (at === first || (text.charCodeAt(first) === 48 && at > first + 1)) return undefined
    if (text.charCodeAt(at) === 46) {
      const end = digitsEnd(text, at + 1)
      if (end === at + 1) return undefined
      at = end
    }
    if ((text.charCodeAt(at) | 32) === 101) {
      const sign = text.charCodeAt(at + 1)
      const exponent = sign === 43 || sign === 45 ? at + 2 : at + 1
      const end = digitsEnd(text, exponent)
      if (end === exponent) return undefined
      at = end
    }
    const c = text.charCodeAt(at)
    if (c === 46 || c === 95 || (c >= 48 && c <= 57) || ((c | 32) >= 97 && (c | 32) <= 122)) return undefined
    this.#at = at
    return text.slice(from, at)
  }
  #word(): Json {
    wordToken.lastIndex = this.#at
    const word = wordToken.exec(this.#text)?.[0]
    this.#at += word?.length ?? 0
    if (word === 'null') return nullJson
    if (word === 'true') return trueJson
    if (word === 'false') return falseJson
    if (word !== undefined && /^(?:NaN|[+-]?INF|[+-]?Infinity)$/.test(word)) return { kind: 'number', raw: word }
    throw new Malformed()
  }
  #string(quote: number): string {
    const text = this.#text
    const from = this.#at + 1
    for (let at = from; ; at++) {
      const c = text.charCodeAt(at)
      if (c === quote) {
        this.#at = at + 1
        return text.slice(from, at)
      }
      if (c === 92) return this.#escaped(quote, from, at)
      if (!(c >= 32)) throw new Malformed()
    }
  }
  /** The rest of a string from its first backslash on. */
  #escaped(quote: number, from: number, backslash: number): string {
    const text = this.#text
    let out = text.slice(from, backslash)
    for (let at = backslash; ; ) {
      const c = text.charCodeAt(at)
      if (c === quote) {
        this.#at = at + 1
        return out
      }
      if (!(c >= 32)) throw new Malformed()
      if (c !== 92) {
        out += text[at++]
        continue
      }
      const escaped = text[at + 1] ?? ''
      if (escaped === 'u') {
        const hex = text.slice(at + 2, at + 6)
        if (!/^[0-9A-Fa-f]{4}$/.test(hex)) throw new Malformed()
        out += String.fromCharCode(Number.parseInt(hex, 16))
        at += 6
      } else if (Object.hasOwn(escapes, escaped)) {
        out += escapes[escaped]
        at += 2
      } else throw new Malformed()
    }
  }
}
function digitsEnd(text: string, from: number): number {
  let at = from
  for (let c = text.charCodeAt(at); c >= 48 && c <= 57; ) c = text.charCodeAt(++at)
  return at
}

/** Undefined for what is no JSON; what follows the first value is passed over. */
function parse(text: string): Json | undefined {
  try {
    return new Reader(text).value()
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

/** Java's text of a double. */
function javaDouble(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
  const size = Math.abs(value)
  if (size === 0 || (size >= 1e-3 && size < 1e7))
    return Number.isInteger(value) ? `${Object.is(value, -0) ? '-0' : value}.0` : String(value)
  const [mantissa, exponent] = value.toExponential().split('e')
  return `${mantissa!.includes('.') ? mantissa : `${mantissa}.0`}E${Number(exponent)}`
}
function numberText(raw: string): string {
  if (/^-?\d+$/.test(raw)) return raw
  return /^[+-]?(?:INF|Infinity|NaN)$/.test(raw) ? `"${javaDouble(floatOf(raw))}"` : javaDouble(Number(raw))
}
function floatOf(raw: string): number {
  return /INF|Inf/.test(raw) ? (raw.startsWith('-') ? -Infinity : Infinity) : Number(raw)
}
function textOf(json: Json): string {
  switch (json.kind) {
    case 'object':
      return `{${json.entries.map(([key, value]) => `${JSON.stringify(key)}:${textOf(value)}`).join(',')}}`
    case 'array':
      return `[${json.items.map(textOf).join(',')}]`
    case 'string':
      return JSON.stringify(json.text)
    case 'number':
      return numberText(json.raw)
    case 'boolean':
      return String(json.value)
    case 'null':
      return 'null'
  }
}

// ---- get_json_object

type Step = { readonly key: string } | { readonly index: number } | 'all'
/** `$.a['b c'][0][*]`; undefined for what is no path. */
function pathOf(path: string): readonly Step[] | undefined {
  if (!path.startsWith('$')) return undefined
  const steps: Step[] = []
  const step = /\.([^.[]+)|\['([^'?]+)'\]|\[(\d+)\]|\[\*\]/y
  step.lastIndex = 1
  while (step.lastIndex < path.length) {
    const match = step.exec(path)
    if (!match) return undefined
    if (match[1] === '*') return undefined
    const key = match[1] ?? match[2]
    steps.push(key !== undefined ? { key } : match[3] !== undefined ? { index: Number(match[3]) } : 'all')
  }
  return steps
}
function follow(json: Json, steps: readonly Step[]): Json | undefined {
  const [step, ...rest] = steps
  if (step === undefined) return json
  if (step === 'all') {
    if (json.kind !== 'array') return undefined
    const found = json.items.map((item) => follow(item, rest)).filter((item) => item !== undefined)
    const flat = rest.includes('all') ? found.flatMap((item) => (item.kind === 'array' ? item.items : [item])) : found
    return flat.length === 0 ? undefined : flat.length === 1 ? { kind: 'array', items: flat } : { kind: 'array', items: flat }
  }
  if ('index' in step) {
    const item = json.kind === 'array' ? json.items[step.index] : undefined
    return item && follow(item, rest)
  }
  if (json.kind === 'array') return undefined
  const entry = json.kind === 'object' ? json.entries.find(([key]) => key === step.key) : undefined
  return entry && follow(entry[1], rest)
}
function getJsonObject(text: string, path: string): string | null {
  const steps = pathOf(path)
  const json = steps && parse(text)
  const found = json && follow(json, steps)
  if (!found || found.kind === 'null') return null
  // one value found by [*] stands without brackets
  if (steps.includes('all') && found.kind === 'array' && found.items.length === 1) return textOf(found.items[0]!)
  return found.kind === 'string' ? found.text : textOf(found)
}

// ---- from_json: every value becomes a text of its type, in a JSON text of the shape that the type has

/** A value that its type cannot hold; the field that it stands in is null. */
class WrongValue extends Error {}
interface Shape {
  readonly type: DataType
  readonly corrupt: string | undefined
  readonly failFast: boolean
}
const shapes = new Map<string, Shape>()
function shapeOf(text: string): Shape {
  const shape = shapes.get(text) ?? (JSON.parse(text) as Shape)
  if (shapes.size > 100) shapes.clear()
  shapes.set(text, shape)
  return shape
}
const bounds: Readonly<Record<string, bigint>> = { byte: 1n << 7n, short: 1n << 15n, int: 1n << 31n, long: 1n << 63n }

const safeDigits: Readonly<Record<string, number>> = { byte: 2, short: 4, int: 9, long: 18 }

function fromJson(text: string, spec: string): string | null {
  const { type, corrupt, failFast } = shapeOf(spec)
  if (text.trim() === '') return null
  let bad = false
  const wrong = (): null => {
    bad = true
    return null
  }
  const convert = (json: Json, to: DataType): unknown => {
    if (json.kind === 'null') return null
    if (typeof to === 'string') return leaf(json, to)
    switch (to.kind) {
      case 'decimal':
        if (json.kind !== 'number' && json.kind !== 'string') throw new WrongValue()
        return json.kind === 'number' ? json.raw : json.text
      case 'array':
        if (json.kind !== 'array') throw new WrongValue()
        return json.items.map((item) => convert(item, to.element))
      case 'map':
        if (json.kind !== 'object') throw new WrongValue()
        return json.entries.map(([key, value]) => ({ k: key, v: convert(value, to.value) }))
      case 'struct':
        if (json.kind !== 'object') throw new WrongValue()
        return structOf(json.entries, to.fields)
      default:
        throw new WrongValue()
    }
  }
  const structOf = (entries: readonly (readonly [string, Json])[], fields: readonly Field[]): unknown => {
    const struct: Record<string, unknown> = Object.create(null)
    for (const { name, type } of fields) struct[name] = fieldOf(entries, name, type)
    return struct
  }
  const fieldOf = (entries: readonly (readonly [string, Json])[], name: string, to: DataType): unknown => {
    let at = entries.length - 1
    while (at >= 0 && entries[at]![0] !== name) at--
    const entry = entries[at]
    if (!entry) return null
    try {
      return convert(entry[1], to)
    } catch (error) {
      if (error instanceof WrongValue) return wrong()
      throw error
    }
  }
  const value = ofWhole(parse(text), type, convert, wrong)
  if (bad && failFast)
    throw new KernelError(
      'MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION',
      `Malformed records are detected in record parsing: ${text}. Parse Mode: FAILFAST.`,
    )
  if (bad && corrupt !== undefined && value !== null) (value as Record<string, unknown>)[corrupt] = text
  return value === null ? null : JSON.stringify(value)
}
/** Anything that is not of the shape gives a struct of nulls, or null. */
function ofWhole(json: Json | undefined, type: DataType, convert: (json: Json, to: DataType) => unknown, wrong: () => null): unknown {
  const isStruct = typeof type !== 'string' && type.kind === 'struct'
  const whole = json && isStruct && json.kind === 'array' ? json.items[0] : json
  const wrapped =
    whole?.kind === 'object' &&
    typeof type !== 'string' &&
    type.kind === 'array' &&
    typeof type.element !== 'string' &&
    type.element.kind === 'struct'
      ? ({ kind: 'array', items: [whole] } as const)
      : whole
  try {
    if (wrapped) return convert(wrapped, type)
  } catch (error) {
    if (!(error instanceof WrongValue)) throw error
  }
  wrong()
  return typeof type !== 'string' && type.kind === 'struct' ? Object.fromEntries(type.fields.map((field) => [field.name, null])) : null
}
function leaf(json: Json, to: string): string {
  const number = json.kind === 'number' ? json.raw : undefined
  const text = json.kind === 'string' ? json.text : undefined
  switch (to) {
    case 'string':
      return text ?? textOf(json)
    case 'boolean':
      if (json.kind === 'boolean') return String(json.value)
      break
    case 'float':
    case 'double':
      if (number !== undefined) return String(floatOf(number))
      if (text !== undefined && /^(?:NaN|[+-]?INF|[+-]?Infinity)$/.test(text)) return String(floatOf(text))
      break
    case 'date':
    case 'timestamp_ntz':
      if (text !== undefined) return text
      break
    case 'timestamp':
      if (text !== undefined) return text
      if (number !== undefined && /^-?\d{1,11}$/.test(number)) return new Date(Number(number) * 1000).toISOString()
      break
    case 'binary':
      if (text !== undefined) return Buffer.from(text, 'base64').toString('hex')
      break
    default: {
      const bound = bounds[to]
      if (bound === undefined || number === undefined || !/^-?\d+$/.test(number)) break
      // as many digits as fit for certain need no arithmetic
      if (number.length <= (safeDigits[to] ?? 0) || (BigInt(number) < bound && BigInt(number) >= -bound)) return number
    }
  }
  throw new WrongValue()
}

// ---- schema_of_json

type Inferred = string | { readonly of: Inferred } | { readonly fields: ReadonlyMap<string, Inferred> }
function infer(json: Json): Inferred {
  switch (json.kind) {
    case 'null':
      return 'NULL'
    case 'boolean':
      return 'BOOLEAN'
    case 'string':
      return 'STRING'
    case 'number':
      if (!/^-?\d+$/.test(json.raw)) return 'DOUBLE'
      return BigInt.asIntN(64, BigInt(json.raw)) === BigInt(json.raw) ? 'BIGINT' : `DECIMAL(${json.raw.replace('-', '').length},0)`
    case 'array':
      return { of: json.items.map(infer).reduce<Inferred>(meet, 'NULL') }
    case 'object':
      return { fields: new Map(json.entries.map(([key, value]) => [key, infer(value)])) }
  }
}
function meet(a: Inferred, b: Inferred): Inferred {
  if (a === 'NULL') return b
  if (b === 'NULL' || a === b) return a
  if (typeof a === 'object' && typeof b === 'object') {
    if ('of' in a && 'of' in b) return { of: meet(a.of, b.of) }
    if ('fields' in a && 'fields' in b) {
      const names = new Set([...a.fields.keys(), ...b.fields.keys()])
      return { fields: new Map([...names].map((name) => [name, meet(a.fields.get(name) ?? 'NULL', b.fields.get(name) ?? 'NULL')])) }
    }
  }
  const numeric = (type: Inferred) => type === 'BIGINT' || type === 'DOUBLE' || (typeof type === 'string' && type.startsWith('DECIMAL'))
  if (numeric(a) && numeric(b)) return a === 'DOUBLE' || b === 'DOUBLE' ? 'DOUBLE' : a === 'BIGINT' ? b : a
  return 'STRING'
}
function ddl(type: Inferred): string {
  if (typeof type === 'string') return type === 'NULL' ? 'STRING' : type
  if ('of' in type) return `ARRAY<${ddl(type.of)}>`
  const quoted = (name: string) => (/^\w+$/.test(name) ? name : `\`${name.replaceAll('`', '``')}\``)
  const fields = [...type.fields].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `STRUCT<${fields.map(([name, field]) => `${quoted(name)}: ${ddl(field)}`).join(', ')}>`
}

export const json: readonly Kernel[] = [
  kernel('get_json_object', ['string', 'string'], 'string', getJsonObject),
  kernel('json_array_length', ['string'], 'int', (text: string) => {
    const value = parse(text)
    return value?.kind === 'array' ? value.items.length : null
  }),
  kernel('json_object_keys', ['string'], { kind: 'array', element: 'string', containsNull: false }, (text: string) => {
    const value = parse(text)
    return value?.kind === 'object' ? value.entries.map(([key]) => key) : null
  }),
  kernel('json_quote', ['string'], 'string', (text: string) => JSON.stringify(text)),
  kernel('from_json', ['string', 'string'], 'string', fromJson),
  kernel('schema_of_json', ['string'], 'string', (text: string) => {
    const value = parse(text)
    if (!value) throw new KernelError('MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION', `${text} is no JSON`)
    return ddl(infer(value))
  }),
]
