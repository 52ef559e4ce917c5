import { InvalidQueryError } from '../../base/errors.ts'
import type { ColumnBatch } from '../../data/column-batch.ts'
import type { Schema } from '../../data/schema.ts'
import { textOf } from '../key-text.ts'

/** The name of the index that a row goes to: texts, and columns of the row between them. */
export interface IndexName {
  readonly text: string
  readonly parts: readonly (string | IndexColumn)[]
}
interface IndexColumn {
  readonly column: number
  readonly name: string
  /** Of a date or timestamp: `yyyy`, `MM`, `dd`, `HH` stand for its parts in UTC. */
  readonly pattern: string | undefined
}

/** Reads `clicks-{at:yyyy.MM.dd}`. InvalidQueryError. */
export function parseIndexName(text: string, schema: Schema): IndexName {
  const parts = text.split(/(\{[^}]*\})/).filter((part) => part !== '')
  return {
    text,
    parts: parts.map((part) => {
      if (!part.startsWith('{')) return part
      const [, name = '', pattern] = /^\{([^:}]*)(?::([^}]*))?\}$/.exec(part) ?? []
      const column = schema.indexOf(name)
      const type = schema.fields[column]?.type
      const isTime = type === 'timestamp' || type === 'timestamp_ntz' || type === 'date'
      if (column < 0 || isTime !== (pattern !== undefined)) {
        throw new InvalidQueryError('SEARCH_INDEX_NAME', {
          what: `index = ${JSON.stringify(text)} has ${part}, and ${column < 0 ? `there is no column ${JSON.stringify(name)} (the rows have ${schema.names.join(', ')})` : isTime ? 'a time needs a pattern there' : 'only a date or timestamp has a pattern there'}`,
          todo: 'write {column:yyyy.MM.dd} for a date or timestamp, {column} for a column of another type',
        })
      }
      return { column, name, pattern }
    }),
  }
}

export function isConstant({ parts }: IndexName): boolean {
  return parts.every((part) => typeof part === 'string')
}

/** The index of a row; why it has none, where its name would be none. */
export function indexOf({ parts }: IndexName, batch: ColumnBatch, row: number): string | { readonly problem: string } {
  let name = ''
  for (const part of parts) {
    if (typeof part === 'string') {
      name += part
      continue
    }
    const text = textOf(batch, part.column, row)
    if (text === null) return { problem: `the column ${part.name} of the index's name is null` }
    name += part.pattern === undefined ? String(text) : format(part.pattern, String(text))
  }
  // what Elasticsearch and OpenSearch allow
  const isName = name === name.toLowerCase() && !/[\\/*?"<>| ,#:]|^[-_+.]/.test(name) && Buffer.byteLength(name) <= 255 && name !== ''
  return isName ? name : { problem: `${JSON.stringify(name)} is no name of an index` }
}

/** Of an ISO text in UTC. */
function format(pattern: string, iso: string): string {
  const [, year = '', month = '', day = '', hour = '00'] = /^([+-]?\d+)-(\d\d)-(\d\d)(?:T(\d\d))?/.exec(iso) ?? []
  return pattern.replace(/yyyy|MM|dd|HH/g, (field) => ({ yyyy: year, MM: month, dd: day, HH: hour })[field]!)
}
