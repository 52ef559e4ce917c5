/** Lines of JSON -> lines that DuckDB reads without an error, and which of them were malformed. */
import type { Schema } from '../data/schema.ts'
import type { DataType } from '../data/types.ts'
import { type JsonLeniency, type JsonNode, jsonText, parseLenientJson } from './lenient-json.ts'
import type { MendedRecord } from './mend-files.ts'

/** What a field's value has to be like. `any`: text, or a type whose text our own SQL parses and judges. */
type Shape =
  | { readonly kind: 'any' }
  | { readonly kind: 'decimal' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'float' }
  | { readonly kind: 'whole'; readonly bits: bigint }
  | { readonly kind: 'array'; readonly inner: Shape }
  | { readonly kind: 'map'; readonly inner: Shape }
  | { readonly kind: 'struct'; readonly fields: ReadonlyMap<string, Shape> }

const bits: Readonly<Record<string, bigint>> = { byte: 7n, short: 15n, int: 31n, long: 63n }

function shapeOf(type: DataType): Shape {
  if (typeof type === 'string') {
    if (type in bits) return { kind: 'whole', bits: bits[type]! }
    if (type === 'boolean') return { kind: 'boolean' }
    return type === 'float' || type === 'double' ? { kind: 'float' } : { kind: 'any' }
  }
  switch (type.kind) {
    case 'array':
      return { kind: 'array', inner: shapeOf(type.element) }
    case 'map':
      return { kind: 'map', inner: shapeOf(type.value) }
    case 'struct':
      // DuckDB compares names of fields without case
      return { kind: 'struct', fields: new Map(type.fields.map((field) => [field.name.toLowerCase(), shapeOf(field.type)])) }
    default:
      return { kind: type.kind === 'decimal' ? 'decimal' : 'any' }
  }
}
/** What a record has to hold for numbers in it to need quotes, in which DuckDB reads all digits of a decimal; null where there is none. */
function inexactNumbers(shape: Shape, isInCollection = false): RegExp | null {
  switch (shape.kind) {
    case 'decimal':
      return isInCollection ? /\d\.\d|\de|\d{16}/i : /\d[\d.]{15}/
    case 'struct': {
      const found = Array.from(shape.fields.values(), (inner) => inexactNumbers(inner, isInCollection)).filter((each) => each !== null)
      return found.length === 0 ? null : new RegExp(found.map(({ source }) => source).join('|'), 'i')
    }
    case 'array':
    case 'map':
      return inexactNumbers(shape.inner, true)
    default:
      return null
  }
}

/** Makes the function that mends one line (or with `whole` one file): the records that it holds. */
export function jsonMender(schema: Schema, leniency: JsonLeniency, whole: boolean): (text: string) => MendedRecord[] {
  const shape = shapeOf({ kind: 'struct', fields: schema.fields })
  const fields = (shape as { fields: ReadonlyMap<string, Shape> }).fields
  const inexact = inexactNumbers(shape)
  const malformed: MendedRecord[] = [{ json: '{}', malformed: true }]
  return (text) => {
    if (/^[\s\ufeff]*$/.test(text)) return []
    // bytes that are no UTF-8 came out as replacement characters; Jackson refuses them
    if (text.includes('\ufffd')) return malformed
    if (!inexact?.test(text) && isCleanRecord(text, shape)) return [{ json: text, malformed: false }]
    const values = parseLenientJson(text, leniency, whole)
    const records = values?.flatMap((value) => (value.kind === 'array' ? value.items : [value]))
    if (records === undefined) return malformed
    if (records.length === 1 && records[0]!.kind === 'null') return [{ json: '{}', malformed: false }]
    const mended = records.map((record) => (record.kind === 'object' ? mendedObject(record, fields) : undefined))
    // one element of an array that is no record spoils all of them: their text is one
    if (mended.length !== 1 && mended.some((record) => record === undefined || record.malformed)) return malformed
    return mended.map((record) => record ?? malformed[0]!)
  }
}

/** Whether a line is strict JSON that fits as it stands, with no name twice: by far the most lines. */
function isCleanRecord(text: string, shape: Shape): boolean {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return false
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !fitsValue(value, shape)) return false
  return (text.match(/"\s*:/g)?.length ?? 0) === countNames(value)
}
function countNames(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let names = Array.isArray(value) ? 0 : Object.keys(value).length
  for (const inner of Object.values(value)) if (typeof inner === 'object') names += countNames(inner)
  return names
}

function fitsValue(value: unknown, shape: Shape): boolean {
  if (value === null || value === undefined || shape.kind === 'any' || shape.kind === 'decimal') return true
  switch (shape.kind) {
    case 'boolean':
    case 'float':
    case 'whole':
      return typeof value === 'number' || typeof value === 'boolean'
        ? fitsScalar(typeof value, String(value), shape)
        : typeof value === 'string' && fitsScalar('string', JSON.stringify(value), shape)
    case 'array':
      return Array.isArray(value) && value.every((item) => fitsValue(item, shape.inner))
    default: {
      if (typeof value !== 'object' || Array.isArray(value)) return false
      const innerOf = (name: string) => (shape.kind === 'map' ? shape.inner : shape.fields.get(name.toLowerCase()))
      return Object.entries(value).every(([name, inner]) => {
        const wanted = innerOf(name)
        return wanted === undefined || fitsValue(inner, wanted)
      })
    }
  }
}

/** By DuckDB's rules, which are those of the files that are read without mending: it takes a number out of a string, and rounds. */
function fitsScalar(kind: string, json: string, shape: Shape): boolean {
  if (kind === 'null' || shape.kind === 'any') return true
  if (shape.kind === 'boolean') return kind !== 'string' || /^"(true|false|t|f|yes|no|y|n|1|0)"$/i.test(json)
  if (shape.kind !== 'float' && shape.kind !== 'whole') return false
  if (kind === 'boolean') return true
  const text = kind === 'string' ? (JSON.parse(json) as string).trim() : json
  if (shape.kind === 'float') return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(nan|inf|infinity)$/i.test(text)
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return false
  if (/^[+-]?\d+$/.test(text)) {
    const whole = BigInt(text)
    return whole >= -(1n << shape.bits) && whole < 1n << shape.bits
  }
  const rounded = Math.round(Number(text))
  return rounded >= -(2 ** Number(shape.bits)) && rounded < 2 ** Number(shape.bits)
}

/** The record with null in the place of what does not fit, as Spark keeps the rest of it. */
function mendedObject(node: Extract<JsonNode, { kind: 'object' }>, fields: ReadonlyMap<string, Shape>): MendedRecord {
  let misfits = 0
  const nothing: JsonNode = { kind: 'null', text: 'null' }
  const object = (from: Extract<JsonNode, { kind: 'object' }>, shapes: ReadonlyMap<string, Shape> | Shape): JsonNode => {
    const entries = new Map<string, JsonNode>()
    for (const [name, value] of from.entries) {
      const shape = 'kind' in shapes ? shapes : shapes.get(name.toLowerCase())
      // names that differ in case only would be one name twice: the last one stays
      for (const other of entries.keys()) if (other !== name && other.toLowerCase() === name.toLowerCase()) entries.delete(other)
      entries.set(name, shape === undefined ? value : mend(value, shape))
    }
    return { kind: 'object', entries }
  }
  const mend = (value: JsonNode, shape: Shape): JsonNode => {
    if (value.kind === 'null' || shape.kind === 'any') return value
    if (shape.kind === 'decimal') return value.kind === 'number' ? { kind: 'string', text: JSON.stringify(value.text) } : value
    if (value.kind === 'object' && shape.kind === 'struct') return object(value, shape.fields)
    if (value.kind === 'object' && shape.kind === 'map') return object(value, shape.inner)
    if (value.kind === 'array' && shape.kind === 'array') {
      const before = misfits
      const items = value.items.map((item) => mend(item, shape.inner))
      return misfits === before ? { kind: 'array', items } : nothing
    }
    if (value.kind !== 'object' && value.kind !== 'array' && fitsScalar(value.kind, value.text, shape)) return value
    misfits++
    return nothing
  }
  const json = jsonText(object(node, fields))
  return { json, malformed: misfits > 0 }
}
