import { InvalidQueryError } from '../../base/errors.ts'
import type { BytesColumn, Column, ColumnBatch, FixedColumn, ValuesColumn } from '../../data/column-batch.ts'
import type { Schema } from '../../data/schema.ts'
import { type DataType, typeText } from '../../data/types.ts'

/** The columns that a record is made of, by their places among the query's. -1: there is none. Others are left out, as in Spark. */
export interface SinkColumns {
  readonly key: number
  readonly value: number
  readonly topic: number
  readonly partition: number
  readonly headers: number
  readonly timestamp: number
}

const expected: Readonly<Record<keyof SinkColumns, { readonly types: string; fits(type: DataType): boolean }>> = {
  key: { types: 'STRING or BINARY', fits: isBytes },
  value: { types: 'STRING or BINARY', fits: isBytes },
  topic: { types: 'STRING', fits: (type) => type === 'string' },
  partition: { types: 'INT', fits: (type) => type === 'int' },
  headers: { types: 'ARRAY<STRUCT<key: STRING, value: BINARY>>', fits: isHeaders },
  timestamp: { types: 'TIMESTAMP', fits: (type) => type === 'timestamp' },
}

/** Checks the columns of a query that writes to Kafka. InvalidQueryError. */
export function sinkColumns(schema: Schema, hasTopicOption: boolean): SinkColumns {
  const places = Object.fromEntries(
    Object.entries(expected).map(([name, { types, fits }]) => {
      const at = schema.indexOf(name)
      if (at >= 0 && !fits(schema.fields[at]!.type)) {
        throw new InvalidQueryError('KAFKA_COLUMN_TYPE', {
          what: `the column ${name} of a query that writes to Kafka is ${types}, and it is ${typeText(schema.fields[at]!.type)}`,
          todo: `cast it, or write it under another name${name === 'value' ? ": to_json(struct('*')).as('value')" : ''}`,
        })
      }
      return [name, at]
    }),
  ) as unknown as SinkColumns
  if (places.value < 0) {
    throw new InvalidQueryError('KAFKA_VALUE_MISSING', {
      what: `a query that writes to Kafka has a column value, and this one has ${schema.names.join(', ') || 'no columns'}`,
      todo: "make one: select(to_json(struct('*')).as('value'))",
    })
  }
  if (places.topic < 0 && !hasTopicOption) {
    throw new InvalidQueryError('KAFKA_TOPIC_MISSING', {
      what: 'nothing says which topic the rows go to: there is neither a column topic nor an option',
      todo: "set option('topic', 'results'), or add a column topic",
    })
  }
  return hasTopicOption ? { ...places, topic: -1 } : places
}

function isBytes(type: DataType): boolean {
  return type === 'string' || type === 'binary'
}
function isHeaders(type: DataType): boolean {
  if (typeof type === 'string' || type.kind !== 'array') return false
  const { element } = type
  if (typeof element === 'string' || element.kind !== 'struct' || element.fields.length !== 2) return false
  const [key, value] = element.fields
  return key!.name === 'key' && key!.type === 'string' && value!.name === 'value' && value!.type === 'binary'
}

/** One chunk's columns as the encoder reads them; null where there is none. */
export interface RecordsIn {
  readonly length: number
  readonly key: BytesColumn | null
  readonly value: BytesColumn
  readonly topic: BytesColumn | null
  readonly partition: FixedColumn | null
  readonly timestamp: FixedColumn | null
  readonly headers: ValuesColumn | null
}
export function recordsIn({ columns, length }: ColumnBatch, places: SinkColumns): RecordsIn {
  const column = <C extends Column>(at: number) => (at < 0 ? null : (columns[at] as C))
  return {
    length,
    key: column(places.key),
    value: column<BytesColumn>(places.value)!,
    topic: column(places.topic),
    partition: column(places.partition),
    timestamp: column(places.timestamp),
    headers: column(places.headers),
  }
}
