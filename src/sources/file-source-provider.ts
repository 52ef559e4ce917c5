import { InvalidQueryError } from '../base/errors.ts'
import { binaryFileSchema, type ReadFormat } from '../data/file-options.ts'
import { Schema } from '../data/schema.ts'
import { type DataType, type Field, sameType, struct, typeText } from '../data/types.ts'
import { openFileSource } from './file-source.ts'
import { fileSourceOptions } from './file-source-options.ts'
import type { SourceProvider } from './provider.ts'

/** Streams of files. The schema has to be given (text and binaryFile have their own), and every column may be null, as in Spark. */
export const fileSourceProvider: SourceProvider = {
  formats: ['json', 'csv', 'parquet', 'text', 'binaryfile'],
  tellsRecords: true,
  schemaOf(format, userSchema, options) {
    const name = format.toLowerCase() as ReadFormat
    fileSourceOptions(name, options)
    if (name === 'text') return textSchema(userSchema)
    if (name === 'binaryfile') return binarySchema(userSchema)
    if (userSchema) return new Schema(userSchema.fields.map(nullableField))
    throw new InvalidQueryError('UNABLE_TO_INFER_SCHEMA', {
      what: `a stream of ${name} files was given no schema`,
      todo: `say what the files hold: .schema({ id: t.long(), … }).${name}(path). A schema taken from the files that happen to be there would change with them`,
    })
  },
  // a malformed value of a field that nobody reads must not be passed over where the whole record is judged
  givesFields(format, schema, options) {
    const option = (name: string) => Object.entries(options).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
    const corruptColumn = option('columnNameOfCorruptRecord') ?? '_corrupt_record'
    return (
      format.toLowerCase() === 'json' &&
      (option('mode') ?? 'PERMISSIVE').toUpperCase() === 'PERMISSIVE' &&
      !schema.names.some((name) => name.toLowerCase() === corruptColumn.toLowerCase())
    )
  },
  open: openFileSource,
}

/** Its one column has any name; of more columns the others come from folders, which the read finds out. */
function textSchema(userSchema: Schema | undefined): Schema {
  const fields = userSchema?.fields ?? [{ name: 'value', type: 'string', nullable: true }]
  if (fields.some(({ type }) => sameType(type, 'string'))) return new Schema(fields.map(nullableField))
  throw new InvalidQueryError('INVALID_SCHEMA.TEXT', {
    what: `a text file has one column of strings, and the schema is ${fields.map((field) => `${field.name} ${typeText(field.type)}`).join(', ') || 'empty'}`,
    todo: 'leave the schema out, or give a string column, and those that the names of folders give',
  })
}

function binarySchema(userSchema: Schema | undefined): Schema {
  const wanted = binaryFileSchema.fields
  const given = userSchema?.fields ?? wanted
  if (given.length === wanted.length && given.every(({ name, type }, i) => name === wanted[i]!.name && sameType(type, wanted[i]!.type)))
    return binaryFileSchema
  throw new InvalidQueryError('INVALID_SCHEMA.BINARY_FILE', {
    what: `binaryFile has the columns ${wanted.map((field) => `${field.name} ${typeText(field.type)}`).join(', ')}, and the schema is ${given.map((field) => `${field.name} ${typeText(field.type)}`).join(', ')}`,
    todo: 'leave the schema out',
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
