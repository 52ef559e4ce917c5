/** A span of time in microseconds, from days down to the field named last; the field named first is the largest that its text shows. */
export type DayTimeInterval =
  | 'interval day'
  | 'interval day to hour'
  | 'interval day to minute'
  | 'interval day to second'
  | 'interval hour'
  | 'interval hour to minute'
  | 'interval hour to second'
  | 'interval minute'
  | 'interval minute to second'
  | 'interval second'
/** A span of time in months. */
export type YearMonthInterval = 'interval year' | 'interval year to month' | 'interval month'
export type IntervalType = DayTimeInterval | YearMonthInterval

/** The SQL types, spelt as Spark's DDL spells them. Plain frozen data; nested ones are objects. */
export type SimpleType =
  | IntervalType
  | 'boolean'
  | 'byte'
  | 'short'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'string'
  | 'binary'
  | 'date'
  | 'timestamp'
  | 'timestamp_ntz'
  /** The type of a bare NULL; coerces to any other. */
  | 'void'
export interface DecimalType {
  readonly kind: 'decimal'
  readonly precision: number
  readonly scale: number
}
export interface ArrayType {
  readonly kind: 'array'
  readonly element: DataType
  readonly containsNull: boolean
}
export interface MapType {
  readonly kind: 'map'
  readonly key: DataType
  readonly value: DataType
  readonly valueContainsNull: boolean
}
export interface StructType {
  readonly kind: 'struct'
  readonly fields: readonly Field[]
}
export type DataType = SimpleType | DecimalType | ArrayType | MapType | StructType

/** A column of a schema, or a field of a struct. */
export interface Field {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
  /** The name that `alias(…)` gave to the relation, so that `a.x` finds it. */
  readonly qualifier?: string
  /** Set on an event-time column by withWatermark: how far behind the newest row a row may be, in milliseconds. */
  readonly watermarkDelayMs?: number
  /** Set on a column that session_window made: grouping by it makes one of the sessions that touch. */
  readonly isSession?: true
}

export function decimal(precision: number, scale: number): DecimalType {
  return { kind: 'decimal', precision, scale }
}
export function struct(fields: readonly Field[]): StructType {
  return { kind: 'struct', fields }
}

/** Whether two types are the same, nullability of nested values and watermarks aside. */
export function sameType(a: DataType, b: DataType): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b
  if (a.kind === 'decimal') return b.kind === 'decimal' && a.precision === b.precision && a.scale === b.scale
  if (a.kind === 'array') return b.kind === 'array' && sameType(a.element, b.element)
  if (a.kind === 'map') return b.kind === 'map' && sameType(a.key, b.key) && sameType(a.value, b.value)
  return (
    b.kind === 'struct' &&
    a.fields.length === b.fields.length &&
    a.fields.every((field, i) => field.name === b.fields[i]!.name && sameType(field.type, b.fields[i]!.type))
  )
}

/** Whether a map in it has keys other than strings, which JSON can't write. */
export function hasNonStringKeys(type: DataType): boolean {
  if (typeof type === 'string' || type.kind === 'decimal') return false
  if (type.kind === 'array') return hasNonStringKeys(type.element)
  if (type.kind === 'map') return type.key !== 'string' || hasNonStringKeys(type.value)
  return type.fields.some((field) => hasNonStringKeys(field.type))
}

/** The DDL text of a type, as Spark's `simpleString` has it: `bigint`, `array<string>`, `struct<a:int>`. */
export function typeText(type: DataType): string {
  if (typeof type === 'string') return simpleNames[type] ?? type
  if (type.kind === 'decimal') return `decimal(${type.precision},${type.scale})`
  if (type.kind === 'array') return `array<${typeText(type.element)}>`
  if (type.kind === 'map') return `map<${typeText(type.key)},${typeText(type.value)}>`
  return `struct<${type.fields.map((f) => `${f.name}:${typeText(f.type)}`).join(',')}>`
}
const simpleNames: Partial<Record<SimpleType, string>> = { byte: 'tinyint', short: 'smallint', long: 'bigint' }
