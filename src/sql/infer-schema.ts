import {
  type DuckDBDecimalType,
  type DuckDBListType,
  DuckDBLogicalType,
  type DuckDBMapType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
} from '@duckdb/node-api'
import { InvalidQueryError } from '../base/errors.ts'
import type { ReadFormat } from '../data/file-options.ts'
import { Schema } from '../data/schema.ts'
import { type DataType, decimal, type Field, struct } from '../data/types.ts'
import { bindings, type Result } from './bindings.ts'
import { csvDialect } from './csv-records.ts'
import { FormatOptions } from './options.ts'
import { hiveArgument, type InputFile } from './read-request.ts'
import { quotePaths, quoteText } from './sql-text.ts'

/** A SELECT of no rows whose columns are those of the files. */
export function inferenceSelect(format: ReadFormat, files: readonly InputFile[], options: Readonly<Record<string, string>>): string {
  const paths = quotePaths(files.map((file) => file.path))
  const given = new FormatOptions(options)
  switch (format) {
    case 'parquet':
      return `SELECT * FROM read_parquet(${paths}, union_by_name = true, ${hiveArgument([])}) LIMIT 0`
    case 'json': {
      const shape = given.flag('multiLine', false) ? 'auto' : 'newline_delimited'
      return `SELECT * FROM read_json(${paths}, format = '${shape}', sample_size = -1, map_inference_threshold = -1, union_by_name = true, ${hiveArgument([])}) LIMIT 0`
    }
    case 'csv': {
      const all = given.flag('inferSchema', false) ? 'all_varchar = false' : 'all_varchar = true'
      return `SELECT * FROM read_csv(${paths}, header = ${given.flag('header', false)}, delim = ${quoteText(csvDialect(given).separator)}, sample_size = -1, ${all}, ${hiveArgument([])}) LIMIT 0`
    }
    case 'text':
    case 'binaryfile':
      return `SELECT '' AS value LIMIT 0`
  }
}

/** With the option primitivesAsString: every value that is not nested is text. */
export function primitivesAsString(type: DataType): DataType {
  if (typeof type === 'string' || type.kind === 'decimal') return 'string'
  if (type.kind === 'array') return { ...type, element: primitivesAsString(type.element) }
  if (type.kind === 'map') return { ...type, value: primitivesAsString(type.value) }
  return type.kind === 'struct' ? struct(type.fields.map((field) => ({ ...field, type: primitivesAsString(field.type) }))) : type
}

/** The schema of a result; every column nullable. */
export function schemaOf(result: Result, format: ReadFormat, header: boolean): Schema {
  const fields = Array.from({ length: bindings.column_count(result) }, (_, i): Field => {
    const type = DuckDBLogicalType.create(bindings.column_logical_type(result, i)).asType()
    const name = format === 'csv' && !header ? `_c${i}` : bindings.column_name(result, i)
    return { name, type: dataType(type, format, name), nullable: true }
  })
  // JSON has no order of fields; Spark gives them sorted
  return new Schema(format === 'json' ? fields.sort((a, b) => (a.name < b.name ? -1 : 1)) : fields)
}

function dataType(type: DuckDBType, format: ReadFormat, name: string): DataType {
  const inner = (each: DuckDBType) => dataType(each, format, name)
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return 'boolean'
    case DuckDBTypeId.TINYINT:
      return 'byte'
    case DuckDBTypeId.SMALLINT:
    case DuckDBTypeId.UTINYINT:
      return 'short'
    case DuckDBTypeId.INTEGER:
    case DuckDBTypeId.USMALLINT:
      return 'int'
    case DuckDBTypeId.BIGINT:
    case DuckDBTypeId.UINTEGER:
      return 'long'
    case DuckDBTypeId.UBIGINT:
      return decimal(20, 0)
    case DuckDBTypeId.HUGEINT:
    case DuckDBTypeId.UHUGEINT:
      return format === 'json' ? 'double' : decimal(38, 0)
    case DuckDBTypeId.FLOAT:
      return 'float'
    case DuckDBTypeId.DOUBLE:
      return 'double'
    case DuckDBTypeId.VARCHAR:
    case DuckDBTypeId.UUID:
    case DuckDBTypeId.ENUM:
    case DuckDBTypeId.TIME:
    case DuckDBTypeId.SQLNULL:
      return 'string'
    case DuckDBTypeId.BLOB:
      return 'binary'
    // Spark takes text in JSON for text, also where it looks like a time
    case DuckDBTypeId.DATE:
      return format === 'json' ? 'string' : 'date'
    case DuckDBTypeId.TIMESTAMP_TZ:
      return format === 'json' ? 'string' : 'timestamp'
    // a Parquet timestamp that is not adjusted to UTC, and a CSV one without a zone
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_S:
    case DuckDBTypeId.TIMESTAMP_MS:
    case DuckDBTypeId.TIMESTAMP_NS:
      return format === 'json' ? 'string' : format === 'parquet' ? 'timestamp_ntz' : 'timestamp'
    case DuckDBTypeId.DECIMAL:
      return decimal((type as DuckDBDecimalType).width, (type as DuckDBDecimalType).scale)
    case DuckDBTypeId.LIST:
      return { kind: 'array', element: inner((type as DuckDBListType).valueType), containsNull: true }
    case DuckDBTypeId.MAP:
      return {
        kind: 'map',
        key: inner((type as DuckDBMapType).keyType),
        value: inner((type as DuckDBMapType).valueType),
        valueContainsNull: true,
      }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type as DuckDBStructType
      return struct(entryNames.map((field, i) => ({ name: field, type: inner(entryTypes[i]!), nullable: true })))
    }
    default:
      throw new InvalidQueryError('UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE', {
        what: `column ${name} has the type ${type}, which no type of Millrace holds`,
        todo: 'give the schema and leave the column out',
      })
  }
}
