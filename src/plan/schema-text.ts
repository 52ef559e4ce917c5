/** Schemas as text: Spark's DDL (`id bigint, at timestamp NOT NULL`) and Spark's JSON form, both ways. */
import { InvalidQueryError } from '../base/errors.ts'
import { nearest } from '../base/suggest.ts'
import { intervalType, intervalTypes } from '../data/intervals.ts'
import { Schema } from '../data/schema.ts'
import { typeToJson } from '../data/schema-json.ts'

import { type DataType, decimal, type Field, type SimpleType, struct, typeText } from '../data/types.ts'

export { typeToJson } from '../data/schema-json.ts'

/** Reads a list of columns. InvalidQueryError PARSE_SYNTAX_ERROR or UNSUPPORTED_DATATYPE. */
export function parseDdl(text: string): Schema {
  const reader = new DdlReader(text)
  const fields = reader.fields(undefined)
  reader.end()
  checkNames(fields, text)
  return new Schema(fields)
}

/** Reads one type: `bigint`, `array<string>`, `decimal(10,2)`. */
export function parseType(text: string): DataType {
  const reader = new DdlReader(text)
  const type = reader.type()
  reader.end()
  return type
}

/** Reads the type that starts at `from` in a longer text, and says where it ends. */
export function parseTypeAt(text: string, from: number): { readonly type: DataType; readonly end: number } {
  const reader = new DdlReader(text, from)
  return { type: reader.type(), end: reader.at }
}

/** The schema as DDL: `id BIGINT NOT NULL,name STRING`. */
export function schemaDdl(schema: Schema): string {
  return schema.fields.map((field) => `${quoteName(field.name)} ${ddlType(field.type)}${field.nullable ? '' : ' NOT NULL'}`).join(',')
}

/** A name as SQL needs it: in backticks unless it is a plain word. */
export function quoteName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : `\`${name.replaceAll('`', '``')}\``
}

function ddlType(type: DataType): string {
  if (typeof type === 'string' || type.kind === 'decimal') return typeText(type).toUpperCase()
  if (type.kind === 'array') return `ARRAY<${ddlType(type.element)}>`
  if (type.kind === 'map') return `MAP<${ddlType(type.key)}, ${ddlType(type.value)}>`
  return `STRUCT<${type.fields.map((f) => `${quoteName(f.name)}: ${ddlType(f.type)}${f.nullable ? '' : ' NOT NULL'}`).join(', ')}>`
}

function checkNames(fields: readonly Field[], text: string): void {
  const seen = new Set<string>()
  for (const { name } of fields) {
    if (seen.has(name.toLowerCase())) {
      throw new InvalidQueryError('COLUMN_ALREADY_EXISTS', {
        what: `the column "${name}" stands twice in the schema ${JSON.stringify(text)}`,
        todo: 'rename one of them',
      })
    }
    seen.add(name.toLowerCase())
  }
}

const typeNames: Readonly<Record<string, SimpleType>> = {
  boolean: 'boolean',
  tinyint: 'byte',
  byte: 'byte',
  smallint: 'short',
  short: 'short',
  int: 'int',
  integer: 'int',
  bigint: 'long',
  long: 'long',
  float: 'float',
  real: 'float',
  double: 'double',
  string: 'string',
  binary: 'binary',
  date: 'date',
  timestamp: 'timestamp',
  timestamp_ltz: 'timestamp',
  timestamp_ntz: 'timestamp_ntz',
  void: 'void',
}
const intervalNames: ReadonlySet<string> = new Set(intervalTypes)

class DdlReader {
  readonly #text: string
  readonly #from: number
  readonly #tokens: readonly { readonly text: string; readonly at: number }[]
  #next = 0
  constructor(text: string, from = 0) {
    this.#text = text
    this.#from = from
    const token = /\s*(`(?:[^`]|``)+`|'(?:[^'\\]|\\.)*'|[\p{L}\p{N}_]+|[^\s])/gu
    token.lastIndex = from
    this.#tokens = [...text.matchAll(token)].map((m) => ({
      text: m[1]!,
      at: m.index + m[0].length - m[1]!.length,
    }))
  }
  /** The end of the last token read, in the whole text. */
  get at(): number {
    const last = this.#tokens[this.#next - 1]
    return last === undefined ? this.#from : last.at + last.text.length
  }
  /** Columns up to `close` (or the end): name, an optional colon, type, NOT NULL, COMMENT. */
  fields(close: string | undefined): Field[] {
    const fields: Field[] = []
    if (close !== undefined && this.#take(close)) return fields
    do {
      const name = this.#name()
      this.#take(':')
      const type = this.type()
      fields.push({ name, type, nullable: !this.#notNull() })
      if (this.#takeWord('comment')) this.#next++
    } while (this.#take(','))
    if (close !== undefined) this.#expect(close)
    return fields
  }
  type(): DataType {
    const at = this.#next
    const word = this.#name().toLowerCase()
    if (word === 'array') return this.#inAngles(() => ({ kind: 'array', element: this.type(), containsNull: true }))
    if (word === 'map') return this.#inAngles(() => this.#mapType())
    if (word === 'struct') {
      this.#expect('<')
      return struct(this.fields('>'))
    }
    if (word === 'decimal' || word === 'dec' || word === 'numeric') return this.#decimalType()
    if (word === 'interval') return this.#intervalType()
    const simple = Object.hasOwn(typeNames, word) ? typeNames[word] : undefined
    if (simple) return simple
    throw this.#unknownType(word, at)
  }
  end(): void {
    if (this.#next < this.#tokens.length) throw this.#unexpected('the end')
  }

  #mapType(): DataType {
    const key = this.type()
    this.#expect(',')
    return { kind: 'map', key, value: this.type(), valueContainsNull: true }
  }
  #decimalType(): DataType {
    if (!this.#take('(')) return decimal(10, 0)
    const precision = this.#number()
    const scale = this.#take(',') ? this.#number() : 0
    this.#expect(')')
    return checkedDecimal(precision, scale)
  }
  #intervalType(): DataType {
    if (this.#next >= this.#tokens.length) throw this.#unexpected('a field such as DAY')
    const start = this.#name()
    const type = intervalType(start, this.#takeWord('to') ? this.#name() : start)
    if (type) return type
    this.#next--
    throw this.#unexpected('fields such as DAY TO SECOND or YEAR TO MONTH')
  }
  #inAngles(read: () => DataType): DataType {
    this.#expect('<')
    const type = read()
    this.#expect('>')
    return type
  }
  #notNull(): boolean {
    if (!this.#takeWord('not')) return false
    if (!this.#takeWord('null')) throw this.#unexpected('NULL')
    return true
  }
  #name(): string {
    const token = this.#tokens[this.#next]?.text
    if (token === undefined || !/^[`\p{L}\p{N}_]/u.test(token)) throw this.#unexpected('a name')
    this.#next++
    return token.startsWith('`') ? token.slice(1, -1).replaceAll('``', '`') : token
  }
  #number(): number {
    const token = this.#tokens[this.#next]?.text ?? ''
    if (!/^\d+$/.test(token)) throw this.#unexpected('a number')
    this.#next++
    return Number(token)
  }
  #take(token: string): boolean {
    if (this.#tokens[this.#next]?.text !== token) return false
    this.#next++
    return true
  }
  #takeWord(word: string): boolean {
    if (this.#tokens[this.#next]?.text.toLowerCase() !== word) return false
    this.#next++
    return true
  }
  #expect(token: string): void {
    if (!this.#take(token)) throw this.#unexpected(`"${token}"`)
  }
  #unexpected(wanted: string): InvalidQueryError {
    const token = this.#tokens[this.#next]
    return new InvalidQueryError('PARSE_SYNTAX_ERROR', {
      what: `the schema ${JSON.stringify(this.#text)} has ${token ? `"${token.text}" at position ${token.at}` : 'its end'} where ${wanted} was expected`,
      todo: "write columns as in 'id bigint, at timestamp NOT NULL, tags array<string>'; a name with other characters goes in backticks",
    })
  }
  #unknownType(word: string, at: number): InvalidQueryError {
    const text = word === 'char' || word === 'varchar'
    const near = text ? ['string'] : nearest(word, [...Object.keys(typeNames), 'decimal', 'array', 'map', 'struct'])
    return new InvalidQueryError('UNSUPPORTED_DATATYPE', {
      what: `unsupported data type "${word}" at position ${this.#tokens[at]!.at} of ${JSON.stringify(this.#text)}`,
      todo:
        near.length > 0
          ? `did you mean ${near.join(' or ')}?`
          : `use one of ${[...new Set(Object.values(typeNames))].join(', ')}, decimal(p,s), array<…>, map<…,…>, struct<…>, interval day to second`,
    })
  }
}

/** A decimal type, or InvalidQueryError where Spark has none such: precision 1..38, scale 0..precision. */
export function checkedDecimal(precision: number, scale: number): DataType {
  if (Number.isInteger(precision) && precision >= 1 && precision <= 38 && Number.isInteger(scale) && scale >= 0 && scale <= precision)
    return decimal(precision, scale)
  const tooWide = precision > 38
  throw new InvalidQueryError(tooWide ? 'DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION' : 'INVALID_DECIMAL_TYPE', {
    what: `decimal(${precision},${scale}) is no decimal type`,
    todo: 'give a precision from 1 to 38 and a scale from 0 to the precision',
  })
}

/** Spark's JSON of a schema, as an object: `{ type: 'struct', fields: […] }`. */
export function schemaToJson(schema: Schema): unknown {
  return typeToJson(struct(schema.fields))
}

/** Reads Spark's JSON of a schema (text or object). InvalidQueryError INVALID_JSON_SCHEMA. */
export function schemaFromJson(json: unknown): Schema {
  let value = json
  if (typeof json === 'string') {
    try {
      value = JSON.parse(json)
    } catch (cause) {
      throw new InvalidQueryError('INVALID_JSON_SCHEMA', {
        what: `the schema is not JSON: ${json.slice(0, 80)}`,
        todo: 'give the JSON that schema.json() of Spark writes',
        cause,
      })
    }
  }
  const type = typeFromJson(value)
  if (typeof type === 'string' || type.kind !== 'struct') throw invalidJson(value)
  return new Schema(type.fields)
}

export function typeFromJson(json: unknown): DataType {
  if (typeof json === 'string') return simpleFromJson(json)
  const { type, elementType, containsNull, keyType, valueType, valueContainsNull, fields } = (json ?? {}) as Record<string, unknown>
  if (type === 'array') return { kind: 'array', element: typeFromJson(elementType), containsNull: containsNull !== false }
  if (type === 'map')
    return { kind: 'map', key: typeFromJson(keyType), value: typeFromJson(valueType), valueContainsNull: valueContainsNull !== false }
  if (type === 'struct' && Array.isArray(fields)) return struct(fields.map(fieldFromJson))
  throw invalidJson(json)
}

function simpleFromJson(json: string): DataType {
  const numbers = /^decimal\((\d+),\s*(\d+)\)$/.exec(json)
  if (numbers) return checkedDecimal(Number(numbers[1]), Number(numbers[2]))
  if (json === 'decimal') return decimal(10, 0)
  if (intervalNames.has(json)) return json as DataType
  const simple = Object.hasOwn(typeNames, json) ? typeNames[json] : undefined
  if (simple) return simple
  throw invalidJson(json)
}

function fieldFromJson(json: unknown): Field {
  const { name, type, nullable, metadata } = (json ?? {}) as Record<string, unknown>
  if (typeof name !== 'string') throw invalidJson(json)
  const delay = (metadata as Record<string, unknown> | undefined)?.['spark.watermarkDelayMs']
  const isSession = (metadata as Record<string, unknown> | undefined)?.['spark.sessionWindow'] === true
  return {
    name,
    type: typeFromJson(type),
    nullable: nullable !== false,
    ...(typeof delay === 'number' && { watermarkDelayMs: delay }),
    ...(isSession && { isSession: true as const }),
  }
}

function invalidJson(json: unknown): InvalidQueryError {
  return new InvalidQueryError('INVALID_JSON_SCHEMA', {
    what: `no data type: ${JSON.stringify(json)?.slice(0, 200)}`,
    todo: 'give the JSON that schema.json() of Spark writes',
  })
}
