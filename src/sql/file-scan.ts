/** SQL that reads files with a given schema, as Spark's readers would. */
import { InvalidQueryError } from '../base/errors.ts'
import type { ReadFormat } from '../data/file-options.ts'
import type { Schema } from '../data/schema.ts'
import { checkColumnNames } from './column-names.ts'
import { emptySelect } from './duck-types.ts'
import { FormatOptions } from './options.ts'
import { readBinary } from './read-binary.ts'
import { readCsv } from './read-csv.ts'
import { readJson } from './read-json.ts'
import { readParquet } from './read-parquet.ts'
import type { FieldsNeeded, FileScan, InputFile, ReadRequest } from './read-request.ts'
import { readText } from './read-text.ts'

export async function scanFiles(
  format: ReadFormat,
  files: readonly InputFile[],
  schema: Schema,
  options: Readonly<Record<string, string>>,
  partitions: readonly string[],
  needed?: FieldsNeeded,
): Promise<FileScan> {
  checkColumnNames('the schema of a file source', schema)
  checkCompression(format, files)
  const request: ReadRequest = { files, schema, options: new FormatOptions(options), partitions, needed }
  if (files.length === 0) return { select: emptySelect(schema), files, count: { kind: 'table' } }
  const scan = await readFormat(format, request)
  if (!request.options.flag('ignoreCorruptFiles', false)) return scan
  return { ...scan, over: (some) => scanFiles(format, some, schema, { ...options, ignoreCorruptFiles: 'false' }, partitions, needed) }
}

/**
 * The files of a stream. Where dead letters are kept, a malformed record is kept apart and a file that can't be read is left out, unless the options say what
 * becomes of them.
 */
export async function scanSource(
  format: ReadFormat,
  files: readonly InputFile[],
  schema: Schema,
  options: Readonly<Record<string, string>>,
  partitions: readonly string[],
  keepsDeadLetters: boolean,
  needed?: FieldsNeeded,
): Promise<FileScan> {
  const own = new FormatOptions(options)
  const corruptColumn = own.text('columnNameOfCorruptRecord') ?? '_corrupt_record'
  if (!keepsDeadLetters) return scanFiles(format, files, schema, options, partitions, needed)
  const decidesFiles = own.text('ignoreCorruptFiles') !== undefined
  const decidesRecords = own.text('mode') !== undefined || schema.names.includes(corruptColumn)
  const scan = await scanFiles(
    format,
    files,
    schema,
    decidesFiles ? options : { ...options, ignoreCorruptFiles: 'true' },
    partitions,
    needed,
  )
  return decidesRecords ? scan : withLetters(scan)
}
function withLetters(scan: FileScan): FileScan {
  const { mending, over } = scan
  return {
    ...scan,
    ...(mending && { mending: { ...mending, mode: 'DEADLETTER' } }),
    ...(over && { over: async (files: readonly InputFile[]) => withLetters(await over(files)) }),
  }
}

/** Which records DROPMALFORMED leaves out depends on the columns that are read. */
export function columnsJudged(
  columns: ReadonlySet<number> | undefined,
  options: Readonly<Record<string, string>>,
): FieldsNeeded | undefined {
  return columns && new FormatOptions(options).text('mode')?.toUpperCase() === 'DROPMALFORMED' ? { columns, fields: [] } : undefined
}

async function readFormat(format: ReadFormat, request: ReadRequest): Promise<FileScan> {
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

const unreadable: Readonly<Record<string, string>> = {
  bz2: 'bzip2',
  snappy: 'snappy',
  lz4: 'lz4',
  lzo: 'lzo',
  deflate: 'deflate',
  xz: 'xz',
}
/** Files whose ending names a compression that can't be undone would be read as garbage. */
function checkCompression(format: ReadFormat, files: readonly InputFile[]): void {
  if (format === 'binaryfile' || format === 'parquet') return
  for (const { path } of files) {
    const ending = path.slice(path.lastIndexOf('.') + 1).toLowerCase()
    // text is read whole by a reader that undoes no compression
    const name = unreadable[ending] ?? (format === 'text' ? { gz: 'gzip', zst: 'zstd' }[ending] : undefined)
    if (name === undefined) continue
    throw new InvalidQueryError('CODEC_NOT_AVAILABLE', {
      what: `${path} is compressed with ${name}, which can't be read`,
      todo: `${format === 'text' ? 'unpack it' : 'write it with gzip (.gz) or zstd (.zst)'}, or leave it out with pathGlobFilter`,
    })
  }
}
