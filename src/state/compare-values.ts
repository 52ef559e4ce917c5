import type { DataType } from '../data/types.ts'
import { toPhysical } from '../data/values.ts'

/**
 * Orders two values of a 'values' column, as Spark orders them: null first, NaN above all numbers, strings by UTF-8 bytes, arrays and structs
 * item by item. Maps have no order; the planner refuses min and max of them. Decimals at the top are unscaled bigints, nested values public.
 */
export function compareValues(type: DataType, a: unknown, b: unknown): number {
  if (a == null || b == null) return a == null ? (b == null ? 0 : -1) : 1
  if (typeof type !== 'string') {
    if (type.kind === 'array') return compareArrays(type.element, a as readonly unknown[], b as readonly unknown[])
    if (type.kind === 'struct') {
      for (const field of type.fields) {
        const order = compareValues(field.type, (a as Record<string, unknown>)[field.name], (b as Record<string, unknown>)[field.name])
        if (order !== 0) return order
      }
      return 0
    }
    if (type.kind === 'decimal' && typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : a > b ? 1 : 0
  }
  return comparePhysical(toPhysical(type, a), toPhysical(type, b))
}

function compareArrays(element: DataType, a: readonly unknown[], b: readonly unknown[]): number {
  const common = Math.min(a.length, b.length)
  for (let i = 0; i < common; i++) {
    const order = compareValues(element, a[i], b[i])
    if (order !== 0) return order
  }
  return a.length - b.length
}

function comparePhysical(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') {
    if (Number.isNaN(a) || Number.isNaN(b)) return (Number.isNaN(a) ? 1 : 0) - (Number.isNaN(b) ? 1 : 0)
    return a < b ? -1 : a > b ? 1 : 0
  }
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : a > b ? 1 : 0
  return Buffer.compare(bytesOf(a), bytesOf(b))
}
function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : Buffer.from(String(value), 'utf8')
}
