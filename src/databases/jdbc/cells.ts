import { InvalidQueryError } from '../../base/errors.ts'
import { typeText } from '../../data/types.ts'
import type { ReadColumn } from './reader.ts'

/** A value as a server writes it, in a form that rows take. InvalidQueryError DATABASE_VALUE_UNREADABLE for what a type has no value for (infinite dates, years before Christ). */
export function readCell({ name, type }: ReadColumn, value: unknown): unknown {
  if (value === null || value === undefined) return null
  const text = typeof value === 'string' ? value : String(value)
  switch (type) {
    case 'boolean':
      if (text === 't' || text === 'true') return true
      if (text === 'f' || text === 'false') return false
      // a number of MySQL and SQLite: all but 0 are true there
      return isNumber.test(text) ? Number(text) !== 0 : unreadable(name, type, text)
    case 'byte':
    case 'short':
    case 'int':
      return isWhole.test(text) ? Number(text) : unreadable(name, type, text)
    case 'long':
      return isWhole.test(text) ? BigInt(text) : unreadable(name, type, text)
    case 'float':
    case 'double':
      return isNumber.test(text) || isNoNumber.test(text) ? Number(text) : unreadable(name, type, text)
    case 'string':
      return text
    case 'binary':
      return typeof value === 'string' ? new Uint8Array(Buffer.from(text.replace(/^\\x/, ''), 'hex')) : new Uint8Array(value as Uint8Array)
    case 'date':
      return isDate.test(text) ? text : unreadable(name, type, text)
    case 'timestamp':
      return isTime.test(text) ? `${text.replace(' ', 'T').replace(/(?:Z|\+00(?::?00)?)$/, '')}Z` : unreadable(name, type, text)
    case 'timestamp_ntz':
      return isTime.test(text) ? text.replace(' ', 'T').replace(/Z$/, '') : unreadable(name, type, text)
    default:
      return isNumber.test(text) ? text : unreadable(name, type, text)
  }
}
// columns of SQLite may hold anything, whatever they say
const isWhole = /^[-+]?\d+$/
const isNumber = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/
const isNoNumber = /^(?:NaN|-?Infinity)$/
const isDate = /^\d{4}-\d\d-\d\d$/
const isTime = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00(?::?00)?)?$/

function unreadable(name: string, type: ReadColumn['type'], text: string): never {
  throw new InvalidQueryError('DATABASE_VALUE_UNREADABLE', {
    what: `column ${name} holds ${JSON.stringify(text)}, which no ${typeText(type)} is`,
    todo: 'leave such rows out, or cast the column to text, in a SELECT of your own: option query',
  })
}
