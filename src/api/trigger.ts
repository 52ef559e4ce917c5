import { InvalidQueryError } from '../base/errors.ts'
import { parseIntervalMs } from '../plan/intervals.ts'
import type { Trigger } from '../query/engine-port.ts'

/** Reads `{ processingTime: '10 seconds' }`, `{ availableNow: true }` or `{ once: true }`. INVALID_TRIGGER, CANNOT_PARSE_INTERVAL. */
export function triggerOf(given: unknown): Trigger {
  const entries = typeof given === 'object' && given !== null ? Object.entries(given) : []
  const [key, value] = entries[0] ?? []
  if (entries.length === 1 && key === 'availableNow' && value === true) return { kind: 'available-now' }
  if (entries.length === 1 && key === 'once' && value === true) return { kind: 'once' }
  if (entries.length === 1 && key === 'processingTime' && (typeof value === 'string' || typeof value === 'number'))
    return { kind: 'processing-time', intervalMs: intervalMs(value) }
  if (key === 'continuous' || key === 'realTime')
    throw invalid(
      `the trigger ${key} is not supported`,
      "use { processingTime: '0 seconds' }, which starts a batch as soon as the last is done",
    )
  throw invalid(
    `${JSON.stringify(given)} is no trigger`,
    "give one of { processingTime: '10 seconds' }, { availableNow: true }, { once: true }",
  )
}

function intervalMs(value: string | number): number {
  const ms = typeof value === 'number' ? value : parseIntervalMs(value)
  if (Number.isFinite(ms) && ms >= 0) return ms
  throw invalid(`the interval of processingTime is ${JSON.stringify(value)}`, 'give an interval of 0 or more')
}

function invalid(what: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('INVALID_TRIGGER', { what, todo })
}
