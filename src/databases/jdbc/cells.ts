import { InvalidQueryError } from '../../base/errors.ts'
import { typeText } from '../../data/types.ts'
import type { ReadColumn } from './reader.ts'

/** A value as a server writes it, in a form that rows take. InvalidQueryError DATABASE_VALUE_UNREADABLE for what a type has no value for (infinite dates, years before Christ). */
export function readCell({ name, type }: ReadColumn, value: unknown): unknown {
  if (value === null || value === undefined) return null
  const text = typeof value === 'string' ? value : String(value)
  switch (type) {
    case 'boolean':
      return text === 't' || text === 'true' || text === '1'
    case 'byte':
    case 'short':
    case 'int':
      return Number(text)
    case 'long':
      return BigInt(text)
    case 'float':
    case 'double':
      return Number(text)
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
      return text === 'NaN' || text.includes('Infinity') ? unreadable(name, type, text) : text
  }
}
const isDate = /^\d{4}-\d\d-\d\d$/
const isTime = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00(?::?00)?)?$/

function unreadable(name: string, type: ReadColumn['type'], text: string): never {
  throw new InvalidQueryError('DATABASE_VALUE_UNREADABLE', {
    what: `column ${name} holds ${JSON.stringify(text)}, which no ${typeText(type)} is`,
    todo: 'leave such rows out, or cast the column to text, in a SELECT of your own: option query',
  })
}
