/**
 * Sums that may leave their type, where rows that fail are set aside. A sum that overflows ends the statement that computes it, whichever group it is of. So it is computed in two parts that can't fail, and
 * put together row by row above them: then it is the group (or, of a window, the row) that has no value.
 */
import type { AggregateCall, WindowCall } from '../plan/expression.ts'
import { decimalOverflow, longOverflow } from './aggregates/sums.ts'

interface SumApart {
  /** What it gives; null also where that does not fit its type. */
  readonly value: AggregateCall
  /** Of how many values. */
  readonly count: AggregateCall
}

const tries: Readonly<Record<string, string>> = { sum: 'try_sum', avg: 'try_avg' }

/** Null for what is no sum, or never leaves its type. */
export function sumApart(call: AggregateCall): SumApart | null {
  const name = tries[call.name]
  const [arg] = call.args
  if (name === undefined || arg === undefined || call.type === 'double') return null
  return {
    value: { ...call, name, nullable: true },
    count: { ...call, name: 'count', distinct: false, type: 'long', nullable: false },
  }
}

/** The sum, from its two parts in SQL. Spark's ARITHMETIC_OVERFLOW. */
export function sumOfParts({ args }: AggregateCall, value: string, count: string): string {
  const type = args[0]!.type
  const error = typeof type !== 'string' && type.kind === 'decimal' ? decimalOverflow : longOverflow
  return `coalesce(${value}, CASE WHEN ${count} > 0 THEN ${error} END)`
}

/** The same of a function over a window. */
export function windowSumApart(call: WindowCall): { readonly value: WindowCall; readonly count: WindowCall } | null {
  const parts = call.function.kind === 'aggregate' ? sumApart(call.function) : null
  if (parts === null) return null
  const over = (f: AggregateCall): WindowCall => ({ ...call, function: f, type: f.type, nullable: f.nullable })
  return { value: over(parts.value), count: over(parts.count) }
}
