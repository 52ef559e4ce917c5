/** binaryFile: a row a file, with its path, time of modification, length and content. Content that nobody asks for is not read. */
import { columnName } from './duck-types.ts'
import { folderColumn } from './folder-column.ts'
import { type FileScan, isPartition, type ReadRequest } from './read-request.ts'
import { quotePaths } from './sql-text.ts'

/** Hadoop writes a path of this machine as `file:/in/a.bin`. */
const scheme = 'file:'

const values: Readonly<Record<string, string>> = {
  path: `'${scheme}' || filename`,
  // whole milliseconds, as the source's own log has them
  modificationTime: 'make_timestamp(epoch_ms(last_modified) * 1000)',
  length: 'size::BIGINT',
  content: 'content',
}

export function readBinary(request: ReadRequest): FileScan {
  const { files, schema } = request
  const columns = schema.fields.map(({ name }, i) =>
    isPartition(request, i) ? folderColumn(request, i) : `${values[name] ?? 'NULL'} AS ${columnName(i)}`,
  )
  return {
    select: `SELECT ${columns.join(', ')} FROM read_blob(${quotePaths(files.map((file) => file.path))})`,
    files,
    count: { kind: 'known', rows: files.length },
  }
}
