/** Files that can't hold a row for which a condition is true, told by their partitions and statistics. */
import type { DataType } from '../data/types.ts'
import type { Expression, Literal } from '../plan/expression.ts'
import { conjuncts } from '../plan/expression-tree.ts'
import type { AddFile, Metadata } from './actions.ts'
import { tableSchema } from './table-schema.ts'

type Comparable = number | bigint | string
interface Range {
  readonly least: Comparable | undefined
  readonly most: Comparable | undefined
  readonly onlyNulls: boolean
}

/** `condition` is over the table's columns, and perhaps others behind them. Whoever can't say answers true. */
export function mayHold(
  { table, metadata }: { readonly table: string; readonly metadata: Metadata },
  add: AddFile,
  condition: Expression,
): boolean {
  const { schema } = tableSchema(table, metadata)
  const partitions = new Map(metadata.partitionColumns.map((name) => [name.toLowerCase(), name]))
  const stats = statsIn(add)
  const rangeOf = (e: Expression): Range | undefined => {
    if (e.kind !== 'column' || e.index >= schema.fields.length) return undefined
    const { name, type } = schema.fields[e.index]!
    const partition = partitions.get(name.toLowerCase())
    if (partition !== undefined) {
      const text = add.partitionValues[partition]
      if (text === null || text === undefined || text === '') return { least: undefined, most: undefined, onlyNulls: true }
      const value = comparable(text, type)
      return value === undefined ? undefined : { least: value, most: value, onlyNulls: false }
    }
    if (stats === undefined) return undefined
    const nulls = stats.nullCount?.[name]
    return {
      least: comparable(stats.minValues?.[name], type),
      most: comparable(stats.maxValues?.[name], type),
      onlyNulls: typeof nulls === 'number' && nulls === stats.numRecords,
    }
  }
  return conjuncts(condition).every((part) => mayBeTrue(part, rangeOf))
}

function mayBeTrue(e: Expression, rangeOf: (e: Expression) => Range | undefined): boolean {
  if (e.kind !== 'call') return true
  const args = e.args as readonly Expression[]
  if (e.name === 'or') return args.some((part) => mayBeTrue(part, rangeOf))
  if (e.name === 'and') return args.every((part) => mayBeTrue(part, rangeOf))
  if (e.name === 'in') {
    const range = rangeOf(args[0]!)
    return range === undefined || args.slice(1).some((value) => mayCompare('==', range, literalOf(value)))
  }
  const swapped: Readonly<Record<string, string>> = { '==': '==', '<': '>', '<=': '>=', '>': '<', '>=': '<=' }
  if (!(e.name in swapped)) return true
  const [a, b] = args
  const left = rangeOf(a!)
  if (left) return mayCompare(e.name, left, literalOf(b!))
  const right = rangeOf(b!)
  return right === undefined || mayCompare(swapped[e.name]!, right, literalOf(a!))
}

function mayCompare(sign: string, { least, most, onlyNulls }: Range, value: Comparable | undefined): boolean {
  if (value === undefined) return true
  if (onlyNulls) return false
  const under = least === undefined || sameKind(least, value) === false || least <= value
  const over = most === undefined || sameKind(most, value) === false || most >= value
  switch (sign) {
    case '<':
      return least === undefined || !sameKind(least, value) || least < value
    case '<=':
      return under
    case '>':
      return most === undefined || !sameKind(most, value) || most > value
    case '>=':
      return over
    default:
      return under && over
  }
}
function sameKind(a: Comparable, b: Comparable): boolean {
  return (typeof a === 'string') === (typeof b === 'string')
}

function literalOf(e: Expression): Comparable | undefined {
  if (e.kind !== 'literal') return undefined
  const { value, type } = e as Literal
  if (typeof value === 'number' && type === 'date') return new Date(value * 86_400_000).toISOString().slice(0, 10)
  if (typeof value === 'number' || typeof value === 'bigint') return isNumber(type) ? value : undefined
  return typeof value === 'string' && type === 'string' && isPlain(value) ? value : undefined
}
/** A value of a partition or of statistics. Fractions (there may be NaN beside them, which is in no statistics), texts beyond ASCII, decimals and times are not compared. */
function comparable(value: unknown, type: DataType): Comparable | undefined {
  if (value === null || value === undefined) return undefined
  // larger numbers have lost their last digits in JSON
  if (isNumber(type)) return Number.isSafeInteger(Number(value)) ? Number(value) : undefined
  if (type === 'date' && typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value)) return value
  return type === 'string' && typeof value === 'string' && isPlain(value) ? value : undefined
}
function isNumber(type: DataType): boolean {
  return type === 'byte' || type === 'short' || type === 'int' || type === 'long'
}
/** ASCII: compared in the same order by everybody. */
function isPlain(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text)
}

interface Stats {
  readonly numRecords?: number
  readonly minValues?: Readonly<Record<string, unknown>>
  readonly maxValues?: Readonly<Record<string, unknown>>
  readonly nullCount?: Readonly<Record<string, unknown>>
}
function statsIn({ stats }: AddFile): Stats | undefined {
  try {
    return stats ? (JSON.parse(stats) as Stats) : undefined
  } catch {
    return undefined
  }
}
