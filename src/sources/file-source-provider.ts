import { InvalidQueryError } from '../base/errors.ts'
import type { FileFormat } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import { type DataType, type Field, sameType, struct, typeText } from '../data/types.ts'
import { openFileSource } from './file-source.ts'
import { fileSourceOptions } from './file-source-options.ts'
import type { SourceProvider } from './provider.ts'

/** Streams of files: json, csv, parquet and text. The schema has to be given (text has its own), and every column may be null, as in Spark. */
export const fileSourceProvider: SourceProvider = {
  formats: ['json', 'csv', 'parquet', 'text'],
  schemaOf(format, userSchema, options) {
    const name = format.toLowerCase() as FileFormat
    fileSourceOptions(name, options)
    if (name === 'text') return textSchema(userSchema)
    if (userSchema) return new Schema(userSchema.fields.map(nullableField))
    throw new InvalidQueryError('UNABLE_TO_INFER_SCHEMA', {
      what: `a stream of ${name} files was given no schema`,
      todo: `say what the files hold: .schema({ id: t.long(), … }).${name}(path). A schema taken from the files that happen to be there would change with them`,
    })
  },
  open: openFileSource,
}

function textSchema(userSchema: Schema | undefined): Schema {
  const fixed = new Schema([{ name: 'value', type: 'string', nullable: true }])
  const [only, ...others] = userSchema?.fields ?? fixed.fields
  if (only && others.length === 0 && sameType(only.type, 'string')) return new Schema([{ name: only.name, type: 'string', nullable: true }])
  throw new InvalidQueryError('INVALID_SCHEMA.TEXT', {
    what: `a text file has one column of strings, and the schema is ${(userSchema?.fields ?? []).map((field) => `${field.name} ${typeText(field.type)}`).join(', ') || 'empty'}`,
    todo: 'leave the schema out, or give a single string column',
  })
}

function nullableField(field: Field): Field {
  return { ...field, nullable: true, type: nullableType(field.type) }
}
function nullableType(type: DataType): DataType {
  if (typeof type === 'string' || type.kind === 'decimal') return type
  if (type.kind === 'array') return { kind: 'array', element: nullableType(type.element), containsNull: true }
  if (type.kind === 'map') return { kind: 'map', key: nullableType(type.key), value: nullableType(type.value), valueContainsNull: true }
  return struct(type.fields.map(nullableField))
}
