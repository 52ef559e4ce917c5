import { columnName, duckType } from './duck-types.ts'
import { folderPattern, hiveNull } from './hive-path.ts'
import type { ReadRequest } from './read-request.ts'
import { quoteText } from './sql-text.ts'

/** A partition column for readers that know nothing of partitions, but give each row its file's name. */
export function folderColumn({ schema }: ReadRequest, index: number): string {
  const { name, type } = schema.fields[index]!
  const pattern = folderPattern(name, '[^/]*')
  return `CAST(url_decode(nullif(regexp_extract(filename, ${quoteText(pattern)}, 1), ${quoteText(hiveNull)})) AS ${duckType(type)}) AS ${columnName(index)}`
}
