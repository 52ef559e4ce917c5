import type { Schema } from '../data/schema.ts'
import { type DataType, type Field, typeText } from '../data/types.ts'

/** The columns as printSchema shows them, in Spark's form. */
export function schemaTree(schema: Schema): string {
  return `root\n${schema.fields
    .flatMap((field) => fieldLines(field, ' '))
    .map((line) => `${line}\n`)
    .join('')}`
}

function fieldLines({ name, type, nullable }: Field, indent: string): string[] {
  return [`${indent}|-- ${name}: ${typeName(type)} (nullable = ${nullable})`, ...inside(type, `${indent}|    `)]
}

function inside(type: DataType, indent: string): string[] {
  if (typeof type === 'string' || type.kind === 'decimal') return []
  if (type.kind === 'struct') return type.fields.flatMap((field) => fieldLines(field, indent))
  if (type.kind === 'array') return part('element', type.element, `containsNull = ${type.containsNull}`, indent)
  return [...part('key', type.key, '', indent), ...part('value', type.value, `valueContainsNull = ${type.valueContainsNull}`, indent)]
}

function part(name: string, type: DataType, note: string, indent: string): string[] {
  return [`${indent}|-- ${name}: ${typeName(type)}${note && ` (${note})`}`, ...inside(type, `${indent}|    `)]
}

/** Spark's tree calls int integer and leaves the inside of nested types to the lines below. */
function typeName(type: DataType): string {
  if (typeof type !== 'string') return type.kind === 'decimal' ? typeText(type) : type.kind
  return type === 'int' ? 'integer' : type
}
