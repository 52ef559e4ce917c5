/** SQL that reads files with a given schema, as Spark's readers would. */
import { InvalidQueryError } from '../base/errors.ts'
import type { ReadFormat } from '../data/file-options.ts'
import type { Schema } from '../data/schema.ts'
import { emptySelect } from './duck-types.ts'
import { FormatOptions } from './options.ts'
import { readBinary } from './read-binary.ts'
import { readCsv } from './read-csv.ts'
import { readJson } from './read-json.ts'
import { readParquet } from './read-parquet.ts'
import type { FileScan, InputFile, ReadRequest } from './read-request.ts'
import { readText } from './read-text.ts'
import { quoteName } from './sql-text.ts'

export async function scanFiles(
  format: ReadFormat,
  files: readonly InputFile[],
  schema: Schema,
  options: Readonly<Record<string, string>>,
  partitions: readonly string[],
): Promise<FileScan> {
  checkNames(schema)
  const request: ReadRequest = { files, schema, options: new FormatOptions(options), partitions }
  if (files.length === 0) return { select: emptySelect(schema), files, count: { kind: 'table' } }
  switch (format) {
    case 'json':
      return readJson(request)
    case 'csv':
      return readCsv(request)
    case 'parquet':
      return readParquet(request)
    case 'text':
      return readText(request)
    case 'binaryfile':
      return readBinary(request)
  }
}

/** Columns are found by name, and names that differ in case only are one name for Spark and DuckDB alike. */
function checkNames(schema: Schema): void {
  const seen = new Set<string>()
  for (const name of schema.names) {
    const key = name.toLowerCase()
    if (seen.has(key)) {
      throw new InvalidQueryError('COLUMN_ALREADY_EXISTS', {
        what: `the schema of a file source has the column ${quoteName(name)} twice`,
        todo: 'name each column once; case makes no difference',
      })
    }
    seen.add(key)
  }
}
