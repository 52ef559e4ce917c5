import { InvalidQueryError } from '../../base/errors.ts'
import type { Options } from '../../base/options.ts'
import type { ConditionValue } from '../../data/condition.ts'
import type { ReadColumn, TableReader } from './reader.ts'

export const partitionNames = ['partitionColumn', 'lowerBound', 'upperBound', 'numPartitions']
/** So many connections are opened for one read at most. */
const mostPartitions = 64

/**
 * The parts in which a table is read, each by a connection of its own, as conditions that together take every row once: as in Spark the bounds say where the cuts are, and leave no
 * row out. None where it is read as a whole. InvalidQueryError MISSING_OPTION, INCOMPATIBLE_OPTIONS, INVALID_OPTION_VALUE.
 */
export function partitionsOf(options: Options, reader: TableReader): string[] {
  const name = options.text('partitionColumn')
  const [lowerText, upperText] = [options.text('lowerBound'), options.text('upperBound')]
  const count = options.wholeNumber('numPartitions', 1)
  if (name === undefined) {
    if (lowerText === undefined && upperText === undefined) return []
    throw missing('partitionColumn')
  }
  if (lowerText === undefined || upperText === undefined || count === undefined)
    throw missing(lowerText === undefined ? 'lowerBound' : upperText === undefined ? 'upperBound' : 'numPartitions')
  if (options.text('query') !== undefined) {
    throw new InvalidQueryError('INCOMPATIBLE_OPTIONS', {
      what: 'the options query and partitionColumn can not be given together',
      todo: "give the query as dbtable: .option('dbtable', '(SELECT …) AS part')",
    })
  }
  const column = reader.columns.find((each) => each.name === name)
  if (!column) throw invalid('partitionColumn', name, `a column of the table: ${reader.columns.map((each) => each.name).join(', ')}`)
  const unit = unitOf(column)
  if (unit === undefined)
    throw invalid('partitionColumn', name, 'a column of whole numbers, decimals, dates or times, which the server orders as they are')
  const [lower, upper] = [unit.parse(lowerText), unit.parse(upperText)]
  if (lower === undefined) throw invalid('lowerBound', lowerText, unit.example)
  if (upper === undefined) throw invalid('upperBound', upperText, unit.example)
  if (lower > upper) throw invalid('lowerBound', lowerText, `at or below upperBound = ${upperText}`)
  if (count > mostPartitions) throw invalid('numPartitions', String(count), `at most ${mostPartitions}: each is a connection`)
  const parts = upper - lower < BigInt(count) ? Number(upper - lower) : count
  if (parts <= 1) return []
  const cell = reader.cell(column)
  const cuts = Array.from({ length: parts - 1 }, (_, i) =>
    reader.literal(unit.value(lower + ((upper - lower) * BigInt(i + 1)) / BigInt(parts))),
  )
  return Array.from({ length: parts }, (_, i) => {
    const [from, to] = [cuts[i - 1], cuts[i]]
    if (from === undefined) return `${cell} < ${to} OR ${cell} IS NULL`
    return to === undefined ? `${cell} >= ${from}` : `${cell} >= ${from} AND ${cell} < ${to}`
  })
}

interface Unit {
  readonly parse: (text: string) => bigint | undefined
  readonly value: (n: bigint) => ConditionValue
  readonly example: string
}
function unitOf({ type, compares }: ReadColumn): Unit | undefined {
  if (compares !== 'order') return undefined
  if (type === 'date' || type === 'timestamp' || type === 'timestamp_ntz') {
    const msOf = (text: string) =>
      Date.parse(/T|:/.test(text) ? `${text.trim().replace(' ', 'T').replace(/Z$/, '')}Z` : `${text.trim()}T00:00:00Z`)
    const isDate = type === 'date'
    const size = isDate ? 86_400_000 : 1
    return {
      parse: (text) => (Number.isNaN(msOf(text)) ? undefined : BigInt(Math.floor(msOf(text) / size))),
      value(n) {
        const iso = new Date(Number(n) * size).toISOString()
        return { kind: type, text: isDate ? iso.slice(0, 10) : `${iso.slice(0, 10)} ${iso.slice(11, 23)}` }
      },
      example: isDate ? 'a date such as 2026-01-31' : 'a time of UTC such as 2026-01-31 12:00:00',
    }
  }
  return {
    parse: (text) => (/^\s*-?\d+\s*$/.test(text) ? BigInt(text.trim()) : undefined),
    value: (n) => ({ kind: 'number', text: String(n) }),
    example: 'a whole number',
  }
}

function missing(name: string): InvalidQueryError {
  return new InvalidQueryError('MISSING_OPTION', {
    what: `a table is read in parts by partitionColumn, lowerBound, upperBound and numPartitions together, and ${name} was not given`,
    todo: 'give all four, or none',
  })
}
function invalid(name: string, value: string, expected: string): InvalidQueryError {
  return new InvalidQueryError('INVALID_OPTION_VALUE', {
    what: `${name} = ${JSON.stringify(value)} is not ${expected}`,
    todo: `give ${expected}`,
  })
}
