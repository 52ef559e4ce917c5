/** The columns that folders `name=value/` give, typed by their values as Spark does: int, long, double, date, timestamp, else string. */
import { Schema } from '../data/schema.ts'
import type { DataType, Field } from '../data/types.ts'

/** The schema of files with the columns of their folders: after the others, or in the place of a column of the same name. Only folders that every file has count. */
export function withPartitions(schema: Schema, files: readonly (readonly (readonly [name: string, value: string | null])[])[]): Schema {
  const names = (files[0] ?? []).map(([name]) => name).filter((name) => files.every((parts) => parts.some(([other]) => other === name)))
  const fields = names.map(
    (name): Field => ({ name, type: typeOfValues(files.map((parts) => parts.find(([other]) => other === name)![1])), nullable: true }),
  )
  const own = (field: Field) => fields.find(({ name }) => name.toLowerCase() === field.name.toLowerCase())
  const kept = schema.fields.map((field) => own(field) ?? field)
  return new Schema([...kept, ...fields.filter((field) => !kept.includes(field))])
}

const date = /^\d{4}-\d{2}-\d{2}$/
const types: readonly (readonly [DataType, (value: string) => boolean])[] = [
  ['int', (value) => isWhole(value, 31n)],
  ['long', (value) => isWhole(value, 63n)],
  ['double', (value) => /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value)],
  ['date', (value) => date.test(value) && isDay(value)],
  ['timestamp', (value) => /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$/.test(value) && isDay(value.slice(0, 10))],
]

function typeOfValues(values: readonly (string | null)[]): DataType {
  const known = [...new Set(values)].filter((value) => value !== null)
  if (known.length === 0) return 'string'
  return types.find(([, fits]) => known.every(fits))?.[0] ?? 'string'
}
function isWhole(value: string, bits: bigint): boolean {
  if (!/^[+-]?\d{1,19}$/.test(value)) return false
  const number = BigInt(value.replace(/^\+/, ''))
  return number >= -(1n << bits) && number < 1n << bits
}
function isDay(text: string): boolean {
  const time = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text)
}
