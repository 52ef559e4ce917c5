/** Files that can't hold a row for which some conditions are true, told by their partitions and statistics. */
import { parseJsonExactly } from '../base/exact-json.ts'
import type { Condition, ConditionValue } from '../data/condition.ts'
import type { DataType } from '../data/types.ts'
import type { Expression } from '../plan/expression.ts'
import { conditionsOf } from '../plan/source-conditions.ts'
import type { AddFile, Metadata } from './actions.ts'
import { tableSchema } from './table-schema.ts'

/** A whole number, also of microseconds or of the last digits of a decimal; or a text that everybody sorts alike. */
type Comparable = bigint | string
/** What is known of the values that a file has in a column. Bounds that are not known are undefined. */
interface Values {
  readonly least: Comparable | undefined
  readonly most: Comparable | undefined
  readonly nulls: 'none' | 'some' | 'all'
}
const unknown: Values = { least: undefined, most: undefined, nulls: 'some' }
type Layout = { readonly table: string; readonly metadata: Metadata }
type ValuesOf = (column: number) => Values
type Test = (valuesOf: ValuesOf) => boolean

/** Tells files that may hold a row for which the condition is true. It is over the table's columns, and perhaps others behind them. */
export function filesFor(layout: Layout, condition: Expression): (add: AddFile) => boolean {
  return filesWith(layout, conditionsOf(condition))
}

/** Tells files that may hold a row for which all of the conditions, over the table's columns, are true. Whoever can't say answers true. */
export function filesWith({ table, metadata }: Layout, conditions: readonly Condition[]): (add: AddFile) => boolean {
  if (conditions.length === 0) return () => true
  const { schema, stored } = tableSchema(table, metadata)
  const partitions = new Set(metadata.partitionColumns.map((name) => name.toLowerCase()))
  const columns = schema.fields.map(({ name, type }, i) => ({
    name: stored[i]!.name,
    type,
    isPartition: partitions.has(name.toLowerCase()),
  }))
  const tests = conditions.map((condition) => testOf(condition, (column) => columns[column]?.type))
  return (add) => {
    const stats = statsIn(add)
    const valuesOf = (at: number): Values => {
      const column = columns[at]
      if (column === undefined) return unknown
      return column.isPartition ? partitionValues(add.partitionValues[column.name], column.type) : storedValues(stats, column)
    }
    return tests.every((test) => test(valuesOf))
  }
}

function testOf(condition: Condition, typeOf: (column: number) => DataType | undefined): Test {
  switch (condition.kind) {
    case 'and':
    case 'or': {
      const tests = condition.parts.map((part) => testOf(part, typeOf))
      return condition.kind === 'and' ? (of) => tests.every((test) => test(of)) : (of) => tests.some((test) => test(of))
    }
    case 'null':
      return (of) => of(condition.column).nulls !== (condition.isNull ? 'none' : 'all')
    case 'in': {
      const type = typeOf(condition.column)
      const values = type === undefined ? [undefined] : condition.values.map((value) => comparable(value, type))
      if (values.includes(undefined)) return (of) => of(condition.column).nulls !== 'all'
      const sorted = (values as Comparable[]).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
      return (of) => {
        const { least, most, nulls } = of(condition.column)
        if (nulls === 'all') return false
        const first = least === undefined ? 0 : firstFrom(sorted, least)
        return first < sorted.length && (most === undefined || sorted[first]! <= most)
      }
    }
    case 'compare': {
      const { column, operator } = condition
      const type = typeOf(column)
      const value = type === undefined ? undefined : comparable(condition.value, type)
      return (of) => {
        const { least, most, nulls } = of(column)
        if (nulls === 'all') return false
        if (value === undefined) return true
        switch (operator) {
          case '=':
            return (least === undefined || least <= value) && (most === undefined || most >= value)
          case '<>':
            return least === undefined || least !== most || least !== value
          case '<':
            return least === undefined || least < value
          case '<=':
            return least === undefined || least <= value
          case '>':
            return most === undefined || most > value
          case '>=':
            return most === undefined || most >= value
        }
      }
    }
  }
}

/** Where the first value stands that is not below. */
function firstFrom(sorted: readonly Comparable[], least: Comparable): number {
  let [from, to] = [0, sorted.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (sorted[middle]! < least) from = middle + 1
    else to = middle
  }
  return from
}

// ---- what is known of files

/** Numbers as texts, with all their digits. */
interface Stats {
  readonly numRecords?: string
  readonly minValues?: Readonly<Record<string, unknown>>
  readonly maxValues?: Readonly<Record<string, unknown>>
  readonly nullCount?: Readonly<Record<string, unknown>>
}
function statsIn({ stats }: AddFile): Stats | undefined {
  try {
    return stats ? (parseJsonExactly(stats, (digits) => digits) as Stats) : undefined
  } catch {
    return undefined
  }
}

function partitionValues(text: string | null | undefined, type: DataType): Values {
  if (text === null || text === undefined || text === '') return { least: undefined, most: undefined, nulls: 'all' }
  const value = type === 'timestamp' ? undefined : fromText(text, type) // written in the zone of whoever wrote it
  return { least: value, most: value, nulls: 'none' }
}

function storedValues(stats: Stats | undefined, { name, type }: { readonly name: string; readonly type: DataType }): Values {
  if (stats === undefined) return unknown
  const nulls = stats.nullCount?.[name]
  const most = fromStats(stats.maxValues?.[name], type)
  return {
    least: fromStats(stats.minValues?.[name], type),
    // times are cut to milliseconds
    most: (type === 'timestamp' || type === 'timestamp_ntz') && typeof most === 'bigint' ? most + 999n : most,
    nulls: nulls === '0' ? 'none' : nulls !== undefined && nulls === stats.numRecords ? 'all' : 'some',
  }
}
/** Fractions beside which there may be NaN, which is in no statistics, are not compared. */
function fromStats(value: unknown, type: DataType): Comparable | undefined {
  return typeof value === 'string' ? fromText(value, type) : undefined
}

function comparable({ text }: ConditionValue, type: DataType): Comparable | undefined {
  return fromText(text, type)
}
function fromText(text: string, type: DataType): Comparable | undefined {
  if (typeof type !== 'string') return type.kind === 'decimal' ? digits(text, type.scale) : undefined
  switch (type) {
    case 'byte':
    case 'short':
    case 'int':
    case 'long':
      return digits(text, 0)
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(text) ? text : undefined
    case 'string':
      // ASCII is sorted alike by everybody
      return /^[\x00-\x7f]*$/.test(text) ? text : undefined
    case 'timestamp':
      return microseconds(/[Z+]|-\d\d:\d\d$/.test(text.slice(11)) ? text : `${text}Z`)
    case 'timestamp_ntz':
      return microseconds(`${text}Z`)
    default:
      return undefined
  }
}
/** A number by its last digit; undefined where it has more of them. */
function digits(text: string, scale: number): bigint | undefined {
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)
  if (!parts) return undefined
  const fraction = (parts[3] ?? '').replace(/0+$/, '')
  if (fraction.length > scale) return undefined
  const value = BigInt(parts[2]! + fraction.padEnd(scale, '0'))
  return parts[1] === '-' ? -value : value
}
function microseconds(text: string): bigint | undefined {
  const parts = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/.exec(text)
  if (!parts) return undefined
  const ms = Date.parse(`${parts[1]}T${parts[2]}${parts[4]}`)
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1000n + BigInt((parts[3] ?? '').padEnd(6, '0'))
}
