/** Spark's JSON of a type and of a schema: what `df.schema.json()` gives in PySpark. The way back is plan/schema-text.ts's. */
import type { DataType, Field } from './types.ts'

export function typeToJson(type: DataType): unknown {
  if (typeof type === 'string') return type === 'int' ? 'integer' : type
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`
    case 'array':
      return { type: 'array', elementType: typeToJson(type.element), containsNull: type.containsNull }
    case 'map':
      return { type: 'map', keyType: typeToJson(type.key), valueType: typeToJson(type.value), valueContainsNull: type.valueContainsNull }
    case 'struct':
      return { type: 'struct', fields: type.fields.map(fieldToJson) }
  }
}

function fieldToJson({ name, type, nullable, watermarkDelayMs, isSession }: Field): unknown {
  return {
    name,
    type: typeToJson(type),
    nullable,
    metadata: {
      ...(watermarkDelayMs !== undefined && { 'spark.watermarkDelayMs': watermarkDelayMs }),
      ...(isSession && { 'spark.sessionWindow': true }),
    },
  }
}
