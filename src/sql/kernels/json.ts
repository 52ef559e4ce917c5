/** JSON as Spark's parser reads it: single quotes and NaN are allowed, numbers keep their digits until a type asks for a value. */
import type { DataType } from '../../data/types.ts'
import { type Kernel, KernelError, kernel } from './kernel.ts'

type Json =
  | { readonly kind: 'object'; readonly entries: readonly (readonly [string, Json])[] }
  | { readonly kind: 'array'; readonly items: readonly Json[] }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly raw: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }

class Malformed extends Error {}

const numberToken = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const wordToken = /[+-]?[A-Za-z]+/y
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '"': '"', '\\': '\\', '/': '/', "'": "'" }

class Reader {
  readonly #text: string
  #at = 0
  constructor(text: string) {
    this.#text = text
  }
  #skip(): void {
    while (/[ \t\n\r]/.test(this.#text[this.#at] ?? '')) this.#at++
  }
  atEnd(): boolean {
    this.#skip()
    return this.#at >= this.#text.length
  }
  value(depth = 0): Json {
    if (depth > 1000) throw new Malformed()
    this.#skip()
    const c = this.#text[this.#at]
    if (c === '{') return { kind: 'object', entries: this.#list('}', () => this.#entry(depth)) }
    if (c === '[') return { kind: 'array', items: this.#list(']', () => this.value(depth + 1)) }
    if (c === '"' || c === "'") return { kind: 'string', text: this.#string() }
    numberToken.lastIndex = this.#at
    const number = numberToken.exec(this.#text)?.[0]
    if (number !== undefined && !/[\w.]/.test(this.#text[this.#at + number.length] ?? '')) {
      this.#at += number.length
      return { kind: 'number', raw: number }
    }
    wordToken.lastIndex = this.#at
    const word = wordToken.exec(this.#text)?.[0]
    this.#at += word?.length ?? 0
    if (word === 'null') return { kind: 'null' }
    if (word === 'true' || word === 'false') return { kind: 'boolean', value: word === 'true' }
    if (word !== undefined && /^(?:NaN|[+-]?INF|[+-]?Infinity)$/.test(word)) return { kind: 'number', raw: word }
    throw new Malformed()
  }
  #list<T>(end: string, item: () => T): T[] {
    this.#at++
    const items: T[] = []
    this.#skip()
    if (this.#text[this.#at] === end) {
      this.#at++
      return items
    }
    for (;;) {
      items.push(item())
      this.#skip()
      const c = this.#text[this.#at++]
      if (c === end) return items
      if (c !== ',') throw new Malformed()
    }
  }
  #entry(depth: number): [string, Json] {
    this.#skip()
    const c = this.#text[this.#at]
    if (c !== '"' && c !== "'") throw new Malformed()
    const key = this.#string()
    this.#skip()
    if (this.#text[this.#at++] !== ':') throw new Malformed()
    return [key, this.value(depth + 1)]
  }
  #string(): string {
    const quote = this.#text[this.#at++]
    let out = ''
    for (;;) {
      const c = this.#text[this.#at++]
      if (c === undefined || c < ' ') throw new Malformed()
      if (c === quote) return out
      if (c !== '\\') {
        out += c
        continue
      }
      const escaped = this.#text[this.#at++] ?? ''
      if (escaped === 'u') {
        const hex = this.#text.slice(this.#at, this.#at + 4)
        if (!/^[0-9A-Fa-f]{4}$/.test(hex)) throw new Malformed()
        out += String.fromCharCode(Number.parseInt(hex, 16))
        this.#at += 4
      } else if (Object.hasOwn(escapes, escaped)) out += escapes[escaped]
      else throw new Malformed()
    }
  }
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
        return Object.fromEntries(to.fields.map((field) => [field.name, fieldOf(json.entries, field.name, field.type)]))
      default:
        throw new WrongValue()
    }
  }
  const fieldOf = (entries: readonly (readonly [string, Json])[], name: string, to: DataType): unknown => {
    const entry = entries.findLast(([key]) => key === name)
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
      if (bound !== undefined && number !== undefined && /^-?\d+$/.test(number) && BigInt(number) < bound && BigInt(number) >= -bound)
        return number
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
