/** Intervals written as text. */
import { InvalidQueryError } from '../../base/errors.ts'
import { parseIntervalUs } from '../../plan/intervals.ts'
import { type Kernel, kernel } from './kernel.ts'

/** A batch has few different ones. */
const known = new Map<string, bigint | null>()
const mostKnown = 1000

/** Microseconds; null for text that is no interval of a fixed length. */
function intervalUs(text: string): bigint | null {
  let us = known.get(text)
  if (us === undefined) {
    us = read(text)
    if (known.size >= mostKnown) known.clear()
    known.set(text, us)
  }
  return us
}
function read(text: string): bigint | null {
  try {
    return parseIntervalUs(text)
  } catch (error) {
    if (error instanceof InvalidQueryError) return null
    throw error
  }
}

export const interval: readonly Kernel[] = [kernel('interval_us', ['string'], 'long', intervalUs)]
