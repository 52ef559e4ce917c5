import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'

const fields: readonly Field[] = [
  { name: 'key', type: 'binary', nullable: true },
  { name: 'value', type: 'binary', nullable: true },
  { name: 'topic', type: 'string', nullable: true },
  { name: 'partition', type: 'int', nullable: true },
  { name: 'offset', type: 'long', nullable: true },
  { name: 'timestamp', type: 'timestamp', nullable: true },
  { name: 'timestampType', type: 'int', nullable: true },
]
const headers: Field = {
  name: 'headers',
  type: {
    kind: 'array',
    containsNull: true,
    element: {
      kind: 'struct',
      fields: [
        { name: 'key', type: 'string', nullable: true },
        { name: 'value', type: 'binary', nullable: true },
      ],
    },
  },
  nullable: true,
}

/** The columns of the source, as Spark has them. */
export function kafkaSchema(includeHeaders: boolean): Schema {
  return new Schema(includeHeaders ? [...fields, headers] : fields)
}

/** The columns that say where a record is, and its bytes. */
export const kafkaOrigin: readonly string[] = ['topic', 'partition', 'offset', 'value']
